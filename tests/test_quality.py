"""lib.evaluate on labels: what a probe denies, what a copy denies, what is odd; and corrections on reading."""

import importlib
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lib import __main__ as main
from lib import evaluate, images, labels

quality = importlib.import_module("lib.evaluate.quality")  # the name in the package is the function's
ROOT = Path(__file__).parent.parent

BARE, MASK, WRONG = "without_mask", "with_mask", "mask_worn_incorrectly"


def face(image: object, *box: float, label: str = MASK, **more: object) -> dict:
    corners = dict(zip(("x1", "y1", "x2", "y2"), box or (10, 10, 40, 50), strict=True))
    return dict(image=str(image), label=label, origin="manual", framing="labelled") | corners | more


def scene(seed: int, size: tuple[int, int] = (400, 300)) -> np.ndarray:
    """A picture with many corners, each seed another."""
    rng, rgb = np.random.default_rng(seed), np.full((size[1], size[0], 3), 120, np.uint8)
    for _ in range(140):
        x, y, w, h = rng.integers(0, size[0]), rng.integers(0, size[1]), *rng.integers(5, 40, 2)
        rgb[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return rgb


# --- a second opinion ---


def two_clouds(wrong: int = 3, n: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Faces whose features tell the class; the first `wrong` carry the other label."""
    rng = np.random.default_rng(0)
    true = np.array([MASK, BARE] * (n // 2), object)
    values = rng.normal(0, 1, (n, 8)) + 4 * (true == MASK)[:, None]
    said = true.copy()
    said[:wrong] = np.where(true[:wrong] == MASK, BARE, MASK)
    return labels.table([face(f"{i}.jpg", label=label, group=f"g{i}") for i, label in enumerate(said)]), values


def test_wrong_labels_are_denied_and_right_ones_are_not():
    table, values = two_clouds()
    opinion = evaluate.second_opinion(table, values)
    assert np.flatnonzero(opinion["denied"]).tolist() == [0, 1, 2]
    assert list(opinion["answer"][:3]) == [MASK, BARE, MASK]
    assert opinion["doubt"][:3].min() > 0.5 > opinion["doubt"][3:].max()
    assert list(table.columns) == list(two_clouds()[0].columns), "the caller's table stays"


def test_a_copy_of_a_face_does_not_teach_its_label():
    table, values = two_clouds(wrong=0, n=40)
    copies = pd.concat([table, table.iloc[[0] * 20].assign(label=BARE)], ignore_index=True)  # 20 copies, all wrong
    near = np.concatenate([values, np.repeat(values[:1], 20, axis=0)])
    assert evaluate.second_opinion(copies, near)["denied"][40:].all(), "they share a group: nobody else says so"


def test_one_class_or_one_group_gives_no_opinion():
    table, values = two_clouds()
    with pytest.raises(ValueError, match="at least two classes"):
        evaluate.second_opinion(table.assign(label=MASK), values)
    with pytest.raises(ValueError, match="two groups"):
        evaluate.second_opinion(table.assign(group="one"), values)


@pytest.mark.slow
def test_features_are_of_the_crop_alone():
    crops = np.stack([scene(i, (96, 96)) for i in (1, 2, 1)])
    values = evaluate.features(crops, weights="shipped")
    assert values.shape == (3, 1280) and np.allclose(values[0], values[2], atol=1e-4)
    assert not np.allclose(values[0], values[1], atol=0.1) and evaluate.features(crops[:0]).shape == (0, 1280)


@pytest.mark.parametrize(("here", "backbone"), [(True, "imagenet"), (False, "shipped")])
def test_the_shipped_model_is_no_judge_of_what_it_has_learnt(monkeypatch, here, backbone):
    monkeypatch.setattr(quality.assets, "have", lambda name, download: here)
    split = json.loads((ROOT / "models" / "full-split.json").read_text())["images"]["train"][:3]
    source, word = quality._backbone(pd.Series([f"/somewhere/{name}" for name in split]))
    assert source == backbone and "learnt from 3 of these photos" in word and ("may hide" in word) == (not here)
    assert quality._backbone(pd.Series(["/somewhere/photos-853/images/maksssksksss1.jpg"]))[0] == "shipped"


# --- copies ---


def copied(tmp_path: Path, change, boxes: list, *, mirrored: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A photo with three faces and a changed copy with its own boxes, and that they are twins."""
    rgb = scene(1)
    a = images.write(tmp_path / "a.png", rgb)
    b = images.write(tmp_path / "b.png", change(rgb))
    rows = [face(a, 50, 60, 100, 120), face(a, 200, 50, 240, 100, label=BARE), face(a, 300, 200, 350, 260)]
    rows += [face(b, *box[:4], label=box[4]) for box in boxes]
    return labels.table(rows), pd.DataFrame({"image": [str(a), str(b)], "group": [0, 0]})


WAYS = {
    "the same": (lambda rgb: rgb, lambda x1, y1, x2, y2: (x1, y1, x2, y2)),
    "half the size": (
        lambda rgb: cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda *box: tuple(v / 2 for v in box),
    ),
    "mirrored": (lambda rgb: rgb[:, ::-1].copy(), lambda x1, y1, x2, y2: (400 - x2, y1, 400 - x1, y2)),
    "cut": (lambda rgb: rgb[20:, 30:].copy(), lambda x1, y1, x2, y2: (x1 - 30, y1 - 20, x2 - 30, y2 - 20)),
}


@pytest.mark.parametrize("way", WAYS)
def test_copies_that_disagree_are_found_however_they_are_cut(tmp_path, way):
    change, place = WAYS[way]
    boxes = [(*place(50, 60, 100, 120), BARE), (*place(200, 50, 240, 100), BARE)]  # the third face has no box
    table, twins = copied(tmp_path, change, boxes)
    found = evaluate.contradictions(table, twins)
    assert sorted((row["kind"], row["row"]) for row in found) == [
        ("boxed in one copy", 2), ("copies disagree", 0), ("copies disagree", 3)]  # fmt: skip
    said = {row["row"]: row["reason"] for row in found}
    assert said[0] == f"{BARE} in its copy b.png" and said[2] == "its copy b.png has no box there"


def test_what_a_copy_does_not_show_is_not_missed_there_and_strangers_are_left_aside(tmp_path):
    table, twins = copied(
        tmp_path, lambda rgb: rgb[:, 160:].copy(), [(40, 50, 80, 100, BARE), (140, 200, 190, 260, MASK)]
    )
    assert evaluate.contradictions(table, twins) == []  # the first face is cut away
    images.write(tmp_path / "b.png", scene(2))
    assert evaluate.contradictions(table, twins) == [] == evaluate.contradictions(table, twins.iloc[:0])


def test_copies_in_two_class_folders_contradict_each_other(tmp_path):
    a, b = (images.write(tmp_path / name / "1.png", scene(3)) for name in (MASK, BARE))
    rows = [face(a, framing="found"), face(b, framing="whole", label=BARE)]
    found = evaluate.contradictions(labels.table(rows), pd.DataFrame({"image": [str(a), str(b)], "group": 5}))
    assert [(row["row"], row["kind"]) for row in found] == [(0, "copies disagree"), (1, "copies disagree")]


# --- odd boxes ---


def test_odd_boxes_say_what_is_odd(tmp_path):
    a = images.write(tmp_path / "a.png", scene(4))
    rows = [
        face(a, 10, 10, 60, 70),
        face(a, 12, 12, 60, 70, label=BARE),
        face(a, 370, 10, 401, 60),
        face(a, 100, 100, 107, 109),
        face(a, 100, 150, 250, 180),
        face(a, 0, 0, 400, 300, framing="whole"),
        face(a, 0, 0, 400, 299),
    ]
    found = {row["row"]: (row["kind"], row["reason"]) for row in evaluate.odd(labels.table(rows))}
    assert found == {
        1: ("boxed twice", f"93 % the same as a box that says {MASK}"),
        2: ("past the edge", "ends 1 px past the edge of 400 × 300"),
        3: ("tiny box", "7 × 9 px"),
        4: ("long box", "150 × 30 px"),
        5: ("no face found", "the face finder sees none in this picture"),
        6: ("whole photo", "fills the photo of 400 × 300"),
    }
    assert evaluate.odd(labels.table(rows[:1])) == [] == evaluate.odd(labels.table([]))


# --- all of it ---


def bright(crops: np.ndarray, **unused: object) -> np.ndarray:
    return crops.reshape(len(crops), -1)[:, ::997].astype(float)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of one bright (masked) or dark (bare) square each; the label of number 4 is wrong."""
    for i in range(24):
        rgb = scene(100 + i, (160, 120)) // 4 + 60
        rgb[30:90, 40:100] = 230 if i % 2 else 20
        photo = images.write(tmp_path / "set" / f"{i:02}.png", rgb)
        label = MASK if i % 2 or i == 4 else BARE
        labels.write_voc(
            photo.with_suffix(".xml"), labels.table([face(photo, 40, 30, 100, 90, label=label)]), size=(160, 120)
        )
    return tmp_path / "set"


def test_the_whole_search_finds_the_planted_error_and_a_correction_mends_it(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(quality.dedupe, "fingerprints", lambda *a, **k: (None, []))
    none = pd.DataFrame({"image": [], "group": []})
    monkeypatch.setattr(quality.dedupe, "groups", lambda *a, **k: none)
    monkeypatch.setattr(quality, "features", bright)
    out, figures = tmp_path / "out", tmp_path / "counts.json"
    assert main.start(["check", str(folder), "--out", str(out), "--json", str(figures)]) == 0
    assert "1 other class" in capsys.readouterr().out
    found = pd.read_csv(out / "findings.csv")
    assert Path(found["image"][0]).name == "04.png" and found["answer"][0] == BARE and found["kind"][0] == "other class"
    told = json.loads(figures.read_text())
    assert told["findings"]["other class"] == 1 and told["other class"] == {f"{MASK} → {BARE}": 1}
    assert told["faces"] == {MASK: 13, BARE: 11, WRONG: 0} and told["judged"] == 24
    assert images.read(out / "findings-01.jpg").std() > 10

    listed = tmp_path / "corrections.csv"
    listed.write_text(f"file,x1,y1,x2,y2,old,new\nset/04.png,40,30,100,90,{MASK},{BARE}\n")
    assert main.start(["check", str(folder), "--corrections", str(listed)]) == 0
    assert "0 other class" in capsys.readouterr().out


def test_labels_of_one_class_get_no_second_opinion_but_their_boxes_are_looked_at(tmp_path):
    a = images.write(tmp_path / "a.png", scene(1))
    done = evaluate.quality(labels.table([face(a), face(a, 1, 1, 6, 8)]))
    assert "No second opinion" in done.notes[-1] and list(done.findings["kind"]) == ["tiny box"]
    assert done.figures()["judged"] == 0 and len(done.faces) == 2
    assert len(evaluate.quality(labels.table([])).findings) == 0
    with pytest.raises(ValueError, match="no labels in it"):
        evaluate.quality(tmp_path)


# --- corrections ---


def listed(tmp_path: Path, *lines: str) -> Path:
    head = ("# Judged by nobody.", "", "file,x1,y1,x2,y2,old,new,why")
    return images.write(tmp_path / "list.csv", "\n".join([*head, *lines, ""]))


def test_corrections_are_made_on_reading_only_when_asked(folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    lines = ("set/images/04.jpg,40,30,100,91,mask,no mask,dark", f"set/05.png,40,30,100,90,{MASK},removed,no face")
    path = listed(tmp_path, *lines, f"set/99.png,1,2,3,4,{MASK},{BARE},not here")
    plain, _ = labels.read_folder(folder)
    table, problems = labels.read_folder(folder, corrections=path)
    assert len(problems) == 0 and table.attrs["corrected"] == 2 and "corrected" not in plain.attrs
    assert list(table.loc[table["image"].str.endswith("04.png"), "label"]) == [BARE]
    assert set(plain["image"]) - set(table["image"]) == {str(folder / "05.png")} and len(plain) == 24
    assert table.attrs["formats"] == plain.attrs["formats"]
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"set/04.png,41,35,100,90,{MASK},{BARE},", f"04.png has no such box, the list says {MASK}"),
        (f"set/04.png,40,30,100,90,{WRONG},{BARE},", f"04.png says {MASK}, the list says {WRONG}"),
    ],
)
def test_a_correction_that_does_not_fit_is_said_with_its_line(folder, tmp_path, line, reason):
    path = listed(tmp_path, line)
    table, problems = labels.read_folder(folder, corrections=path)
    assert table["label"].tolist() == labels.read_folder(folder)[0]["label"].tolist()
    assert problems[["file", "line", "reason"]].to_numpy().tolist() == [[str(path), 4, f"not corrected: {reason}"]]


def test_a_picture_of_a_class_folder_goes_by_its_folder(tmp_path):
    for name in (MASK, BARE):
        images.write(tmp_path / "crops" / name / "1.png", scene(5, (64, 64)))
    path = listed(tmp_path, f"crops/{MASK}/1.jpg,,,,,{MASK},{WRONG},nose out")
    table, problems = labels.read_folder(tmp_path / "crops", corrections=path)
    assert dict(zip(table["image"].map(lambda i: Path(i).parent.name), table["label"], strict=True)) == {
        MASK: WRONG, BARE: BARE}  # fmt: skip
    assert not len(problems)


@pytest.mark.parametrize(
    ("line", "reason"),
    [("a.png,1,2,3,x,mask,no mask,", "could not convert"), ("a.png,,,,,mask,hat,", "unknown name 'hat'")],
)
def test_a_bad_list_is_refused_with_its_line(tmp_path, line, reason):
    with pytest.raises(labels.FormatError, match=f":4: .*{reason}"):
        labels.read_corrections(listed(tmp_path, line))
    with pytest.raises(labels.FormatError, match="needs the columns .*; x1, y1, x2, y2, old is not there"):
        labels.read_corrections(images.write(tmp_path / "b.csv", "file,new\na.png,mask\n"))


def test_figures_on_corrected_labels_say_so(folder, tmp_path):
    path = listed(tmp_path, f"set/04.png,40,30,100,90,{MASK},{BARE},")
    plain, notes = evaluate.labelled(folder, None)
    table, said = evaluate.labelled(folder, None, corrections=path)
    assert "Not as published: 1 labels, which list.csv corrects." in said and not any("published" in n for n in notes)
    assert (table["label"] != plain["label"]).sum() == 1


def test_a_copy_in_another_format_carries_the_corrections(folder, tmp_path, capsys):
    path = listed(tmp_path, f"set/04.png,40,30,100,90,{MASK},{BARE},", f"set/05.png,40,30,100,90,{MASK},removed,")
    arguments = ["convert", str(folder), "--to", "voc", "--out", str(tmp_path / "new"), "--corrections", str(path)]
    assert main.start(arguments) == 0
    assert "2 labels corrected by list.csv" in capsys.readouterr().out
    assert labels.read_voc(tmp_path / "new/annotations/04.xml")["label"].tolist() == [BARE]
    assert len(labels.read_voc(tmp_path / "new/annotations/05.xml")) == 0  # no face, by a person's word


def test_the_published_corrections_fit_the_sets_they_are_about(shared):
    """Every line meets exactly one label of its set, as published."""
    path = ROOT / "models" / "corrections.csv"
    changes = labels.read_corrections(path)
    for name in ("photos-853", "faces-4k"):
        ours = [one for one in changes if one["file"].startswith(name)]
        files = {Path(one["file"]).stem for one in ours}
        table = labels.table(
            row
            for one in ours
            for row in [dict(zip(("x1", "y1", "x2", "y2"), one["box"] or (0, 0, 1, 1), strict=True)) | {
                "image": str(shared / "data" / one["file"]), "label": one["old"]}]
        )  # fmt: skip
        assert all(Path(image).is_file() for image in table["image"])
        result, left = labels.corrected(table, ours)
        assert not left and result.attrs["corrected"] == len(ours) > 3 and len(files) == len(ours)
    boxed = [one for one in changes if one["box"]]
    for one in boxed:
        note = shared / "data" / one["file"].replace("images", "annotations").replace(".jpg", ".xml")
        _, left = labels.corrected(labels.read_voc(note, whole=False), [one])
        assert left == [] and note.is_file()
