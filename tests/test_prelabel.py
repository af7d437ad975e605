"""lib.prelabel: the machine's boxes never stand over a person's, and windows open only where they can."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from lib import classes, images, labels, prelabel


def photo(path: Path, *, grey: int = 128, size: tuple[int, int] = (100, 80)) -> Path:
    return images.write(path, np.full((size[1], size[0], 3), grey, np.uint8))


def found(*boxes, p=(0.9, 0.08, 0.02), face_score: float = 1.0) -> sv.Detections:
    """What a detector answers: the same probabilities for every box."""
    n = len(boxes)
    return sv.Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        confidence=np.full(n, max(p), np.float32),
        class_id=np.full(n, int(np.argmax(p))),
        data={
            "class_name": np.full(n, classes.NAMES[int(np.argmax(p))]),
            "probabilities": np.tile(np.array(p, np.float32), (n, 1)),
            "face_score": np.full(n, face_score, np.float32),
        },
    )


def box(row) -> tuple[float, ...]:
    return row["x1"], row["y1"], row["x2"], row["y2"]


def test_no_photos_give_an_empty_table_with_all_columns(tmp_path):
    table, skipped = prelabel.prelabel([], lambda rgb: found(), into=tmp_path)
    assert len(table) == 0 and skipped == []
    assert {*labels.COLUMNS, "answer", "doubt"} <= set(table)


def test_found_faces_become_rows_and_a_file(tmp_path):
    a = photo(tmp_path / "a.jpg")
    detector = lambda rgb: found((10.4, 20.6, 40, 50), (-5, 60, 30, 99), face_score=0.5)  # noqa: E731
    table, skipped = prelabel.prelabel([a], detector, into=tmp_path / "labels", source="mine")
    assert skipped == [] and [box(r) for r in table.to_dict("records")] == [(10, 21, 40, 50), (0, 60, 30, 80)]
    row = table.iloc[0]
    assert (row["label"], row["answer"], row["origin"], row["source"]) == ("with_mask", "with_mask", "auto", "mine")
    assert row["score"] == pytest.approx(0.9) and row["doubt"] == pytest.approx(1 - 0.9 * 0.5)
    written = labels.read_voc(tmp_path / "labels" / "a.xml", image=a)
    assert labels.owner(tmp_path / "labels" / "a.xml") == "auto"
    assert written.drop(columns="source").equals(table[written.columns].drop(columns="source"))


def test_a_hint_labels_a_single_face_and_the_models_answer_is_kept(tmp_path):
    a, b = photo(tmp_path / "a.jpg", grey=0), photo(tmp_path / "b.jpg", grey=255)
    detector = lambda rgb: found((1, 1, 9, 9), (20, 20, 40, 40)) if rgb.mean() > 9 else found((1, 1, 9, 9))  # noqa: E731
    hints = {str(a): "no mask", str(b): "no mask"}
    table, _ = prelabel.prelabel([a, b], detector, into=tmp_path, hints=hints)
    assert list(table["label"]) == ["without_mask", "with_mask", "with_mask"]
    assert list(table["answer"]) == ["with_mask"] * 3
    assert table["doubt"].round(2).tolist() == [0.92, 0.1, 0.1]


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(tmp_path):
    a, empty, twin = photo(tmp_path / "a.jpg"), photo(tmp_path / "e.jpg", grey=0), photo(tmp_path / "a.png")
    cut = images.write(tmp_path / "cut.jpg", a.read_bytes()[:300])
    seen: list[int] = []
    detector = lambda rgb: found((1, 1, 9, 9)) if rgb.mean() > 9 else found()  # noqa: E731
    progress = lambda items: (seen.append(1) or item for item in items)  # noqa: E731
    table, skipped = prelabel.prelabel([a, cut, empty, twin], detector, into=tmp_path / "l", progress=progress)
    assert list(table["image"]) == [str(a)] and len(seen) == 4
    why = {Path(s["item"]).name: s["reason"] for s in skipped}
    assert why["e.jpg"] == "no face found" and "damaged or cut short" in why["cut.jpg"]
    assert "shares the name of its label file with" in why["a.png"]


def test_a_second_run_renews_the_machines_file(tmp_path):
    a = photo(tmp_path / "a.jpg")
    prelabel.prelabel([a], lambda rgb: found((1, 1, 9, 9)), into=tmp_path)
    table, _ = prelabel.prelabel([a], lambda rgb: found((2, 2, 9, 9)), into=tmp_path)
    assert [box(r) for r in labels.read_voc(tmp_path / "a.xml").to_dict("records")] == [(2, 2, 9, 9)]
    assert len(table) == 1
    prelabel.prelabel([a], lambda rgb: found(), into=tmp_path)
    assert len(labels.read_voc(tmp_path / "a.xml")) == 0


HANDS = {
    "saved by labelImg": "<annotation><object><name>without_mask</name><bndbox><xmin>3</xmin><ymin>3</ymin>"
    "<xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>",
    "emptied by labelImg": "<annotation><filename>a.jpg</filename></annotation>",
    "looked at": '<annotation verified="yes"><origin>auto</origin></annotation>',
    "broken": "<annotation><object>",
}


@pytest.mark.parametrize("whose", HANDS)
def test_a_persons_file_is_never_written(tmp_path, whose):
    a = photo(tmp_path / "a.jpg")
    note = images.write(tmp_path / "a.xml", HANDS[whose])
    table, skipped = prelabel.prelabel([a], lambda rgb: found((1, 1, 9, 9)), into=tmp_path)
    assert note.read_text() == HANDS[whose]
    if whose == "saved by labelImg":
        assert [(box(r), r["origin"]) for r in table.to_dict("records")] == [((3, 3, 30, 40), "manual")]
    else:
        assert len(table) == 0 and len(skipped) == 1


def test_the_good_boxes_of_a_persons_bad_file_are_used_and_the_bad_listed(tmp_path):
    a = photo(tmp_path / "a.jpg")
    text = HANDS["saved by labelImg"].replace("</annotation>", "<object><name>hat</name></object></annotation>")
    note = images.write(tmp_path / "a.xml", text)
    table, skipped = prelabel.prelabel([a], lambda rgb: found((1, 1, 9, 9)), into=tmp_path)
    assert note.read_text() == text and [box(r) for r in table.to_dict("records")] == [(3, 3, 30, 40)]
    assert [s["item"] for s in skipped] == [str(a)] and "object without a bndbox" in skipped[0]["reason"]


def test_a_touched_box_keeps_the_whole_file(tmp_path):
    a = photo(tmp_path / "a.jpg")
    prelabel.prelabel([a], lambda rgb: found((1, 1, 9, 9), (20, 20, 40, 40)), into=tmp_path)
    faces = labels.read_voc(tmp_path / "a.xml")
    faces.loc[0, "origin"] = "manual"
    labels.write_voc(tmp_path / "a.xml", faces, size=(100, 80))
    again, _ = prelabel.prelabel([a], lambda rgb: found((50, 50, 60, 60)), into=tmp_path)
    assert [r["x1"] for r in again.to_dict("records")] == [1, 20]


def test_a_detector_without_probabilities_serves_but_unsure_is_no_label(tmp_path):
    plain = found((1, 1, 9, 9))
    plain.data = {"class_name": np.array(["without_mask"])}
    table, _ = prelabel.prelabel([photo(tmp_path / "a.jpg")], lambda rgb: plain, into=tmp_path)
    assert table["label"][0] == "without_mask" and table["doubt"][0] == pytest.approx(0.1)
    plain.data = {"class_name": np.array(["unsure"])}
    table, skipped = prelabel.prelabel([photo(tmp_path / "b.jpg")], lambda rgb: plain, into=tmp_path)
    assert len(table) == 0 and "'unsure'" in skipped[0]["reason"]


def test_standing_brings_in_what_a_person_said_meanwhile(tmp_path):
    a, b = photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg")
    table, _ = prelabel.prelabel([a, b], lambda rgb: found((1, 1, 9, 9)), into=tmp_path)
    images.write(tmp_path / "a.xml", HANDS["saved by labelImg"])
    now = labels.standing(table, tmp_path)
    assert list(now["origin"]) == ["manual", "auto"] and list(now["label"]) == ["without_mask", "with_mask"]
    assert list(now.columns) == list(table.columns) and set(now["source"]) == {tmp_path.name}
    images.write(tmp_path / "b.xml", "<annotation>")
    assert len(labels.standing(table, tmp_path)) == 2
    images.write(tmp_path / "b.xml", HANDS["looked at"])
    assert list(labels.standing(table, tmp_path)["image"]) == [str(a)]


# ── label against model ─────────────────────────────────────────────────────────────────────────────────────────────


def test_labels_are_compared_with_the_model(tmp_path):
    a, b = photo(tmp_path / "a.jpg", grey=0), photo(tmp_path / "b.jpg", grey=255)
    rows = [
        dict(image=str(a), x1=10, y1=10, x2=30, y2=30, label="without_mask", origin="manual"),
        dict(image=str(a), x1=60, y1=60, x2=70, y2=70, label="without_mask", origin="manual"),
        dict(image=str(b), x1=0, y1=0, x2=100, y2=80, label="with_mask", origin="manual", framing="whole"),
    ]
    detector = lambda rgb: found((12, 10, 30, 32)) if rgb.mean() < 9 else found((1, 1, 3, 3), (5, 5, 60, 60))  # noqa: E731
    table, skipped = prelabel.compare(labels.table(rows), detector)
    assert skipped == [] and list(table["answer"]) == ["with_mask", "not found", "with_mask"]
    assert table["doubt"].round(2).tolist()[::2] == [0.92, 0.1] and np.isnan(table["doubt"][1])
    counts = prelabel.agreement(table)
    assert counts.loc["No mask", "Mask"] == 1 and counts.loc["No mask", "Not found"] == 1
    assert counts.loc["Mask"].to_dict() == {"Mask": 1, "No mask": 0, "Worn incorrectly": 0, "Not found": 0}
    assert list(table["x1"]) == [10, 60, 0] and set(table["origin"]) == {"manual"}


def test_faces_that_nobody_boxed_come_as_new_boxes_when_asked(tmp_path):
    a, b = photo(tmp_path / "a.jpg", grey=0), photo(tmp_path / "b.jpg", grey=255)
    rows = [
        dict(image=str(a), x1=10, y1=10, x2=30, y2=30, label="with_mask", origin="manual", source="mine"),
        dict(image=str(b), x1=0, y1=0, x2=100, y2=80, label="with_mask", origin="manual", framing="whole"),
    ]
    boxes = (12, 10, 30, 32), (9, 12, 26, 30), (60, 40, 90, 90), (200, 200, 210, 210)  # the second: the same face again
    detector = lambda rgb: found(*boxes, p=(0.2, 0.8, 0.0), face_score=0.5)  # noqa: E731
    table, _ = prelabel.compare(labels.table(rows), detector, new=True)
    assert list(table["origin"]) == ["manual", "auto", "manual"]
    new = table.iloc[1]
    assert box(new) == (60, 40, 90, 80) and new["image"] == str(a) and new["source"] == "mine"
    assert (new["label"], new["answer"], new["doubt"]) == ("without_mask", "without_mask", pytest.approx(0.4))
    assert len(prelabel.compare(labels.table(rows), detector)[0]) == 2


def test_no_labels_are_compared_with_nothing():
    table, skipped = prelabel.compare(labels.table([]), lambda rgb: found())
    assert len(table) == 0 and skipped == [] and prelabel.agreement(table).to_numpy().sum() == 0


def test_still_pictures_show_boxes_and_crops_and_survive_a_missing_photo(tmp_path):
    a = photo(tmp_path / "a.jpg", size=(600, 400))
    rows = [dict(image=str(a), x1=100, y1=100, x2=300, y2=300, label="with_mask", answer="without_mask", score=0.9)]
    table = labels.table([*rows, rows[0] | {"image": "gone.jpg"}])
    green = np.array(classes.COLOURS["with_mask"])
    for picture in (prelabel.pictures(table, width=400), prelabel.wall(table)):
        assert (np.abs(picture.astype(int) - green).max(axis=2) < 12).sum() > 100
    assert prelabel.pictures(labels.table([])).ndim == prelabel.wall(labels.table([])).ndim == 3


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_person_saves_while_the_model_looks_stands(tmp_path):
    a = photo(tmp_path / "a.jpg")

    def slow(rgb: np.ndarray) -> sv.Detections:
        images.write(tmp_path / "a.xml", HANDS["saved by labelImg"])
        return found((1, 1, 9, 9))

    table, skipped = prelabel.prelabel([a], slow, into=tmp_path)
    assert (tmp_path / "a.xml").read_text() == HANDS["saved by labelImg"] and skipped == []
    assert list(table["origin"]) == ["manual"]


def test_without_a_display_windows_are_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(prelabel.importlib.util, "find_spec", lambda name: object())
    a = photo(tmp_path / "a.jpg")
    for start in (lambda: prelabel.label_img(tmp_path), lambda: prelabel.roi(a, label="mask", into=tmp_path)):
        with pytest.raises(prelabel.NoWindow, match="no display here.*label in the notebook"):
            start()


def test_a_display_that_is_not_there_does_not_take_us_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(prelabel.NoWindow, match="could not be opened"):
        prelabel.roi(photo(tmp_path / "a.jpg"), label="mask", into=tmp_path)
    assert not (tmp_path / "a.xml").exists()


def test_label_img_refuses_what_it_would_mix_up(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no photos"):
        prelabel.label_img(tmp_path)
    photo(tmp_path / "x" / "1.jpg"), photo(tmp_path / "y" / "1.jpg"), photo(tmp_path / "z" / "1.png")
    photo(tmp_path / "z" / "1.jpg")
    with pytest.raises(ValueError, match=r"z/1.jpg and z/1.png would share a label file"):
        prelabel.label_img(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"1.jpg is a file; give a folder"):
        prelabel.label_img(tmp_path / "x" / "1.jpg")
    monkeypatch.setattr(prelabel.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(prelabel.NoWindow, match="pip install"):
        prelabel.label_img(tmp_path / "x")


def test_roi_adds_boxes_to_what_is_there(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    images.write(tmp_path / "a.xml", HANDS["saved by labelImg"])
    monkeypatch.setenv("DISPLAY", ":0")
    answer = subprocess.CompletedProcess([], 0, stdout="[[50, 10, 70, 30]]", stderr="")
    monkeypatch.setattr(prelabel.subprocess, "run", lambda *a, **k: answer)
    table = prelabel.roi(a, label="mask", into=tmp_path)
    assert list(table["x1"]) == [3, 50] and list(table["label"]) == ["without_mask", "with_mask"]
    assert list(labels.read_voc(tmp_path / "a.xml")["x1"]) == [3, 50]


def test_roi_loses_nothing_that_a_person_said(tmp_path, monkeypatch):
    a, calls = photo(tmp_path / "a.jpg"), []
    said = "<pose>Left</pose><truncated>1</truncated><difficult>1</difficult><bndbox>"
    text = HANDS["saved by labelImg"].replace("<bndbox>", said).replace("<annotation>", '<annotation verified="yes">')
    note = images.write(tmp_path / "a.xml", text)
    monkeypatch.setenv("DISPLAY", ":0")
    answer = subprocess.CompletedProcess([], 0, stdout="[[50, 10, 70, 30]]", stderr="")
    monkeypatch.setattr(prelabel.subprocess, "run", lambda *a, **k: calls.append(1) or answer)
    prelabel.roi(a, label="mask", into=tmp_path)
    back = labels.read_voc(note)
    assert back.attrs["verified"] and list(back["x1"]) == [3, 50]
    assert back[["pose", "truncated", "difficult"]].to_numpy().tolist() == [["Left", "1", "1"], ["", "", ""]]
    broken = text.replace("without_mask", "hat")
    note.write_text(broken)
    with pytest.raises(labels.FormatError, match="unknown class 'hat'"):
        prelabel.roi(a, label="mask", into=tmp_path)
    assert note.read_text() == broken and len(calls) == 1, "he is told before he draws"


def test_windows_get_no_qt_paths_of_opencv(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", "x")
    monkeypatch.setenv("QT_QPA_FONTDIR", "x")
    monkeypatch.setenv("QT_SCALE_FACTOR", "2")
    kept = prelabel.window_environment()
    assert kept["QT_SCALE_FACTOR"] == "2" and kept["PATH"] == os.environ["PATH"]
    assert not {"QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"} & set(kept)
