"""Moving pictures: any source of frames, labels that do not flicker, counts over time, an annotated clip."""

from ..blur import blurred
from .sources import SUFFIXES, CameraTrouble, Frame, Source, cameras, open
from .telling import Alarm
from .tracking import Tracker
from .watching import Watched, annotate, counts, flicker

__all__ = [
    "SUFFIXES",
    "Alarm",
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
