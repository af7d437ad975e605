"""Boxes on photos, contact sheets, and the figures of the notebooks and reports."""

from .figures import bars, curves, losses, png, stacked, stages, strips, timeline
from .judging import confusion, matrix, reliability, tradeoffs
from .pictures import annotate, clusters, frame, sheet, show

__all__ = [
    "annotate",
    "bars",
    "clusters",
    "confusion",
    "curves",
    "frame",
    "losses",
    "matrix",
    "png",
    "reliability",
    "sheet",
    "show",
    "stacked",
    "stages",
    "strips",
    "timeline",
    "tradeoffs",
]
