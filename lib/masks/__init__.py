"""Artificial masks on bare faces: styles, fit, light, ways of wearing; and photos of them with labels and parents.

`put_on` draws one mask on one face, `cover_with` something that is no mask; `generate` works through photos. A style of
one's own is a transparent PNG (`template`), or an entry of `STYLES`: a cut and a function that draws its fabric (see
`fabrics`).
"""

from .draw import FABRIC, SHADOW, STRAP, Masked, mesh, put_on
from .lookalikes import LOOKALIKES, cover_with
from .making import generate
from .shapes import WEARS
from .sheets import catalogue, dressed, made_sheet, wall
from .styles import STYLES, Style
from .templates import template
from .together import BEFORE, UNDER, together

__all__ = [
    "BEFORE",
    "FABRIC",
    "LOOKALIKES",
    "SHADOW",
    "STRAP",
    "STYLES",
    "UNDER",
    "WEARS",
    "Masked",
    "Style",
    "catalogue",
    "cover_with",
    "dressed",
    "generate",
    "made_sheet",
    "mesh",
    "put_on",
    "template",
    "together",
    "wall",
]
