"""Faces that nobody can be recognised by: pixelated in a picture, and privacy copies of whole folders."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from . import batch, boxes, files, images

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

__all__ = ["LOOK_AT", "SIDES", "blurred", "copies", "thorough"]

LOOK_AT = "no-face-found"  # folder of copies that a person should look at before they are given away
SIDES = (640, 1280)  # longer sides in pixels at which a photo is looked at
GRID = (6, 8)  # squares that a face is reduced to, across and down
_COLUMNS = ["photo", "copy", "faces"]
_WRITTEN = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})  # others become PNG

Find = Callable[[np.ndarray], "sv.Detections"]


def blurred(rgb: np.ndarray, xyxy: np.ndarray, *, margin: float = 0.1) -> np.ndarray:
    """A copy of a photo in which the faces (n, 4) are coarse squares that nobody can be recognised by.

    margin: the box is widened on every side by this share of its own width and height.
    """
    picture = rgb.copy()
    h, w = rgb.shape[:2]
    wide = boxes.widen(np.asarray(xyxy, float).reshape(-1, 4), margin, size=(w, h))
    outer = np.concatenate([np.floor(wide[:, :2]), np.ceil(wide[:, 2:])], axis=1).astype(int)
    for x1, y1, x2, y2 in outer:
        if x2 > x1 and y2 > y1:
            tiny = cv2.resize(picture[y1:y2, x1:x2], GRID, interpolation=cv2.INTER_AREA)
            picture[y1:y2, x1:x2] = cv2.resize(tiny, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)
    return picture


def thorough(finders: Sequence[Find]) -> Callable[[np.ndarray], np.ndarray]:
    """One finder of several that look at a photo at different sizes: rgb → all boxes (n, 4) that any of them found.

    Enlarged photos are worth a look as well. A box too many hides some wall; a box too few shows a person.
    """

    def find(rgb: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(look(rgb).xyxy, float).reshape(-1, 4) for look in finders])

    return find


def copies(
    photos: Iterable[str | Path],
    *,
    into: str | Path,
    find: Callable[[np.ndarray], np.ndarray],
    root: str | Path | None = None,
    margin: float = 0.25,
    force: bool = False,
    executor: Executor | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple["pd.DataFrame", list[dict[str, Any]]]:
    """Write a copy of each photo with all faces pixelated: (table of photo, copy, faces; skipped).

    find: rgb → boxes (n, 4), as `thorough` makes it. Copies hold pixels alone, upright: no EXIF, place, date, camera,
    thumbnail or comment; of an animation the first frame. They lie below `into` as the photos do below root; those in
    which no face was found below into/no-face-found, for a person to look at. The photos stay as they are. force:
    what lies where copies go, such as those of an earlier run, is replaced, or taken away where the other place is now
    right. Raises ValueError where a copy would overwrite a photo or, without force, anything.
    """
    if margin < 0:
        raise ValueError(f"margin: must be at least 0, got {margin}")
    into, paths = Path(into), [Path(p) for p in photos]
    targets = _targets([_below(p, root) for p in paths])
    jobs = [_Job(path, into, target) for path, target in zip(paths, targets, strict=True)]
    taken = {p.resolve() for p in paths}
    for target, photo in ((target, job.photo) for job in jobs for target in job.targets):
        if target.resolve() in taken:
            raise ValueError(f"into: a copy would overwrite {photo}; a photo is never overwritten, name another folder")
        files.spare(target, force=force)
    rows, skipped = batch.run(_Copy(find, margin), jobs, executor=executor, progress=progress)
    import pandas as pd

    return pd.DataFrame(rows, columns=_COLUMNS), skipped


@dataclass(frozen=True)
class _Job:
    photo: Path
    into: Path
    name: Path

    def __str__(self) -> str:
        return str(self.photo)

    @property
    def targets(self) -> tuple[Path, Path]:
        """Where the copy goes with faces, and without."""
        return self.into / self.name, self.into / LOOK_AT / self.name


@dataclass(frozen=True)
class _Copy:
    find: Callable[[np.ndarray], np.ndarray]
    margin: float

    def __call__(self, job: _Job) -> dict[str, Any]:
        rgb = images.read(job.photo)
        found = self.find(rgb)
        target, other = job.targets if len(found) else job.targets[::-1]
        if other.is_file():  # an earlier run answered otherwise
            other.unlink()
        files.write(target, images.encode(blurred(rgb, found, margin=self.margin), target.suffix.lower(), quality=92))
        return {"photo": str(job.photo), "copy": str(target), "faces": _count(found)}


def _count(xyxy: np.ndarray) -> int:
    """How many different faces the boxes mean: one that was found at two sizes counts once."""
    return len(boxes.nms(xyxy, boxes.area(xyxy), iou_threshold=0.3))


def _below(photo: Path, root: str | Path | None) -> Path:
    """Where a photo lies below root, by its own name where it is a link; its name alone where it does not."""
    place = photo.parent.resolve() / photo.name
    home = place.parent if root is None else Path(root).resolve()
    return place.relative_to(home) if place.is_relative_to(home) else Path(photo.name)


def _targets(names: list[Path]) -> list[Path]:
    """A name for each copy, in a format that can be written; two photos never share one."""
    used: set[str] = set()
    targets = []
    for name in names:
        target = name if name.suffix.lower() in _WRITTEN else name.with_name(f"{name.name}.png")
        number = 1
        while str(target).lower() in used:
            number += 1
            target = target.with_name(f"{name.stem}-{number}{target.suffix}")
        used.add(str(target).lower())
        targets.append(target)
    return targets
