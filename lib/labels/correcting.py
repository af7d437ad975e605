"""Corrections of labels that others published: a list that people wrote, applied on reading, and only when asked."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes
from .columns import table
from .problems import FormatError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REMOVED", "corrected", "read_corrections"]

REMOVED = "removed"  # instead of a new class: the box is no face, or a face has it twice
FIELDS = ("file", "x1", "y1", "x2", "y2", "old", "new")
_BOX = ("x1", "y1", "x2", "y2")
_NEAR = 1.5  # pixels that a corner may differ: some readers cut boxes off at the photo's edge


def read_corrections(path: str | Path) -> list[dict[str, Any]]:
    """Read a list of corrections (CSV: file, x1, y1, x2, y2, old, new, …; lines that begin with # are remarks).

    file is SET/…/NAME; without a box it is the one face of a picture in a class folder. new is a class or "removed".
    Raises FormatError that names the line.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip() and not line.startswith("#")]
    reader = csv.DictReader(line for _, line in numbered)
    if missing := [name for name in FIELDS if name not in (reader.fieldnames or ())]:
        raise FormatError(path, numbered[0][0] if numbered else 0, f"needs the columns {', '.join(FIELDS)}; "
                          f"{', '.join(missing)} is not there")  # fmt: skip
    rows = []
    for (number, _), row in zip(numbered[1:], reader, strict=True):
        try:
            box = [float(row[c]) for c in _BOX] if any(row[c] for c in _BOX) else None
            new = row["new"] if row["new"] == REMOVED else classes.canonical(row["new"])
            rows.append(
                {"line": number, "file": row["file"], "box": box, "old": classes.canonical(row["old"]), "new": new}
            )
        except (TypeError, ValueError) as trouble:
            raise FormatError(path, number, str(trouble)) from None
    return rows


def corrected(
    faces: "pd.DataFrame", corrections: Iterable[Mapping[str, Any]]
) -> "tuple[pd.DataFrame, list[tuple[int, str]]]":
    """The table with corrections made, and (line, reason) of those whose photo is here but not the label they correct.

    A photo goes by its name without suffix, in a class folder by that too; box and old class must be as the list has
    them. `.attrs["corrected"]` counts the faces changed. Corrections of photos that are not here say nothing.
    """
    faces = faces.reset_index(drop=True)
    at: dict[str, list[int]] = {}
    for row, image in enumerate(faces["image"]):
        at.setdefault(Path(image).stem, []).append(row)
    xyxy, names = faces[list(_BOX)].to_numpy(float), faces["label"].to_numpy(object).copy()
    folders = [Path(image).parent.name for image in faces["image"]]
    gone, left, count = np.zeros(len(faces), bool), [], 0
    for one in corrections:
        file = PurePosixPath(one["file"])
        rows = [r for r in at.get(file.stem, []) if one["box"] is not None or folders[r] == file.parent.name]
        if not rows:
            continue
        same = [r for r in rows if one["box"] is None or np.abs(xyxy[r] - one["box"]).max() <= _NEAR]
        fits = [r for r in same if faces["label"][r] == one["old"]]
        if len(fits) != 1:
            why = (
                f"has {len(fits)} such faces"
                if fits
                else f"says {faces['label'][same[0]]}"
                if same
                else "has no such box"
            )
            left.append((one["line"], f"not corrected: {file.name} {why}, the list says {one['old']}"))
            continue
        count += 1
        gone[fits[0]] = one["new"] == REMOVED
        names[fits[0]] = names[fits[0]] if one["new"] == REMOVED else one["new"]
    result = table(faces.assign(label=names)[~gone])
    result.attrs = {**faces.attrs, "corrected": count}
    return result, left
