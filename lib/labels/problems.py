"""What one photo's label says before it is a table: rows with their places, and what is wrong with the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import batch, classes
from .columns import table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FormatError",
    "Place",
    "Said",
    "corners",
    "inside",
    "listed",
    "known",
    "located",
    "number",
    "numbers",
    "of_file",
    "once",
    "placed",
    "unread",
]

Place = int | str  # a line from 1 (0 is the whole file), or words such as "annotation 17"
Trouble = tuple[Place, str]
_BOX = ("x1", "y1", "x2", "y2")
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


@dataclass
class Said:
    """What one photo's label says: rows with "line", their place; `problems` are of the boxes that cannot be used."""

    filename: str = ""
    size: tuple[int, int] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Trouble] = field(default_factory=list)


def corners(row: Mapping[str, Any]) -> list[float]:
    """x1, y1, x2, y2 of a row."""
    return [float(row[c]) for c in _BOX]


def number(value: float) -> str:
    """A coordinate as labelImg writes it: an integer where it is one, else the shortest exact decimal."""
    value = float(value)
    return str(int(value)) if value.is_integer() else repr(value)


def numbers(values: Iterable[float]) -> str:
    """Coordinates for a sentence: "(1, 2.5, 3, 4)"."""
    return "(" + ", ".join(number(v) for v in values) + ")"


def located(place: Place, reason: str) -> tuple[int, str]:
    """A line and a reason; a place that is no line becomes part of the reason."""
    return (place, reason) if isinstance(place, int) else (0, f"{place}: {reason}")


def listed(file: object, troubles: Iterable[Trouble]) -> list[dict[str, Any]]:
    """Rows of the table of problems: file, line, reason."""
    return [dict(zip(("file", "line", "reason"), (str(file), *located(*t)), strict=True)) for t in troubles]


def unread(path: object, trouble: "FormatError | OSError") -> dict[str, Any]:
    """The row of the table of problems of a file that cannot be read as a whole."""
    if isinstance(trouble, FormatError):
        return {"file": str(trouble.path), "line": trouble.line, "reason": trouble.reason}
    return {"file": str(path), "line": 0, "reason": trouble.strerror or str(trouble)}


def known(name: str) -> str:
    """Our name of a class, or ValueError with a reason that fits a list of problems."""
    try:
        return classes.canonical(name)
    except ValueError:
        raise ValueError(f"unknown class {name!r}" if name else "object without a class name") from None


def inside(row: Mapping[str, Any], size: tuple[int, int]) -> list[float]:
    """The box of a row cut off at the edges of a photo of size (w, h). Raises ValueError where nothing is left."""
    box = [min(max(v, 0.0), float(limit)) for v, limit in zip(corners(row), (*size, *size), strict=True)]
    if not (box[2] > box[0] and box[3] > box[1]):
        raise ValueError(f"faces: box {numbers(box)} has no area inside {size[0]} × {size[1]}")
    return box


def placed(
    said: Said, *, size: tuple[int, int] | None, clip: bool = True
) -> tuple[list[dict[str, Any]], list[Trouble], list[Trouble]]:
    """The rows cut off at the photo's edges; the places and reasons of those left without area, and of cuts."""
    rows: list[dict[str, Any]] = []
    problems: list[Trouble] = []
    remarks: list[Trouble] = []
    for row in said.rows:
        if size is not None:
            (x1, y1, x2, y2), (w, h) = corners(row), size
            try:
                cut = inside(row, size)
            except ValueError:
                problems.append((row["line"], f"box outside the photo: {numbers((x1, y1, x2, y2))} in {w} × {h}"))
                continue
            past = max(-x1, -y1, x2 - w, y2 - h)
            if past > _SLACK:
                remarks.append((row["line"], f"box ends {past:g} px past the edge of {w} × {h}; kept, cut off there"))
            row = row | dict(zip(_BOX, cut, strict=True)) if clip else row
        rows.append(row)
    return rows, problems, remarks


def once(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Trouble]]:
    """Rows without those that repeat an earlier box and class of the same photo; what was left out, and contradictions.

    One box with two classes is kept twice and said: nobody but a person knows which is right.
    """
    kept: list[dict[str, Any]] = []
    remarks: list[Trouble] = []
    seen: dict[tuple[float, ...], dict[str, Any]] = {}
    for row in rows:
        first = seen.setdefault(tuple(round(v, 3) for v in corners(row)), row)
        where = f"line {first['line']}" if isinstance(first["line"], int) else first["line"]
        if first is not row and first["label"] == row["label"]:
            remarks.append((row["line"], f"the box of {where} once more; left out"))
            continue
        if first is not row:
            remarks.append((row["line"], f"the box of {where} with another class ({row['label']}); both are kept"))
        kept.append(row)
    return kept, remarks


def of_file(
    path: Path, photos: Iterable[tuple[Said, str]], *, whole: bool, general: Iterable[str] = ()
) -> "pd.DataFrame":
    """The table of one file of labels from what it says of each photo; general: what is wrong with all of it.

    whole: raise the first problem; else the good rows, and `.attrs["problems"]` lists what is wrong with the others.
    """
    rows: list[dict[str, Any]] = []
    problems = [FormatError(path, 0, reason) for reason in general]
    for said, image in photos:
        good, outside, _ = placed(said, size=said.size)
        problems += [FormatError(path, *located(*problem)) for problem in said.problems + outside]
        where = {"image": image, "source": path.parent.name}
        rows += [{k: v for k, v in row.items() if k != "line"} | where for row in good]
    if whole and problems:
        raise problems[0]
    result = table(rows)
    if not whole:
        result.attrs["problems"] = [str(problem) for problem in problems]
    return result
