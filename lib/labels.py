"""The table of faces, and the files that labels come from and go to: Pascal VOC and folders of crops.

A box is xyxy in pixels of the upright photo, right and bottom edge exclusive; Pascal VOC as labelImg writes it holds
the same four numbers, so nothing is added or taken on the way. What a person said stands: a file that does not say
`<origin>auto</origin>` counts as a person's (labelImg drops that element when it saves).
"""

import io
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape

import defusedxml.sax
import numpy as np
from defusedxml.common import DefusedXmlException

from . import batch, classes, images

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = [
    "COLUMNS",
    "FormatError",
    "owner",
    "read_folder",
    "read_voc",
    "standing",
    "table",
    "to_detections",
    "voc_path",
    "write_voc",
]

log = logging.getLogger(__name__)

COLUMNS = ("image", "x1", "y1", "x2", "y2", "label", "source", "origin", "group", "parent", "split", "score")
_NUMBERS = frozenset({"x1", "y1", "x2", "y2", "score", "doubt"})
_EXTRAS = ("origin", "score", "answer", "doubt", "framing", "parent")  # our own elements; labelImg skips them
_SAID = ("pose", "truncated", "difficult")  # labelImg's elements; columns of a table only where they say something
_YES = ("1", "true", "True")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LARGEST = 16_000_000  # bytes of an XML file; the largest real one is below a hundredth of it
_PHOTO_FOLDERS = ("images", "JPEGImages", "photos", "img", "raw")
_SLACK = 2  # pixels that a box may end past the edge without a word


class FormatError(batch.Skip):
    """A file of labels that cannot be used: `.path`, `.line` (from 1; 0 is the whole file) and `.reason`."""

    def __init__(self, path: object, line: int, reason: str) -> None:
        super().__init__(reason)
        self.path, self.line = path, line

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"

    def __reduce__(self) -> tuple:
        return FormatError, (self.path, self.line, self.reason)


def table(rows: Iterable[Mapping[str, Any]] = ()) -> "pd.DataFrame":
    """Build a table of faces from rows: all of COLUMNS are there, in order and typed, then the rows' own columns.

    Missing text is "", a missing score NaN. Raises ValueError for a box that is missing, not finite or inside out.
    """
    import pandas as pd

    frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    extra = [name for name in frame.columns if name not in COLUMNS]
    columns = {}
    for name in (*COLUMNS, *extra):
        values = frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)
        if name in _NUMBERS:
            columns[name] = values.astype("float64")
        elif name in COLUMNS or name in (*_EXTRAS, *_SAID) or not len(frame):
            columns[name] = values.where(values.notna(), "").astype("str")
        else:
            columns[name] = values
    result = pd.DataFrame(columns).reset_index(drop=True)
    _check_boxes(result[["x1", "y1", "x2", "y2"]].to_numpy())
    return result


def _check_boxes(xyxy: np.ndarray) -> None:
    wrong = ~(np.isfinite(xyxy).all(1) & (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1]))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"table: row {row} needs x1 < x2 and y1 < y2, got {tuple(xyxy[row].tolist())}")


# ── Pascal VOC ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
class _Voc:
    """What one Pascal VOC file says; `problems` are (line, reason) of the objects that cannot be used."""

    filename: str
    size: tuple[int, int] | None
    origin: str
    verified: bool
    rows: list[dict[str, Any]]
    problems: list[tuple[int, str]]


def _parse(path: Path) -> _Voc:
    """Read a VOC file. Raises FormatError where the file as a whole is unusable."""
    root = _tree(path)
    if root.tag != "annotation":
        raise FormatError(path, root.line, f"not Pascal VOC: starts with <{root.tag}>, not <annotation>")
    origin, rows, problems = root.word("origin"), [], []
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
    return _Voc(root.word("filename"), size_known, origin, root.attributes.get("verified") == "yes", rows, problems)


def _tree(path: Path) -> _Node:
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise FormatError(path, 0, f"{len(data):,} bytes are too many for a file of labels")
    if b"\0" in data[:64] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(path, 1, "not XML (zero bytes in it)")
    clean = data.lstrip(b" \t\r\n") if not data.startswith((b"\xff\xfe", b"\xfe\xff")) else data
    before = data[: len(data) - len(clean)].count(b"\n")
    handler = _Tree(before)
    try:
        defusedxml.sax.parse(io.BytesIO(clean), handler)
    except SAXParseException as trouble:
        line = before + (trouble.getLineNumber() or 1)
        raise FormatError(path, line, f"broken XML ({trouble.getMessage()})") from None
    except DefusedXmlException:
        raise FormatError(path, 0, "XML with entities of its own is not read (it can fill the memory)") from None
    except (ValueError, LookupError) as trouble:
        raise FormatError(path, 0, f"broken XML ({trouble})") from None
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
        raise FormatError(path, box.line, f"box without area: {_numbers(values)}")
    name = node.child("name")
    try:
        label = classes.canonical(name.text.strip() if name else "")
    except ValueError:
        shown = node.word("name")
        reason = f"unknown class {shown!r}" if shown else "object without a class name"
        raise FormatError(path, (name or node).line, reason) from None
    row = dict(zip(("x1", "y1", "x2", "y2"), values, strict=True), label=label, line=box.line)
    row |= {extra: node.word(extra) for extra in _EXTRAS if node.child(extra) is not None}
    for number in ("score", "doubt"):
        row[number] = _float(row.get(number))
    row["origin"] = row.get("origin") or "manual"
    return row


def _said(node: _Node, row: dict[str, Any], size: tuple[int, int] | None) -> dict[str, str]:
    """What an object says in labelImg's own elements beyond what `write_voc` would say of this box by itself."""
    said = {"pose": node.word("pose"), "difficult": "1" if node.word("difficult") in _YES else ""}
    if node.word("truncated"):
        cut = "1" if node.word("truncated") in _YES else "0"
        touches = None if size is None else _touches([row[c] for c in ("x1", "y1", "x2", "y2")], size)
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
    voc = _parse(path)
    photo = str(image) if image is not None else str(_near(path, voc.filename) or voc.filename or path.stem)
    rows, outside, _ = _placed(voc, size=voc.size)
    problems = [FormatError(path, *problem) for problem in voc.problems + outside]
    if whole and problems:
        raise problems[0]
    result = table([{**row, "image": photo, "source": path.parent.name} for row in rows])
    result.attrs.update(verified=voc.verified, size=voc.size)
    if not whole:
        result.attrs["problems"] = [str(problem) for problem in problems]
    return result


def _near(path: Path, filename: str) -> Path | None:
    """The photo that belongs to a VOC file: of its stem first (as labelImg pairs them), then of the name inside."""
    folders = [path.parent, *(path.parent.parent / name for name in _PHOTO_FOLDERS)]
    inside = re.split(r"[/\\]", filename)[-1]
    for folder in folders:
        for suffix in sorted(images.SUFFIXES):
            for candidate in (path.stem + suffix, path.stem + suffix.upper()):
                if (folder / candidate).is_file():
                    return folder / candidate
        if inside and (folder / inside).is_file():
            return folder / inside
    return None


def _placed(
    voc: _Voc, *, size: tuple[int, int] | None, clip: bool = True
) -> tuple[list[dict[str, Any]], list[tuple[int, str]], list[tuple[int, str]]]:
    """The rows of a file cut off at the photo's edges; (line, reason) of what that leaves without area, and of cuts."""
    rows, problems, remarks = [], [], []
    for row in voc.rows:
        line, row = row["line"], {k: v for k, v in row.items() if k != "line"}
        if size is not None:
            (x1, y1, x2, y2), (w, h) = (row["x1"], row["y1"], row["x2"], row["y2"]), size
            past = max(-x1, -y1, x2 - w, y2 - h)
            inside = {"x1": max(x1, 0.0), "y1": max(y1, 0.0), "x2": min(x2, float(w)), "y2": min(y2, float(h))}
            if inside["x2"] <= inside["x1"] or inside["y2"] <= inside["y1"]:
                problems.append((line, f"box outside the photo: {_numbers((x1, y1, x2, y2))} in {w} × {h}"))
                continue
            row |= inside if clip else {}
            if past > _SLACK:
                remarks.append((line, f"box ends {past:g} px past the edge of {w} × {h}; kept, cut off there"))
        rows.append(row)
    return rows, problems, remarks


def _numbers(values: Iterable[float]) -> str:
    return "(" + ", ".join(_number(v) for v in values) + ")"


def _number(value: float) -> str:
    """A coordinate as labelImg writes it: an integer where it is one, else the shortest exact decimal."""
    value = float(value)
    return str(int(value)) if value.is_integer() else repr(value)


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
    limits = (*size, *size)
    box = [min(max(float(row[c]), 0.0), limit) for c, limit in zip(("x1", "y1", "x2", "y2"), limits, strict=True)]
    if not (box[2] > box[0] and box[3] > box[1]):
        raise ValueError(f"faces: box {_numbers(box)} has no area inside {size[0]} × {size[1]}")
    said = {
        name: str(row[name]) for name in _SAID if row.get(name) == row.get(name) and row.get(name) not in (None, "")
    }
    cut = int(said["truncated"] in _YES if "truncated" in said else _touches(box, size))
    lines = ["\t<object>", f"\t\t<name>{classes.canonical(row['label'])}</name>"]
    lines += [f"\t\t<pose>{_text(said.get('pose', 'Unspecified'))}</pose>", f"\t\t<truncated>{cut}</truncated>"]
    lines += [f"\t\t<difficult>{int(said.get('difficult') in _YES)}</difficult>", "\t\t<bndbox>"]
    lines += [f"\t\t\t<{c}>{_number(v)}</{c}>" for c, v in zip(_CORNERS, box, strict=True)]
    lines.append("\t\t</bndbox>")
    for extra in _EXTRAS:
        value = row.get(extra)
        if value is None or value == "" or value != value:
            continue
        lines.append(f"\t\t<{extra}>{_number(value) if extra in _NUMBERS else _text(value)}</{extra}>")
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


def owner(path: str | Path) -> str:
    """Whose word a VOC file is: "auto", "artificial", "manual", or "" where there is no file.

    Only a file that says so, and all of whose objects say so, is the machine's; one that cannot be read is a person's.
    """
    path = Path(path)
    if not path.is_file():
        return ""
    try:
        voc = _parse(path)
    except (FormatError, OSError):
        return "manual"
    said = {voc.origin, *(row["origin"] for row in voc.rows)}
    alone = len(said) == 1 and not voc.verified and not voc.problems
    return voc.origin if alone and voc.origin in ("auto", "artificial") else "manual"


def standing(faces: "pd.DataFrame", into: str | Path, *, root: str | Path | None = None) -> "pd.DataFrame":
    """The table with what a person said meanwhile: faces of photos whose VOC file below `into` is his are read anew.

    A photo that he left without a face loses its rows. Of a file with bad objects the good ones count, and a file that
    cannot be read leaves the rows; both are logged.
    """
    parts: list[dict[str, Any]] = []
    for photo, rows in faces.groupby("image", sort=False):
        kept = rows.to_dict("records")
        path = voc_path(str(photo), into, root=root)
        if owner(path) == "manual":
            try:
                said = read_voc(path, image=str(photo), whole=False)
                about = {"source": rows["source"].iloc[0], "group": rows["group"].iloc[0]}
                kept = [{**row, **about} for row in said.to_dict("records")]
                for problem in said.attrs["problems"]:
                    log.warning("label left aside: %s", problem)
            except FormatError as trouble:
                log.warning("labels left as they were: %s", trouble)
        parts += kept
    result = table(parts)
    return table(result.reindex(columns=list(dict.fromkeys([*faces.columns, *result.columns]))))


# ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_folder(
    folder: str | Path,
    *,
    clip: bool = True,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Read every label in a folder: (table of faces, problems).

    Understood, also mixed: Pascal VOC files beside the photos, in annotations/ next to images/, or anywhere below;
    class folders, whose photos become rows with the whole image as box. The column `framing` says which: "labelled"
    or "whole". A photo's VOC file stands over its folder. problems: file, line (0 = whole file), reason; the good
    boxes of a bad file are kept. Photos without any label are not in the table. clip=False leaves boxes as published
    that end past the edge of their photo, as the scorer of record counts them.
    """
    import pandas as pd

    folder = Path(folder)
    photos = images.find(folder)
    finder = _Photos(folder, photos)
    notes = sorted(p for p in folder.rglob("*.xml") if not any(s.startswith(".") for s in p.relative_to(folder).parts))
    read, skipped = batch.run(_ReadNote(finder, clip), notes, executor=executor, progress=progress)
    rows = [row for found, _, _ in read for row in found]
    problems = [problem for _, wrong, _ in read for problem in wrong]
    problems += [{"file": s["item"], "line": 0, "reason": s["reason"]} for s in skipped]
    labelled = {photo for _, _, photo in read}
    rest, wrong = _class_folders(folder, [p for p in photos if str(p) not in labelled])
    homes = {str(Path(photo).parent) for photo in labelled if photo}
    wrong = [w for w in wrong if w["file"] not in homes]  # boxed photos live there, and some that nobody boxed
    whole, skipped = batch.run(_whole, rest, executor=executor, progress=progress)
    problems += wrong + [{"file": s["item"], "line": 0, "reason": s["reason"]} for s in skipped]
    source = folder.resolve().name
    faces = table([{**row, "source": source} for row in rows + whole])
    if "framing" not in faces:
        faces["framing"] = pd.Series([""] * len(faces), dtype="str")
    faces["framing"] = faces["framing"].where(faces["framing"] != "", "labelled")
    found = pd.DataFrame(problems, columns=["file", "line", "reason"])
    return faces, found.astype({"line": "int64"}).sort_values(["file", "line"], kind="stable", ignore_index=True)


class _Photos:
    """Finds the photo of a VOC file among all photos of a folder."""

    def __init__(self, folder: Path, photos: list[Path]) -> None:
        self.folder = folder
        self.by_stem: dict[str, list[Path]] = {}
        self.by_name: dict[str, list[Path]] = {}
        for photo in photos:
            self.by_stem.setdefault(photo.stem, []).append(photo)
            self.by_name.setdefault(photo.name, []).append(photo)

    def of(self, note: Path, filename: str) -> Path | None:
        """The photo of the note's own stem, the nearest first; else of the name inside; None where it is unclear."""
        inside = re.split(r"[/\\]", filename)[-1]
        same_stem = [p for p in self.by_stem.get(note.stem, []) if p.name == inside] or self.by_stem.get(note.stem, [])
        for candidates in (same_stem, self.by_name.get(inside, [])):
            if len(candidates) == 1:
                return candidates[0]
            near = sorted(((self._distance(note, p), p) for p in candidates), key=lambda pair: pair[0])
            if near and (len(near) == 1 or near[0][0] < near[1][0]):
                return near[0][1]
        return None

    def _distance(self, note: Path, photo: Path) -> int:
        """How many folder names differ between the two, so that annotations/a/x.xml meets images/a/x.jpg."""
        here, there = note.relative_to(self.folder).parent.parts, photo.relative_to(self.folder).parent.parts
        same = sum(a == b for a, b in zip(here, there, strict=False))
        same += sum(a == b for a, b in zip(reversed(here[same:]), reversed(there[same:]), strict=False))
        return len(here) + len(there) - 2 * same


@dataclass(frozen=True)
class _ReadNote:
    """One VOC file → (rows, problems, photo)."""

    photos: _Photos
    clip: bool

    def __call__(self, note: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        try:
            voc = _parse(note)
        except FormatError as trouble:
            return [], [{"file": str(note), "line": trouble.line, "reason": trouble.reason}], ""
        problems = list(voc.problems)
        photo = self.photos.of(note, voc.filename)
        rows: list[dict[str, Any]] = []
        if photo is None:
            problems.append((0, f"no such image: {voc.filename or note.stem!r} is not in the folder"))
        else:
            rows, wrong = self._rows(voc, photo)
            problems += wrong
        named = [{"file": str(note), "line": line, "reason": reason} for line, reason in problems]
        return rows, named, str(photo or "")

    def _rows(self, voc: _Voc, photo: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
        try:
            size = _checked_size(photo)
        except images.UnreadableImage as trouble:
            return [], [(0, f"unreadable image {photo.name}: {trouble.reason}")]
        if voc.size is not None and voc.size != size:
            stated, real = f"{voc.size[0]} × {voc.size[1]}", f"{size[0]} × {size[1]}"
            return [], [(0, f"made for another image: size says {stated}, {photo.name} is {real}; not used")]
        rows, problems, remarks = _placed(voc, size=size, clip=self.clip)
        problems += remarks
        if voc.size is None:
            problems.append((0, "no size stated; the photo's own is used"))
        return [{**row, "image": str(photo)} for row in rows], problems


def _checked_size(photo: Path) -> tuple[int, int]:
    """(w, h) of a photo that can be decoded to its end. Raises UnreadableImage."""
    images.read(photo, max_side=64)
    return images.size(photo)


def _class_folders(folder: Path, photos: list[Path]) -> tuple[list["_Crop"], list[dict[str, Any]]]:
    """(photo, class) for photos below a folder named like a class; and folders beside those that name none."""
    found: list[_Crop] = []
    unknown: dict[Path, int] = {}
    class_roots: set[Path] = set()
    for photo in photos:
        for parent in photo.relative_to(folder).parents:
            try:
                label = classes.canonical(parent.name) if parent.name else ""
            except ValueError:
                continue
            if label:
                found.append(_Crop(photo, label))
                class_roots.add((folder / parent).parent)
                break
        else:
            unknown[photo.parent] = unknown.get(photo.parent, 0) + 1
    beside = [
        (p, n) for p, n in unknown.items() if p.parent in class_roots and p != folder and p.name not in _PHOTO_FOLDERS
    ]
    reason = "unknown class {name!r}: the folder is named like none; its {n} photos have no label"
    wrong = [{"file": str(p), "line": 0, "reason": reason.format(name=p.name, n=n)} for p, n in beside]
    return found, wrong


@dataclass(frozen=True)
class _Crop:
    """A photo that its folder names the class of; shown by its path."""

    photo: Path
    label: str

    def __str__(self) -> str:
        return str(self.photo)


def _whole(crop: _Crop) -> dict[str, Any]:
    w, h = _checked_size(crop.photo)
    return dict(image=str(crop), x1=0, y1=0, x2=w, y2=h, label=crop.label, origin="manual", framing="whole")


def to_detections(faces: "pd.DataFrame") -> "sv.Detections":
    """The faces of one photo as supervision.Detections, for `plots.annotate`.

    Scores are kept where every face has one that speaks of its label, not of another answer of the model's.
    """
    import supervision as sv

    names = faces["label"].to_numpy(dtype=object)
    scores = faces["score"].to_numpy(float)
    if "answer" in faces:
        scores = np.where((faces["answer"] == "") | (faces["answer"] == faces["label"]), scores, np.nan)
    return sv.Detections(
        xyxy=faces[["x1", "y1", "x2", "y2"]].to_numpy(np.float32).reshape(-1, 4),
        confidence=None if np.isnan(scores).any() or not len(faces) else scores,
        class_id=np.array([classes.NAMES.index(n) if n in classes.NAMES else -1 for n in names], int),
        data={"class_name": names.astype(str) if len(faces) else np.empty(0, str)},
    )
