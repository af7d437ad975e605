"""How good is it, really: figures with intervals, baselines that cheat, the worst errors, one report to read.

A figure comes from a labelled table and answers, {"file": [[x1, y1, x2, y2, score, "class"], …]} or a column; where
they come from (a shipped model, a peer, a person) is all one.
"""

from .answers import aligned, answers_on_boxes, detections, told, worst
from .attention import attention
from .baselines import faked, shortcut
from .copies import contradictions
from .crossing import cross
from .curves import curves, precisions
from .detection import average_precision, pair, photo_names, score, three
from .examining import Examined, examine
from .intervals import bootstrap, share
from .kinds import false_masks, marked
from .looking import Seen, labelled, look
from .measures import MISSED, ece, measure, reliability, slices
from .odd import odd
from .page import page, words
from .quality import KINDS, Quality, quality, quality_sheets
from .report import plain, report
from .second import features, second_opinion
from .traits import tone, traits
from .whole import end_to_end, end_to_end_words

__all__ = [
    "KINDS",
    "MISSED",
    "Examined",
    "Quality",
    "Seen",
    "aligned",
    "answers_on_boxes",
    "attention",
    "average_precision",
    "bootstrap",
    "contradictions",
    "cross",
    "curves",
    "detections",
    "ece",
    "end_to_end",
    "end_to_end_words",
    "examine",
    "faked",
    "false_masks",
    "features",
    "labelled",
    "look",
    "marked",
    "measure",
    "odd",
    "page",
    "pair",
    "photo_names",
    "plain",
    "precisions",
    "quality",
    "quality_sheets",
    "reliability",
    "report",
    "score",
    "second_opinion",
    "share",
    "shortcut",
    "slices",
    "three",
    "told",
    "tone",
    "traits",
    "words",
    "worst",
]
