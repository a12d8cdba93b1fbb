"""Any person's name stands in the report letter by letter, in the direction of its script, and can be read off it."""

import io
import re
import unicodedata
from dataclasses import replace
from time import thread_time
from typing import Any

import pypdf
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reports import pdf
from reports.canvas import HEIGHT, INNER, MARGIN, WIDTH
from reports.font import MOST_MARKS, is_plain, printable
from reports.formats import render
from reports.report import LONGEST_NAME, full_name
from reports.scripts import BLOCKS, FOLDER, script_font, script_of
from reports.shaping import from_left_to_right, runs
from tests.unit.report_cases import Recorder, elements_of, make_report, pages_of, text_of

# Names that need what is special in their script: letters that join, stack, change places, or are written leftward.
NAMES = {
    "european": "Kɔ̀fí Ọ̀ṣun",
    "armenian": "Արմեն Պետրոսյան",
    "hebrew": "שָׁלוֹם כהן",
    "arabic": "بلال علاء الدين",
    "syriac": "ܐܦܪܝܡ ܡܠܟܐ",
    "thaana": "މުޙައްމަދު",
    "devanagari": "श्रीकृष्ण किरण क्षत्रिय",
    "bengali": "কিশোর চট্টোপাধ্যায়",
    "gurmukhi": "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
    "gujarati": "કૃષ્ણા પટેલ",
    "oriya": "କୃଷ୍ଣ ପଟ୍ଟନାୟକ",
    "tamil": "கோவிந்தன் கிருஷ்ணா",
    "telugu": "కృష్ణా రెడ్డి",
    "kannada": "ಕೃಷ್ಣಾ ಶೆಟ್ಟಿ",
    "malayalam": "കൃഷ്ണൻ നായർ",
    "sinhala": "ශ්\u200dරී ප්\u200dරියන්ත",
    "thai": "สมชาย น้ำใจ",
    "lao": "ສົມພອນ ນໍ້າ",
    "tibetan": "བསྟན་འཛིན",
    "myanmar": "အောင်ကြည်မြင့်",
    "georgian": "გიორგი შევარდნაძე",
    "ethiopic": "ኃይለ ገብረ",
    "khmer": "ស្រី ខ្មែរ",
    "cjk": "王小明 喆堃祎",
}
OTHERS = {
    "persian": "علی\u200cرضا پژمان",
    "urdu": "ڈاکٹر ٹیپو گھوڑے",
    "japanese": "山田 たろう タロウ",
    "korean": "김철수 뷁",
    "two scripts": "Мария 王 გიორგი",
}


@pytest.mark.parametrize("name", [*NAMES.values(), *OTHERS.values()], ids=[*NAMES, *OTHERS])
def test_a_name_of_any_script_can_be_read_off_cover_and_foot(name: str) -> None:
    name = unicodedata.normalize("NFC", name)
    cover, *others = pages_of(render(make_report(person=name, reader=name), "pdf").content)
    assert f"\n{name}\n" in cover
    assert f" · Для: {name}\n" in cover
    assert [name in page for page in others] == [True, True]


@pytest.mark.parametrize(
    "name", ["محمد عبد الرحمن بن خالد الهاشمي " * 3, "გიორგი შევარდნაძე " * 6], ids=["leftward", "rightward"]
)
def test_a_name_of_several_lines_is_read_as_one(name: str) -> None:
    content = render(make_report(person=name.strip()), "pdf").content
    assert len(re.findall(name.split(maxsplit=1)[0], pages_of(content)[0])) >= 3
    assert ("/P", name.strip()) in elements_of(content)


@pytest.mark.parametrize("script", BLOCKS)
def test_every_script_has_a_font_with_all_letters_of_its_name(script: str) -> None:
    name = unicodedata.normalize("NFC", NAMES[script])
    shown = runs(name)
    assert {run.script for run in shown if not is_plain(run.letters)} == {script}
    assert all(glyph.number for run in shown for glyph in run.glyphs)
    assert script in _fonts(render(make_report(person=name), "pdf").content)


def test_fonts_are_those_of_scripts_and_no_others() -> None:
    assert {path.name.removesuffix(".ttf.xz") for path in FOLDER.iterdir()} == set(BLOCKS)


def test_a_russian_report_reads_and_embeds_no_other_font() -> None:
    for cached in (runs, script_of, script_font):
        cached.cache_clear()
    content = render(make_report(person="Мария Петрова", reader="Анна"), "pdf").content
    assert _fonts(content) == {"roboto"}
    assert script_font.cache_info().currsize == 0


def test_a_name_brings_only_its_own_letters() -> None:
    russian, chinese = (len(render(make_report(person=name), "pdf").content) for name in ("Анна", "王小明"))
    assert chinese - russian < 10_000  # bytes; the font has millions


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Анна علي", ["Анна ", "علي"]),
        ("محمد علي Анна", ["Анна", " ", "محمد علي"]),
        ("Анна (علي) Иван", ["Анна (", "علي", ") Иван"]),
        ("علي (Анна) محمد", ["محمد", " (", "Анна", ") ", "علي"]),
        ("שרה 12", ["12", " ", "שרה"]),
        ("Анна გია", ["Анна ", "გია"]),
    ],
)
def test_parts_of_a_line_stand_in_the_order_in_which_they_are_seen(text: str, seen: list[str]) -> None:
    shown = from_left_to_right(runs(text))
    assert [run.letters if run.script else run.in_sight for run in shown] == seen


def test_letters_are_joined_stacked_and_moved_as_their_script_wants_it() -> None:
    joined, alone = runs("عع")[0].glyphs, runs("ع")[0].glyphs
    assert len({glyph.number for glyph in (*joined, *alone)}) == 3
    assert [glyph.letters for glyph in runs("لا")[0].glyphs if glyph.advance] == ["ل"]
    assert len(runs("क्ष")[0].glyphs) == 1
    [_, consonant] = runs("कि")[0].glyphs  # which is read first, and said first
    assert consonant == replace(runs("क")[0].glyphs[0], letters="ि")
    letter, mark, upper_mark = runs("М\u0304\u0304")[0].glyphs
    assert letter.up < mark.up < upper_mark.up


def test_a_line_is_as_wide_as_its_letters() -> None:
    for name in NAMES.values():
        canvas = Recorder(make_report(person=name))
        [(_, left, right, _)] = [line for line in canvas.lines if line[0] == name]
        [style] = {style for style in pdf.NAMES if style.width(name) == pytest.approx(right - left)}
        assert style.fitting(name, right - left + 0.01) == len(name)
        assert style.width(style.shortened(name * 20, INNER)) <= INNER


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("𐌰𐌱𐍂", "abr"),
        ("Мария 𪛖", "Мария Sho"),
        ("Анна \u3164", "Анна ?"),
        ("Анна\u3000हिन्दी", "Анна हिन्दी"),
        ("𝐀нна ﬁ\u200dΑ", "Aнна ﬁΑ"),
        ("\u202eАнна\u2066\u061c", "Анна"),
        ("М" + "\u0304" * 10_000, "М" + "\u0304" * MOST_MARKS),
    ],
)
def test_a_letter_that_no_font_has_is_shown_in_latin_ones(name: str, shown: str) -> None:
    assert f"\n{shown}\n" in pages_of(render(make_report(person=name), "pdf").content)[0]


@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=20))
@example("ʼʻəș")
@example("\u3164ᅠ")
def test_no_name_of_letters_is_ever_dropped(name: str) -> None:
    shown = printable(name)
    assert all(is_plain(letter) or script_of(letter) for letter in shown)
    assert len(shown.replace(" ", "")) >= 1
    assert all(letter in shown for letter in name if is_plain(letter) or script_of(letter))


@hypothesis_settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
@example("Щедролюбова" * 20, "Ж" * 300)
@example("Анна " * 60, "W" * 300)
@example("محمد" * 60, "عبد الرحمن " * 30)
@example("क्षत्रिय" * 40, "ស្រី" * 80)
@example("王小明" * 100, "Ọ̀ṣun" * 60)
@example("שָׁלוֹם Anna " * 30, "\u202eАнна\u2067" * 50)
def test_any_name_stays_on_the_page(name: str, reader: str) -> None:
    report = make_report("parent", person=full_name(name, None), reader=full_name(reader, None))
    assert render(report, "pdf").content
    canvas = Recorder(report)
    assert canvas.pages_count == 2
    for text, left, right, baseline in canvas.lines:
        assert left >= MARGIN - 0.01, text
        assert right <= WIDTH - MARGIN + 0.01, text
        assert 20 < baseline < HEIGHT - 10, text


@pytest.mark.parametrize(
    "name",
    [
        "Oʻgʻiloy Gʻulomova",
        "Дарʼя Мар’яненко",
        "Əli Əliyev",
        "Ionuț Ștefănescu",
        "Ιωάννης Παπαδόπουλος",
        "Әлия Çelik Nguyễn",
        "Ḥusayn ʿAbd al-Raḥmān",
        "Ɓala Ƙofar",
    ],
)
def test_a_name_of_another_alphabet_is_shown_as_it_is_written(name: str) -> None:
    assert f"\n{name}\n" in text_of(render(make_report(person=name), "pdf").content)


def test_a_name_without_its_emoji_is_shown() -> None:
    assert "\nМаша Иванова\n" in text_of(render(make_report(person="Маша 🌸 Иванова"), "pdf").content)


def test_a_name_that_is_too_long_ends_with_an_ellipsis() -> None:
    [cover, *_] = pages_of(render(make_report(person="Анна " * 100), "pdf").content)
    assert re.search(r"(Анна )+Анна?…\n8 лет", cover)


def test_half_a_character_is_no_letter() -> None:
    assert full_name("Ан\ud83dна", "\udc00") == "Анна"


THOUSANDS = {
    "wide": "W" * 20_000,
    "short words": "ж " * 10_000,
    "another font": "Ա" * 20_000,
    "accents": "Á" * 20_000,
    "joined": "محمد" * 5_000,
    "stacked": "क्षि" * 5_000,
    "two directions": "אa" * 10_000,
    "marks": "ا" + "\u064b" * 10_000,
    "two scripts": "王ก" * 10_000,
}


@pytest.mark.parametrize("letters", THOUSANDS.values(), ids=THOUSANDS)
def test_a_name_of_thousands_of_letters_is_cut_and_holds_up_nobody(letters: str) -> None:
    render(make_report(person="Αա王अعก"), "pdf")  # the fonts, once a process
    name = full_name(letters, letters)
    assert name is not None
    assert (len(name), name[-1]) == (LONGEST_NAME, "…")
    began = thread_time()
    for person in (name, letters):  # the limit, and the drawing as such
        report = make_report(person=person, reader=person)
        assert render(report, "pdf").content
    assert thread_time() - began < 10  # seconds of computing; it was cubic: minutes


def _fonts(content: bytes) -> set[str]:
    """The families in a document: Roboto, and scripts."""
    resources: list[Any] = [page["/Resources"] for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    names = {
        str(font.get_object()["/BaseFont"]).partition("+")[2]
        for page in resources
        for font in page["/Font"].get_object().values()
    }
    return {name.removeprefix("Noto").lower() if name.startswith("Noto") else "roboto" for name in names}
