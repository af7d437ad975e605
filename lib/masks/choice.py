"""What chance draws on a face: a style and a way of wearing, or in its share a look-alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import classes, images
from .draw import Masked, put_on
from .lookalikes import LOOKALIKES, cover_with
from .scene import Outside
from .shapes import WEARS
from .styles import STYLES, find
from .together import BEFORE, UNDER, together

__all__ = ["Choice"]

WEAR_SHARES = {  # the rest is well worn; among 96 real ones: nose out 45, below the mouth 33, pushed up 9, others few
    "nose_out": 0.12, "under_chin": 0.06, "mouth_out": 0.03, "pushed_up": 0.015, "chin_out": 0.005, "loose": 0.005,
    "hanging": 0.01, "upside_down": 0.005,
}  # fmt: skip
BESIDE = 0.2  # share of masks that are seen together with a look-alike, where such are drawn at all
_SCARF_WEARS = ("with_mask", "nose_out", "mouth_out", "under_chin")


@dataclass(frozen=True)
class Choice:
    """Names of styles and ways of wearing, the class of scarves, and how often each look-alike takes a mask's place."""

    styles: tuple[str, ...]
    wears: tuple[str, ...]
    scarf_as: str = classes.NAMES[1]
    lookalikes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        styles: Sequence[str] | None,
        wears: Sequence[str] | None,
        *,
        scarf_as: str = classes.NAMES[1],
        lookalikes: float | Sequence[str] = 0.0,
    ) -> "Choice":
        """What a person asked for: None is all styles, all ways. Raises ValueError for names that are not known."""
        styles, wears = tuple(styles or STYLES), tuple(wears or WEARS)
        for style in styles:
            find(style)
        wrong = [wear for wear in wears if wear not in WEARS]
        if wrong:
            raise ValueError(f"wears: unknown {wrong[0]!r}; known are {', '.join(WEARS)}")
        if scarf_as not in classes.NAMES:
            raise ValueError(f"scarf_as: must be one of {', '.join(classes.NAMES)}, got {scarf_as!r}")
        return cls(styles, wears, scarf_as, _shares(lookalikes))

    def __str__(self) -> str:
        """The same words for the same choice: a run that goes on takes over only what was made with them."""
        own = [images.sha256(style)[:12] for style in self.styles if style not in STYLES]  # a picture may have changed
        alike = [f"{kind}={share:.6f}" for kind, share in self.lookalikes.items()]
        return " ".join([*map(",".join, (self.styles, self.wears, own)), self.scarf_as, *alike])

    def drawn(self, rgb: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> Masked:
        """The face with what chance put on it. Raises Outside where nothing of the kind has room in the photo."""
        if self.lookalikes:
            kinds, shares = list(self.lookalikes), np.array(list(self.lookalikes.values()))
            at = int(rng.choice(len(kinds) + 1, p=[*shares, max(0.0, 1 - shares.sum())]))
            if at < len(kinds):
                return _covered(rgb, points, kinds[at:] + kinds[:at], rng=rng)
        style, wear = self._mask(rng)
        if self.lookalikes and rng.random() < BESIDE:
            known = UNDER + (BEFORE if wear == "with_mask" else ())
            beside = known[rng.integers(len(known))]
            try:
                look = {"style": style, "wear": wear, "scarf_as": self.scarf_as}
                return together(rgb, points, beside=beside, **look, rng=rng)
            except Outside:
                pass  # a collar has no room: the mask alone may have
        return put_on(rgb, points, style=style, wear=wear, scarf_as=self.scarf_as, rng=rng)

    def _mask(self, rng: np.random.Generator) -> tuple[str, str]:
        """A style and a way of wearing in their usual shares."""
        style_shares = np.array([find(name).share for name in self.styles])
        rest = 1 - sum(WEAR_SHARES.values())
        wear_shares = np.array([WEAR_SHARES.get(name, rest) for name in self.wears])
        style = self.styles[rng.choice(len(self.styles), p=style_shares / style_shares.sum())]
        wear = self.wears[rng.choice(len(self.wears), p=wear_shares / wear_shares.sum())]
        if find(style).scarf and wear not in _SCARF_WEARS and "with_mask" in self.wears:
            wear = "with_mask"  # no scarf hangs from one ear
        return style, wear


def _shares(lookalikes: float | Sequence[str]) -> dict[str, float]:
    """How often each kind of look-alike is drawn; the shares add up to the share of look-alikes."""
    if isinstance(lookalikes, str):
        lookalikes = (lookalikes,)
    if isinstance(lookalikes, (int, float)):
        if not 0 <= lookalikes <= 1:
            raise ValueError(f"lookalikes: a share must be between 0 and 1, got {lookalikes}")
        kinds, share = list(LOOKALIKES), float(lookalikes)
    else:
        kinds, share = list(lookalikes), 1.0
        wrong = [kind for kind in kinds if kind not in LOOKALIKES]
        if wrong:
            raise ValueError(f"lookalikes: unknown {wrong[0]!r}; known are {', '.join(LOOKALIKES)}")
    total = sum(LOOKALIKES[kind] for kind in kinds)
    return {kind: share * LOOKALIKES[kind] / total for kind in kinds} if share and kinds else {}


def _covered(rgb: np.ndarray, points: np.ndarray, kinds: list[str], *, rng: np.random.Generator) -> Masked:
    """The first of these look-alikes that has room: where a chin is cut off no collar can be seen."""
    for kind in kinds:
        try:
            return cover_with(rgb, points, kind=kind, rng=rng)
        except Outside:
            continue
    raise Outside(" or ".join(kinds))
