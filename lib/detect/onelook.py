"""One network, one look: a photo → the faces in it with class and probability, on LiteRT alone."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import boxes, cells, classes
from .network import ONE_LOOK, Network, calibrated, checked, model_file, people, rows_of

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["OneLook"]


class OneLook:
    """A single-shot detector, for any number of threads: rgb (h, w, 3) → sv.Detections, the surest face first.

    Gives what `MaskDetector` gives: class_name (and class_id) for people, "unsure" below `unsure_below`, confidence,
    and in `data` probabilities (n, 3) and face_score. Everything about the network is read from its card: input_size
    (h, w), min_score (of a face, 0–1), overlap (IoU from which two boxes are one face), temperature, bias.

    tiles: a photo larger than the input is also looked at in up to so many overlapping tiles a side, which finds
    smaller faces and takes a look a tile; 1 is the photo alone.
    """

    def __init__(
        self,
        card: Mapping[str, Any],
        tflite: str | Path | bytes,
        *,
        threads: int | None = None,
        min_score: float | None = None,
        unsure_below: float | None = None,
        tiles: int = 1,
    ) -> None:
        if tiles < 1:
            raise ValueError(f"tiles: must be at least 1, got {tiles}")
        if card.get("network") != ONE_LOOK:
            raise ValueError(f"model: a one-look card has network {ONE_LOOK!r}, this one {card.get('network')!r}")
        self.card = dict(card)
        h, w = card["input_size"]
        self.shape, self.tiles = (int(h), int(w)), int(tiles)
        self.min_score = float(card.get("min_score", 0.3) if min_score is None else min_score)
        self.overlap = float(card.get("overlap", 0.45))
        self.unsure_below = float(card.get("unsure_below", 0.0) if unsure_below is None else unsure_below)
        self._network = Network(tflite, threads=threads)
        places = {int(output["shape"][-1]): i for i, output in enumerate(self._network.outputs)}
        self._places = [places[channels] for channels in (1, 4, len(classes.NAMES))]
        self._cells = cells.points(self.shape)

    @classmethod
    def load(cls, name: str | Path = "one-look", *, kind: str = "tflite", **options: Any) -> "OneLook":
        """Read a shipped model by its name, or any by the path of its card; kind "float16" takes its other file.

        Raises AssetMissing where there is none, ModelDamaged where the file's SHA-256 is not the card's.
        """
        card, content = model_file(name, kind=kind)
        return cls(card, content, **options)

    def __call__(self, rgb: np.ndarray) -> "sv.Detections":
        """The faces of one photo."""
        return self.timed(rgb)[0]

    def many(self, photos: Sequence[np.ndarray]) -> list["sv.Detections"]:
        """The faces of several photos, of any sizes, in one go of the network."""
        looks = [self._looks(rgb) for rgb in photos]
        if not looks:
            return []
        outputs = self._run(np.concatenate([look.canvases for look in looks]))
        ends = np.cumsum([len(look.canvases) for look in looks])
        parts = zip(looks, ends, strict=True)
        return [self._detections(look, [o[end - len(look.canvases) : end] for o in outputs]) for look, end in parts]

    def timed(self, rgb: np.ndarray) -> tuple["sv.Detections", dict[str, float]]:
        """The faces of one photo, and the seconds spent on: letterbox, network, boxes."""
        start = time.perf_counter()
        look = self._looks(rgb)
        fitted = time.perf_counter()
        outputs = self._run(look.canvases)
        ran = time.perf_counter()
        found = self._detections(look, outputs)
        times = {"letterbox": fitted - start, "network": ran - fitted, "boxes": time.perf_counter() - ran}
        return found, times

    def answers(self, rgb: np.ndarray, *, threshold: float = 0.0) -> list[list[Any]]:
        """Rows [x1, y1, x2, y2, score, class] by the plain three-class answer; score = face score × probability."""
        return self.rows(self(rgb), threshold=threshold)

    def rows(self, found: "sv.Detections", *, threshold: float = 0.0) -> list[list[Any]]:
        """The same rows from detections that this detector gave."""
        return rows_of(found, threshold=threshold)

    def _run(self, canvases: np.ndarray) -> list[np.ndarray]:
        """What the cells say: face (n, cells, 1), box (n, cells, 4), answer (n, cells, 3)."""
        outputs = self._network(canvases)
        return [outputs[place] for place in self._places]

    def _looks(self, rgb: np.ndarray) -> "_Look":
        """The photo on a canvas, and its tiles where there are any."""
        size = _checked(rgb).shape[1], rgb.shape[0]
        windows = cells.windows(size, self.shape, most=self.tiles)
        fitted = [cells.letterbox(rgb[y1:y2, x1:x2], self.shape) for x1, y1, x2, y2 in windows]
        return _Look(np.stack([canvas for canvas, _ in fitted]), [back for _, back in fitted], windows, size)

    def _detections(self, look: "_Look", outputs: list[np.ndarray]) -> "sv.Detections":
        how: dict[str, Any] = {"min_score": self.min_score, "overlap": self.overlap}
        seen = []
        for i, (back, window) in enumerate(zip(look.backs, look.windows, strict=True)):
            face, box, answer = (o[i] for o in outputs)
            xyxy, scores, raw = cells.read((face, box, answer), self._cells, **how)
            xyxy = boxes.clip(xyxy * back, (window[2] - window[0], window[3] - window[1])) + np.tile(window[:2], 2)
            real = (xyxy[:, 2:] - xyxy[:, :2]).min(axis=1, initial=np.inf) >= 1
            real &= cells.uncut(xyxy, window, look.size)  # its neighbour sees that face whole
            seen.append((xyxy[real], scores[real], raw[real]))
        xyxy, scores, raw = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        if len(seen) > 1:
            kept = cells.suppress(xyxy, scores, **how)
            xyxy, scores, raw = xyxy[kept], scores[kept], raw[kept]
        tuned = {"temperature": self.card.get("temperature", 1.0), "bias": self.card.get("bias")}
        return people(xyxy, scores, calibrated(raw, **tuned), unsure_below=self.unsure_below)


@dataclass(frozen=True)
class _Look:
    """What the network sees of a photo: canvases (n, h, w, 3), their factors, and windows (n, 4) of size (w, h)."""

    canvases: np.ndarray
    backs: list[np.ndarray]
    windows: np.ndarray
    size: tuple[int, int]


def _checked(rgb: np.ndarray) -> np.ndarray:
    if not rgb.size:
        raise ValueError(f"rgb: must be uint8 (h, w, 3), got {rgb.dtype} {rgb.shape}")
    return checked(rgb)
