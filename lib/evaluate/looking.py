"""A folder of labelled photos, looked at by one model: what it says on the labelled boxes and of the photos."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, batch, boxes, classes, dataset, detect, images, labels, landmarks
from .answers import aligned, told
from .detection import file_names
from .traits import traits

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Seen", "labelled", "look", "rows_by_face"]

log = logging.getLogger(__name__)
Progress = Callable[[Iterable[Any]], Iterable[Any]]
BOX = ["x1", "y1", "x2", "y2"]
_PHOTOS = ("images", "JPEGImages", "photos", "img", "raw")


@dataclass(frozen=True)
class Seen:
    """What a model says of labelled photos.

    faces: a row a labelled face, with the columns of `traits`; probabilities (n, 3) on their boxes. found, doubtful:
    the detector's answers by file name, scored by the face finder, and by finder times probability from low scores up.
    """

    faces: "pd.DataFrame"
    probabilities: np.ndarray
    found: dict[str, list[list[Any]]]
    doubtful: dict[str, list[list[Any]]]
    skipped: list[dict[str, Any]]


def labelled(
    data: Path, find: Any, *, corrections: str | Path | None = None, progress: Progress | None = None
) -> tuple["pd.DataFrame", list[str]]:
    """The faces of a folder whose label a person gave, and in words what is to be known about them.

    Photos of class folders are framed by the face that `find` sees in them. corrections: a list of labels to correct
    first; without it the labels are as published. Raises ValueError where there is no label.
    """
    table, problems = labels.read_folder(data, clip=False, corrections=corrections)
    changed = table.attrs.get("corrected", 0)
    if not len(table):
        raise ValueError(f"{data}: no labels in it; give photos with Pascal VOC files, or folders named like classes")
    table, words = told(table)
    notes = [f"Faces counted: {words}."]
    if corrections is not None:
        notes.append(f"Not as published: {changed} labels, which {Path(corrections).name} corrects.")
    if len(problems):
        first = problems.iloc[0]
        notes.append(f"{len(problems)} remarks on labels, the first: {Path(first['file']).name}: {first['reason']}.")
    if whole := int(table["framing"].eq("whole").sum()):
        table = dataset.locate(table, find, progress=progress)
        alone = int(table["framing"].eq("whole").sum())
        notes.append(
            f"{whole} photos of class folders have no box: the finder's own counts as the labelled one, and the whole "
            f"photo for the {alone} in which it saw no face. Of finding faces such photos say little."
        )
    return table.assign(source=[_source(image, data) for image in table["image"]]), notes


def _source(image: str, data: Path) -> str:
    """The set that a photo belongs to: the first folder below data, unless that is named for a class or for photos."""
    parts = Path(image).relative_to(data).parts[:-1]
    try:
        inner = not parts or parts[0] in _PHOTOS or bool(classes.canonical(parts[0]))
    except ValueError:
        inner = False
    return data.resolve().name if inner else parts[0]


def look(
    table: "pd.DataFrame",
    classify: detect.Classifier,
    *,
    find: Any,
    doubt: Any,
    pose: bool = True,
    progress: Progress | None = None,
) -> Seen:
    """Look at each photo of a table of faces once, on its labelled boxes and with both finders.

    find: the finder as it serves; doubt: one that also gives doubtful faces, which average precision needs. pose=False
    spares the search for landmarks, the slowest part. A photo that cannot be read is in `skipped`.
    """
    serving, doubtful = detect.MaskDetector(classify, find), detect.MaskDetector(classify, doubt)
    locate = _locator() if pose else None
    rows_of = {str(image): np.asarray(rows) for image, rows in table.groupby("image", sort=True).indices.items()}
    names = dict(zip(table["image"], file_names(table["image"]), strict=True))
    xyxy = table[BOX].to_numpy(float)

    def one(image: str) -> tuple[str, np.ndarray, list[dict[str, float]], list[list[Any]], list[list[Any]]]:
        rgb = images.read(image)
        inside = boxes.clip(xyxy[rows_of[image]], (rgb.shape[1], rgb.shape[0]))
        crops = [boxes.crop(rgb, box, margin=classify.margin, size=classify.input_size) for box in inside]
        said = aligned(classify(np.stack(crops)), classify.classes)
        return image, said, traits(rgb, inside, locate=locate), rows_by_face(serving(rgb)), doubtful.answers(rgb)

    photos, skipped = batch.run(one, list(rows_of), progress=progress)
    order = np.concatenate([rows_of[p[0]] for p in photos]) if photos else np.zeros(0, int)
    faces = table.iloc[order].reset_index(drop=True)
    measured = [face for p in photos for face in p[2]]
    faces = faces.assign(**{name: [face[name] for face in measured] for name in (measured[0] if measured else ())})
    probabilities = np.concatenate([p[1] for p in photos]) if photos else np.zeros((0, len(classes.NAMES)))
    found, doubted = ({names[p[0]]: p[k] for p in photos} for k in (3, 4))
    return Seen(faces, probabilities, found, doubted, skipped)


def rows_by_face(found: Any) -> list[list[Any]]:
    """A detector's answers, scored by how sure it is of the face alone: a face is found however sure its class is."""
    if not len(found):
        return []
    best = np.asarray(found.data["probabilities"]).argmax(1)
    scores = np.asarray(found.data["face_score"], float)
    return [[*box, s, classes.NAMES[c]] for box, s, c in zip(found.xyxy.tolist(), scores.tolist(), best, strict=True)]


def _locator() -> Any:
    try:
        return landmarks.finder()
    except (assets.AssetMissing, ImportError) as trouble:
        log.info("no landmarks, so no pose: %s", trouble)
        return None
