"""Moving pictures: any source of frames, labels that do not flicker, counts over time, an annotated clip."""

from ..blur import blurred
from .sources import CameraTrouble, Frame, Source, cameras, open
from .tracking import Tracker
from .watching import Watched, annotate, counts, flicker

__all__ = [
    "CameraTrouble",
    "Frame",
    "Source",
    "Tracker",
    "Watched",
    "annotate",
    "blurred",
    "cameras",
    "counts",
    "flicker",
    "open",
]
