"""A photo → the faces in it with class and probability. Runs on LiteRT alone; nothing here loads TensorFlow."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, batch, boxes, classes, files, images, plots
from ..blur import blurred
from .finding import BOTH, finder
from .network import ONE_LOOK, Network, calibrated, checked, model_file, people, rows_of

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["BATCH", "Classifier", "Looked", "MaskDetector", "look"]

log = logging.getLogger(__name__)

MIN_SIDE = 4  # pixels; a smaller box shows nothing that could be told apart
_WRITABLE = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")  # OpenCV writes no GIF
BATCH = 16  # crops a call: more gain nothing, and a crowd would need memory for all its faces at once


class Classifier:
    """A trained network: crops → probabilities; safe to call from several threads.

    Everything about it is read from its card: classes, input size, margin, temperature, bias. crops are rgb, uint8
    (n, s, s, 3) as `boxes.crop` cuts them, s = input_size; the answer is float32 (n, k), rows add up to 1, columns in
    the order of `.classes`, temperature and bias applied.
    """

    def __init__(self, card: Mapping[str, Any], tflite: str | Path | bytes, *, threads: int | None = None) -> None:
        if card.get("network") == ONE_LOOK:
            raise ValueError(f"model: {card.get('name')} finds faces by itself and names no crops; see detect.OneLook")
        self.card = dict(card)
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self.input_size, self.margin = int(card["input_size"]), float(card["margin"])
        self._network = Network(tflite, threads=threads)

    @classmethod
    def load(cls, name: str | Path = "full", *, threads: int | None = None) -> "Classifier":
        """Read a shipped model by its name, or any by the path of its card.

        Raises AssetMissing where there is none, ModelDamaged where the file's SHA-256 is not the card's.
        """
        card, content = model_file(name)
        return cls(card, content, threads=threads)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities (n, k) of crops (n, s, s, 3)."""
        s = self.input_size
        if crops.ndim != 4 or crops.shape[1:] != (s, s, 3) or crops.dtype != np.uint8:
            raise ValueError(f"crops: must be uint8 (n, {s}, {s}, 3), got {crops.dtype} {crops.shape}")
        parts = [self._network(crops[i : i + BATCH])[0] for i in range(0, len(crops), BATCH)]
        raw = np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)
        return calibrated(raw, temperature=self.card.get("temperature", 1.0), bias=self.card.get("bias"))


class MaskDetector:
    """A face finder and a classifier, for any number of threads: rgb (h, w, 3) → sv.Detections, in the finder's order.

    `class_name` (and class_id) is the answer for people, "unsure" (3) below `unsure_below`; `confidence` the
    probability of the best class. `data` also has probabilities (n, 3) in the order of `classes.NAMES`, and face_score,
    the finder's own. A box that is smaller than 4 pixels, or that the network calls not_a_face, is left out.
    """

    def __init__(
        self, classify: Classifier, find: Callable[[np.ndarray], "sv.Detections"], *, unsure_below: float | None = None
    ) -> None:
        self.classify, self.find = classify, find
        self._lock = threading.Lock()  # a finder serves one thread at a time
        self.unsure_below = float(classify.card.get("unsure_below", 0.0) if unsure_below is None else unsure_below)

    @classmethod
    def load(
        cls,
        name: str | Path = "full",
        *,
        find: Callable[[np.ndarray], "sv.Detections"] | None = None,
        max_side: int | None = None,
        threads: int | None = None,
    ) -> "MaskDetector":
        """Read a model, and the face finder that its card names unless find is given.

        max_side: the finder's, where it is not the card's: `faces.LIVE` for a camera, which YuNet looks at alone.
        """
        classify = Classifier.load(name, threads=threads)
        return cls(classify, find if find is not None else _finder(classify.card, max_side))

    def __call__(self, rgb: np.ndarray) -> "sv.Detections":
        """The faces of one photo."""
        return self.timed(rgb)[0]

    def answers(self, rgb: np.ndarray, *, threshold: float = 0.0) -> list[list[Any]]:
        """Rows [x1, y1, x2, y2, score, class] by the plain three-class answer, as `--json` and the scorer read them.

        score = the finder's face score (cut to 0–1) × the probability of the class; rows below threshold are left out.
        """
        return self.rows(self(rgb), threshold=threshold)

    def rows(self, found: "sv.Detections", *, threshold: float = 0.0) -> list[list[Any]]:
        """The same rows from detections that this detector gave."""
        return rows_of(found, threshold=threshold)

    def timed(self, rgb: np.ndarray) -> tuple["sv.Detections", dict[str, float]]:
        """The faces of one photo, and the seconds spent on: find, crop, classify."""
        rgb = checked(rgb)
        start = time.perf_counter()
        with self._lock:
            faces = self.find(rgb)
        found = time.perf_counter()
        keep, crops = self._crops(rgb, faces.xyxy)
        cut = time.perf_counter()
        probabilities = self.classify(crops)
        end = time.perf_counter()
        scores = faces.confidence if faces.confidence is not None else np.ones(len(faces), np.float32)
        times = {"find": found - start, "crop": cut - found, "classify": end - cut}
        return self._detections(faces.xyxy[keep], np.asarray(scores)[keep], probabilities), times

    def _crops(self, rgb: np.ndarray, xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h, w = rgb.shape[:2]
        inside = boxes.clip(xyxy, (w, h))
        keep = ((inside[:, 2:] - inside[:, :2]) >= MIN_SIDE).all(axis=1) if len(xyxy) else np.zeros(0, bool)
        s = self.classify.input_size
        crops = [boxes.crop(rgb, box, margin=self.classify.margin, size=s) for box in xyxy[keep]]
        return keep, np.stack(crops) if crops else np.zeros((0, s, s, 3), np.uint8)

    def _detections(self, xyxy: np.ndarray, scores: np.ndarray, probabilities: np.ndarray) -> "sv.Detections":
        known = self.classify.classes
        real = np.array([known[i] != classes.NOT_A_FACE for i in probabilities.argmax(axis=1)], bool)
        columns = [known.index(name) if name in known else -1 for name in classes.NAMES]
        padded = np.column_stack([probabilities[real], np.zeros(int(real.sum()), np.float32)])[:, columns]
        three = (padded / np.maximum(padded.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
        return people(xyxy[real], scores[real], three, unsure_below=self.unsure_below)


def _finder(card: Mapping[str, Any], max_side: int | None) -> Callable[[np.ndarray], "sv.Detections"]:
    """The finder that the card names; where its weights cannot be had, the best that can, and a word about it.

    A look of another size is a quick one, for cameras: there YuNet works without one look, which would cost half as
    much again, and the next frame shows the face once more.
    """
    wanted = dict(card.get("finder") or {"name": BOTH}) | ({"max_side": max_side} if max_side else {})
    if max_side and wanted["name"] == BOTH:
        wanted["name"] = "yunet"
    try:
        return finder(**wanted)
    except assets.AssetMissing as trouble:
        log.info("the model's card names %s, which is not to be had: %s", wanted.get("name"), trouble)
        return finder(BOTH)


@dataclass(frozen=True)
class Looked:
    """What was seen on one photo: its name, the rows of `MaskDetector.answers`, and one line for people."""

    name: str
    answers: list[list[Any]]
    words: str


def look(
    photos: Sequence[str | Path],
    detector: MaskDetector,
    *,
    root: str | Path | None = None,
    out: str | Path | None = None,
    threshold: float = 0.0,
    blur: bool = False,
    force: bool = False,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> tuple[list[Looked], list[dict[str, Any]]]:
    """Look at many photos: (what was seen in order, skipped as rows of item and reason).

    root: the folder that the names are relative to; without it they are file names. out: where annotated copies go, a
    folder laid out like root, or, for a single photo, a file. blur: make the faces in these unrecognisable. Raises
    ValueError, before anything is written, when a copy would overwrite a photo, or, without force, any file.
    """
    names = [Path(p).relative_to(root).as_posix() if root else Path(p).name for p in photos]
    targets = [_target(name, out, alone=root is None and len(photos) == 1) for name in names]
    originals = {Path(p).resolve() for p in photos}
    for target in targets:
        if target is not None:
            files.spare(target, *({target.resolve()} & originals), force=force)
    jobs = {str(p): (name, target) for p, name, target in zip(photos, names, targets, strict=True)}

    def one(path: str) -> Looked:
        name, target = jobs[path]
        rgb = images.read(path)
        found = detector(rgb)
        if target is not None:
            images.write(target, plots.annotate(blurred(rgb, found.xyxy) if blur else rgb, found))
        return Looked(name, detector.rows(found, threshold=threshold), _words(found))

    return batch.run(one, list(jobs), progress=progress)


def _target(name: str, out: str | Path | None, *, alone: bool) -> Path | None:
    """Where the annotated copy of a photo goes: under its own name, so that no two photos share one."""
    if out is None or (alone and Path(out).suffix.lower() in images.SUFFIXES):
        return None if out is None else Path(out)
    return Path(out) / (name if Path(name).suffix.lower() in _WRITABLE else f"{name}.png")


def _words(found: "sv.Detections") -> str:
    if not len(found):
        return "no face found"
    captions = [
        classes.caption(str(n), float(p))
        for n, p in zip(found.data["class_name"], np.asarray(found.confidence), strict=True)
    ]
    return f"{len(found)} {'face' if len(found) == 1 else 'faces'}: {', '.join(captions)}"
