"""The one table of faces on its way to training: boxes, groups of look-alikes, a split that cannot leak, crops.

A table has a row a face: image (path), x1, y1, x2, y2, label, source, origin, group, parent, split, score. What belongs
together (one photo, twins, parent and masked child, one person) shares a group, and a group is never split.
"""

from .background import backgrounds
from .cutting import crops, locate
from .groups import apart, group
from .splits import folds, held_out, leaks, split, testable, trainable, write_split
from .table import bare, join, keys, promised, read, write

__all__ = [
    "apart",
    "backgrounds",
    "bare",
    "crops",
    "folds",
    "group",
    "held_out",
    "join",
    "keys",
    "leaks",
    "locate",
    "promised",
    "read",
    "split",
    "testable",
    "trainable",
    "write",
    "write_split",
]
