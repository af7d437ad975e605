import dataclasses
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import __main__ as main
from lib import boxes, classes, dataset, detect, images, model, train

pytest.importorskip("tensorflow")

recipe = importlib.import_module("lib.train.recipe")  # `train.recipe` is the function
TINY = train.Plan(network="tutorial_cnn", size=16, epochs_head=0, epochs_all=3, batch=8, rate_all=1e-3, patience=9)
COLOURS = {
    "with_mask": (30, 200, 60),
    "without_mask": (220, 60, 50),
    "mask_worn_incorrectly": (60, 60, 220),
    "not_a_face": (230, 230, 40),
}


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


def test_without_jitter_the_box_stays() -> None:
    wide = np.zeros((140, 140, 3), np.uint8)
    wide[66:74, 66:74] = 255  # a spot in the middle
    spots = {
        j: [
            np.argwhere(train.augment(wide, rng=np.random.default_rng(i), size=64, shrink=0.0, jitter=j)[..., 1] > 120)
            for i in range(30)
        ]
        for j in (0.0, 1.0)
    }
    off = {j: max(np.abs(s.mean(0) - 31.5).max() for s in s_ if len(s)) for j, s_ in spots.items()}
    assert off[0.0] < 1.5 < 3 < off[1.0]


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


def figures(rows: pd.DataFrame | list) -> pd.DataFrame:
    """The log without what a clock says."""
    return pd.DataFrame(rows).drop(columns=["seconds", "images_per_s", "making_crops"])


def killer(epoch: int):
    def kill(row: dict) -> None:
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return kill


def test_a_killed_run_goes_on_to_the_same_result(trained, tmp_path: Path) -> None:
    table, crops = faces()
    for epoch in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train.fit(table, crops, into=tmp_path, name="two", plan=TINY, on_epoch=killer(epoch))
    seen: list[int] = []
    run = train.fit(table, crops, into=tmp_path, name="two", plan=TINY, on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [3]
    assert figures(run.history).equals(figures(trained[0].history))
    for told in ("measures", "temperature", "bias", "unsure_below"):
        assert run.card[told] == trained[0].card[told]
    mine, whole = (model.load(r.paths["keras"]).get_weights() for r in (run, trained[0]))
    assert all(np.array_equal(a, b) for a, b in zip(mine, whole, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"average": 0.5}, {"half": True}], ids=str)
def test_what_may_be_switched_on_changes_the_run_and_resumes_to_the_same(trained, tmp_path: Path, change: dict) -> None:
    (table, crops), plan = faces(), dataclasses.replace(TINY, **change)
    whole = train.fitting.curves(table, crops, into=tmp_path / "a", plan=plan)
    with pytest.raises(KeyboardInterrupt):
        train.fitting.curves(table, crops, into=tmp_path / "b", plan=plan, on_epoch=killer(2))
    again = train.fitting.curves(table, crops, into=tmp_path / "b", plan=plan)
    assert figures(whole).equals(figures(again))
    assert not figures(whole).equals(figures(trained[0].history))
    assert whole[-1]["val_balanced"] > 0.8


def test_the_running_mean_is_what_validation_sees(tmp_path: Path) -> None:
    table, crops = faces(each=16)
    still = dataclasses.replace(TINY, average=0.999, epochs_all=1)  # a mean that hardly moves from the first step on
    moved, kept = (
        train.fitting.curves(table, crops, into=tmp_path / str(a), plan=dataclasses.replace(still, average=a))[0]
        for a in (0.0, 0.999)
    )
    assert moved["loss"] == kept["loss"] and kept["val_loss"] > moved["val_loss"] + 0.02


@pytest.mark.slow
def test_batches_take_turns_in_sizes_and_the_model_has_one(tmp_path: Path) -> None:
    table, small = faces(each=8)
    crops = np.stack([cv2.resize(crop, (train.wide_size(64),) * 2) for crop in small])
    plan = train.Plan(alpha=0.35, size=32, sizes=(32, 64), weights=None, epochs_head=1, epochs_all=0, batch=4)
    assert plan.largest() == 64
    shown = train.batches.batches(crops, np.eye(2)[[0] * 16], np.ones(16), plan=plan, epoch=1)
    assert [shown[i][0].shape[1] for i in range(3)] == [64, 32, 64]
    (row,) = train.fitting.curves(table, crops, into=tmp_path, plan=plan)
    assert np.isfinite(row["val_loss"])
    open_, seen = train.fitting._build(plan, 2), train.view(crops[:4], size=32)
    plain = train.fitting._plain(open_, plan, SimpleNamespace(classes=classes.NAMES[:2]))
    assert plain.input_shape == (None, 32, 32, 3) and open_.input_shape == (None, None, None, 3)
    assert np.allclose(plain(seen), open_(seen), atol=1e-5)


@pytest.mark.slow
def test_several_devices_learn_what_one_does(trained, tmp_path: Path) -> None:
    import tensorflow as tf

    one = tf.distribute.MirroredStrategy(["/cpu:0"])
    table, crops = faces()
    run = train.fit(table, crops, into=tmp_path, name="two", plan=TINY, strategy=one)
    whole = trained[0].history
    assert np.allclose(run.history[["loss", "val_loss"]], whole[["loss", "val_loss"]], rtol=1e-3)
    assert (run.history["val_balanced"] == whole["val_balanced"]).all()


def test_the_board_gets_every_epochs_figures(tmp_path: Path) -> None:
    import tensorflow as tf

    table, crops = faces(each=8)
    run = train.fit(table, crops, into=tmp_path / "m", name="x", plan=TINY, logdir=tmp_path / "log")
    (path,) = (tmp_path / "log").iterdir()
    events = [tf.compat.v1.Event.FromString(bytes(r.numpy())) for r in tf.data.TFRecordDataset(str(path))]
    values = [(e.step, v.tag, v) for e in events for v in e.summary.value]
    losses = {step: float(tf.make_ndarray(v.tensor)) for step, tag, v in values if tag == "val_loss"}
    assert losses == pytest.approx(dict(zip(run.history["epoch"], run.history["val_loss"], strict=True)), rel=1e-6)
    assert {v.metadata.plugin_data.plugin_name for _, _, v in values} == {"scalars"}


def test_speed_says_what_sets_the_pace_of_the_last_stage() -> None:
    rows = pd.DataFrame({"images_per_s": [900.0, 5.0, 100.0, 300.0], "making_crops": [0.2, 0.1, 0.95, 0.97]})
    rows = rows.assign(stage=["head", "all", "all", "all"])
    assert train.speed(rows).startswith("200 images/s; 96 %") and "making the crops" in train.speed(rows)
    assert train.speed(rows[:2]) == "5 images/s; 10 % of the time crops were being made: the network sets the pace"


def test_a_rate_that_blows_up_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, crops = faces(each=8)
    lost = {"val_loss": float("nan"), "val_balanced": 0.0}
    monkeypatch.setattr(train.fitting, "_validate", lambda *_: lost)
    plan = dataclasses.replace(TINY, patience=1, epochs_all=9)
    with pytest.raises(ValueError, match=r"never a number; try a rate below 0\.001"):
        train.fit(table, crops, into=tmp_path, name="x", plan=plan)


def test_what_is_no_face_is_a_fourth_answer_that_the_detector_drops(tmp_path: Path) -> None:
    labels = (*classes.NAMES, classes.NOT_A_FACE)
    table, crops = faces(each=24, labels=labels)
    run = train.fit(table, crops, into=tmp_path, name="four", plan=TINY, epochs_all=5)
    assert run.card["classes"] == list(labels) and len(run.card["bias"]) == 4
    assert run.history["val_recall_not_a_face"].iloc[-1] > 0.8
    centres = crops[[int((table["label"] == name).to_numpy().argmax()) for name in labels]]
    photo, s = np.concatenate(list(centres), axis=1), crops.shape[1]
    face = s / (1 + 2 * train.WIDE)
    xyxy = np.array(
        [[(i + 0.5) * s - face / 2, (s - face) / 2, (i + 0.5) * s + face / 2, (s + face) / 2] for i in range(4)]
    )
    find = SimpleNamespace(xyxy=xyxy, confidence=np.ones(4))
    found = detect.MaskDetector.load(tmp_path / "four.json", find=lambda rgb: find)(photo)
    assert len(found) == 3 and found.data["probabilities"].shape == (3, 3)
    assert found.data["probabilities"].argmax(1).tolist() == [0, 1, 2]


def test_a_third_class_that_is_no_face_gets_no_bias() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, 3000, p=(0.6, 0.35, 0.05))
    logits = rng.normal(0, 1, (3000, 3)) + np.eye(3)[labels] * 3 + (0, 0, 2.0)
    answers = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    three = (*classes.NAMES[:2], classes.NOT_A_FACE)
    assert train.tune(answers, labels)["bias"][2] < -0.5 and train.tune(answers, labels, classes=three)["bias"][2] == 0


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
    run = train.fit(
        table[keep].reset_index(drop=True), crops[keep], into=tmp_path, name="three", plan=TINY, float16=True
    )
    assert run.card["classes"] == list(classes.NAMES)
    half = run.card["files"]["float16"]
    assert images.sha256(tmp_path / half["file"]) == half["sha256"] and set(run.card["files"]) == {
        "keras",
        "tflite",
        "float16",
    }
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
    for sizes in ((96,), (96, 100)):
        with pytest.raises(ValueError, match="multiples of 32"):
            train.Plan(sizes=sizes)
    with pytest.raises(ValueError, match="average"):
        train.Plan(average=1.0)


# --- probe ----------------------------------------------------------------------------------------------------------


def betrayed(each: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Noise that is sharp in one class, and in the other was a fifth as large."""
    rng, crops = np.random.default_rng(0), []
    for i in range(2 * each):
        crop = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        crop = cv2.GaussianBlur(crop, (0, 0), 1.5)
        small = cv2.resize(crop, (20, 20), interpolation=cv2.INTER_AREA)
        crops.append(cv2.resize(small, (96, 96)) if i < each else crop)
    labels = np.repeat(classes.NAMES[:2], each)
    return pd.DataFrame({"image": [f"{i}.jpg" for i in range(2 * each)], "label": labels}), np.stack(crops)


def test_the_probe_sees_what_augmentation_takes_away() -> None:
    (table, crops), plan = betrayed(), train.Plan(size=64)
    told = {s: train.probe(table, crops, plan=dataclasses.replace(plan, shrink=s), epochs=2) for s in (0.0, 1.0)}
    plain, bare = told[0.0]["balanced_accuracy"]
    assert plain > 0.97 and plain > told[0.0]["high"][0]
    assert told[1.0]["balanced_accuracy"][1] < bare
    assert told[1.0]["balanced_accuracy"][0] == plain and (told[1.0]["chance"] == 0.5).all()


def test_the_probe_finds_nothing_where_there_is_nothing() -> None:
    table, crops = betrayed()
    mixed = table.assign(label=np.random.default_rng(1).permutation(table["label"]), group=table["image"])
    report = train.probe(mixed, crops, plan=train.Plan(size=64), epochs=1)
    assert (report["balanced_accuracy"] < report["high"] + 0.08).all()
    with pytest.raises(ValueError, match="two classes"):
        train.probe(table[:9], crops[:9])


def test_traces_know_sharpness_size_and_the_grid_of_a_jpeg() -> None:
    crop = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), (0, 0), 2)
    soft = cv2.GaussianBlur(crop, (0, 0), 3)
    coarse = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)
    traces = {name: train.probing.traces(c) for name, c in (("crop", crop), ("soft", soft), ("coarse", coarse))}
    assert (traces["soft"][:3] < traces["crop"][:3]).all()
    assert (traces["coarse"][4:] > traces["crop"][4:] + 0.2).all()


# --- sweep ----------------------------------------------------------------------------------------------------------


def test_a_grid_is_words_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text('rate = [1e-4, 1e-3]\nbatch = 16\nnetwork = "tutorial_cnn"\n')
    assert train.grid(path) == {"rate": [1e-4, 1e-3], "batch": [16], "network": ["tutorial_cnn"]}
    assert train.grid("rate=1e-4,1e-3 batch=16 network=tutorial_cnn") == train.grid(str(path))
    path.write_text("rate = [")
    for wrong, said in (("rate", "got 'rate'"), ("speed=3", "no field 'speed'"), ("", "nothing to"), (path, "no TOML")):
        with pytest.raises(ValueError, match=said):
            train.grid(wrong)


def test_a_sweep_goes_on_row_by_row_and_sees_no_test(tmp_path: Path) -> None:
    table, crops = faces(each=12)
    table = pd.concat([table, table.iloc[:4].assign(split="test", label="mask_worn_incorrectly")], ignore_index=True)
    crops, asked = np.concatenate([crops, crops[:4]]), []

    def cut(size: int) -> np.ndarray:
        asked.append(size)
        return crops

    varied = {"rate": [1e-3, 0.0], "batch": [8]}
    plan = dataclasses.replace(TINY, epochs_all=2)

    def kill(row: dict) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.sweep(table, cut, varied, into=tmp_path, plan=plan, on_row=kill)
    assert asked == [16]
    done = train.sweep(table, cut, varied, into=tmp_path, plan=plan)
    assert asked == [16, 16] and done["rate"].tolist()[0] == 1e-3
    assert {p.name for p in tmp_path.iterdir()} == {"sweep.json", "sweep.csv", "sweep.png"}
    assert len(pd.read_csv(tmp_path / "sweep.csv")) == 2
    rows = json.loads((tmp_path / "sweep.json").read_text())
    assert [len(r["epochs"]) for r in rows] == [2, 2] and rows[1]["epochs"][0]["val_recall_with_mask"] is not None
    assert not any("worn" in name for r in rows for name in r["epochs"][0])
    again = train.sweep(table, cut, varied | {"batch": [8, 6]}, into=tmp_path, plan=plan)
    assert asked == [16] * 4 and len(again) == 4


@pytest.mark.slow
def test_the_command_sweeps_a_table_of_faces(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows, crops = faces(each=6)
    paths = [str(images.write(tmp_path / "p" / f"{i}.png", crop)) for i, crop in enumerate(crops)]
    rows = rows.assign(image=paths, x1=6.0, y1=6.0, x2=20.0, y2=20.0, group=paths)
    dataset.write(rows, tmp_path / "faces.parquet")
    words = "network=tutorial_cnn size=16 epochs_head=0 epochs_all=1 batch=4 rate=1e-3,1e-5"
    call = ["train", "--data", str(tmp_path / "faces.parquet"), "--out", str(tmp_path / "out"), "--sweep", words]
    assert main.start(call) == 0
    assert "images/s" in capsys.readouterr().out and len(pd.read_csv(tmp_path / "out" / "sweep.csv")) == 2
    assert main.start([*call[:-1], "speed=3"]) == 2
    assert "no field 'speed'" in capsys.readouterr().err


# --- recipe ---------------------------------------------------------------------------------------------------------


def test_gather_leaves_out_the_photos_of_the_test(shared: Path) -> None:
    table = train.gather(shared / "data", leave_out=["with_mask/0_0_49.jpg"])
    assert set(table["source"]) == {"faces-4k", "photos-labelled", "photos-worn-incorrectly", "photos-bare"}
    stems = {Path(i).parent.name + "/" + Path(i).stem for i in table["image"][table["source"] == "faces-4k"]}
    assert len(stems) == 4094 - 18 and not {"with_mask/with_mask012", "with_mask/0_0_49"} & stems
    assert (table["group"] != "").sum() == 680  # portraits and their turned copies
    sides = table[["x2", "y2"]].to_numpy() - table[["x1", "y1"]].to_numpy()
    assert sides.min() >= 16 and not table["image"].str.contains("photos-853").any()


def test_everything_reads_the_test_of_record_too_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("photos-labelled", "photos-853"):
        images.write(tmp_path / name / "with_mask" / "a.png", images.encode(np.zeros((40, 40, 3), np.uint8), ".png"))
    assert set(train.gather(tmp_path)["source"]) == {"photos-labelled"}
    assert set(train.gather(tmp_path, everything=True)["source"]) == {"photos-labelled", "photos-853"}

    monkeypatch.setattr(recipe, "prepare", lambda table, **_: table.assign(split="train"))
    monkeypatch.setattr(recipe, "taught", lambda table, *_, **__: (table, np.zeros(0)))
    monkeypatch.setattr(recipe, "fit", lambda *_, name, facts, **__: (name, facts))
    name, facts = train.recipe(tmp_path, into=tmp_path / "out", name="small", everything=True)
    assert name == "small-all" and "--everything" in facts["command"] and "photos-853 taught it" in facts["limits"][-1]
    assert (tmp_path / "out" / "small-all-split.json").is_file()


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
