"""What a screen reader reads of a report, in which order (ISO 32000-1, 14.7; as PDF/UA-1, ISO 14289-1, asks for it)."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any
from unicodedata import category

from fpdf.annotations import PDFAnnotation
from fpdf.output import PDFPage
from fpdf.syntax import Name, PDFArray, PDFObject, PDFString, Raw

from reports.font import SharedFontOutput

NOT_IN_XML = {"Cc", "Cs", "Cn"}  # Unicode's classes of what XML may not hold or nobody gave a meaning
METADATA = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<pdfuaid:part>1</pdfuaid:part>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


class Element(PDFObject):
    """A node of the tree: a standard structure type, and in it elements, numbered sequences of a page, annotations."""

    def __init__(
        self, kind: str, parent: PDFObject, page: PDFPage | None = None, alt: str | None = None, attributes: str = ""
    ) -> None:
        super().__init__()
        self.type = Name("StructElem")
        self.s = Name(kind)
        self.p = parent
        self.pg = page
        self.alt = PDFString(alt) if alt else None
        self.a = Raw(attributes) if attributes else None
        self.k = PDFArray()


class Reference(PDFObject):
    """An annotation as a part of an element."""

    def __init__(self, annotation: PDFAnnotation) -> None:
        super().__init__()
        self.type = Name("OBJR")
        self.obj = annotation


class ParentTree(PDFObject):
    """Leads back: from a page to the elements of its sequences, from an annotation to its own."""

    def __init__(self) -> None:
        super().__init__()
        self._owners: list[PDFArray | Element] = []

    def add(self, owner: PDFArray | Element) -> int:
        """The number under which a page or an annotation names its owner."""
        self._owners.append(owner)
        return len(self._owners) - 1

    @property
    def nums(self) -> Raw:
        refs = (owner.ref if isinstance(owner, Element) else owner.serialize() for owner in self._owners)
        return Raw("[" + "\n".join(f"{number} {ref}" for number, ref in enumerate(refs)) + "]")


class Root(PDFObject):
    def __init__(self) -> None:
        super().__init__()
        self.type = Name("StructTreeRoot")
        self.parent_tree = ParentTree()
        self.k = PDFArray()


class Structure:
    """The tree of one document. fpdf2's own is flat, and does not know its links."""

    def __init__(self) -> None:
        self.root = Root()
        self.parents = self.root.parent_tree
        document = Element("Document", self.root)
        self.root.k.append(document)
        self.objects: list[PDFObject] = [self.root, self.parents, document]
        self.open = [document]  # from the whole to the innermost
        self.sequences: dict[int, PDFArray] = {}  # of a page, by its number: the element of each

    @contextmanager
    def element(self, kind: str, page: PDFPage, alt: str | None, attributes: str) -> Iterator[Element]:
        """Elements that are made meanwhile are parts of this one."""
        element = Element(kind, self.open[-1], page, alt, attributes)
        self.open[-1].k.append(element)
        self.objects.append(element)
        self.open.append(element)
        yield element
        self.open.pop()

    def number(self, page: PDFPage) -> int:
        """The number of a sequence on that page that belongs to the innermost element."""
        if page.index() not in self.sequences:
            owners = self.sequences[page.index()] = PDFArray()
            page.struct_parents = self.parents.add(owners)
        owners = self.sequences[page.index()]
        owners.append(self.open[-1])
        self.open[-1].k.append(len(owners) - 1)
        return len(owners) - 1

    def annotate(self, page: PDFPage, annotation: Any) -> None:
        """Put an annotation on that page, as a part of the innermost element."""
        annotation.struct_parent = self.parents.add(self.open[-1])
        reference = Reference(annotation)
        self.open[-1].k.append(reference)
        self.objects.append(reference)
        if page.annots is not None:
            page.annots.append(annotation)


class TaggedOutput(SharedFontOutput):
    """Writes documents that have a `structure`."""

    def _add_structure_tree(self) -> PDFObject:
        structure: Structure = getattr(self.fpdf, "structure")  # noqa: B009 - FPDF declares none
        for each in structure.objects:
            self._add_pdf_obj(each, "structure_tree")
        return structure.root


def metadata(title: str, author: str, language: str) -> str:
    """The document's description in XMP, with the standard that it keeps."""
    return METADATA.format(title=escape(title), author=author, language=language)


def sayable(title: str) -> str:
    """`title` without the characters that a description cannot hold."""
    return "".join(letter for letter in title if category(letter) not in NOT_IN_XML)
