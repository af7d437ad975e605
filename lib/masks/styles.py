"""The catalogue: each style names a cut and how its fabric is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import fabrics

__all__ = ["STYLES", "Style"]


@dataclass(frozen=True)
class Style:
    """A cut of `shapes.CUTS` and a function that draws its fabric on a Room; share: how often it is drawn by chance.

    A style of one's own is another entry of `STYLES`.
    """

    cut: str
    draw: Callable[[fabrics.Room], fabrics.Fabric]
    share: float = 1.0


def _styles() -> dict[str, Style]:
    styles = {}
    for colour, share in (("blue", 6), ("white", 2), ("green", 1), ("black", 2), ("pink", 0.7), ("grey", 0.5)):
        styles[f"surgical-{colour}"] = Style("surgical", partial(fabrics.surgical, colour=colour), share)
    styles["surgical-worn"] = Style("surgical", partial(fabrics.surgical, colour="blue", wrinkled=3.0), 1)
    for valve, name in ((False, ""), (True, "-valve")):
        styles[f"n95{name}"] = Style("cup", partial(fabrics.n95, colour="white", valve=valve), 1.2)
        styles[f"ffp2-fold{name}"] = Style("fold", partial(fabrics.fold, colour="white", valve=valve), 1.2)
    styles["kn95-white"] = Style("kn95", partial(fabrics.kn95, colour="white"), 2)
    styles["kn95-black"] = Style("kn95", partial(fabrics.kn95, colour="black"), 1)
    for pattern in fabrics.PATTERNS:
        styles[f"cloth-{pattern}"] = Style(
            "cloth", partial(fabrics.cloth, pattern=pattern), 4 if pattern == "plain" else 0.7
        )
    styles["cloth-black"] = Style("cloth", partial(fabrics.sports, colour="black"), 2)
    styles["sports-black"] = Style("sports", partial(fabrics.sports, colour="black"), 1)
    styles["sports-grey"] = Style("sports", partial(fabrics.sports, colour="grey"), 0.5)
    return styles


STYLES = _styles()
