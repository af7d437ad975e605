"""An uploaded picture → what is in it, as JSON and as an annotated picture."""

import base64
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import classes, images, plots, video
from ..blur import blurred
from .limits import Limits, Refused

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Trackers", "decode", "drawn", "told"]

FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"})  # MPO: the JPEG of some phones
NONE = "This is no picture that is taken, by its content; JPEG, PNG, WebP, AVIF, GIF, BMP and TIFF are."
SHOWN = 2048  # pixels of the longer side of an annotated picture


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """rgb of an uploaded picture, judged by its content alone. Raises Refused with 400, 413, 415 or 422."""
    if not content:
        raise Refused(400, "No picture came with the request.")
    try:
        with images.opened("picture", content) as head:
            kind, (w, h) = head.format, head.size
    except images.UnreadableImage as trouble:
        many = "pixels" in trouble.reason  # so many that Pillow does not even open it
        raise Refused(413 if many else 415, f"The picture has {trouble.reason}." if many else NONE) from None
    if kind not in FORMATS:
        raise Refused(415, NONE)
    if w * h > limits.pixels:
        raise Refused(413, f"The picture has {w} × {h} pixels; at most {limits.pixels:,} pixels are taken.")
    try:
        return images.read(content)
    except images.UnreadableImage as trouble:
        raise Refused(422, f"The picture cannot be read: {trouble.reason}.") from None


def told(rgb: np.ndarray, people: "sv.Detections", *, start: float) -> dict[str, Any]:
    """What is said of a picture: its size, the faces in pixels of the upright picture, counts, milliseconds spent."""
    sure = people.confidence if people.confidence is not None else np.ones(len(people))
    names = [str(name) for name in people.data.get("class_name", [])]
    faces = [
        {
            "box": [round(float(v), 1) for v in box],
            "class": name,
            "probability": round(float(p), 4),
            "words": classes.caption(name, float(p)),
        }
        for box, name, p in zip(people.xyxy, names, sure, strict=True)
    ]
    counts = Counter(names)
    return {
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "faces": faces,
        "counts": {name: counts[name] for name in (*classes.NAMES, classes.UNSURE)},
        "milliseconds": round(1000 * (time.perf_counter() - start), 1),
    }


def drawn(rgb: np.ndarray, people: "sv.Detections", *, blur: bool, max_side: int = SHOWN) -> bytes:
    """A JPEG with boxes and words on it; blur: the faces in it are unrecognisable."""
    picture = plots.annotate(blurred(rgb, people.xyxy) if blur else rgb, people)
    return images.encode(images.resize(picture, max_side), ".jpg", quality=88)


def as_text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode()


class Trackers:
    """One `video.Tracker` for each live camera of a browser, so that labels do not flicker; the oldest ones go."""

    def __init__(self, detector: Callable[[np.ndarray], "sv.Detections"], *, most: int = 64) -> None:
        self._unsure_below = float(getattr(detector, "unsure_below", 0.6))
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[str, video.Tracker] = OrderedDict()

    def __call__(self, who: str, found: "sv.Detections") -> "sv.Detections":
        """The voted answers to the newest picture of a browser that calls itself `who`."""
        with self._lock:
            tracker = self._known.pop(who, None) or video.Tracker(unsure_below=self._unsure_below)
            self._known[who] = tracker
            if len(self._known) > self._most:
                self._known.popitem(last=False)
            return tracker(found, time.monotonic())
