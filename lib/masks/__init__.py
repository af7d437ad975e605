"""Artificial masks on bare faces: styles, fit, light, ways of wearing; and photos of them with labels and parents."""

from .draw import FABRIC, SHADOW, STRAP, Masked, put_on
from .shapes import WEARS
from .styles import STYLES, Style

__all__ = ["FABRIC", "SHADOW", "STRAP", "STYLES", "WEARS", "Masked", "Style", "put_on"]
