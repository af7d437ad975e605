"""How good is it, really: figures with intervals, baselines that cheat, the worst errors, one report to read.

A figure comes from a labelled table and answers, {"file": [[x1, y1, x2, y2, score, "class"], …]} or a column; where
they come from (a shipped model, a peer, a person) is all one.
"""

from .answers import aligned, answers_on_boxes, detections, told, worst
from .attention import attention
from .baselines import faked, shortcut
from .detection import average_precision, pair, photo_names, score, three
from .measures import MISSED, ece, measure, reliability, slices
from .report import report

__all__ = [
    "MISSED",
    "aligned",
    "answers_on_boxes",
    "attention",
    "average_precision",
    "detections",
    "ece",
    "faked",
    "measure",
    "pair",
    "photo_names",
    "reliability",
    "report",
    "score",
    "shortcut",
    "slices",
    "three",
    "told",
    "worst",
]
