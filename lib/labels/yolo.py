"""YOLO: a text file a photo, a line a face: class number, centre and size as shares of the photo's sides.

The numbers get their names from classes.txt, data.yaml or a .names file. A box is written with twelve decimals, so
that it comes back exactly; where others wrote fewer, an edge that can be a whole pixel within what they wrote is one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import classes, files, images
from .photos import PHOTO_FOLDERS, Photos, checked_size, near
from .problems import FormatError, Said, inside, known, numbers, of_file, unread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Names", "NAMES", "notes", "parse", "pixels", "read_yolo", "write_names", "write_yolo"]

NAMES = (*classes.NAMES, classes.NOT_A_FACE)  # what our own numbers mean
_LARGEST = 16_000_000  # bytes of one file
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_BESIDE = frozenset({"classes", "readme", "license", "licence"})  # stems of texts that are no labels
_SNAP = 0.02  # pixels at most that an edge is moved to a whole one


@dataclass(frozen=True)
class Names:
    """What the class numbers mean, and the file that says so."""

    file: Path
    by_number: Mapping[int, str] = field(default_factory=dict)

    def of(self, number: int) -> str:
        """Our name of a class number. Raises ValueError with the reason."""
        if number not in self.by_number:
            raise ValueError(f"unknown class {number}: {self.file.name} names {sorted(self.by_number)}")
        try:
            return known(self.by_number[number])
        except ValueError:
            raise ValueError(f"unknown class {self.by_number[number]!r} ({number} in {self.file.name})") from None


def _lines(path: Path) -> list[str | None]:
    """The lines of a text file, None for one that is not UTF-8. Raises FormatError where it is no text at all."""
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise FormatError(path, 0, f"{len(data):,} bytes are too many for a file of labels")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return list(data.decode("utf-16").split("\n"))
        except UnicodeDecodeError as trouble:
            raise FormatError(path, 0, f"broken UTF-16 ({trouble.reason})") from None
    if b"\0" in data:
        raise FormatError(path, 1 + data[: data.index(b"\0")].count(b"\n"), "no text (zero bytes in it)")
    found: list[str | None] = []
    for line in data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n"):
        try:
            found.append(line.decode())
        except UnicodeDecodeError:
            found.append(None)
    return found


# ── what the numbers mean ───────────────────────────────────────────────────────────────────────────────────────────


def names_in(folder: Path) -> Names | None:
    """The names that classes.txt, data.yaml or a .names file in a folder gives. Raises FormatError for a broken one."""
    for path in (folder / "classes.txt", *(folder / name for name in _YAMLS), *sorted(folder.glob("*.names"))):
        if path.is_file():
            return Names(path, _of_yaml(path) if path.suffix in (".yaml", ".yml") else _of_text(path))
    return None


def _of_text(path: Path) -> dict[int, str]:
    lines = _lines(path)
    if None in lines:
        raise FormatError(path, 1 + lines.index(None), "broken UTF-8")
    return {number: str(name).strip() for number, name in enumerate(lines) if str(name).strip()}


def _of_yaml(path: Path) -> dict[int, str]:
    import yaml

    if path.stat().st_size > 1_000_000:
        raise FormatError(path, 0, "too large for a list of classes")
    try:
        said = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as trouble:
        mark = getattr(trouble, "problem_mark", None)
        raise FormatError(path, mark.line + 1 if mark else 0, "broken YAML") from None
    names = said.get("names") if isinstance(said, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    try:
        return {int(number): str(name) for number, name in (names or {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise FormatError(path, 0, "names: must be a list, or numbers with names") from None


def _above(path: Path, top: Path) -> Iterable[Path]:
    """The folders where the names of a label file may lie: its own, those above it up to top, and photos' beside."""
    for folder in (path.parent, *path.parent.parents):
        yield folder
        yield from (folder / name for name in ("labels", *PHOTO_FOLDERS))
        if folder == top or not folder.is_relative_to(top):
            return


def notes(folder: Path, photos: Photos) -> tuple[list[tuple[Path, Names]], list[dict[str, Any]]]:
    """The YOLO files in a folder and below, each with the names of its numbers; and what is wrong with those names.

    Taken are texts that lie in labels/, beside a photo of their name, or whose first line is a class and four numbers.
    """
    found: list[tuple[Path, Names]] = []
    nameless: dict[Path, int] = {}
    wrong: dict[str, dict[str, Any]] = {}
    cache: dict[Path, Names | None] = {}
    for path in sorted(folder.rglob("*.txt")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or path.is_dir() or path.stem.lower().split(".")[0] in _BESIDE:
            continue
        try:
            numeric = _numeric(path)
            if not numeric and "labels" not in parts[:-1] and path.stem not in photos.by_stem:
                continue
            if path.parent not in cache:
                cache[path.parent] = None
                cache[path.parent] = next((n for f in _above(path, folder) if (n := names_in(f))), None)
        except (FormatError, OSError) as trouble:
            row = unread(path, trouble)
            wrong[row["file"]] = row
            if isinstance(trouble, OSError):
                continue
        names = cache[path.parent]
        if names is not None:
            found.append((path, names))
        elif numeric:  # any other text beside a photo is somebody's remark
            nameless[path.parent] = nameless.get(path.parent, 0) + 1
    reason = "{n} YOLO files whose numbers nobody names: classes.txt, data.yaml or obj.names is missing; not read"
    problems = [{"file": str(p), "line": 0, "reason": reason.format(n=n)} for p, n in nameless.items()]
    return found, [*wrong.values(), *problems]


def _numeric(path: Path) -> bool:
    """Whether the first line that says something is a class and at least four numbers."""
    with path.open("rb") as file:
        words = next((line for line in file.read(10_000).split(b"\n") if line.strip()), b"").split()
    try:
        return len(words) >= 5 and [float(word) for word in words[1:]] != []
    except ValueError:
        return False


# ── one file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse(path: Path, names: Names) -> Said:
    """Read a YOLO file; rows have "shares", the four numbers as written. Raises FormatError for a file that is none."""
    said = Said()
    for line, text in enumerate(_lines(path), 1):
        if text is None:
            said.problems.append((line, "broken UTF-8"))
        elif words := text.split():
            try:
                said.rows.append(_row(words, names) | {"line": line})
            except ValueError as trouble:
                said.problems.append((line, str(trouble)))
    return said


def _row(words: list[str], names: Names) -> dict[str, Any]:
    if len(words) not in (5, 6):
        raise ValueError(f"{len(words)} columns; a box has class, x, y, width, height, and perhaps a score")
    shares = []
    for word in words[1:]:
        try:
            shares.append(Decimal(word))
        except InvalidOperation:
            raise ValueError(f"not a number: {word!r}") from None
        if not shares[-1].is_finite() or shares[-1].adjusted() > 6:
            raise ValueError(f"not a finite number: {word!r}")
    box = shares[:4]
    if max(abs(v) for v in box) > 2:
        raise ValueError(f"numbers must be shares of the photo's sides (0–1), got {' '.join(words[1:5])}")
    if box[2] <= 0 or box[3] <= 0:
        raise ValueError(f"box without area: {' '.join(words[1:5])}")
    number = _whole(words[0])
    label = known(words[0]) if number is None else names.of(number)
    row = {"label": label, "shares": box, "origin": "manual"}
    scored = len(words) == 6 and 0 <= shares[4] <= 1  # else a track's number or the like
    return row | {"score": float(shares[4]), "origin": "auto"} if scored else row


def _whole(word: str) -> int | None:
    """A class number, also one written as 0.0; None for a word that is no number."""
    try:
        value = float(word)
    except ValueError:
        return None
    if not value.is_integer():
        raise ValueError(f"class: must be a whole number, got {word!r}")
    return int(value)


def pixels(said: Said, size: tuple[int, int]) -> Said:
    """The same with boxes in pixels of a photo of size (w, h)."""
    rows: list[dict[str, Any]] = []
    problems = list(said.problems)
    for row in said.rows:
        x, y, w, h = row["shares"]
        (x1, x2), (y1, y2) = _edges(x, w, size[0]), _edges(y, h, size[1])
        if x2 > x1 and y2 > y1:
            rows.append({k: v for k, v in row.items() if k != "shares"} | dict(x1=x1, y1=y1, x2=x2, y2=y2))
        else:
            problems.append((row["line"], f"box without area: {numbers((x1, y1, x2, y2))}"))
    return Said(said.filename, size, rows, problems)


def _edges(centre: Decimal, width: Decimal, side: int) -> tuple[float, float]:
    """Both edges in pixels; whole ones where the decimals that were written allow it."""
    coarse = max(int(v.as_tuple().exponent) for v in (centre, width))
    near_enough = min(side * 10.0**coarse, _SNAP)
    exact = [float((centre - width / 2) * side), float((centre + width / 2) * side)]
    low, high = (float(round(v)) if abs(v - round(v)) <= near_enough else v for v in exact)
    return (low, high) if low < high else (exact[0], exact[1])


def read_yolo(
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    image: str | Path | None = None,
    whole: bool = True,
) -> "pd.DataFrame":
    """Read one YOLO file into a table of faces; a sixth column is the score, and such a face the machine's.

    names: what the numbers mean; else classes.txt, data.yaml or a .names file beside it or up to three folders above.
    image: the photo, whose upright size is needed; else the one of the same name beside it or in ../images.
    Raises FormatError for the first line that cannot be used; whole=False keeps the good ones, as `read_voc` does.
    """
    path = Path(path)
    photo = Path(image) if image is not None else near(path)
    if photo is None:
        raise FormatError(path, 0, f"no such image: {path.stem!r} is neither beside it nor in ../images")
    top = path.parents[min(3, len(path.parents) - 1)]
    meant = Names(path, dict(enumerate(names))) if names is not None else None
    meant = meant or next((n for f in _above(path, top) if (n := names_in(f))), None)
    if meant is None:
        raise FormatError(path, 0, "nobody names its numbers: classes.txt, data.yaml or obj.names is missing")
    said = pixels(parse(path, meant), checked_size(photo))
    result = of_file(path, [(said, str(photo))], whole=whole)
    result.attrs["size"] = said.size
    return result


def write_yolo(path: str | Path, faces: "pd.DataFrame", *, size: tuple[int, int], names: Sequence[str] = NAMES) -> Path:
    """Write the faces of one photo of size (w, h) as YOLO: five columns, boxes cut off at the photo's edges.

    names gives each class its number; `write_names` writes it down for readers. Scores and our own columns find no
    place in this format. Raises ValueError for faces of several photos, a class not in names, or a box outside.
    """
    if faces["image"].nunique() > 1:
        raise ValueError(f"faces: must be of one photo, got {sorted(set(faces['image']))[:3]}")
    lines = []
    for row in faces.to_dict("records"):
        label = classes.canonical(row["label"])
        if label not in names:
            raise ValueError(f"faces: class {label!r} is not among the names {list(names)}")
        x1, y1, x2, y2 = (Decimal(v) for v in inside(row, size))
        shares = [(x1 + x2) / 2 / size[0], (y1 + y2) / 2 / size[1], (x2 - x1) / size[0], (y2 - y1) / size[1]]
        lines.append(f"{list(names).index(label)} " + " ".join(_decimal(v) for v in shares) + "\n")
    return images.write(path, "".join(lines))


def _decimal(share: Decimal) -> str:
    """Twelve decimals, or what a narrow box needs."""
    return f"{share:.{max(12, 3 - share.adjusted()) if share else 12}f}"


def write_names(into: str | Path, *, names: Sequence[str] = NAMES) -> list[Path]:
    """Write what the class numbers mean: `into`/data.yaml for trainers and `into`/labels/classes.txt for labelImg."""
    yaml = ["# one folder: split it before you train on it", "train: images", "val: images", "names:"]
    yaml += [f"  {number}: {name}" for number, name in enumerate(names)]
    return [
        files.write(Path(into) / "data.yaml", "\n".join(yaml) + "\n"),
        files.write(Path(into) / "labels" / "classes.txt", "\n".join(names) + "\n"),
    ]
