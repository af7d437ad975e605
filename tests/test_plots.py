"""Pictures and figures: the right size, readable, and shown once."""

import cv2
import numpy as np
import pandas as pd
import pytest

from lib import classes, evaluate, plots
from lib.plots import pictures

MASK, BARE = "with_mask", "without_mask"


def picture(h: int = 40, w: int = 60, grey: int = 128) -> np.ndarray:
    return np.full((h, w, 3), grey, np.uint8)


def detections(*rows: tuple, **more):
    sv = pytest.importorskip("supervision")
    xyxy = np.array([r[:4] for r in rows], np.float32).reshape(-1, 4)
    names = np.array([r[4] for r in rows])
    return sv.Detections(xyxy=xyxy, class_id=np.zeros(len(rows), int), data={"class_name": names}, **more)


def decoded(figure) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(plots.png(figure), np.uint8), cv2.IMREAD_COLOR)


# --- boxes and sheets ---


def test_annotate_draws_on_a_copy():
    rgb = picture(200, 300)
    drawn = plots.annotate(rgb, detections((20, 60, 90, 150, MASK), confidence=np.array([0.987])))
    assert (rgb == 128).all() and drawn.shape == rgb.shape
    rim = drawn[60:150, 20].astype(int) - classes.COLOURS[MASK]
    assert (np.abs(rim).max(axis=1) < 24).mean() > 0.8  # in the class's colour
    assert np.array_equal(plots.annotate(rgb, detections()), rgb)


@pytest.mark.parametrize("box", [(-20, -20, 30, 30), (280, 190, 340, 260), (0, 0, 300, 200), (5, 5, 6, 6)])
def test_annotate_at_the_edges(box):
    assert plots.annotate(picture(200, 300), detections((*box, BARE))).shape == (200, 300, 3)


def test_sheet_of_any_sizes():
    assert plots.sheet([]).shape[2] == 3
    high = [plots.sheet([picture()], [words], side=96).shape[0] for words in ("a", "two lines of words", "w" * 99)]
    assert high[1] == high[0] + pictures.LINE and high[2] == high[0]
    cut = pictures._wrapped("img-0123456789-of-a-long-name.jpg and as many words again as fit", 96)
    assert len(cut) == 2 and cut[0].startswith("img-0") and ".." in cut[0] and cut[1].endswith("fit")
    page = plots.sheet([picture(10, 400), picture(400, 10), picture()], ["a" * 90, "b", "c"], columns=2, side=64)
    assert page.shape == (4 + 2 * (64 + 18 + 4), 4 + 2 * 68, 3)


def test_clusters_show_a_row_a_group():
    page = plots.clusters([[picture(), picture()], [picture()] * 14], ["two", "many"], side=30, most=5)
    assert page.shape == (2 * 52, 5 * 34 + 4, 3)
    assert plots.clusters([], []).shape[2] == 3


# --- figures ---


def history(head: int, rest: int) -> pd.DataFrame:
    n = head + rest
    fall = np.linspace(1, 0.2, n) if n else np.zeros(0)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, n + 1),
            "stage": ["head"] * head + ["all"] * rest,
            "loss": fall,
            "val_loss": fall,
            "accuracy": 1 - fall / 2,
            "val_balanced": 1 - fall / 2,
        }
    )


FIGURES = {
    "curves": lambda: plots.curves(history(3, 4)),
    "curves of a head": lambda: plots.curves(history(1, 0)),
    "confusion": lambda: plots.confusion(evaluate.measure([MASK, MASK, BARE], [MASK, BARE, "missed"])["confusion"]),
    "reliability": lambda: plots.reliability(
        evaluate.reliability([MASK, BARE], np.array([[0.9, 0.1, 0], [0.6, 0.4, 0]]))
    ),
    "bars": lambda: plots.bars(["a", "b"], [0.4, None], title="t", axis="x", intervals=[(0.3, 0.5), None]),
    "no bars": lambda: plots.bars([], [], title="t", axis="x", percent=False),
    "stacked": lambda: plots.stacked(pd.DataFrame({MASK: [3, 4], BARE: [1, 0]}, index=["a", "b"]), title="t"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_show_themselves_once_with_words(name):
    figure = FIGURES[name]()
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] and metadata["image/png"]["alt"] == figure.alt
    page = decoded(figure)
    assert page.std() > 5 and page.shape[1] < 1100


def test_figures_stay_out_of_pyplot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    plots.curves(history(2, 2))
    assert pyplot.get_fignums() == before


def test_curves_mark_where_layers_were_freed():
    def words(figure):
        return [t.get_text() for axis in figure.axes for t in axis.texts]

    assert "layers freed" in words(plots.curves(history(2, 3)))
    assert "layers freed" not in words(plots.curves(history(3, 0)))


def test_confusion_leaves_out_what_nobody_asked():
    figure = plots.confusion(evaluate.measure([MASK, BARE], [MASK, BARE])["confusion"])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["Mask", "No mask"]
    assert "2 of 2" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("count", [0, 1, 5])
def test_losses_have_a_panel_a_training_on_one_scale(count):
    rows = {
        f"rate {i}": pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.9], "val_loss": [1.1, 0.8]}) for i in range(count)
    }
    if count:
        rows["rate 0"] = rows["rate 0"].assign(val_loss=[900.0, float("nan")])  # what blew up hides no other
    figure = plots.losses(rows)
    assert plots.png(figure).startswith(b"\x89PNG") and f"of {count} trainings" in figure.alt
    assert [axis.get_title(loc="left") for axis in figure.axes] == list(rows)
    assert len({axis.get_ylim() for axis in figure.axes}) <= 1
    assert all(axis.get_ylim()[1] < 10 for axis in figure.axes[: count if count > 1 else 0])
