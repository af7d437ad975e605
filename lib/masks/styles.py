"""The catalogue: each style names a cut and how its fabric is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import fabrics
from .shapes import CUTS, Cut

__all__ = ["STYLES", "Style", "find"]


@dataclass(frozen=True)
class Style:
    """A cut, of `shapes.CUTS` or one's own, and a function that draws its fabric on a Room.

    share: how often it is drawn by chance. scarf: covers mouth and nose but is no mask; what it counts as is the
    user's choice. name: what it is called where it is no entry of `STYLES`.
    """

    cut: str | Cut
    draw: Callable[[fabrics.Room], fabrics.Fabric]
    share: float = 1.0
    scarf: bool = False
    name: str = ""

    @property
    def shape(self) -> Cut:
        return CUTS[self.cut] if isinstance(self.cut, str) else self.cut


def find(style: str | Style) -> Style:
    """The style of this name, or read from a user's PNG where the name ends in `.png`; a Style is itself.

    Raises ValueError for unknown names and for pictures that cannot be worn.
    """
    if isinstance(style, Style):
        return style
    if style in STYLES:
        return STYLES[style]
    if style.lower().endswith(".png"):
        from .templates import template

        return template(style)
    raise ValueError(f"style: unknown {style!r}; known are {', '.join(STYLES)}, or the path of a transparent .png")


def _styles() -> dict[str, Style]:
    styles = {}
    colours = dict(blue=8, white=4, green=1.5, black=2, pink=0.6, grey=0.4, yellow=0.2, purple=0.2, red=0.2)
    for colour, share in (colours | {"light-blue": 4, "lilac": 0.3}).items():
        styles[f"surgical-{colour}"] = Style("surgical", partial(fabrics.surgical, colour=colour), share)
    styles["surgical-print"] = Style("surgical", partial(fabrics.surgical, colour="white", pattern="floral"), 0.3)
    for valve, name in ((False, ""), (True, "-valve")):
        styles[f"n95{name}"] = Style("cup", partial(fabrics.n95, colour="white", valve=valve), 0.8)
        styles[f"ffp2-fold{name}"] = Style("fold", partial(fabrics.fold, colour="white", valve=valve), 0.8)
    for colour in ("black", "pink", "light-blue"):
        styles[f"ffp2-fold-{colour}"] = Style("fold", partial(fabrics.fold, colour=colour), 0.4)
    for colour, share in (("white", 2.0), ("black", 1.0), ("grey", 0.3)):
        styles[f"kn95-{colour}"] = Style("kn95", partial(fabrics.kn95, colour=colour), share)
    for pattern in fabrics.PATTERNS:
        share = 4 if pattern == "plain" else 0.7
        styles[f"cloth-{pattern}"] = Style("cloth", partial(fabrics.cloth, pattern=pattern), share)
    styles["cloth-black"] = Style("cloth", partial(fabrics.sports, colour="black", vents=False), 2)
    for colour, share in (("black", 1.0), ("grey", 0.4), ("navy", 0.2), ("red", 0.2)):
        styles[f"sports-{colour}"] = Style("sports", partial(fabrics.sports, colour=colour), share)
    styles["window"] = Style("cloth", fabrics.window, 0.4)
    styles["window-clear"] = Style("cup", fabrics.clear, 0.2)
    styles["child-surgical"] = Style("child", partial(fabrics.surgical, colour="light-blue"), 0.3)
    styles["child-cloth"] = Style("child", partial(fabrics.cloth, pattern="floral"), 0.3)
    for name, share in (("surgical-blue", 1.0), ("surgical-white", 0.3), ("cloth-plain", 0.5), ("ffp2-fold", 0.3)):
        new = styles[name]
        styles[f"{name}-worn"] = Style(new.cut, partial(fabrics.aged, draw=new.draw), share)
    for name, draw in (("gaiter", fabrics.gaiter), ("bandana", fabrics.bandana), ("scarf", fabrics.scarf)):
        styles[name] = Style(name, draw, 0.5, scarf=True)
    return styles


STYLES = _styles()
