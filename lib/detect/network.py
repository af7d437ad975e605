"""What both detectors are made of: a LiteRT network, the model's file behind a card, and answers as detections."""

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import assets, classes, files, images

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["ONE_LOOK", "ModelDamaged", "Network", "calibrated", "checked", "decide", "model_file", "people", "rows_of"]

ONE_LOOK = "one_look"  # what the card of a single-shot detector calls its network


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


class Network:
    """A LiteRT file for any number of threads and any size of batch; `input` and `outputs` tell its tensors."""

    def __init__(self, tflite: str | Path | bytes, *, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        content = tflite if isinstance(tflite, bytes) else Path(tflite).read_bytes()
        self._interpreter = Interpreter(model_content=content, num_threads=threads or min(4, os.cpu_count() or 1))
        self._lock, self._allocated = threading.Lock(), 0
        self.input: dict[str, Any] = self._interpreter.get_input_details()[0]
        self.outputs: list[dict[str, Any]] = self._interpreter.get_output_details()

    def __call__(self, rgb: np.ndarray) -> list[np.ndarray]:
        """Every output for uint8 (n, h, w, 3), as float32 in the order of `outputs`."""
        with self._lock:
            if self._allocated != len(rgb):
                self._interpreter.resize_tensor_input(self.input["index"], rgb.shape, strict=False)
                with contextlib.nullcontext() if self._allocated else _without_chatter():
                    self._interpreter.allocate_tensors()
                self._allocated = len(rgb)
            self._interpreter.set_tensor(self.input["index"], _quantised(rgb, self.input))
            self._interpreter.invoke()
            return [_plain(self._interpreter.get_tensor(output["index"]), output) for output in self.outputs]


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep from the terminal that LiteRT "Created TensorFlow Lite XNNPACK delegate"; what else is said comes later."""
    with tempfile.TemporaryFile() as said:
        try:
            with files.aside(said.fileno()):
                yield
        finally:
            said.seek(0)
            os.write(2, b"".join(line for line in said if b"XNNPACK delegate" not in line))


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


def checked(rgb: np.ndarray) -> np.ndarray:
    """The photo itself; raises ValueError where it is none."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"rgb: must be uint8 (h, w, 3), got {rgb.dtype} {rgb.shape}")
    return rgb


def people(xyxy: np.ndarray, scores: np.ndarray, three: np.ndarray, *, unsure_below: float) -> "sv.Detections":
    """Faces as detections: boxes (n, 4), the scores (n,) of their being faces, probabilities (n, 3)."""
    import supervision as sv

    ids, sure = decide(three, unsure_below=unsure_below)
    names = np.array([*classes.NAMES, classes.UNSURE])
    return sv.Detections(
        xyxy=np.asarray(xyxy, np.float32).reshape(-1, 4),
        confidence=sure.astype(np.float32),
        class_id=ids.astype(int),
        data={
            "class_name": names[ids],
            "probabilities": three.reshape(-1, len(classes.NAMES)),
            "face_score": scores.astype(np.float32),
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
