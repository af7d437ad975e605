"""A folder of any labels → one table of faces, with what is wrong file by file."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import batch, images
from . import coco, crops, voc, yolo
from .columns import table
from .correcting import corrected, read_corrections
from .photos import Photos, checked_size
from .problems import FormatError, Said, listed, once, placed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Survey", "read_folder", "survey"]

log = logging.getLogger(__name__)


def read_folder(
    folder: str | Path,
    *,
    clip: bool = True,
    corrections: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Read every label in a folder: (table of faces, problems).

    Understood, also mixed: Pascal VOC files beside the photos, in annotations/ next to images/, or anywhere below;
    COCO files; YOLO files beside the photos or in labels/, whose numbers a classes.txt, data.yaml or .names file
    names; class folders, whose photos become rows with the whole image as box. The column `framing` says which:
    "labelled" or "whole"; `.attrs["formats"]` counts the photos taken from "voc", "coco", "yolo" and "crops".
    A photo's VOC file stands over COCO, that over YOLO, that over its folder. problems: file, line (0 = whole file),
    reason; the good boxes of a bad file are kept. Photos without any label are not in the table. clip=False leaves
    boxes as published that end past the edge of their photo or are there twice, as the scorer of record counts them.
    corrections: a list of labels to correct on reading (`read_corrections`); `.attrs["corrected"]` counts them. The
    files stay as they are.
    """
    found = survey(folder, clip=clip, corrections=corrections, executor=executor, progress=progress)
    return found.faces, found.problems


@dataclass(frozen=True)
class Survey:
    """What `read_folder` reads; the photos whose label, without a fault, has no face; those that a person looked at."""

    faces: "pd.DataFrame"
    problems: "pd.DataFrame"
    empty: list[str]
    persons: set[str]


def survey(
    folder: str | Path,
    *,
    clip: bool = True,
    corrections: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Survey:
    """Read a folder as `read_folder` does, and what its labels say beyond faces."""
    if corrections is None:
        return _survey(Path(folder), clip=clip, executor=executor, progress=progress)
    changes = read_corrections(corrections)  # first: a bad list costs no long run
    return _revised(
        _survey(Path(folder), clip=clip, executor=executor, progress=progress), changes, file=str(corrections)
    )


def _revised(found: Survey, changes: list[dict[str, Any]], *, file: str) -> Survey:
    """A survey with corrections made; a photo whose every box was removed has no face by a person's word."""
    import pandas as pd

    faces, left = corrected(found.faces, changes)
    problems = pd.concat([found.problems, pd.DataFrame(listed(file, left), columns=list(found.problems))])
    empty = set(found.faces["image"]) - set(faces["image"])
    return Survey(faces, problems.reset_index(drop=True), sorted({*found.empty, *empty}), found.persons)


def _survey(folder: Path, *, clip: bool, executor: Executor | None, progress: Callable | None) -> Survey:
    import pandas as pd

    photos = images.find(folder)
    notes, problems = _notes(folder, Photos(folder, photos))
    read, skipped = batch.run(_Read(Photos(folder, photos), clip), notes, executor=executor, progress=progress)
    problems += [{"file": s["item"], "line": 0, "reason": s["reason"]} for s in skipped]
    kept, aside = _first(read)
    rows = [row for found in kept for row in found.rows]
    problems += aside + [problem for found in kept for problem in found.problems]
    labelled = {found.photo for found in read}
    rest, wrong = crops.class_folders(folder, [p for p in photos if str(p) not in labelled])
    homes = {str(Path(photo).parent) for photo in labelled if photo}
    wrong = [w for w in wrong if w["file"] not in homes]  # boxed photos live there, and some that nobody boxed
    whole, skipped = batch.run(crops.whole, rest, executor=executor, progress=progress)
    problems += wrong + [{"file": s["item"], "line": 0, "reason": s["reason"]} for s in skipped]
    faces = table([{**row, "source": folder.resolve().name} for row in rows + whole])
    if "framing" not in faces:
        faces["framing"] = pd.Series([""] * len(faces), dtype="str")
    faces["framing"] = faces["framing"].where(faces["framing"] != "", "labelled")
    formats = {photo: found.note.format for found in kept if (photo := found.photo)}
    faces.attrs["formats"] = dict(Counter([*formats.values(), *["crops"] * len(whole)]))
    log.info("%s: photos by format: %s", folder, faces.attrs["formats"])
    table_of = pd.DataFrame(problems, columns=["file", "line", "reason"]).astype({"line": "int64"})
    empty = {found.photo for found in kept if found.photo and not found.rows and not found.problems}
    empty -= {row["image"] for row in rows}
    table_of = table_of.sort_values(["file", "line"], kind="stable", ignore_index=True)
    return Survey(faces, table_of, sorted(empty), {found.photo for found in kept if found.person})


@dataclass(frozen=True)
class _Note:
    """What one file says, or one entry of it, about one photo; shown by the file's path."""

    file: Path
    format: str
    names: yolo.Names | None = None
    said: Said | None = None

    def __str__(self) -> str:
        return str(self.file)


@dataclass(frozen=True)
class _Found:
    """The rows of one note with their photo ("" where there is none), and the rows of the table of problems.

    person: somebody looked at the photo, or says that it has no face.
    """

    note: _Note
    photo: str
    rows: list[dict[str, Any]]
    problems: list[dict[str, Any]]
    person: bool = False


def _notes(folder: Path, photos: Photos) -> tuple[list[_Note], list[dict[str, Any]]]:
    """All notes in a folder, those that stand over others first; and what is wrong with whole files."""
    xmls = sorted(p for p in folder.rglob("*.xml") if not any(s.startswith(".") for s in p.relative_to(folder).parts))
    entries, wrong = coco.notes(folder)
    texts, nameless = yolo.notes(folder, photos)
    found = [_Note(path, "voc") for path in xmls]
    found += [_Note(path, "coco", said=said) for path, said in entries]
    found += [_Note(path, "yolo", names=names) for path, names in texts]
    return found, wrong + nameless


@dataclass(frozen=True)
class _Read:
    """One note → its rows in pixels of its photo, and its problems."""

    photos: Photos
    clip: bool

    def __call__(self, note: _Note) -> _Found:
        try:
            said = note.said or (yolo.parse(note.file, note.names) if note.names else voc.parse(note.file))
        except FormatError as trouble:
            return _Found(note, "", [], listed(note.file, [(trouble.line, trouble.reason)]))
        of = self.photos.named if note.format == "coco" else self.photos.of
        photo = of(note.file, said.filename)
        if photo is None:
            missing = (0, f"no such image: {said.filename or note.file.stem!r} is not in the folder")
            return _Found(note, "", [], listed(note.file, [*said.problems, missing]))
        rows, problems = self._rows(note, said, photo)
        if isinstance(said, voc.Voc) and (named := said.filename) and Path(named.replace("\\", "/")).stem != photo.stem:
            problems.append((said.name_line, f"filename says {named!r}; taken for {photo.name}, by its own name"))
        person = (
            said.verified or not said.rows and said.origin != "auto" if isinstance(said, voc.Voc) else not said.rows
        )
        return _Found(note, str(photo), rows, listed(note.file, problems), person)

    def _rows(self, note: _Note, said: Said, photo: Path) -> tuple[list[dict[str, Any]], list[tuple[int | str, str]]]:
        try:
            size = checked_size(photo)
        except images.UnreadableImage as trouble:
            return [], [*said.problems, (0, f"unreadable image {photo.name}: {trouble.reason}")]
        if note.format == "yolo":
            said = yolo.pixels(said, size)
        elif said.size is not None and said.size != size:
            stated, real = f"{said.size[0]} × {said.size[1]}", f"{size[0]} × {size[1]}"
            reason = f"made for another image: size says {stated}, {photo.name} is {real}; not used"
            return [], [*said.problems, (0, reason)]
        rows, problems, remarks = placed(said, size=size, clip=self.clip)
        rows, twice = once(rows) if self.clip else (rows, [])
        problems = [*said.problems, *problems, *remarks, *twice]
        if said.size is None:
            problems.append((0, f"no size stated{_of(note, photo)}; the photo's own is used"))
        return [{k: v for k, v in row.items() if k != "line"} | {"image": str(photo)} for row in rows], problems


def _of(note: _Note, photo: Path) -> str:
    return f" for {photo.name}" if note.format == "coco" else ""  # its file speaks of many


def _first(found: list[_Found]) -> tuple[list[_Found], list[dict[str, Any]]]:
    """Every photo as the first format, and the first COCO or YOLO file, has it; how many labels were left aside."""
    owners: dict[str, _Note] = {}
    aside: Counter[tuple[str, str]] = Counter()
    kept = []
    for one in found:
        first = owners.setdefault(one.photo, one.note) if one.photo else one.note
        both_voc = first.format == one.note.format == "voc"
        if first.file == one.note.file or both_voc:
            kept.append(one)
        else:
            where = one.note.file if one.note.format == "coco" else one.note.file.parent
            aside[str(where), first.format] += 1
    reason = "{n} photos have labels in a {format} file too, which counts; these were left aside"
    return kept, [
        {"file": file, "line": 0, "reason": reason.format(n=n, format=format.upper())}
        for (file, format), n in aside.items()
    ]
