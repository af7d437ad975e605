"""Where the faces are: YuNet, OpenCV's res10 network or dlib's HOG, all behind one call: rgb → detections."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from . import assets, boxes

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["FRAMING", "LIVE", "NAMES", "Finder", "finder"]

log = logging.getLogger(__name__)

NAMES = ("yunet", "res10", "hog")  # in order of preference
MAX_SIDE = {"yunet": 1280, "res10": 300, "hog": 640}  # pixels of the longer side that a photo is looked at
# The same for a camera's picture, one look: of 635 faces on labelled photos 854 pixels wide it finds 563 where 640 and
# its half find 581 for three times the time; as many of those of 64 pixels and more (tests/benchmarks/live.py looks).
LIVE = 480
MIN_SCORE = {"yunet": 0.5, "res10": 0.5, "hog": 0.0}  # HOG's score is a margin, not a probability
_LEAST = 320  # pixels; the smallest size at which YuNet looks again: it finds faces that fill the picture
_SAME = 0.2  # boxes that overlap by more are one face
_ALIKE = 0.6  # of those, the ones that overlap by more place it together
_INSIDE = 0.7  # of the smaller box; a box with more of itself in a better one is a part of that face
# What is added to YuNet's box, in shares of its width and height: its boxes begin above the forehead and end on a mask,
# before the chin. The mean of the medians of three origins: labelled photos, tight crops of masked faces, drawn masks
# against the same bare faces (tests/benchmarks/boxes.py).
FRAMING = (0.0, 0.04, 0.0, 0.045)


class Finder:
    """A loaded face detector: call it with rgb, get sv.Detections with xyxy and confidence, best first.

    `name` says which one it is. Boxes are in pixels of the photo given, clipped to it. Can be pickled (the weights
    are read again on the other side); one object serves one thread at a time.
    """

    def __init__(self, name: str, *, min_score: float, max_side: int) -> None:
        self.name, self.min_score, self.max_side = name, float(min_score), int(max_side)
        self._look: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] = _LOADERS[name](self.min_score, max_side)

    def __call__(self, rgb: np.ndarray) -> "sv.Detections":
        import supervision as sv

        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"rgb: must be uint8 (h, w, 3), got {rgb.dtype} {rgb.shape}")
        if min(rgb.shape[:2]) < 8:  # too small for any face; some networks fail on such
            return sv.Detections.empty()
        xyxy, scores = self._look(rgb)
        h, w = rgb.shape[:2]
        xyxy = boxes.clip(np.asarray(xyxy, float).reshape(-1, 4), (w, h))
        scores = np.asarray(scores, float)
        good = (scores >= self.min_score) & ((xyxy[:, 2:] - xyxy[:, :2]).min(1, initial=np.inf) >= 1)
        order = np.flatnonzero(good)[np.argsort(-scores[good], kind="stable")]
        if not len(order):
            return sv.Detections.empty()
        return sv.Detections(xyxy=xyxy[order], confidence=scores[order])

    def __repr__(self) -> str:
        return f"Finder({self.name!r}, min_score={self.min_score}, max_side={self.max_side})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (self.name, self.min_score, self.max_side)


def finder(name: str = "auto", *, min_score: float | None = None, max_side: int | None = None) -> Finder:
    """Load a face detector by name: "yunet", "res10", "hog", or "auto" for the best that can be had.

    min_score: None takes the detector's own default (0.5; HOG 0). max_side: the photo is looked at with its longer
    side scaled to so many pixels, up or down: YuNet at its halves down to 320 as well (None: 1280, `LIVE` for a
    camera), HOG (640). "auto" says in the log when it must make do with HOG, which finds few masked faces. Raises
    AssetMissing where the weights of a named one cannot be had, ValueError.
    """
    if name not in ("auto", *NAMES):
        raise ValueError(f"finder: unknown name {name!r}; known are auto, {', '.join(NAMES)}")
    if max_side is not None and max_side < 32:
        raise ValueError(f"max_side: must be at least 32, got {max_side}")
    reasons = []
    for candidate in NAMES if name == "auto" else (name,):
        asked = min_score if candidate == name or candidate != "hog" else None  # HOG's scores are on another scale
        score = MIN_SCORE[candidate] if asked is None else asked
        try:
            found = Finder(candidate, min_score=score, max_side=max_side or MAX_SIDE[candidate])
        except assets.AssetMissing as trouble:
            if name != "auto":
                raise
            reasons.append(f"{candidate}: {trouble}")
            continue
        if candidate != NAMES[0] and name == "auto":
            log.warning(
                "YuNet cannot be had; %s serves instead, which misses many masked faces. Connect to the internet once, "
                "or put the weights into the folder that MASK_ASSETS names",
                {"res10": "OpenCV's res10 network", "hog": "dlib's built-in detector"}[candidate],
            )
        return found
    raise assets.AssetMissing("no face finder is to be had:\n  " + "\n  ".join(reasons))


def _revive(name: str, min_score: float, max_side: int) -> Finder:
    return Finder(name, min_score=min_score, max_side=max_side)


def _scaled(rgb: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The photo with its longer side brought to `side`, and what to multiply its boxes by (x, y, x, y)."""
    h, w = rgb.shape[:2]
    scale = side / max(h, w)
    wh = max(1, round(w * scale)), max(1, round(h * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = rgb if wh == (w, h) else cv2.resize(rgb, wh, interpolation=how)
    return small, np.array([w / wh[0], h / wh[1]] * 2)


def _yunet(min_score: float, max_side: int) -> Callable:
    """YuNet (Wu et al. 2023) in the file of fixed size, which takes any size through setInputSize.

    Looked at several sizes (`_sides`): it is at its best on faces of 24 to 200 pixels. What it says of one face at all
    sizes is averaged by score, which places the box better than the best of them alone.
    """
    network = cv2.FaceDetectorYN.create(str(assets.find("yunet")), "", (320, 320), min_score, 1.0, 5000)  # 1: no NMS

    def once(rgb: np.ndarray, side: int) -> np.ndarray:
        small, back = _scaled(rgb, side)
        network.setInputSize((small.shape[1], small.shape[0]))
        rows = network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if rows is None:
            return np.empty((0, 5))
        xyxy = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1).astype(float)
        return np.column_stack([xyxy * back, rows[:, 14]])

    def look(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([once(rgb, side) for side in _sides(max_side)])
        xyxy, scores = _merged(rows[:, :4], rows[:, 4])
        return xyxy + np.tile(xyxy[:, 2:] - xyxy[:, :2], 2) * FRAMING, scores

    return look


def _sides(max_side: int) -> list[int]:
    """The longer sides in pixels at which a photo is looked at: max_side and its halves, down to 320."""
    return [max_side] if max_side < 2 * _LEAST else [max_side, *_sides(max_side // 2)]


def _merged(xyxy: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One box a face: of boxes (n, 4) that overlap by more than `_SAME`, the best one's place is the mean by score.

    Only those take part in the mean that overlap it by more than `_ALIKE`. A box that lies in a better one, or round
    it, is left out: a large look sees faces in parts of faces.
    """
    if not len(xyxy):
        return xyxy, scores
    xywh = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)
    kept = np.asarray(cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), 0.0, _SAME), int).reshape(-1)
    weights = scores * (boxes.iou(xyxy[kept], xyxy) > _ALIKE)
    places = weights @ xyxy / weights.sum(1, keepdims=True)
    areas, overlap = boxes.area(places), boxes.iou(places, places)
    both = overlap * (areas[:, None] + areas[None]) / (1 + overlap)
    inside = np.tril(both / np.minimum(areas[:, None], areas[None]) > _INSIDE, -1)
    alone = [i for i in range(len(kept)) if not inside[i].any()]
    return places[alone], scores[kept][alone]


def _res10(min_score: float, max_side: int) -> Callable:
    """OpenCV's SSD on ResNet-10, as the tutorials use it: the photo squeezed to 300 × 300."""
    network = cv2.dnn.readNetFromTensorflow(str(assets.find("res10")), str(assets.find("res10-graph")))

    def look(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h, w = rgb.shape[:2]
        small = cv2.resize(rgb, (300, 300), interpolation=cv2.INTER_AREA)
        network.setInput(cv2.dnn.blobFromImage(small, 1.0, (300, 300), (104.0, 177.0, 123.0), swapRB=True))
        rows = network.forward().reshape(-1, 7)
        return rows[:, 3:7].astype(float) * (w, h, w, h), rows[:, 2].astype(float)

    return look


def _hog(min_score: float, max_side: int) -> Callable:
    """dlib's frontal face detector (King 2009): needs no file, finds frontal bare faces from some 80 scaled pixels."""
    try:
        import dlib
    except ImportError:
        raise assets.AssetMissing("dlib is not installed; run: pip install dlib-bin") from None
    detect = dlib.get_frontal_face_detector()

    def look(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small, back = _scaled(rgb, max_side)
        rectangles, scores, _ = detect.run(np.ascontiguousarray(small), 0, min_score)
        xyxy = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]  # dlib's ends are inclusive
        return np.array(xyxy, float).reshape(-1, 4) * back, np.array(list(scores), float)

    return look


_LOADERS: dict[str, Callable] = {"yunet": _yunet, "res10": _res10, "hog": _hog}
