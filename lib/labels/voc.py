"""Pascal VOC as labelImg writes it: one XML file a photo, boxes exactly as written, nothing added or taken."""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape

import defusedxml.sax
import numpy as np
from defusedxml.common import DefusedXmlException

from .. import classes, images
from .columns import EXTRAS, NUMBERS, SAID
from .photos import near
from .problems import FormatError, Said, corners, inside, known, number, numbers, of_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Voc", "parse", "read_voc", "voc_path", "write_voc"]

_YES = ("1", "true", "True")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LARGEST = 16_000_000  # bytes of an XML file; the largest real one is below a hundredth of it


@dataclass
class _Node:
    """An element of a small XML file, with the line on which it starts."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["_Node"] = field(default_factory=list)

    def child(self, tag: str) -> "_Node | None":
        return next((c for c in self.children if c.tag == tag), None)

    def word(self, tag: str) -> str:
        found = self.child(tag)
        return found.text.strip() if found else ""


class _Tree(ContentHandler):
    """Builds `_Node`s while the parser reads, because ElementTree forgets line numbers."""

    def __init__(self, first_line: int) -> None:
        super().__init__()
        self.root: _Node | None = None
        self._open: list[_Node] = []
        self._before = first_line
        self._place: Any = None

    def setDocumentLocator(self, locator: Any) -> None:
        self._place = locator

    def startElement(self, name: str, attrs: Any) -> None:
        node = _Node(name, self._before + (self._place.getLineNumber() or 1), dict(attrs))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def endElement(self, name: str) -> None:
        self._open.pop()

    def characters(self, content: str) -> None:
        self._open[-1].text += content


@dataclass
class Voc(Said):
    """What one Pascal VOC file says, and whose word it is; name_line: where it names its photo."""

    name_line: int = 0
    origin: str = ""
    verified: bool = False


def parse(path: Path) -> Voc:
    """Read a VOC file. Raises FormatError where the file as a whole is unusable."""
    root = _tree(path)
    if root.tag != "annotation":
        raise FormatError(path, root.line, f"not Pascal VOC: starts with <{root.tag}>, not <annotation>")
    origin, rows = root.word("origin"), []
    problems: list[tuple[int | str, str]] = []
    size = root.child("size")
    wh = None
    if size is not None:
        try:
            wh = int(float(size.word("width"))), int(float(size.word("height")))
        except (ValueError, OverflowError):
            problems.append((size.line, "size: width and height must be numbers"))
    size_known = wh if wh and min(wh) > 0 else None
    for node in root.children:
        if node.tag == "object":
            try:
                row = _object(node, path)
            except FormatError as trouble:
                problems.append((trouble.line, trouble.reason))
            else:
                rows.append(row | _said(node, row, size_known))
    verified, name = root.attributes.get("verified") == "yes", root.child("filename")
    line = name.line if name else 0
    return Voc(root.word("filename"), size_known, rows, problems, name_line=line, origin=origin, verified=verified)


def _tree(path: Path) -> _Node:
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise FormatError(path, 0, f"{len(data):,} bytes are too many for a file of labels")
    if b"\0" in data[:64] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(path, 1, "not XML (zero bytes in it)")
    clean = data.lstrip(b" \t\r\n") if not data.startswith((b"\xff\xfe", b"\xfe\xff")) else data
    before = data[: len(data) - len(clean)].count(b"\n")
    handler = _Tree(before)
    wrong: tuple[int, str] | None = None  # raised outside of except: a cluster cannot send a parser that hangs on to it
    try:
        defusedxml.sax.parse(io.BytesIO(clean), handler)
    except SAXParseException as trouble:
        wrong = before + (trouble.getLineNumber() or 1), f"broken XML ({trouble.getMessage()})"
    except DefusedXmlException:
        wrong = 0, "XML with entities of its own is not read (it can fill the memory)"
    except (ValueError, LookupError) as trouble:
        wrong = 0, f"broken XML ({trouble})"
    if wrong:
        raise FormatError(path, *wrong)
    assert handler.root is not None  # the parser refuses a file without an element
    return handler.root


def _object(node: _Node, path: Path) -> dict[str, Any]:
    box = node.child("bndbox")
    if box is None:
        raise FormatError(path, node.line, "object without a bndbox")
    values = []
    for corner in _CORNERS:
        try:
            value = float(box.word(corner))
        except ValueError:
            raise FormatError(path, box.line, f"{corner}: not a number: {box.word(corner)!r}") from None
        if not np.isfinite(value):
            raise FormatError(path, box.line, f"{corner}: not a finite number: {box.word(corner)!r}")
        values.append(value)
    if values[2] <= values[0] or values[3] <= values[1]:
        raise FormatError(path, box.line, f"box without area: {numbers(values)}")
    name = node.child("name")
    try:
        label = known(node.word("name"))
    except ValueError as trouble:
        raise FormatError(path, (name or node).line, str(trouble)) from None
    row = dict(zip(("x1", "y1", "x2", "y2"), values, strict=True), label=label, line=box.line)
    row |= {extra: node.word(extra) for extra in EXTRAS if node.child(extra) is not None}
    for name_of_number in ("score", "doubt"):
        row[name_of_number] = _float(row.get(name_of_number))
    row["origin"] = row.get("origin") or "manual"
    return row


def _said(node: _Node, row: dict[str, Any], size: tuple[int, int] | None) -> dict[str, str]:
    """What an object says in labelImg's own elements beyond what `write_voc` would say of this box by itself."""
    said = {"pose": node.word("pose"), "difficult": "1" if node.word("difficult") in _YES else ""}
    if node.word("truncated"):
        cut = "1" if node.word("truncated") in _YES else "0"
        touches = None if size is None else _touches(corners(row), size)
        said["truncated"] = "" if touches == (cut == "1") else cut
    return {name: word for name, word in said.items() if word not in ("", "Unspecified")}


def _touches(box: list[float], size: tuple[int, int]) -> bool:
    """Whether a box ends at the photo's edge; labelImg then calls it truncated."""
    return box[0] <= 1 or box[1] <= 1 or box[2] >= size[0] or box[3] >= size[1]


def _float(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def read_voc(path: str | Path, *, image: str | Path | None = None, whole: bool = True) -> "pd.DataFrame":
    """Read one Pascal VOC file into a table of faces, boxes exactly as written, class names made ours.

    image: the photo; else the file of the same name beside it or in ../images, else the file's own <filename>.
    Boxes are cut off at the size that the file states. `.attrs` holds "verified" (a person looked at it) and "size".
    Raises FormatError for the first object that cannot be used; with whole=False only for a file without any sense:
    the good objects are kept, as in `read_folder`, and `.attrs["problems"]` lists what is wrong with the others.
    """
    path = Path(path)
    voc = parse(path)
    photo = str(image) if image is not None else str(near(path, voc.filename) or voc.filename or path.stem)
    result = of_file(path, [(voc, photo)], whole=whole)
    result.attrs.update(verified=voc.verified, size=voc.size)
    return result


def write_voc(
    path: str | Path,
    faces: "pd.DataFrame",
    *,
    size: tuple[int, int],
    image: str | Path = "",
    verified: bool = False,
) -> Path:
    """Write the faces of one photo of size (w, h) as Pascal VOC, as labelImg does; whole or not at all.

    Boxes are cut off at the photo's edges. Our columns origin, score, answer, doubt, framing and parent go into
    elements that labelImg skips, and pose, truncated and difficult, where such columns say something, into its own.
    image names the photo where there are no faces; verified: a person looked at it.
    Raises ValueError for faces of several photos, a class that is none, or a box outside the photo.
    """
    names = {Path(name).name for name in faces["image"]} | ({Path(image).name} if str(image) else set())
    if len(names) > 1:
        raise ValueError(f"faces: must be of one photo, got {sorted(names)[:3]}")
    name = names.pop() if names else f"{Path(path).stem}.jpg"
    w, h = size
    origins = set(faces["origin"].replace("", "manual")) or {"auto"}
    head = ' verified="yes"' if verified else ""
    lines = [f"<annotation{head}>", f"\t<folder>{_text(Path(path).parent.name)}</folder>"]
    lines += [f"\t<filename>{_text(name)}</filename>", "\t<source>\n\t\t<database>Unknown</database>\n\t</source>"]
    if len(origins) == 1 and not verified and "manual" not in origins:
        lines.append(f"\t<origin>{_text(origins.pop())}</origin>")
    lines.append(f"\t<size>\n\t\t<width>{w}</width>\n\t\t<height>{h}</height>\n\t\t<depth>3</depth>\n\t</size>")
    lines.append("\t<segmented>0</segmented>")
    for row in faces.to_dict("records"):
        lines += _object_lines(row, size)
    return images.write(path, "\n".join([*lines, "</annotation>", ""]))


def _object_lines(row: dict[str, Any], size: tuple[int, int]) -> list[str]:
    box = inside(row, size)
    said = {n: str(row[n]) for n in SAID if row.get(n) == row.get(n) and row.get(n) not in (None, "")}
    cut = int(said["truncated"] in _YES if "truncated" in said else _touches(box, size))
    lines = ["\t<object>", f"\t\t<name>{classes.canonical(row['label'])}</name>"]
    lines += [f"\t\t<pose>{_text(said.get('pose', 'Unspecified'))}</pose>", f"\t\t<truncated>{cut}</truncated>"]
    lines += [f"\t\t<difficult>{int(said.get('difficult') in _YES)}</difficult>", "\t\t<bndbox>"]
    lines += [f"\t\t\t<{c}>{number(v)}</{c}>" for c, v in zip(_CORNERS, box, strict=True)]
    lines.append("\t\t</bndbox>")
    for extra in EXTRAS:
        value = row.get(extra)
        if value is None or value == "" or value != value:
            continue
        lines.append(f"\t\t<{extra}>{number(value) if extra in NUMBERS else _text(value)}</{extra}>")
    return [*lines, "\t</object>"]


def _text(value: object) -> str:
    """Text for XML: escaped, and without the control characters and lone surrogates that XML cannot hold."""
    return escape(re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "?", str(value)))


def voc_path(image: str | Path, into: str | Path, *, root: str | Path | None = None) -> Path:
    """Where a photo's VOC file belongs: into/STEM.xml, in the same subfolders as the photo has below root."""
    image = Path(image)
    if root is not None and image.resolve().is_relative_to(Path(root).resolve()):
        below = image.resolve().relative_to(Path(root).resolve()).parent
        return Path(into) / below / f"{image.stem}.xml"
    return Path(into) / f"{image.stem}.xml"
