"""Who the sample people are: proportions, skin, hair, beard, glasses, age and clothes, all from one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["HAIR_STYLES", "PEOPLE", "Person", "person"]

PEOPLE = 400  # seeds 0 … PEOPLE − 1 are people; any other seed works as well

# sRGB albedo from light to dark, chosen by eye over the range of the Fitzpatrick scale.
SKINS = (
    (243, 208, 186), (238, 196, 170), (230, 184, 152), (222, 172, 138), (210, 156, 118),
    (196, 140, 102), (178, 122, 86), (156, 104, 72), (132, 86, 60), (108, 72, 52), (94, 64, 48),
)  # fmt: skip
HAIRS = {
    "black": (26, 22, 21), "dark brown": (50, 34, 25), "brown": (84, 55, 36), "chestnut": (104, 58, 34),
    "auburn": (132, 62, 32), "dark blond": (142, 108, 68), "blond": (196, 158, 98), "grey": (142, 140, 138),
    "white": (206, 204, 200),
}  # fmt: skip
IRISES = ((58, 36, 22), (82, 52, 28), (104, 80, 44), (92, 104, 72), (88, 118, 140), (110, 138, 158))
HAIR_STYLES = (
    "bald",
    "buzz",
    "short",
    "side",
    "curly",
    "afro",
    "bob",
    "fringe",
    "long",
    "wavy",
    "bun",
    "scarf",
    "receding",
)
_STYLES = {  # how often each is drawn, for two manners of wearing hair
    "cropped": (("short", 5), ("side", 5), ("buzz", 3), ("curly", 2), ("bald", 2), ("receding", 2), ("afro", 1)),
    "full": (
        ("long", 5),
        ("bob", 3),
        ("fringe", 2),
        ("wavy", 4),
        ("bun", 4),
        ("scarf", 2),
        ("afro", 1),
        ("curly", 1),
        ("side", 1),
    ),
}
CLOTHES = ("tee", "stripes", "shirt", "jacket", "hoodie", "vneck", "polo")
FABRICS = (
    (38, 50, 78), (74, 96, 128), (46, 48, 52), (226, 224, 218), (120, 44, 48), (52, 92, 78), (168, 132, 84),
    (92, 70, 108), (196, 112, 74), (116, 138, 150), (64, 78, 56), (208, 178, 92), (176, 96, 112), (150, 160, 140),
)  # fmt: skip

# Spread of proportions between people (standard deviations), about the average that SAMPLE.md found.
SPREAD = {
    "width": 0.03, "jaw": 0.04, "cheek": 0.03, "chin": 0.035, "nose_width": 0.10, "nose_length": 0.05,
    "nose_height": 0.16, "lip": 0.16, "mouth": 0.05, "eye": 0.06, "eye_tilt": 0.016, "eye_gap": 0.025,
    "brow": 0.25, "brow_arch": 0.02, "brow_y": 0.02, "skull": 0.025, "brow_ridge": 0.3, "cheekbone": 0.35,
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One identity: the same in every photo. Colours are sRGB 0–255; shape holds signed deviations from average."""

    seed: int
    skin: tuple[int, int, int]
    iris: tuple[int, int, int]
    hair: str
    hair_colour: tuple[int, int, int]
    hair_seed: int
    beard: str
    glasses: str
    age: float
    freckles: bool
    lipstick: tuple[int, int, int] | None
    clothes: str
    fabric: tuple[int, int, int]
    second_fabric: tuple[int, int, int]
    build: float
    shape: Mapping[str, float] = field(default_factory=dict)

    @property
    def darkness(self) -> float:
        """How dark the skin is, 0 (lightest) … 1."""
        return float(np.clip((235 - np.mean(self.skin)) / 165, 0, 1))


def person(seed: int) -> Person:
    """The person of a seed; the same seed is always the same person."""
    if seed < 0:
        raise ValueError(f"seed: must not be negative, got {seed}")
    rng = np.random.default_rng([7, seed])
    cropped = rng.random() < 0.52
    age = float(np.clip(rng.beta(1.6, 2.6) * 1.15, 0, 1))  # 0 is twenty, 1 is eighty
    tone = rng.random() * (len(SKINS) - 1)
    low = int(tone)
    skin = np.array(SKINS[low]) * (1 - tone + low) + np.array(SKINS[min(low + 1, len(SKINS) - 1)]) * (tone - low)
    skin = skin * rng.normal(1, 0.015, 3)
    styles, weights = zip(*_STYLES["cropped" if cropped else "full"], strict=True)
    hair = str(rng.choice(styles, p=np.array(weights) / sum(weights)))
    hair = "receding" if hair in ("short", "side") and cropped and age > 0.55 and rng.random() < 0.5 else hair
    beard = str(rng.choice(["none", "stubble", "goatee", "full", "moustache"], p=[0.48, 0.26, 0.07, 0.13, 0.06]))
    dark = tone > 5.5
    return Person(
        seed=seed,
        skin=_rgb(skin),
        iris=IRISES[int(rng.integers(2 if dark else len(IRISES)))],
        hair=hair,
        hair_colour=_hair_colour(rng, age, dark=dark),
        hair_seed=int(rng.integers(1 << 30)),
        beard=beard if cropped else "none",
        glasses=str(rng.choice(["none", "round", "square", "thin"], p=[0.76, 0.08, 0.07, 0.09])),
        age=age,
        freckles=bool(tone < 3 and rng.random() < 0.25),
        lipstick=_rgb(rng.normal((168, 52, 62), 18, 3)) if not cropped and rng.random() < 0.45 else None,
        clothes=str(rng.choice(CLOTHES)),
        fabric=FABRICS[int(rng.integers(len(FABRICS)))],
        second_fabric=FABRICS[int(rng.integers(len(FABRICS)))],
        build=float(rng.normal(0.06 if cropped else -0.06, 0.06)),
        shape={name: float(np.clip(rng.normal(0, sigma), -2 * sigma, 2 * sigma)) for name, sigma in SPREAD.items()},
    )


def _hair_colour(rng: np.random.Generator, age: float, *, dark: bool) -> tuple[int, int, int]:
    names = ("black", "dark brown") if dark else tuple(HAIRS)[:7]
    colour = np.array(HAIRS[str(rng.choice(names))]) * rng.normal(1, 0.06, 3)
    grey = np.clip((age - 0.45) * 2.2 + rng.normal(0, 0.15), 0, 1) if age > 0.4 else 0.0
    aim = np.array(HAIRS["white" if age > 0.75 else "grey"])
    return _rgb(colour * (1 - grey) + aim * grey)


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (int(round(float(v))) for v in np.clip(colour, 0, 255))
    return r, g, b
