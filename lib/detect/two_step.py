"""A photo → the faces in it with class and probability. Runs on LiteRT alone; nothing here loads TensorFlow."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, batch, boxes, classes, files, images, plots
from ..blur import blurred

if TYPE_CHECKING:
    import supervision as sv

__all__ = [
    "BATCH",
    "Classifier",
    "Looked",
    "MaskDetector",
    "ModelDamaged",
    "calibrated",
    "decide",
    "look",
    "model_file",
    "rows_of",
]

log = logging.getLogger(__name__)

MIN_SIDE = 4  # pixels; a smaller box shows nothing that could be told apart
_WRITABLE = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")  # OpenCV writes no GIF
ONE_LOOK = "one_look"  # what the card of a single-shot detector calls its network
BATCH = 16  # crops a call: more gain nothing, and a crowd would need memory for all its faces at once


class ModelDamaged(ValueError):
    """A model's file is not the one that its card describes."""


def model_file(name: str | Path, *, kind: str = "tflite") -> tuple[dict[str, Any], bytes]:
    """A model's card and the content of one of its files. Raises AssetMissing, ModelDamaged."""
    path = assets.model(name)
    card = json.loads(path.read_text(encoding="utf-8"))
    entry = card["files"][kind]
    file = path.with_name(entry["file"])
    if not file.is_file():
        raise assets.AssetMissing(f"model: {path.name} names {entry['file']}, which is not beside it")
    content = file.read_bytes()
    found = images.sha256(content)
    if entry.get("sha256") and found != entry["sha256"]:
        raise ModelDamaged(
            f"model: {file} has SHA-256 {found[:12]}…, its card says {entry['sha256'][:12]}…; fetch it again"
        )
    return card, content


class Classifier:
    """A trained network: crops → probabilities; safe to call from several threads.

    Everything about it is read from its card: classes, input size, margin, temperature, bias. crops are rgb, uint8
    (n, s, s, 3) as `boxes.crop` cuts them, s = input_size; the answer is float32 (n, k), rows add up to 1, columns in
    the order of `.classes`, temperature and bias applied.
    """

    def __init__(self, card: Mapping[str, Any], tflite: str | Path | bytes, *, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        if card.get("network") == ONE_LOOK:
            raise ValueError(f"model: {card.get('name')} finds faces by itself and names no crops; see detect.OneLook")
        self.card = dict(card)
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self.input_size, self.margin = int(card["input_size"]), float(card["margin"])
        content = tflite if isinstance(tflite, bytes) else Path(tflite).read_bytes()
        self._interpreter = Interpreter(model_content=content, num_threads=threads or min(4, os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._allocated = 0
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

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
        parts = [self._run(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)]
        raw = np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)
        return calibrated(raw, temperature=self.card.get("temperature", 1.0), bias=self.card.get("bias"))

    def _run(self, crops: np.ndarray) -> np.ndarray:
        with self._lock:
            if self._allocated != len(crops):
                self._interpreter.resize_tensor_input(self._input["index"], crops.shape, strict=False)
                self._interpreter.allocate_tensors()
                self._allocated = len(crops)
            self._interpreter.set_tensor(self._input["index"], _quantised(crops, self._input))
            self._interpreter.invoke()
            return _plain(self._interpreter.get_tensor(self._output["index"]), self._output)


def _quantised(crops: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Pixels 0–255 in the type of the network's input."""
    kind, (scale, zero) = tensor["dtype"], tensor["quantization"]
    if kind == np.float32:
        return crops.astype(np.float32)
    if kind == np.uint8 and scale in (0.0, 1.0) and zero == 0:
        return crops
    limits = np.iinfo(kind)
    return (crops / (scale or 1.0) + zero).round().clip(limits.min, limits.max).astype(kind)


def _plain(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Probabilities as float32 from the type of the network's output."""
    if tensor["dtype"] == np.float32:
        return np.array(values, np.float32)
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale)


def calibrated(probabilities: np.ndarray, *, temperature: float = 1.0, bias: Any = None) -> np.ndarray:
    """softmax(log p / temperature + bias): probabilities (n, k) as honest as the card's calibration makes them."""
    logits = np.log(np.clip(probabilities, 1e-7, 1.0)) / float(temperature)
    if bias is not None:
        logits = logits + np.asarray(bias, np.float32)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def decide(probabilities: np.ndarray, *, unsure_below: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The answers to probabilities (n, 3) in the order of `classes.NAMES`: class ids (n,), and how sure (n,), 0–1.

    An answer that is less sure than unsure_below gets the id 3, "unsure"; its sureness stays that of the best class.
    """
    if not len(probabilities):
        return np.zeros(0, int), np.zeros(0, np.float32)
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    return np.where(sure < unsure_below, len(classes.NAMES), best), sure


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

        max_side: the finder's, where it should not be the card's: `faces.LIVE` for a camera.
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
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"rgb: must be uint8 (h, w, 3), got {rgb.dtype} {rgb.shape}")
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
        import supervision as sv

        known = self.classify.classes
        real = np.array([known[i] != classes.NOT_A_FACE for i in probabilities.argmax(axis=1)], bool)
        columns = [known.index(name) if name in known else -1 for name in classes.NAMES]
        padded = np.column_stack([probabilities[real], np.zeros(int(real.sum()), np.float32)])[:, columns]
        three = (padded / np.maximum(padded.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
        ids, sure = decide(three, unsure_below=self.unsure_below)
        names = np.array([*classes.NAMES, classes.UNSURE])
        return sv.Detections(
            xyxy=np.asarray(xyxy[real], np.float32).reshape(-1, 4),
            confidence=sure.astype(np.float32),
            class_id=ids.astype(int),
            data={
                "class_name": names[ids],
                "probabilities": three.reshape(-1, len(classes.NAMES)),
                "face_score": scores[real].astype(np.float32),
            },
        )


def rows_of(found: "sv.Detections", *, threshold: float = 0.0) -> list[list[Any]]:
    """Rows [x1, y1, x2, y2, score, class] of found faces; score = face score (0–1) × probability of the class."""
    if not len(found):
        return []
    ids, sure = decide(np.asarray(found.data["probabilities"]))
    scores = np.clip(np.asarray(found.data["face_score"]), 0, 1) * sure
    return [
        [*(round(float(v), 2) for v in box), round(float(score), 5), classes.NAMES[i]]
        for box, score, i in zip(found.xyxy, scores, ids, strict=True)
        if score >= threshold
    ]


def _finder(card: Mapping[str, Any], max_side: int | None) -> Callable[[np.ndarray], "sv.Detections"]:
    """The finder that the card names; where its weights cannot be had, the best that can, and a word about it."""
    from .. import faces

    wanted = dict(card.get("finder") or {"name": "auto"}) | ({"max_side": max_side} if max_side else {})
    name = wanted.pop("name", "auto")
    try:
        return faces.finder(name, **wanted)
    except assets.AssetMissing as trouble:
        log.info("the model's card names %s, which is not to be had: %s", name, trouble)
        return faces.finder("auto")


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
