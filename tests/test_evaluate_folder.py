"""A model on a folder of photos: figures that other tools agree with, slices, look-alikes, other sources."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import __main__ as main
from lib import assets, classes, detect, evaluate, faces, images, labels, plots
from lib.evaluate.traits import TOLD, band, bands

BARE, MASK, WRONG = "without_mask", "with_mask", "mask_worn_incorrectly"


# --- average precision and recall, beside what the field uses ---


def scene(seed: int, *, photos: int = 12) -> tuple[pd.DataFrame, dict[str, list[list]]]:
    """Faces on a grid, and answers near, beside and twice on them; whole pixels, no two scores alike."""
    rng, rows, answers = np.random.default_rng(seed), [], {}
    scores = iter(rng.permutation(5000) / 5000)
    for photo in range(photos):
        said = answers.setdefault(f"{photo}.jpg", [])
        for cell in range(rng.integers(1, 7)):
            w, h = rng.integers(12, 90, 2)
            x, y = cell % 3 * 150, cell // 3 * 150
            label = classes.NAMES[rng.choice(3, p=[0.5, 0.3, 0.2])]
            rows.append({"image": f"/p/{photo}.jpg", "x1": x, "y1": y, "x2": x + w, "y2": y + h, "label": label})
            for _ in range(rng.choice(3, p=[0.15, 0.65, 0.2])):
                dx, dy = rng.integers(-w // 4, w // 4 + 1), rng.integers(-h // 4, h // 4 + 1)
                name = label if rng.random() < 0.75 else str(rng.choice(classes.NAMES))
                said.append([x + dx, y + dy, x + dx + w, y + dy + h, next(scores), name])
        if rng.random() < 0.5:
            said.append([460, 10, 500, 60, next(scores), str(rng.choice(classes.NAMES))])
    return pd.DataFrame(rows), {name: [[*map(float, r[:5]), r[5]] for r in said] for name, said in answers.items()}


def coco(truth: pd.DataFrame, answers: dict, *, named: bool = True):
    """COCOeval of the same at IoU 0.5; named=False takes all classes for one."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    number = {name: classes.index(name) + 1 if named else 1 for name in classes.NAMES}
    ids = {f"{Path(image).name}": i + 1 for i, image in enumerate(dict.fromkeys(truth["image"]))}
    wh = lambda b: [b[0], b[1], b[2] - b[0], b[3] - b[1]]  # noqa: E731
    notes = [
        {"id": i + 1, "image_id": ids[Path(row.image).name], "category_id": number[row.label], "iscrowd": 0,
         "bbox": wh([row.x1, row.y1, row.x2, row.y2]), "area": (row.x2 - row.x1) * (row.y2 - row.y1)}
        for i, row in enumerate(truth.itertuples())
    ]  # fmt: skip
    found = [
        {"image_id": ids[name], "category_id": number[row[5]], "bbox": wh(row[:4]), "score": row[4]}
        for name, rows in answers.items()
        for row in rows
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        book = COCO()
        book.dataset = {
            "images": [{"id": i} for i in ids.values()],
            "annotations": notes,
            "categories": [{"id": n} for n in sorted(set(number.values()))],
        }
        book.createIndex()
        judge = COCOeval(book, book.loadRes(found), "bbox")
        judge.params.iouThrs = np.array([0.5])
        judge.params.recThrs = judge.params.recThrs - 1e-12  # 29 of 50 faces reach a recall of 0.58, rounded or not
        judge.evaluate()
        judge.accumulate()
    return judge.eval


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_what_pycocotools_says(seed):
    truth, answers = scene(seed)
    theirs = coco(truth, answers)["precision"][0, :, :, 0, 2].mean(0)
    ours = evaluate.score(truth, answers, threshold=0.0)
    assert list(ours["ap50_coco101"].values()) == pytest.approx(theirs.tolist(), abs=1e-4)
    assert ours["map50_coco101_three_classes"] == pytest.approx(theirs.mean(), abs=1e-4)
    assert 0.2 < theirs.mean() < 0.95


@pytest.mark.parametrize("seed", range(5))
def test_face_recall_is_what_pycocotools_says(seed):
    truth, answers = scene(seed)
    theirs = coco(truth, answers, named=False)["recall"][0, 0, 0, 2]
    assert evaluate.score(truth, answers, threshold=0.0)["face_recall"] == pytest.approx(theirs, abs=1e-4)


def table(rows: list, *, scored: bool) -> sv.Detections:
    if not rows:
        return sv.Detections.empty()
    ids = np.array([classes.index(row[-1]) for row in rows])
    xyxy = np.array([row[:4] for row in rows], float)
    return sv.Detections(xyxy=xyxy, class_id=ids, confidence=np.array([row[4] for row in rows]) if scored else None)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_what_supervision_says(seed):
    from supervision.metrics import MeanAveragePrecision

    truth, answers = scene(seed)
    metric = MeanAveragePrecision()
    for image, part in truth.groupby("image"):
        real = table(part[["x1", "y1", "x2", "y2", "label"]].to_numpy().tolist(), scored=False)
        metric.update(table(answers[Path(image).name], scored=True), real)
    ours = evaluate.score(truth, answers, threshold=0.0)["map50_coco101_three_classes"]
    assert metric.compute().map50 == pytest.approx(ours, abs=2e-3)


@given(st.integers(0, 10_000), st.sampled_from([0, 20, 40]))
@settings(deadline=None, max_examples=15)
def test_precisions_are_the_scores_own_with_intervals(seed, min_side):
    truth, answers = scene(seed, photos=6)
    ours = evaluate.score(truth, answers, min_side=min_side)
    told = evaluate.precisions(truth, answers, min_side=min_side, resamples=60)
    assert told["ap50"] == pytest.approx(ours["ap50_voc"], abs=1e-4, nan_ok=True)
    assert told["map50_with_without"] == ours["map50_voc_with_without"]
    assert all(low <= high for low, high in filter(None, told["ap50_95"].values()))


def test_precisions_of_nothing():
    truth, _ = scene(0)
    assert evaluate.precisions(truth.iloc[:0], {})["map50_three_classes"] is None
    assert evaluate.precisions(truth, {})["ap50"] == dict.fromkeys(classes.NAMES, 0.0)


# --- curves and intervals ---


def test_curves_by_hand():
    p = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.7, 0.3, 0], [0.1, 0.9, 0]])
    told = evaluate.curves([MASK, MASK, BARE, BARE], p, units=range(4), resamples=50)
    assert told[MASK]["auc"] == 0.75 and told[MASK]["ap"] == pytest.approx(5 / 6, abs=1e-4)
    assert told[MASK]["roc"][0] == [0, 0] and told[MASK]["roc"][-1] == [1, 1]
    assert told[WRONG] == {"faces": 0, **dict.fromkeys(("auc", "auc_95", "ap", "ap_95")), "roc": [], "pr": []}
    assert evaluate.curves([], np.zeros((0, 3)), units=[])[MASK]["auc"] is None


def test_the_interval_is_wider_over_groups_and_holds_the_figure():
    rng = np.random.default_rng(0)
    labels = [MASK, BARE] * 150
    groups = np.repeat(np.arange(15), 20)
    sure = np.clip(np.where(np.arange(300) % 2, 0.35, 0.65) + rng.normal(0, 0.2, 300) + (groups % 3 - 1) * 0.1, 0, 1)
    p = np.stack([sure, 1 - sure, np.zeros(300)], 1)
    for key in ("auc", "ap"):
        wide, narrow = (evaluate.curves(labels, p, units=u, resamples=100)[MASK] for u in (groups, range(300)))
        assert wide[f"{key}_95"][0] < wide[key] < wide[f"{key}_95"][1]
        assert wide[key] == narrow[key]


def test_share_by_hand():
    assert evaluate.share(0, 0) == (None, None, None)
    assert evaluate.share(0, 10) == (0, 0, pytest.approx(0.2775, abs=1e-4))
    assert evaluate.share(5, 10) == (0.5, pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))


# --- traits and slices ---


def patch(rgb: tuple[int, int, int]) -> np.ndarray:
    return np.full((60, 50, 3), rgb, np.uint8)


def test_tone_falls_from_light_to_dark_and_is_not_told_of_what_is_no_skin():
    angles = [evaluate.tone(patch(c)) for c in ((240, 205, 185), (215, 170, 140), (160, 110, 85), (90, 60, 45))]
    assert angles == sorted(angles, reverse=True) and angles[0] > 41 and angles[-1] < 10
    assert all(np.isnan(evaluate.tone(patch(c))) for c in ((0, 120, 255), (128, 128, 128), (20, 200, 40)))
    mask = patch((215, 170, 140))
    mask[35:] = (40, 90, 220)  # a mask over the lower face changes nothing
    assert evaluate.tone(mask) == pytest.approx(angles[1])


def test_traits_of_faces_also_at_the_edge():
    rng = np.random.default_rng(0)
    rgb = np.full((100, 200, 3), 30, np.uint8)
    rgb[:, 100:] = rng.integers(100, 255, (100, 100, 3))
    dark, sharp, past = evaluate.traits(rgb, np.array([[10, 10, 60, 80], [110, 10, 190, 90], [150, 50, 230, 130]]))
    assert dark["side"] == 50 and dark["darkness"] == 30 and np.isnan(dark["turn"])
    assert sharp["sharpness"] > 100 > dark["sharpness"] == 0 and past["darkness"] > 90
    assert evaluate.traits(rgb, np.zeros((0, 4))) == []


def test_bands():
    assert band(pd.Series([0, 20, 31.9, 500, np.nan]), (0, 20, 32, np.inf)).tolist() == [
        "0–20", "20–32", "20–32", "32 and more", TOLD,
    ]  # fmt: skip
    nan = np.full(6, np.nan)
    rows = pd.DataFrame(
        {"side": 40.0, "darkness": 99.0, "sharpness": 5.0, "tone": nan, "turn": nan, "origin": "manual"}
    )
    cuts = bands(rows.assign(source=list("aaabbb")))
    assert "pose" not in cuts and set(cuts["skin tone, ITA"]) == {TOLD} and set(cuts["made"]) == {"real"}
    assert cuts["sharpness"].value_counts().tolist() == [2, 2, 2, 0]  # equal values too
    assert cuts["source"].tolist() == list("aaabbb") and "source" not in bands(rows.assign(source="a"))


# --- a folder, from end to end ---


class Colours:
    """Stands in for a network: blue crops are masked, others bare."""

    classes = classes.NAMES
    card = {"name": "colours", "finder": {"name": "yunet"}}  # noqa: RUF012
    input_size, margin = 32, 0.0

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        masked = crops[..., 2].mean((1, 2)) > crops[..., 0].mean((1, 2))
        return np.where(masked[:, None], [0.9, 0.08, 0.02], [0.1, 0.85, 0.05]).astype(np.float32).reshape(-1, 3)


class Bright:
    """Stands in for a face finder: finds what is brighter than grey, but no face below 30 pixels."""

    name, min_score, max_side = "hog", 0.5, 640

    def __call__(self, rgb: np.ndarray) -> sv.Detections:
        import cv2

        *_, stats, _ = cv2.connectedComponentsWithStats((rgb.max(2) > 150).astype(np.uint8))
        rows = [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:].tolist() if min(w, h) >= 30]
        if not rows:
            return sv.Detections.empty()
        return sv.Detections(xyxy=np.array(rows, float), confidence=np.full(len(rows), 0.8))


COLOUR = {MASK: (60, 90, 220), BARE: (220, 170, 140)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten photos of two large faces and a small one each, one label wrong, and a model and finder that see colours."""
    monkeypatch.setattr(detect.Classifier, "load", lambda *a, **k: Colours())
    monkeypatch.setattr(faces, "finder", lambda *a, **k: Bright())
    monkeypatch.setattr(assets, "model", lambda name: tmp_path / "colours.json")
    (tmp_path / "colours.json").write_text(json.dumps({"files": {}, "margin": 0.0, "input_size": 32}))
    for i in range(10):
        rgb, rows = np.full((120, 240, 3), 20, np.uint8), []
        for k, (x, side) in enumerate(((10, 60), (90, 40), (160, 24))):
            label = (MASK, BARE)[(i + k) % 2]
            rgb[20 : 20 + side, x : x + side] = COLOUR[label]
            said = BARE if (i, k) == (0, 0) else label
            rows.append({"x1": x, "y1": 20, "x2": x + side, "y2": 20 + side, "label": said})
        path = images.write(tmp_path / f"set/images/{i}.png", rgb)
        faces_ = labels.table([{**row, "image": str(path)} for row in rows])
        labels.write_voc(tmp_path / f"set/annotations/{i}.xml", faces_, size=(240, 120))
    return tmp_path / "set"


def test_a_folder_is_examined(folder):
    done = evaluate.examine(folder, pose=False)
    shown = {row["figure"]: (row["balanced_accuracy"], row["faces"]) for row in done.figures["three"]}
    assert shown == {
        "labelled boxes": (pytest.approx(1 - 1 / 32, abs=1e-4), 30),
        "found faces": (pytest.approx(1 - 1 / 22, abs=1e-4), 20),
        "missed = error": (pytest.approx((10 / 14 + 10 / 16) / 2, abs=1), 30),
    }
    assert done.figures["detected"]["face_recall"] == pytest.approx(2 / 3, abs=1e-4)
    sizes = done.tables["face recall"].set_index("side, px")["recall"]
    assert sizes.to_dict() == {"20–32": 0, "32–64": 1}
    assert (done.faces["answer"] != done.faces["label"]).sum() == 1
    assert (done.faces["reached"] == evaluate.MISSED).sum() == 10
    assert evaluate.examine(folder, pose=False, min_side=30).figures["three"][2]["faces"] == 20


def test_the_command_prints_a_table_and_writes_a_page_and_json(folder, tmp_path, capsys):
    marks = pd.DataFrame({"file": ["set/images/1.png", "set/images/2.png", "gone.png"], "x1": 10, "y1": 20, "x2": 70,
                          "y2": 80, "kind": "scarf"})  # fmt: skip
    marks.to_csv(tmp_path / "marks.csv", index=False)
    out = tmp_path / "out"
    code = main.start(["evaluate", "--data", str(folder), "--marked", str(tmp_path / "marks.csv"), "--report", str(out),
                       "--json", str(tmp_path / "figures.json")])  # fmt: skip
    said = capsys.readouterr().out
    assert code == 0 and "missed = error" in said and "1 of 2" in said and "gone.png" in said
    page, figures = (out / "report.html").read_text(), json.loads((tmp_path / "figures.json").read_text())
    assert figures == json.loads((out / "report.json").read_text())
    assert figures["marked"][0] | {"low": 0, "high": 0} == {
        "kind": "scarf", "faces": 2, "false_masks": 1, "rate": 0.5, "low": 0, "high": 0, "worn_incorrectly": 0,
    }  # fmt: skip
    assert page.count("<img") >= 6 and "Worst errors" in page and "<h2>Where it looks" not in page


def test_photos_that_made_the_model_are_counted(folder, tmp_path):
    sides = {"images": {"train": ["set/images/1.png", "set/images/2.png"], "validation": ["other/3.png"]}}
    (tmp_path / "colours-split.json").write_text(json.dumps(sides))
    pd.DataFrame({"file": ["set/images/1.png", "set/images/3.png"], "x1": 10, "y1": 20, "x2": 70, "y2": 80,
                  "kind": "hand"}).to_csv(tmp_path / "m.csv", index=False)  # fmt: skip
    done = evaluate.examine(folder, pose=False, marks=tmp_path / "m.csv")
    assert any("photos made the model (2 in train)" in note for note in done.notes)
    assert done.tables["marked"].set_index("kind")["faces"].tolist() == [2, 2, 1]


def test_class_folders_are_framed_by_the_finder(folder, tmp_path):
    for label in (MASK, BARE):
        for i in range(3):
            rgb = np.full((90, 90, 3), 20, np.uint8)
            rgb[15:75, 20:70] = COLOUR[label]
            images.write(tmp_path / f"folders/{label}/{i}.png", rgb)
    done = evaluate.examine(tmp_path / "folders", pose=False)
    assert done.figures["three"][0]["balanced_accuracy"] == 1 and done.faces["x1"].eq(20).all()
    assert any("6 photos of class folders" in note for note in done.notes)


def test_nothing_labelled_is_said(tmp_path, folder, capsys):
    images.write(tmp_path / "bare/1.png", patch((9, 9, 9)))
    assert main.start(["evaluate", "--data", str(tmp_path / "bare")]) == 2
    assert "no labels in it" in capsys.readouterr().err


def test_an_empty_box_means_the_one_face_of_the_picture(folder, tmp_path):
    rgb = np.full((90, 90, 3), 20, np.uint8)
    rgb[15:75, 20:70] = COLOUR[MASK]
    images.write(tmp_path / "one.png", rgb)
    (tmp_path / "m.csv").write_text("file,x1,y1,x2,y2,kind\none.png,,,,,hand\none.png,20,15,70,75,beard\n")
    rows, missing = evaluate.marked(tmp_path / "m.csv", find=Bright())
    assert not missing and rows[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == [[20, 15, 70, 75]] * 2
    assert rows["kind"].tolist() == ["hand", "beard"] and rows["framing"].tolist() == ["found", "labelled"]
    assert evaluate.false_masks(rows.iloc[:0], Colours())[0]["faces"].tolist() == [0]


def test_marked_faces_need_their_columns(tmp_path):
    (tmp_path / "m.csv").write_text("file,kind\na.jpg,hand\n")
    with pytest.raises(ValueError, match="x1, y1, x2, y2 is not there"):
        evaluate.marked(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text("file,x1,y1,x2,y2,kind\na.jpg,5,0,5,9,hand\n")
    with pytest.raises(ValueError, match="line 2 has no box"):
        evaluate.marked(tmp_path / "m.csv")


# --- train on one, test on another ---


def source(name: str, *, n: int = 30, twist: bool = False) -> pd.DataFrame:
    label = [(MASK, BARE)[(i + twist * (i % 5 == 0)) % 2] for i in range(n)]
    return pd.DataFrame(
        {"image": [f"/{name}/{i}.jpg" for i in range(n)], "label": label, "group": "", "even": range(n)}
    )


def test_cross_trains_on_one_and_tests_on_the_other():
    trained = []

    def train(known: pd.DataFrame):
        trained.append(len(known))
        return lambda faces: np.eye(3)[faces["even"].to_numpy() % 2]

    tables = {"a": source("a"), "b": source("b", twist=True), "c": source("c", n=20)}
    result = evaluate.cross(tables, train)
    assert trained == [30, 30, 20, 50, 50, 60]
    figures = result.set_index(["trained", "tested"])["balanced_accuracy"]
    assert figures["a", "c"] == 1 and figures["a", "b"] == figures["all but b", "b"] == pytest.approx(0.8, abs=0.01)
    assert ("a", "a") not in figures.index and len(figures) == 9
    assert plots.matrix(result).alt.count("to b") == 3


def test_cross_leaves_out_what_was_in_training():
    first, second = source("a"), source("b")
    first.loc[:3, "group"] = second.loc[:5, "group"] = "twins"
    second.loc[9, "image"] = first.loc[7, "image"]
    pairs = evaluate.cross({"a": first, "b": second}, lambda known: lambda faces: np.eye(3)[faces["even"] % 2])
    assert pairs["left_out"].tolist() == [7, 5] and pairs["faces"].tolist() == [23, 25]
