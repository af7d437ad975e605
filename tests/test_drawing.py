"""Faces that are drawn on for training: the rules that keep a network from learning the drawing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import dataset, sample, train
from lib.classes import NAMES
from lib.train import drawing
from lib.train.drawing import Draw, Wish

WITH, WITHOUT, WRONG = NAMES
SIDE = train.wide_size(64)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Bare sample people, one photo and one group each, two of them on the judging side."""
    folder = tmp_path_factory.mktemp("people")
    table = sample.photos(folder, count=14, seed=3)
    table = table.assign(image=[str(folder / image) for image in table["image"]], source="a")
    table = table[table["label"] == WITHOUT].drop_duplicates("image").reset_index(drop=True)
    assert len(table) >= 6
    split = np.where(table.index < 2, "validation", "train")
    return table.assign(group=[f"person {i}" for i in table.index], split=split, origin="auto", parent="")


def amount(**changes: float) -> train.Amount:
    return train.Amount(**({"masked": 4, "wrong": 0.5, "alike": 2, "parents": 0.5} | changes))


def test_a_parent_gives_no_bare_negative_and_only_what_teaches_is_drawn_on(
    bare: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "chance", lambda units, salt: np.array([int(u[-1]) % 2 * 0.9 for u in units]))
    rows, crops, stay = drawing.drawn(bare, amount(), side=SIDE, seed=1)
    masked = rows[rows["label"] != WITHOUT]
    assert len(crops) == len(rows) and crops.shape[1:] == (SIDE, SIDE, 3) and len(masked)
    assert (rows["origin"] == "artificial").all() and (rows["parent"] == rows["image"]).all()
    assert not set(masked["group"]) & set(bare.loc[stay & (bare["label"] == WITHOUT), "group"])
    assert set(rows["split"]) == {"train"} and stay[(bare["split"] == "validation").to_numpy()][1]
    alike = rows[rows["label"] == WITHOUT]
    assert not set(alike["group"]) & set(masked["group"])
    again = drawing.drawn(bare, amount(), side=SIDE, seed=1)
    assert np.array_equal(crops, again[1])
    assert not np.array_equal(crops, drawing.drawn(bare, amount(), side=SIDE, seed=2)[1][: len(crops)])


def test_photos_are_left_as_they_were(bare: pd.DataFrame) -> None:
    before = {image: Path(image).read_bytes() for image in bare["image"]}
    drawing.drawn(bare, amount(parents=1.0), side=SIDE)
    assert {image: Path(image).read_bytes() for image in bare["image"]} == before


def test_a_large_family_never_becomes_parents(bare: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FAMILY", len(bare) - 1)
    one = bare.assign(group="all of them")
    rows, crops, stay = drawing.drawn(one, amount(parents=1.0, alike=0), side=SIDE)
    assert not len(rows) and crops.shape == (0, SIDE, SIDE, 3) and stay.all()


def test_who_may_be_drawn_on() -> None:
    faces = [("a", 0, WITHOUT, "x"), ("a", 300, WITH, "x"), ("b", 0, WITHOUT, "x"), ("b", 25, WRONG, "x")]
    faces += [("c", 0, WITHOUT, drawing.DOUBTFUL), ("d", 0, WITH, "x")]
    table = pd.DataFrame(
        [{"image": i, "x1": x, "y1": 0.0, "x2": x + 40, "y2": 40.0, "label": c, "source": s} for i, x, c, s in faces]
    )
    assert drawing.drawable(table).tolist() == [True, False, False, False, False, False]


def test_crops_are_kept_by_files_boxes_wishes_and_code(
    bare: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, wanted = bare.head(2), [(Wish("as it is", "", "", i),) for i in range(2)]
    table, crops, refused = drawing.pictured(rows, wanted, Draw(SIDE), cache=tmp_path)
    plain = dataset.crops(rows, margin=train.WIDE, size=SIDE)
    assert np.abs(crops.astype(int) - plain).mean() < 6 and not refused and table["label"].tolist() == [WITHOUT] * 2
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "_arrays", None)  # would be an error if anything were made again
        assert np.array_equal(drawing.pictured(rows, wanted, Draw(SIDE), cache=tmp_path)[1], crops)
    drawing.pictured(rows, [(Wish("as it is", "", "", 9),)] * 2, Draw(SIDE), cache=tmp_path)
    drawing.pictured(rows.assign(x1=rows["x1"] + 3), wanted, Draw(SIDE), cache=tmp_path)
    drawing.pictured(rows, wanted, Draw(SIDE + 2), cache=tmp_path)
    assert len(list(tmp_path.glob("drawn-*.npz"))) == 4


def test_the_recipe_judges_by_real_faces_alone(bare: pd.DataFrame) -> None:
    taught = __import__("importlib").import_module("lib.train.recipe").taught
    table, crops = taught(bare, amount(parents=1.0, masked=6), size=64)
    assert len(table) == len(crops) and crops.shape[1] == SIDE
    judge = table[table["split"] == "validation"]
    assert len(judge) == 2 and (judge["origin"] == "auto").all()
    assert {WITH, WRONG} & set(table.loc[table["split"] == "train", "label"])
