"""Which photo a file of labels is about."""

import re
from collections.abc import Iterator
from pathlib import Path

from .. import images

__all__ = ["PHOTO_FOLDERS", "Photos", "checked_size", "near"]

PHOTO_FOLDERS = ("images", "JPEGImages", "photos", "img", "raw")


def checked_size(photo: Path) -> tuple[int, int]:
    """(w, h) of a photo that can be decoded to its end. Raises UnreadableImage."""
    images.read(photo, max_side=64)
    return images.size(photo)


def near(path: Path, filename: str = "") -> Path | None:
    """The photo that belongs to a label file: of its stem first (as labelImg pairs them), then of the name inside."""
    inside = re.split(r"[/\\]", filename)[-1]
    for folder in _folders(path):
        for suffix in sorted(images.SUFFIXES):
            for candidate in (path.stem + suffix, path.stem + suffix.upper()):
                if (folder / candidate).is_file():
                    return folder / candidate
        if inside and (folder / inside).is_file():
            return folder / inside
    return None


def _folders(path: Path) -> Iterator[Path]:
    """Where the photo of a label file may lie: beside it, in ../images, and for labels/train/ in images/train/."""
    yield path.parent
    yield from (path.parent.parent / name for name in PHOTO_FOLDERS)
    parts = path.parent.parts
    for i in (i for i, part in enumerate(parts) if part in ("labels", "annotations")):
        yield from (Path(*parts[:i], name, *parts[i + 1 :]) for name in PHOTO_FOLDERS)


class Photos:
    """Finds the photo of a label among all photos of a folder."""

    def __init__(self, folder: Path, photos: list[Path]) -> None:
        self.folder = folder
        self.by_stem: dict[str, list[Path]] = {}
        self.by_name: dict[str, list[Path]] = {}
        for photo in photos:
            self.by_stem.setdefault(photo.stem, []).append(photo)
            self.by_name.setdefault(photo.name, []).append(photo)

    def of(self, note: Path, filename: str = "") -> Path | None:
        """The photo of the note's own stem, the nearest first; else of the name inside; None where it is unclear."""
        inside = re.split(r"[/\\]", filename)[-1]
        same_stem = [p for p in self.by_stem.get(note.stem, []) if p.name == inside] or self.by_stem.get(note.stem, [])
        for candidates in (same_stem, self.by_name.get(inside, [])):
            if found := self._nearest(note, candidates):
                return found
        return None

    def named(self, note: Path, filename: str) -> Path | None:
        """The photo that a file about many calls so, by as much of its path as is said; None where it is unclear."""
        parts = [part for part in re.split(r"[/\\]", filename) if part not in ("", ".", "..")]
        candidates = self.by_name.get(parts[-1], []) if parts else []
        for length in range(len(parts), 0, -1):
            tail = tuple(parts[-length:])
            if same := [p for p in candidates if p.parts[-length:] == tail]:
                return self._nearest(note, same)
        return None

    def _nearest(self, note: Path, candidates: list[Path]) -> Path | None:
        if len(candidates) == 1:
            return candidates[0]
        near = sorted(((self._distance(note, p), p) for p in candidates), key=lambda pair: pair[0])
        return near[0][1] if near and near[0][0] < near[1][0] else None

    def _distance(self, note: Path, photo: Path) -> int:
        """How many folder names differ between the two, so that annotations/a/x.xml meets images/a/x.jpg."""
        here, there = note.relative_to(self.folder).parent.parts, photo.relative_to(self.folder).parent.parts
        same = sum(a == b for a, b in zip(here, there, strict=False))
        same += sum(a == b for a, b in zip(reversed(here[same:]), reversed(there[same:]), strict=False))
        return len(here) + len(there) - 2 * same
