"""Names, words and colours of the classes: the one place that knows them."""

import re

__all__ = ["ALIASES", "COLOURS", "NAMES", "NOT_A_FACE", "UNSURE", "WORDS", "canonical", "caption", "index"]

NAMES = ("with_mask", "without_mask", "mask_worn_incorrectly")  # the order of every table and network
UNSURE = "unsure"  # an answer, never a label
NOT_A_FACE = "not_a_face"  # may be a training class

WORDS = {
    "with_mask": "Mask",
    "without_mask": "No mask",
    "mask_worn_incorrectly": "Worn incorrectly",
    UNSURE: "Unsure",
    NOT_A_FACE: "Not a face",
}

# RGB. Green, red and amber as people expect them, but apart in lightness too (L* about 58, 47, 75), so that they
# differ for colour-blind eyes; the words stand beside them always.
COLOURS = {
    "with_mask": (0, 158, 115),
    "without_mask": (204, 51, 34),
    "mask_worn_incorrectly": (240, 173, 0),
    UNSURE: (128, 128, 128),
    NOT_A_FACE: (90, 90, 90),
}

# Spellings found in public sets, after lower-casing and turning everything but letters and digits into "_".
ALIASES = {
    "with_mask": (
        "mask masked with withmask face_mask face_with_mask facemask correct correct_mask mask_correct "
        "mask_worn_correctly mask_weared_correctly with_correct_mask worn_correctly"
    ),
    "without_mask": (
        "no_mask nomask without withoutmask unmasked bare bare_face face face_no_mask face_without_mask "
        "no_face_mask mask_off"
    ),
    "mask_worn_incorrectly": (
        "mask_weared_incorrect mask_weared_incorrectly mask_worn_incorrect worn_incorrectly weared_incorrect "
        "incorrect incorrectly incorrect_mask with_incorrect_mask mask_incorrect improper improper_mask wrong "
        "wrong_mask incorrectly_worn"
    ),
    NOT_A_FACE: "notaface no_face background",
}
_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases.split())}


def canonical(name: str) -> str:
    """Our name of a class that somebody spelled in his own way ("Mask", "mask_weared_incorrect", …).

    Raises ValueError for a name that is none of ours, quoting it and what is known.
    """
    key = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    if key not in _CANONICAL:
        raise ValueError(f"class: unknown name {name!r}; known are {', '.join(NAMES)} and their usual spellings")
    return _CANONICAL[key]


def index(name: str) -> int:
    """Position of a class in `NAMES`; aliases are understood."""
    return NAMES.index(canonical(name))


def caption(name: str, probability: float | None = None) -> str:
    """What stands beside a box: "Mask 98.7 %"."""
    word = WORDS.get(name, name)
    return word if probability is None else f"{word} {100 * probability:.1f} %"
