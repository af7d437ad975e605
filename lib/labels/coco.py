"""COCO: one JSON file for many photos, a box as x, y, width, height in pixels, classes as categories.

`iscrowd` and `segmentation` are not looked at. Our own columns are keys of an annotation that other readers skip.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import classes, images
from .columns import EXTRAS, NUMBERS, SAID
from .photos import PHOTO_FOLDERS
from .problems import FormatError, Said, inside, known, number, numbers, of_file, unread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["notes", "parse", "read_coco", "write_coco"]

_NAMES = (*classes.NAMES, classes.NOT_A_FACE)
_LARGEST = 1_000_000_000  # bytes; COCO's own largest file has half of it


def notes(folder: Path) -> tuple[list[tuple[Path, Said]], list[dict[str, Any]]]:
    """What every COCO file in a folder and below says of each photo, and what is wrong with the files."""
    found: list[tuple[Path, Said]] = []
    problems: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*.json")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            said, general = parse(path) if _looks_like(path) else ([], [])
        except (FormatError, OSError) as trouble:
            problems.append(unread(path, trouble))
            continue
        found += [(path, one) for one in said]
        problems += [{"file": str(path), "line": 0, "reason": reason} for reason in general]
    return found, problems


def _looks_like(path: Path) -> bool:
    """Whether a JSON file speaks of images and annotations; any other is none of ours."""
    with path.open("rb") as file:
        data = file.read(_LARGEST).replace(b"\0", b"")  # UTF-16 too
    return b'"images"' in data and b'"annotations"' in data


def parse(path: Path) -> tuple[list[Said], list[str]]:
    """What a COCO file says of each of its photos, and what is wrong with what belongs to none.

    Raises FormatError for a file that is none as a whole.
    """
    whole = _tree(path)
    categories, problems = _categories(whole.get("categories", []))
    photos: dict[Any, Said] = {}
    for place, entry in enumerate(whole["images"]):
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name or not _is_id(entry.get("id")):
            problems.append(f"images[{place}]: must have an id and a file_name")
        elif entry["id"] in photos:
            problems.append(f"image {entry['id']} ({name}): the id is {photos[entry['id']].filename}'s already")
        else:
            size, trouble = _size(entry)
            photos[entry["id"]] = Said(name, size, [], [(f"image {entry['id']}", trouble)] if trouble else [])
    for place, entry in enumerate(whole["annotations"]):
        if not isinstance(entry, dict):
            problems.append(f"annotations[{place}]: must be an object")
            continue
        where = f"annotation {entry['id']}" if _is_id(entry.get("id")) else f"annotations[{place}]"
        said = photos.get(entry["image_id"]) if _is_id(entry.get("image_id")) else None
        if said is None:
            problems.append(f"{where}: image_id {entry.get('image_id')!r} is not among the images")
            continue
        try:
            said.rows.append(_row(entry, categories) | {"line": where})
        except ValueError as trouble:
            said.problems.append((where, str(trouble)))
    return list(photos.values()), problems


def _tree(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise FormatError(path, 0, f"{len(data):,} bytes are too many for a file of labels")
    try:
        text = data.decode(json.detect_encoding(data))
        whole = json.loads(text)
    except UnicodeDecodeError as trouble:
        raise FormatError(path, 1 + data[: trouble.start].count(b"\n"), f"broken {trouble.encoding.upper()}") from None
    except json.JSONDecodeError as trouble:
        raise FormatError(path, trouble.lineno, f"broken JSON ({trouble.msg})") from None
    except (ValueError, RecursionError) as trouble:
        raise FormatError(path, 0, f"broken JSON ({trouble})") from None
    if not isinstance(whole, dict) or not all(isinstance(whole.get(k), list) for k in ("images", "annotations")):
        raise FormatError(path, 0, "not COCO: must hold lists named images, annotations and categories")
    return whole


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _categories(entries: object) -> tuple[dict[Any, str], list[str]]:
    if not isinstance(entries, list):
        return {}, ["categories: must be a list"]
    found, problems = {}, []
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and _is_id(entry.get("id")) and isinstance(entry.get("name"), str):
            found[entry["id"]] = entry["name"].strip()
        else:
            problems.append(f"categories[{place}]: must have an id and a name")
    return found, problems


def _size(entry: Mapping[str, Any]) -> tuple[tuple[int, int] | None, str]:
    """The stated size of a photo, None where none is; and what is wrong with it."""
    if entry.get("width") is None and entry.get("height") is None:
        return None, ""
    try:
        w, h = _number(entry.get("width"), "width"), _number(entry.get("height"), "height")
    except ValueError as trouble:
        return None, f"size: {trouble}"
    return ((int(w), int(h)), "") if w >= 1 and h >= 1 else (None, "")


def _number(value: object, name: str) -> float:
    """A finite number, also one that was written as text."""
    try:
        result = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise ValueError(f"{name}: not a finite number: {str(value)[:40]!r}")
    return result


def _row(entry: Mapping[str, Any], categories: Mapping[Any, str]) -> dict[str, Any]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("annotation without a bbox of four numbers")
    x, y, w, h = (_number(v, name) for v, name in zip(box, ("x", "y", "width", "height"), strict=True))
    if not (x + w > x and y + h > y and math.isfinite(x + w) and math.isfinite(y + h)):
        raise ValueError(f"box without area: {numbers((x, y, x + w, y + h))}")
    category = entry.get("category_id")
    if not _is_id(category) or category not in categories:
        raise ValueError(f"unknown class: category_id {category!r} is not among the categories")
    row: dict[str, Any] = dict(x1=x, y1=y, x2=x + w, y2=y + h, label=known(categories[category]))
    for name in (*EXTRAS, *SAID):
        value = entry.get(name)
        if name in NUMBERS:
            try:
                row[name] = _number(value, name)
            except ValueError:
                row[name] = math.nan
        elif isinstance(value, str) and value:
            row[name] = value
    row.setdefault("origin", "manual" if math.isnan(row["score"]) else "auto")
    return row


def read_coco(path: str | Path, *, photos: str | Path | None = None, whole: bool = True) -> "pd.DataFrame":
    """Read one COCO file into a table of faces, classes by the names of their categories.

    photos: the folder that its file names are below; else they are looked for beside the file and in ../images.
    Boxes are cut off at the sizes that the file states. Raises FormatError for the first annotation that cannot be
    used; whole=False keeps the good ones, as `read_voc` does.
    """
    path = Path(path)
    said, general = parse(path)
    folders = [path.parent, *(path.parent.parent / name for name in PHOTO_FOLDERS), path.parent.parent]
    folders = [Path(photos)] if photos is not None else folders
    photos_ = [
        (one, str(next((f / one.filename for f in folders if (f / one.filename).is_file()), folders[0] / one.filename)))
        for one in said
    ]
    return of_file(path, photos_, whole=whole, general=general)


def write_coco(
    path: str | Path,
    faces: "pd.DataFrame",
    *,
    sizes: Mapping[str, tuple[int, int]],
    root: str | Path | None = None,
) -> Path:
    """Write a table of faces as one COCO file, boxes cut off at the photos' edges.

    sizes: photo → (w, h); photos without faces are listed too. root: the folder that the photos' names are below;
    without it they are bare file names. Our own columns become keys of the annotations.
    Raises ValueError for a photo without a size, two of one name, a class that is none, or a box outside its photo.
    """
    by_photo = {str(photo): rows.to_dict("records") for photo, rows in faces.groupby("image", sort=False)}
    entries: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for photo in dict.fromkeys([*map(str, sizes), *by_photo]):
        if photo not in sizes:
            raise ValueError(f"sizes: must name every photo, {photo} is missing")
        name = Path(photo).name if root is None else Path(photo).relative_to(root).as_posix()
        w, h = sizes[photo]
        entries.append({"id": len(entries) + 1, "file_name": name, "width": int(w), "height": int(h)})
        for row in by_photo.get(photo, []):
            marks.append({"id": len(marks) + 1, "image_id": len(entries)} | _annotation(row, (int(w), int(h))))
    twice = {e["file_name"] for e in entries}
    if len(twice) < len(entries):
        raise ValueError(f"faces: two photos have one name among {sorted(twice)[:3]} …; give root")
    used = [n for n in _NAMES if n in classes.NAMES or n in {classes.canonical(label) for label in faces["label"]}]
    categories = [{"id": i, "name": n, "supercategory": "face"} for i, n in enumerate(used, 1)]
    lists = {"images": entries, "annotations": marks, "categories": categories}
    return images.write(path, "{\n" + ",\n".join(_lines(name, rows) for name, rows in lists.items()) + "\n}\n")


def _lines(name: str, rows: Iterable[dict[str, Any]]) -> str:
    """One list with an entry a line, so that people and line-wise tools can read it."""
    return f'"{name}": [\n' + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]"


def _annotation(row: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = inside(row, size)
    box = [json.loads(number(v)) for v in (x1, y1, x2 - x1, y2 - y1)]
    category = _NAMES.index(classes.canonical(row["label"])) + 1
    entry = {"category_id": category, "bbox": box, "area": (x2 - x1) * (y2 - y1), "iscrowd": 0, "segmentation": []}
    for name in (*EXTRAS, *SAID):
        value = row.get(name)
        if value is not None and value != "" and value == value:
            entry[name] = float(value) if name in NUMBERS else str(value)
    return entry
