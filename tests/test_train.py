import dataclasses
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import boxes, classes, train

pytest.importorskip("tensorflow")

recipe = importlib.import_module("lib.train.recipe")  # `train.recipe` is the function
TINY = train.Plan(network="tutorial_cnn", size=16, epochs_head=0, epochs_all=3, batch=8, rate_all=1e-3, patience=9)
COLOURS = {"with_mask": (30, 200, 60), "without_mask": (220, 60, 50), "mask_worn_incorrectly": (60, 60, 220)}


def faces(*, each: int = 20, labels: tuple = classes.NAMES[:2], seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Crops whose lower half has the colour of their class, a quarter of them for validation."""
    rng, rows, crops = np.random.default_rng(seed), [], []
    for label in labels:
        for i in range(each):
            crop = rng.integers(60, 180, (train.wide_size(16),) * 2 + (3,))
            crop[len(crop) // 2 :] = COLOURS[label]
            crops.append((crop + rng.integers(-20, 20, crop.shape)).clip(0, 255).astype(np.uint8))
            rows.append({"image": f"{label}{i}.jpg", "label": label, "split": "train" if i % 4 else "validation"})
    return pd.DataFrame(rows), np.stack(crops)


# --- crops ----------------------------------------------------------------------------------------------------------


def test_view_is_what_boxes_crop_would_have_cut() -> None:
    y, x = np.mgrid[0:300, 0:400]
    rgb = np.stack([x * 0.6, y * 0.8, (x + y) * 0.3], axis=2).astype(np.uint8)
    box = np.array([150.0, 100.0, 230.0, 200.0])
    wide = boxes.crop(rgb, box, margin=train.WIDE, size=train.wide_size(96))
    seen = train.view(wide[None], size=96, margin=0.25)[0]
    exact = boxes.crop(rgb, box, margin=0.25, size=96)
    assert np.abs(seen.astype(int) - exact).mean() < 1.0
    assert train.view(wide[None][:0], size=96).shape == (0, 96, 96, 3)


@given(seed=st.integers(0, 1000), shrink=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_the_same_chance_gives_the_same_picture_and_leaves_the_crop_alone(seed: int, shrink: float) -> None:
    wide = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    kept = wide.copy()
    first, second = (train.augment(wide, rng=np.random.default_rng(seed), size=32, shrink=shrink) for _ in range(2))
    assert first.shape == (32, 32, 3) and first.dtype == np.uint8
    assert np.array_equal(first, second) and np.array_equal(wide, kept)


def test_other_chance_gives_another_picture() -> None:
    wide = faces(each=1)[1][0]
    shown = {train.augment(wide, rng=np.random.default_rng(i), size=16).tobytes() for i in range(20)}
    assert len(shown) == 20


def test_shrinking_takes_the_sharpness_away() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (140, 140, 3), dtype=np.uint8)
    spread = [
        np.mean([np.std(train.augment(wide, rng=np.random.default_rng(i), size=96, shrink=s)) for i in range(40)])
        for s in (0.0, 1.0)
    ]
    assert spread[1] < 0.8 * spread[0]


# --- deciding -------------------------------------------------------------------------------------------------------


def test_tune_finds_the_temperature_that_was_hidden() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 2))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (rng.random(4000) < honest[:, 1]).astype(int)
    proud = honest**2 / (honest**2).sum(1, keepdims=True)
    assert train.tune(honest, labels)["temperature"] == pytest.approx(1, abs=0.15)
    assert train.tune(proud, labels)["temperature"] == pytest.approx(2, abs=0.3)
    assert train.tune(proud, labels)["bias"] == [0, 0]


def test_tune_answers_a_class_less_often_that_will_be_rarer() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 400)
    logits = rng.normal(0, 1, (1200, 3)) + 1.5 * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    usual, third, rare = (train.tune(probabilities, labels, worn=worn)["bias"][2] for worn in (None, 1 / 3, 0.03))
    assert usual == third and rare < usual - 0.5


def test_tune_moves_the_third_class_when_it_is_answered_too_often() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, 3000, p=(0.6, 0.35, 0.05))
    logits = rng.normal(0, 1, (3000, 3)) + np.eye(3)[labels] * 3 + (0, 0, 2.0)
    tuned = train.tune(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels)
    assert tuned["bias"][2] < -0.5 and tuned["bias"][:2] == [0, 0]
    assert 0.4 <= tuned["unsure_below"] <= 0.9


# --- fit ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[train.Run, Path]:
    folder = tmp_path_factory.mktemp("trained")
    table, crops = faces()
    return train.fit(table, crops, into=folder, name="two", plan=TINY, facts={"limits": ["colours only"]}), folder


def test_fit_learns_two_classes_and_writes_what_it_says(trained) -> None:
    run, folder = trained
    assert len(run.history) == 3 and run.history["val_balanced"].iloc[-1] > 0.9
    assert run.card["classes"] == list(classes.NAMES[:2]) and run.card["bias"] == [0, 0]
    assert run.card["limits"] == ["colours only"] and run.card["plan"]["size"] == 16
    assert {p.name for p in folder.iterdir()} == {"two.keras", "two.tflite", "two.json", "two.csv"}
    assert json.loads((folder / "two.json").read_text()) == run.card
    assert len(pd.read_csv(run.paths["log"])) == 3


def test_a_killed_run_goes_on_to_the_same_result(trained, tmp_path: Path) -> None:
    table, crops = faces()

    def kill(row: dict) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.fit(table, crops, into=tmp_path, name="two", plan=TINY, on_epoch=kill)
    seen: list[int] = []
    run = train.fit(table, crops, into=tmp_path, name="two", plan=TINY, on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [3]
    whole = trained[0].history
    assert np.allclose(run.history["val_loss"], whole["val_loss"], rtol=0.02)
    assert np.allclose(run.history["loss"], whole["loss"], rtol=0.02)


def test_a_run_that_had_stopped_early_does_not_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, crops = faces(each=8)
    plan = dataclasses.replace(TINY, epochs_all=9, patience=1, rate_all=0.0)  # nothing is learnt, so nothing is better

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train.fitting, "_finish", kill)
        with pytest.raises(KeyboardInterrupt):
            train.fit(table, crops, into=tmp_path, name="x", plan=plan)
    seen: list[int] = []
    run = train.fit(table, crops, into=tmp_path, name="x", plan=plan, on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [] and len(run.history) < 9


def test_other_data_or_another_plan_starts_anew(tmp_path: Path) -> None:
    table, crops = faces(each=8)

    def kill(row: dict) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.fit(table, crops, into=tmp_path, name="x", plan=TINY, on_epoch=kill)
    seen: list[int] = []
    plan = dataclasses.replace(TINY, epochs_all=1)
    train.fit(table, crops, into=tmp_path, name="x", plan=plan, on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [1]


def test_fit_learns_three_classes_and_a_rare_one(tmp_path: Path) -> None:
    table, crops = faces(each=24, labels=classes.NAMES)
    rare = (table["label"] == classes.NAMES[2]) & (table.index % 3 > 0) & (table["split"] == "train")
    keep = ~rare.to_numpy()
    run = train.fit(table[keep].reset_index(drop=True), crops[keep], into=tmp_path, name="three", plan=TINY)
    assert run.card["classes"] == list(classes.NAMES)
    assert run.history["val_recall_mask_worn_incorrectly"].iloc[-1] > 0.5


def test_training_that_cannot_be_is_refused(tmp_path: Path) -> None:
    table, crops = faces(each=4)
    fit = {"into": tmp_path, "name": "x", "plan": TINY}
    with pytest.raises(ValueError, match="at least two classes, got with_mask"):
        train.fit(table[:4], crops[:4], **fit)
    with pytest.raises(ValueError, match="one a row, got 4 for 8"):
        train.fit(table, crops[:4], **fit)
    with pytest.raises(ValueError, match="no face is in validation"):
        train.fit(table.assign(split="train"), crops, **fit)
    with pytest.raises(ValueError, match="at least two classes, got none"):
        train.fit(table[:0], crops[:0], **fit)
    with pytest.raises(ValueError, match="network"):
        train.Plan(network="vgg")
    with pytest.raises(ValueError, match="epochs"):
        train.Plan(epochs_head=0, epochs_all=0)


# --- recipe ---------------------------------------------------------------------------------------------------------


def test_gather_leaves_out_the_photos_of_the_test(shared: Path) -> None:
    table = train.gather(shared / "data", leave_out=["with_mask/0_0_49.jpg"])
    assert set(table["source"]) == {"faces-4k", "photos-labelled", "photos-worn-incorrectly", "photos-bare"}
    stems = {Path(i).parent.name + "/" + Path(i).stem for i in table["image"][table["source"] == "faces-4k"]}
    assert len(stems) == 4094 - 18 and not {"with_mask/with_mask012", "with_mask/0_0_49"} & stems
    assert (table["group"] != "").sum() == 680  # portraits and their turned copies
    sides = table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()
    assert sides.min() >= 16 and not table["image"].str.contains("photos-853").any()


def test_gather_of_an_empty_folder_names_what_it_wants(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has none of faces-4k"):
        train.gather(tmp_path)


def test_the_recipe_wants_the_list_of_overlaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe.assets, "models", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"overlap-photos-853\.txt"):
        train.recipe(tmp_path, into=tmp_path / "out")


def test_another_finder_prepares_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finders = [SimpleNamespace(name="yunet", min_score=0.5, max_side=640)]
    finders += [SimpleNamespace(name="hog", min_score=0.5, max_side=640)]
    finders += [SimpleNamespace(name="hog", min_score=0.9, max_side=640)]
    finders += [SimpleNamespace(name="hog", min_score=0.9, max_side=320)]
    used: list[object] = []
    monkeypatch.setattr(recipe, "prepare", lambda table, *, find, **_: used.append(find) or table)
    table = pd.DataFrame({"image": ["a.jpg"], "label": ["with_mask"]})
    for find in [f for f in finders for _ in range(2)]:
        monkeypatch.setattr(recipe.faces, "finder", lambda find=find: find)
        recipe._prepared(table, tmp_path, seed=0)
    assert used == finders
