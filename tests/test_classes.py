import pytest

from lib import classes


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("Mask", "with_mask"),
        ("with mask", "with_mask"),
        ("No-Mask", "without_mask"),
        ("face", "without_mask"),
        ("mask_weared_incorrect", "mask_worn_incorrectly"),
        ("with_incorrect_mask", "mask_worn_incorrectly"),
    ],
)
def test_usual_spellings_are_understood(spelled: str, meant: str) -> None:
    assert classes.canonical(spelled) == meant
    assert classes.NAMES[classes.index(spelled)] == meant


def test_an_unknown_name_is_quoted_and_an_answer_is_no_label() -> None:
    for name in ("dog", "unsure", ""):
        with pytest.raises(ValueError, match=f"unknown name {name!r}"):
            classes.canonical(name)


def test_an_alias_means_one_class() -> None:
    every = [a for name, aliases in classes.ALIASES.items() for a in (name, *aliases.split())]
    assert len(every) == len(set(every))


def test_captions_say_word_and_share() -> None:
    assert classes.caption("with_mask", 0.987) == "Mask 98.7 %"
    assert classes.caption("without_mask") == "No mask"


def test_colours_differ_in_lightness_too() -> None:
    light = [sum(w * (c / 255) ** 2.2 for w, c in zip((0.2126, 0.7152, 0.0722), classes.COLOURS[n], strict=True))
             for n in classes.NAMES]  # fmt: skip
    assert min(abs(a - b) for i, a in enumerate(light) for b in light[:i]) > 0.08
