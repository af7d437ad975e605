"""What masks are made of, drawn by code: colour and relief over the sheet's own coordinates (u, v).

A fabric is a function from a `Room` to a `Fabric`; `aged` makes an old one of any.
"""

from .patterns import PATTERNS
from .respirators import fold, kn95, n95
from .room import COLOURS, TALL, WIDE, Fabric, Room
from .scarves import bandana, gaiter, scarf
from .textiles import aged, clear, cloth, sports, surgical, window

__all__ = [
    "COLOURS", "PATTERNS", "TALL", "WIDE", "Fabric", "Room", "aged", "bandana", "clear", "cloth", "fold", "gaiter",
    "kn95", "n95", "scarf", "sports", "surgical", "window",
]  # fmt: skip
