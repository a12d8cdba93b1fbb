"""A report keeps PDF/UA-1: each case is a failure condition of the Matterhorn Protocol that such a file could meet."""

import io
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pypdf
import pytest
from fontTools.ttLib import TTFont

from reports.formats import render
from reports.report import Contact
from reports.scoring import Status
from tests.unit.report_cases import KINDS, make_report, report_of, tree_of

CONTACT = Contact("https://balansity.example/booking", "+7 495 123-45-67")
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "ua": "http://www.aiim.org/pdfua/ns/id/",
}


@pytest.fixture(params=KINDS)
def reader(request: pytest.FixtureRequest) -> pypdf.PdfReader:
    report = make_report(request.param, 3, "Zoë <& Ма́ша> ნინო محمد श्रेया 李小龙", reader="Đặng")
    return read(render(replace(report, contact=CONTACT), "pdf").content)


def read(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf))


def test_every_sequence_of_a_page_leads_to_its_element_and_back(reader: pypdf.PdfReader) -> None:
    """Conditions 01-005 and 01-006."""
    owners = owners_of(reader)
    placed = 0
    for page in reader.pages:
        contents: Any = page.get_contents()
        drawn = [int(number) for number in re.findall(rb"/MCID (\d+)", contents.get_data())]
        elements = owners[int(str(page["/StructParents"]))]
        placed += len(elements)
        assert drawn == list(range(len(elements)))
        for number, element in zip(drawn, elements, strict=True):
            assert number in element.get_object()["/K"]
            assert element.get_object().raw_get("/Pg") == page.indirect_reference
    assert placed == len([kid for element in tree_of(reader) for kid in element["/K"] if isinstance(kid, int)])


def test_every_element_is_of_a_standard_type_and_a_part_of_its_parent(reader: pypdf.PdfReader) -> None:
    """Conditions 02-001 and 09-004 to 09-008."""
    inside = {"/L": {"/LI"}, "/LI": {"/Lbl", "/LBody"}, "/LBody": {"/P"}}
    only_in = {"/LI": "/L", "/Lbl": "/LI", "/LBody": "/LI", "/Link": "/P"}
    kinds = {"/Document", "/H1", "/H2", "/H3", "/P", "/Link", "/Figure", "/L", "/LI", "/Lbl", "/LBody"}
    elements = tree_of(reader)
    assert {element["/S"] for element in elements} == kinds
    for element in elements:
        assert element["/K"], element["/S"]
        parts = [kid.get_object() for kid in element["/K"] if not isinstance(kid, int)]
        parts = [part for part in parts if part["/Type"] == "/StructElem"]
        assert all(part["/P"] == element for part in parts)
        assert {part["/S"] for part in parts} <= inside.get(element["/S"], kinds)
        assert only_in.get(element["/S"], element["/P"].get("/S")) == element["/P"].get("/S")


@pytest.mark.parametrize("status", list(Status))
def test_steps_are_a_numbered_list(status: Status) -> None:
    """Conditions 16-001 to 16-003."""
    reader = read(render(report_of("checkup", status), "pdf").content)
    [steps] = [element for element in tree_of(reader) if element["/S"] == "/L"]
    assert steps["/A"] == {"/O": "/List", "/ListNumbering": "/Decimal"}
    for step in steps["/K"]:
        assert [part.get_object()["/S"] for part in step.get_object()["/K"]] == ["/Lbl", "/LBody"]


def test_every_picture_has_words_and_a_place(reader: pypdf.PdfReader) -> None:
    """Condition 13-004, and the box that ISO 32000-1, 14.8.5.4.3, asks of it."""
    pictures = [element for element in tree_of(reader) if element["/S"] == "/Figure"]
    assert pictures
    for picture in pictures:
        assert picture["/Alt"]
        left, bottom, right, top = map(float, picture["/A"]["/BBox"])
        assert 0 < left < right < 596
        assert 0 < bottom < top < 842


def test_every_link_is_said_stands_in_the_tree_and_is_reached_in_its_order(reader: pypdf.PdfReader) -> None:
    """Conditions 28-002, 28-004, 28-005 and 28-010 to 28-012."""
    owners = owners_of(reader)
    links = [(page, link.get_object()) for page in reader.pages for link in page.get("/Annots", [])]
    assert [link["/Contents"] for _, link in links] == ["balansity.example/booking", CONTACT.phone]
    for page, link in links:
        owner = owners[link["/StructParent"]]
        assert owner["/S"] == "/Link"
        sequence, reference = owner["/K"]
        assert isinstance(sequence, int)
        assert reference.get_object()["/Type"] == "/OBJR"
        assert reference.get_object()["/Obj"] == link
        assert owner.raw_get("/Pg") == page.indirect_reference
    assert [str(page["/Tabs"]) for page in reader.pages] == ["/S"] * len(reader.pages)


@pytest.mark.parametrize("person", ["Маша", "<&\"'>]]>", "{title}", "\x00\x07\ufffe\u200f", "𝔐ä" * 300])
def test_the_description_names_title_language_and_standard(person: str) -> None:
    """Conditions 06-001 to 06-004, 07-001, 07-002 and 11-006, whatever the name."""
    reader = read(render(make_report(person=person), "pdf").content)
    catalog: Any = reader.root_object
    metadata = ET.fromstring(catalog["/Metadata"].get_data().decode().strip())
    title = metadata.findtext(".//dc:title//rdf:li", namespaces=NAMESPACES)
    assert title == reader.metadata.title  # type: ignore[union-attr]
    assert "чекапа" in title  # type: ignore[operator]
    assert metadata.findtext(".//ua:part", namespaces=NAMESPACES) == "1"
    assert metadata.findtext(".//dc:language//rdf:li", namespaces=NAMESPACES) == catalog["/Lang"] == "ru-RU"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert catalog["/MarkInfo"]["/Marked"].value is True
    assert reader.pdf_header == "%PDF-1.7"


@pytest.mark.parametrize("name", ["Zoë Đặng Ма́ша", "بلال محمد", "किरण कृष्ण", "王小明 กำ"])
def test_fonts_are_embedded_as_wide_as_they_say_and_lead_back_to_letters(name: str) -> None:
    """Conditions 10-001, 31-001 to 31-009, 31-014, 31-016, 31-018, 31-027, 31-028 and 31-030."""
    reader = read(render(make_report(person=name), "pdf").content)
    for face in {id(face): face for page in reader.pages for face in fonts_of(page)}.values():
        [glyphs] = [each.get_object() for each in face["/DescendantFonts"]]
        assert face["/Encoding"] == "/Identity-H"
        font = TTFont(io.BytesIO(glyphs["/FontDescriptor"]["/FontFile2"].get_data()))
        names, scale = font.getGlyphOrder(), 1000 / font["head"].unitsPerEm
        codes = map_of(face)
        assert not set("".join(codes.values())) & {"\0", "\ufeff", "\ufffe"}
        for code, width in widths_of(glyphs["/W"]).items():
            assert abs(font["hmtx"][names[glyph_of(code, glyphs)]][0] * scale - width) <= 1
            assert glyph_of(code, glyphs) > 0
        assert set(codes) <= set(widths_of(glyphs["/W"]))
        assert 0 not in codes


def owners_of(reader: pypdf.PdfReader) -> dict[int, Any]:
    root: Any = reader.root_object["/StructTreeRoot"]
    nums = root["/ParentTree"]["/Nums"]
    return {number: owner.get_object() for number, owner in zip(nums[::2], nums[1::2], strict=True)}


def fonts_of(page: pypdf.PageObject) -> list[Any]:
    resources: Any = page["/Resources"]
    return [each.get_object() for each in resources["/Font"].values()]


def map_of(face: Any) -> dict[int, str]:
    """A font's ToUnicode map."""
    pairs = re.findall(rb"^<([0-9A-F]+)> <([0-9A-F]*)>$", face["/ToUnicode"].get_data(), re.MULTILINE)
    return {int(code, 16): bytes.fromhex(letters.decode()).decode("utf-16-be") for code, letters in pairs[1:]}


def glyph_of(code: int, glyphs: Any) -> int:
    """The place in the font's file: the code itself, or where a map of two bytes each says."""
    if glyphs["/CIDToGIDMap"] == "/Identity":
        return code
    return int.from_bytes(glyphs["/CIDToGIDMap"].get_data()[2 * code : 2 * code + 2], "big")


def widths_of(array: Any) -> dict[int, float]:
    """A font's W array, of the form that gives a list of widths from a glyph on."""
    return {
        first + offset: width
        for first, widths in zip(array[::2], array[1::2], strict=True)
        for offset, width in enumerate(widths)
    }
