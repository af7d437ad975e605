"""Figures that can be trusted: the scorer of record says the same, baselines cheat only where they can."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import classes, evaluate, images

BARE, MASK, WRONG = "without_mask", "with_mask", "mask_worn_incorrectly"


def faces(*rows: tuple) -> pd.DataFrame:
    """Rows of (photo, box, label)."""
    columns = ["image", "x1", "y1", "x2", "y2", "label"]
    return pd.DataFrame([(f"/p/{photo}.jpg", *map(float, box), label) for photo, box, label in rows], columns=columns)


A, B, C, TINY, AWAY = (0, 0, 20, 20), (100, 0, 120, 20), (200, 0, 220, 20), (300, 0, 308, 8), (400, 0, 420, 20)


# --- told ---


@pytest.mark.parametrize(
    ("origins", "rows", "word"),
    [
        (["manual", "manual", "auto", "auto"], 2, "labels by people"),
        (["auto", "artificial", "auto", "auto"], 4, "no label by a person: this is agreement with the shipped model"),
        (["auto", "manual", "manual", "auto"], 2, "labels by people"),
        (["artificial", "manual", "auto", "auto"], 2, "labels by people"),
        (["auto", "manual", "auto", "auto"], 4, "no with_mask face with a label by a person"),
    ],
)
def test_the_models_own_labels_are_no_test(origins, rows, word):
    labelled = faces(("1", A, MASK), ("2", A, BARE), ("3", A, MASK), ("4", A, WRONG)).assign(origin=origins)
    kept, words = evaluate.told(labelled)
    assert len(kept) == rows and kept.index.tolist() == list(range(rows)) and words.startswith(word)
    assert ("not accuracy" in words) == (rows == 4)


def test_a_test_of_nothing_says_so():
    assert evaluate.told(faces().assign(origin=""))[1].startswith("no label by a person")


# --- measure ---


def test_measure_of_nothing():
    report = evaluate.measure([], [])
    assert report["faces_total"] == 0
    assert report["balanced_accuracy"] is None and report["balanced_accuracy_95"] is None
    assert evaluate.score(faces(), {})["photos"] == 0


def test_measure_by_hand():
    labels = [MASK] * 4 + [BARE] * 2 + [WRONG]
    answers = [MASK, MASK, MASK, BARE, BARE, "missed", WRONG]
    report = evaluate.measure(labels, answers)
    assert report["recall_per_class"] == {MASK: 0.75, BARE: 1.0, WRONG: 1.0}
    assert report["balanced_accuracy"] == 0.875
    assert report["balanced_accuracy_missed_is_error"] == 0.625
    assert report["per_class"][BARE] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "faces": 2}
    assert report["confusion"][BARE] == [0, 1, 0, 0, 1]


def test_measure_counts_unsure_and_odd_answers_as_errors():
    report = evaluate.measure([MASK, MASK, BARE], [MASK, "unsure", "dog"])
    assert report["confusion"][MASK] == [1, 0, 0, 1, 0] and report["confusion"][BARE] == [0, 0, 0, 1, 0]
    assert report["balanced_accuracy"] == 0.25


@given(st.lists(st.tuples(st.sampled_from(classes.NAMES), st.sampled_from((*classes.NAMES, "unsure", "missed")))))
@settings(deadline=None, max_examples=40)
def test_measure_stays_within_its_interval_and_bounds(rows):
    report = evaluate.measure([a for a, _ in rows], [b for _, b in rows], resamples=200)
    assert sum(sum(report["confusion"][n]) for n in classes.NAMES) == len(rows)
    found, missed = report["balanced_accuracy"], report["balanced_accuracy_missed_is_error"]
    assert found is None or (0 <= missed <= found <= 1)


def test_interval_is_wider_where_faces_come_in_groups():
    rng = np.random.default_rng(0)
    labels = [MASK, BARE] * 200
    groups = [i // 40 for i in range(400)]
    lucky = rng.random(10) < 0.7
    answers = [label if lucky[g] else WRONG for label, g in zip(labels, groups, strict=True)]
    low, high = evaluate.measure(labels, answers, units=groups)["balanced_accuracy_95"]
    alone_low, alone_high = evaluate.measure(labels, answers)["balanced_accuracy_95"]
    assert high - low > 2.5 * (alone_high - alone_low)


# --- detection ---


def test_pair_by_hand():
    truth = faces(("p", A, MASK), ("p", B, BARE), ("p", C, WRONG), ("p", TINY, MASK), ("q", A, MASK), ("q", B, BARE))
    answers = {
        "p.jpg": [
            [*A, 0.9, "mask"],
            [*A, 0.8, "mask"],
            [*B, 0.7, "mask"],
            [*C, 0.6, "incorrect"],
            [*TINY, 0.95, "no_mask"],
            [*AWAY, 0.55, "no_mask"],
            [*B, 0.1, "no_mask"],
        ]
    }
    paired, wrong = evaluate.pair(truth, answers, min_side=10)
    assert paired["answer"].tolist() == [MASK, MASK, WRONG, "missed", "missed"]
    assert wrong == {"false_detections": 2, "dropped_detections": 1}
    report = evaluate.score(truth, answers, min_side=10)
    assert report["ap50_voc"] == {MASK: 0.5, BARE: 0.25, WRONG: 1.0}
    assert report["face_recall"] == 0.6 and report["balanced_accuracy"] == 0.5


def test_average_precision_by_hand():
    ap = evaluate.average_precision
    assert ap([(0.9, True), (0.8, False), (0.7, True)], 3)[0] == pytest.approx(5 / 9)
    assert ap([(0.1, True), (0.9, False)], 1) == pytest.approx((0.5, 0.5))
    assert ap([], 2) == (0, 0) and ap([(0.3, False)], 0) == (None, None)


def test_names_that_repeat_take_their_folders_along():
    truth = pd.concat([faces(("1", A, MASK)), faces(("1", A, BARE)).assign(image="/q/1.jpg")])
    answers = evaluate.answers_on_boxes(truth, np.eye(3)[[0, 0]])
    assert list(answers) == ["p/1.jpg", "q/1.jpg"]
    assert evaluate.score(truth, answers)["recall_per_class"] == {MASK: 1.0, BARE: 0.0, WRONG: None}


@pytest.mark.parametrize(
    ("first", "second", "called"),
    [
        ("/d/train/with/1.jpg", "/d/test/with/1.jpg", ["train/with/1", "test/with/1"]),
        ("/d/1.jpg", "/d/1.png", ["1.jpg", "1.png"]),
        ("/1.jpg", "/d/1.jpg", ["1", "d/1"]),
        ("/d/a.jpg", "/e/b.jpg", ["a", "b"]),
    ],
)
def test_names_grow_until_they_differ(first, second, called):
    assert evaluate.photo_names([first, second, first]) == [*called, called[0]]
    truth = pd.concat([faces(("1", A, MASK)).assign(image=first), faces(("1", A, BARE)).assign(image=second)])
    answers = evaluate.answers_on_boxes(truth, np.eye(3)[[0, 0]])
    assert [Path(name).name for name in answers] == [Path(first).name, Path(second).name]
    assert evaluate.score(truth, answers)["recall_per_class"] == {MASK: 1.0, BARE: 0.0, WRONG: None}


def test_a_photo_that_cannot_be_read_does_not_rename_the_others(tmp_path):
    photos = [images.write(tmp_path / side / "1.png", np.zeros((9, 9, 3), np.uint8)) for side in ("a", "b")]
    photos[0].write_bytes(b"nothing")
    assert list(evaluate.detections(photos, lambda rgb: sv.Detections.empty())) == ["b/1.png"]


def test_a_network_of_two_classes_is_put_in_order():
    two = evaluate.aligned(np.array([[0.25, 0.75], [1, 0]]), [BARE, MASK])
    assert two.tolist() == [[0.75, 0.25, 0], [0, 1, 0]]
    four = evaluate.aligned(np.array([[0.2, 0.2, 0.1, 0.5]]), [*classes.NAMES, "not_a_face"])
    assert np.allclose(four, [[0.4, 0.4, 0.2]])


@pytest.fixture
def scorer(shared):
    spec = importlib.util.spec_from_file_location("scorer_of_record", shared / "tools" / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noisy(truth: pd.DataFrame, *, seed: int) -> dict:
    """Answers near the truth, some doubled, some wrong, some far away, some of odd classes, with equal scores too."""
    rng, result = np.random.default_rng(seed), {}
    names = [*classes.NAMES, "unsure", "mask_weared_incorrect", "dog"]
    for image, photo in truth.groupby("image"):
        rows = []
        for x1, y1, x2, y2, label in photo[["x1", "y1", "x2", "y2", "label"]].itertuples(index=False):
            for _ in range(rng.choice(3, p=[0.2, 0.6, 0.2])):
                move = rng.normal(0, 0.12, 4) * [x2 - x1, y2 - y1, x2 - x1, y2 - y1]
                name = label if rng.random() < 0.7 else str(rng.choice(names))
                rows.append([*(np.array([x1, y1, x2, y2]) + move).tolist(), round(float(rng.random()), 2), name])
        if rng.random() < 0.3:
            x, y = rng.uniform(0, 200, 2)
            rows.append([x, y, x + 40, y + 40, round(float(rng.random()), 2), MASK])
        if rng.random() < 0.95:
            result[Path(image).name] = rows
    return result


@pytest.mark.parametrize(("seed", "min_side"), [(0, 20), (1, 0)])
def test_the_scorer_of_record_says_the_same(shared, scorer, seed, min_side):
    voc = scorer.read_voc(shared / "data" / "photos-853" / "annotations")
    truth = faces(
        *(
            (stem, box, classes.NAMES[label])
            for stem, (xyxy, labels) in voc.items()
            for box, label in zip(xyxy, labels, strict=True)
        )
    )
    answers = noisy(truth, seed=seed)
    packed = {Path(n).stem: scorer.pack(rows) for n, rows in answers.items()}
    for on_boxes in (False, True):
        theirs = scorer.score(voc, packed, min_side, 0.5, on_boxes)
        ours = evaluate.score(truth, answers, min_side=min_side, on_boxes=on_boxes)
        assert {key: ours[key] for key in theirs} == theirs
    assert 0.3 < theirs["balanced_accuracy"] < 0.95  # the answers are neither perfect nor chance


def test_three_figures_side_by_side():
    truth = faces(*((str(i), A, (MASK, BARE)[i % 2]) for i in range(20)))
    boxed = evaluate.answers_on_boxes(truth, np.tile(np.eye(3)[[0, 1]], (10, 1)))
    found = {name: rows for name, rows in boxed.items() if int(Path(name).stem) >= 10}
    table = evaluate.three(truth, boxed=boxed, found=found).set_index("figure")
    assert table["balanced_accuracy"].tolist() == [1.0, 1.0, 0.5]
    assert table["faces"].tolist() == [20, 10, 20]
    assert table.loc["missed = error", "low"] < 0.5 < table.loc["missed = error", "high"]


# --- detections ---


def test_detections_of_photos(tmp_path, caplog):
    images.write(tmp_path / "a.jpg", np.full((40, 40, 3), 99, np.uint8))
    (tmp_path / "b.jpg").write_text("no picture")
    sv = pytest.importorskip("supervision")

    def detector(rgb):
        return sv.Detections(
            xyxy=np.array([[1, 2, 30.123, 31], [0, 0, 5, 5]], np.float32),
            confidence=np.array([0.9, 0.001], np.float32),
            class_id=np.array([0, 1]),
            data={"class_name": np.array([MASK, BARE])},
        )

    found = evaluate.detections([tmp_path / "a.jpg", tmp_path / "b.jpg"], detector)
    assert found == {"a.jpg": [[1.0, 2.0, 30.12, 31.0, 0.9, MASK]]}
    assert "b.jpg" in caplog.text
    json.dumps(found)
    plain = SimpleNamespace(answers=lambda rgb, threshold: [[0, 0, 1, 1, threshold, BARE]])
    assert evaluate.detections([tmp_path / "a.jpg"], plain)["a.jpg"][0][4] == 0.02
    assert evaluate.detections([], detector) == {}


# --- calibration, slices, errors ---


def test_reliability_of_honest_and_of_boasting_answers():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 4000)
    probabilities = np.stack([sure, 1 - sure, np.zeros_like(sure)], 1)
    honest = [MASK if r < s else BARE for r, s in zip(rng.random(4000), sure, strict=True)]
    assert evaluate.ece(honest, probabilities) < 0.03
    boasting = [MASK if r < 0.6 else BARE for r in rng.random(4000)]
    assert evaluate.ece(boasting, np.tile([0.97, 0.03, 0], (4000, 1))) == pytest.approx(0.37, abs=0.03)
    table = evaluate.reliability(honest, probabilities)
    assert table["faces"].sum() == 4000 and table["low"].min() >= 0.5
    assert evaluate.ece([], np.zeros((0, 3))) == 0


def test_slices_of_a_table():
    table = faces(("1", A, MASK), ("2", A, BARE), ("3", A, MASK), ("4", A, BARE))
    table = table.assign(answer=[MASK, BARE, BARE, "missed"], source=["a", "a", "b", "b"])
    result = evaluate.slices(table, {"source": "source", "half": ["x", "x", "x", "y"]}).set_index(["slice", "value"])
    assert result.loc[("source", "a"), "balanced_accuracy"] == 1
    assert result.loc[("source", "b"), "balanced_accuracy"] == 0
    assert result.loc[("half", "y"), "accuracy"] == 0 and result.loc[("half", "y"), "faces"] == 1
    assert evaluate.slices(table, {}).empty


def test_worst_errors_come_first():
    table = faces(("1", A, MASK), ("2", A, BARE), ("3", A, WRONG), ("4", A, BARE))
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0, 0.95, 0.05], [0.2, 0.8, 0]])
    wrong = evaluate.worst(table, probabilities)
    assert wrong["image"].tolist() == ["/p/3.jpg", "/p/2.jpg"]
    assert wrong["answer"].tolist() == [BARE, MASK] and wrong["row"].tolist() == [2, 1]
    assert evaluate.worst(table, probabilities, wrong_only=False)["row"].tolist() == [2, 1, 3, 0]
    assert evaluate.worst(table.iloc[:0], np.zeros((0, 3))).empty


# --- baselines ---


def crowd(folder: Path, *, betray: bool, n: int = 40) -> pd.DataFrame:
    """Files whose size tells the class, or does not."""
    rng, rows = np.random.default_rng(0), []
    for i in range(n):
        label = (MASK, BARE)[i % 2]
        side = 20 + 30 * (i % 2) + i % 5 if betray else int(rng.integers(20, 60))
        path = images.write(folder / f"{i}.png", rng.integers(0, 255, (side, 40, 3)).astype(np.uint8))
        rows.append((str(path), 0.0, 0.0, 40.0, float(side), label, str(i)))
    return pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "label", "group"])


def test_shortcut_finds_what_the_file_betrays(tmp_path):
    tell = evaluate.shortcut(crowd(tmp_path / "a", betray=True)).set_index("tree")
    assert tell.loc["nothing", "accuracy"] == 0.5
    assert tell.loc["file", "balanced_accuracy"] > 0.95
    dumb = evaluate.shortcut(crowd(tmp_path / "b", betray=False)).set_index("tree")
    assert dumb.loc["file", "balanced_accuracy"] < 0.75
    rare = crowd(tmp_path / "d", betray=True).assign(group="")
    rare.loc[0, "label"] = WRONG
    assert len(evaluate.shortcut(rare)) == 2
    with pytest.raises(ValueError, match="two classes"):
        evaluate.shortcut(crowd(tmp_path / "c", betray=True).assign(label=MASK))


def test_shortcut_on_blur(tmp_path):
    table = crowd(tmp_path, betray=False)
    rng = np.random.default_rng(1)
    sharp = rng.integers(0, 255, (40, 32, 32, 3)).astype(np.uint8)
    crops = np.where((table["label"] == BARE).to_numpy()[:, None, None, None], sharp // 8 + 100, sharp)
    result = evaluate.shortcut(table, crops=crops.astype(np.uint8)).set_index("tree")
    assert result.loc["blur", "balanced_accuracy"] > 0.95


def test_shortcut_on_real_class_folders(shared):
    rows = []
    for label in (MASK, BARE):
        rows += [(str(p), label) for p in images.find(shared / "data" / "faces-4k" / label)]
    table = pd.DataFrame(rows, columns=["image", "label"])
    result = evaluate.shortcut(table).set_index("tree")
    assert result.loc["nothing", "accuracy"] == pytest.approx(2164 / 4094)
    assert 0.87 < result.loc["file", "accuracy"] < 0.97


def test_faked_shows_what_look_alikes_are_worth():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (60, 24, 24, 3)).astype(np.int16)  # nothing in them tells the class
    crops = np.concatenate([np.clip(pictures + rng.integers(-9, 9, pictures.shape), 0, 255) for _ in range(3)])
    table = pd.DataFrame({"label": [(MASK, BARE)[i % 2] for i in range(60)] * 3, "group": list(range(60)) * 3})
    told = evaluate.faked(table, crops.astype(np.uint8))
    assert told["leaked"] > 0.97 and told["random"] > 0.9 and told["group"] < 0.7


# --- report ---


def test_report_is_one_page_and_escapes(tmp_path):
    table = pd.DataFrame({"what": ["<b>"], "value": [np.nan]})
    picture = np.zeros((8, 8, 3), np.uint8)
    path = evaluate.report(
        tmp_path / "out",
        title="A & B",
        sections=[("one", "x < y", table), ("two", "", [picture, {"k": None}]), ("three", "none", None)],
        figures={"a": np.float64("nan"), "b": np.int64(3), "c": table, 4: (1, 2)},
    )
    page = path.read_text()
    assert "A &amp; B" in page and "&lt;b&gt;" in page and "x &lt; y" in page and "<td>–" in page
    assert page.count("data:image/jpeg;base64,") == 1 and "http" not in page
    figures = json.loads(path.with_suffix(".json").read_text())
    assert figures == {"a": None, "b": 3, "c": [{"what": "<b>", "value": None}], "4": [1, 2]}


def test_a_small_test_without_an_error_proves_little() -> None:
    few = evaluate.measure(["with_mask"] * 10 + ["without_mask"] * 10, ["with_mask"] * 10 + ["without_mask"] * 10)
    low, high = few["balanced_accuracy_95"]
    assert few["balanced_accuracy"] == high == 1 and low == pytest.approx(0.025 ** (1 / 10), abs=1e-4)
    same_photo = evaluate.measure(
        ["with_mask", "without_mask"] * 10, ["with_mask", "without_mask"] * 10, units=[0, 1] * 10
    )
    assert same_photo["balanced_accuracy_95"][0] == pytest.approx(0.025, abs=1e-4)


def test_audit_of_a_folder(tmp_path, monkeypatch):
    from lib.evaluate import audit

    rng = np.random.default_rng(0)
    for i in range(24):
        side = 40 + 30 * (i % 2)
        images.write(tmp_path / (MASK, BARE)[i % 2] / f"{i}.png", rng.integers(0, 255, (side, 50, 3)).astype(np.uint8))
    nothing = SimpleNamespace(xyxy=np.zeros((0, 4)))
    monkeypatch.setattr(audit.faces, "finder", lambda: lambda rgb: nothing)
    report = audit.audit(tmp_path)
    assert report["images"] == 24 and report["framing"] == {"whole": 24}
    assert {row["tree"]: row["accuracy"] for row in report["shortcut"]}["file"] == 1
    json.dumps(report, default=float)


@pytest.mark.slow
def test_attention_glows_on_every_crop():
    pytest.importorskip("tensorflow")
    from lib import model

    network = model.load(model.shipped())
    crops = np.random.default_rng(0).integers(0, 255, (6, 96, 96, 3)).astype(np.uint8)
    crops[:, :48] //= 4
    glow = evaluate.attention(network, crops)
    assert glow.shape == crops.shape and glow.dtype == np.uint8
    changed = (glow != crops).any(axis=(1, 2, 3))
    assert changed.mean() >= 0.5 and not (glow == glow[:1]).all()
    assert evaluate.attention(network, crops[:0]).shape == (0, 96, 96, 3)
    with pytest.raises(ValueError, match="backbone"):
        evaluate.attention(model.tutorial_cnn(size=32), crops[:, :32, :32])
