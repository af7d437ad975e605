"""lib.labels: Pascal VOC to the pixel, class folders, and every kind of bad file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import classes, images, labels


def photo(path: Path, size: tuple[int, int] = (100, 80)) -> Path:
    return images.write(path, np.full((size[1], size[0], 3), 128, np.uint8))


def face(*box: float, label: str = "with_mask", image: str = "a.jpg", **more: object) -> dict:
    return dict(image=image, x1=box[0], y1=box[1], x2=box[2], y2=box[3], label=label, **more)


def voc(path: Path, *objects: str, size: str = "<size><width>100</width><height>80</height></size>", name="") -> Path:
    text = f"<annotation>\n<filename>{name or path.stem + '.jpg'}</filename>\n{size}\n" + "\n".join(objects)
    return images.write(path, text + "\n</annotation>")


def thing(*box: object, name: str = "with_mask", extra: str = "") -> str:
    corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


def boxes(table) -> list[list[float]]:
    return table[["x1", "y1", "x2", "y2"]].to_numpy().tolist()


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_table_has_all_columns_and_types():
    empty = labels.table([])
    assert tuple(empty.columns) == labels.COLUMNS and len(empty) == 0
    assert empty["x1"].dtype == "float64" and empty["label"].dtype == "str"
    assert empty.dtypes.equals(labels.table([face(0, 0, 1, 1)]).dtypes)


def test_missing_text_is_empty_and_a_missing_score_is_nan():
    row = labels.table([face(1, 2, 3, 4, group=None)]).iloc[0]
    assert row["group"] == row["parent"] == row["split"] == "" and np.isnan(row["score"])


def test_own_columns_follow_the_common_ones():
    assert list(labels.table([face(0, 0, 1, 1, framing="whole", person=7)]))[12:] == ["framing", "person"]


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 5), (9, 0, 5, 5), (0, 0, float("nan"), 5)])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ValueError, match="row 0 needs x1 < x2"):
        labels.table([face(*box)])


def test_a_table_does_not_change_what_it_was_made_of():
    first = labels.table([face(1, 2, 3, 4)]).drop(columns=["score"])
    labels.table(first)
    assert "score" not in first


# ── one VOC file ────────────────────────────────────────────────────────────────────────────────────────────────────

edge = st.one_of(st.integers(0, 500), st.floats(0, 500, allow_nan=False))


@settings(deadline=None)
@given(st.lists(st.tuples(edge, edge, edge, edge, st.sampled_from(classes.NAMES)), max_size=5))
def test_voc_gives_back_every_box_exactly(tmp_path_factory, raw):
    rows = [face(*b[:4], label=b[4]) for b in raw if b[0] < b[2] and b[1] < b[3]]
    path = tmp_path_factory.mktemp("voc") / "a.xml"
    labels.write_voc(path, labels.table(rows), size=(500, 500), image="a.jpg")
    back = labels.read_voc(path)
    assert boxes(back) == [[float(r[c]) for c in ("x1", "y1", "x2", "y2")] for r in rows]
    assert list(back["label"]) == [r["label"] for r in rows]


def test_whole_numbers_are_written_whole_and_our_columns_come_back(tmp_path):
    rows = [face(0, 0, 10, 12.5, origin="auto", score=0.875, answer="without_mask", framing="found", parent="p&<q>")]
    path = labels.write_voc(tmp_path / "a.xml", labels.table(rows), size=(100, 80))
    text = path.read_text()
    assert "<xmax>10</xmax>" in text and "<ymax>12.5</ymax>" in text and "<width>100</width>" in text
    row = labels.read_voc(path).iloc[0]
    assert (row["origin"], row["score"], row["answer"], row["framing"]) == ("auto", 0.875, "without_mask", "found")
    assert row["parent"] == "p&<q>"


def test_a_box_past_the_edge_is_cut_off_and_one_outside_refused(tmp_path):
    path = labels.write_voc(tmp_path / "a.xml", labels.table([face(-3, 70, 101, 90)]), size=(100, 80))
    assert boxes(labels.read_voc(path)) == [[0, 70, 100, 80]]
    with pytest.raises(ValueError, match="no area inside 100 × 80"):
        labels.write_voc(tmp_path / "b.xml", labels.table([face(100, 0, 120, 20)]), size=(100, 80))
    assert not (tmp_path / "b.xml").exists()


@pytest.mark.parametrize("label", ["unsure", "hat", ""])
def test_only_classes_are_written(tmp_path, label):
    with pytest.raises(ValueError, match="unknown name"):
        labels.write_voc(tmp_path / "a.xml", labels.table([face(0, 0, 9, 9, label=label)]), size=(100, 80))


def test_faces_of_two_photos_do_not_go_into_one_file(tmp_path):
    two = labels.table([face(0, 0, 9, 9, image="a.jpg"), face(0, 0, 9, 9, image="b.jpg")])
    with pytest.raises(ValueError, match=r"one photo, got \['a.jpg', 'b.jpg'\]"):
        labels.write_voc(tmp_path / "a.xml", two, size=(100, 80))


def test_odd_file_names_survive(tmp_path):
    name = "é & <b>\x07 \ud800.jpg"
    path = labels.write_voc(tmp_path / "a.xml", labels.table([]), size=(9, 9), image=name)
    assert labels.read_voc(path).attrs == {"verified": False, "size": (9, 9)}


def test_the_photo_is_found_beside_the_file_and_next_door(tmp_path):
    here = photo(tmp_path / "a.jpg")
    assert labels.read_voc(voc(tmp_path / "a.xml", thing(1, 2, 3, 4), name="other.jpg"))["image"][0] == str(here)
    there = photo(tmp_path / "images" / "b.JPG")
    assert labels.read_voc(voc(tmp_path / "annotations" / "b.xml", thing(1, 2, 3, 4)))["image"][0] == str(there)


def test_every_spelling_of_a_class_is_understood(tmp_path):
    names = ["Mask", "mask_weared_incorrect", "with_incorrect_mask", "no-mask"]
    table = labels.read_voc(voc(tmp_path / "a.xml", *(thing(1, 2, 3, 4, name=n) for n in names)))
    assert list(table["label"]) == ["with_mask", *["mask_worn_incorrectly"] * 2, "without_mask"]


BAD = {
    "<annotation>\n<object>": (2, "broken XML"),
    "": (1, "broken XML"),
    "hello": (1, "broken XML"),
    "\0\0\0": (1, "not XML"),
    "<html>\n</html>": (1, "not Pascal VOC: starts with <html>"),
    '<!DOCTYPE a [<!ENTITY e "eeee">]>\n<annotation>&e;</annotation>': (0, "entities"),
    "<annotation>\n\n<object><name>with_mask</name></object></annotation>": (3, "without a bndbox"),
    "<annotation>\n" + thing(1, 2, "x", 4) + "</annotation>": (2, "xmax: not a number: 'x'"),
    "<annotation>\n" + thing(1, 2, "inf", 4) + "</annotation>": (2, "not a finite number"),
    "<annotation>\n" + thing(5, 2, 5, 4) + "</annotation>": (2, r"box without area: \(5, 2, 5, 4\)"),
    "<annotation>\n" + thing(1, 2, 3, 4, name="hat") + "</annotation>": (2, "unknown class 'hat'"),
    "<annotation>\n" + thing(1, 2, 3, 4, name="") + "</annotation>": (2, "without a class name"),
    "\n\n<?xml version='1.0'?><annotation>\n" + thing(1, 2, 1, 4) + "</annotation>": (4, "box without area"),
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_named_with_its_line(tmp_path, text):
    path = images.write(tmp_path / "a.xml", text)
    line, reason = BAD[text]
    with pytest.raises(labels.FormatError, match=reason) as caught:
        labels.read_voc(path)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert caught.value.__context__ is None, "dask.distributed sends the context too, and a parser cannot be sent"
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and str(path) in str(again)


def test_an_empty_first_line_and_utf_16_are_no_trouble(tmp_path):
    path = images.write(tmp_path / "a.xml", "\n<annotation>" + thing(1, 2, 3, 4) + "</annotation>")
    assert boxes(labels.read_voc(path)) == [[1, 2, 3, 4]]
    path.write_bytes(path.read_text().strip().encode("utf-16"))
    assert boxes(labels.read_voc(path)) == [[1, 2, 3, 4]]


HIS = (
    '<annotation verified="yes"><filename>a.jpg</filename><size><width>100</width><height>80</height></size>'
    "<object><name>mask</name><pose>Left</pose><truncated>1</truncated><difficult>1</difficult><bndbox><xmin>9</xmin>"
    "<ymin>9</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
    "<object><name>mask</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult><bndbox>"
    "<xmin>0</xmin><ymin>9</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"
)


def test_what_a_person_said_of_a_box_comes_back(tmp_path):
    first = labels.read_voc(images.write(tmp_path / "a.xml", HIS))
    assert first["pose"].tolist() == ["Left", ""] and first["difficult"].tolist() == ["1", ""]
    assert first["truncated"].tolist() == ["1", "0"], "the second touches the edge, and yet he says that it is whole"
    path = labels.write_voc(tmp_path / "b.xml", first, size=(100, 80), verified=first.attrs["verified"])
    again, text = labels.read_voc(path), path.read_text()
    assert again.equals(first) and again.attrs == first.attrs and 'verified="yes"' in text
    for element in ("<pose>Left</pose>", "<pose>Unspecified</pose>", "<truncated>1</truncated>", "<truncated>0</tr"):
        assert text.count(element) == 1, element
    assert text.count("<difficult>1</difficult>") == text.count("<difficult>0</difficult>") == 1
    table, _ = labels.read_folder(photo(tmp_path / "a.jpg").parent)
    assert table["difficult"].tolist()[:2] == ["1", ""]


def test_nothing_said_of_a_box_makes_no_column(tmp_path):
    rows = [face(0, 0, 10, 10), face(20, 20, 30, 30)]
    back = labels.read_voc(labels.write_voc(tmp_path / "a.xml", labels.table(rows), size=(100, 80)))
    assert not {"pose", "truncated", "difficult"} & set(back)


def test_the_good_boxes_of_a_bad_file_can_be_had_with_what_is_wrong(tmp_path):
    path = voc(tmp_path / "a.xml", thing(1, 2, 3, 4), thing(1, 1, 2, 2, name="hat"), thing(100, 0, 140, 10))
    with pytest.raises(labels.FormatError, match="unknown class 'hat'"):
        labels.read_voc(path)
    good = labels.read_voc(path, whole=False)
    assert boxes(good) == [[1, 2, 3, 4]]
    assert [str(trouble).split(": ")[1] for trouble in good.attrs["problems"]] == [
        "unknown class 'hat'", "box outside the photo",
    ]  # fmt: skip
    with pytest.raises(labels.FormatError, match="broken XML"):
        labels.read_voc(images.write(tmp_path / "b.xml", "<annotation>"), whole=False)


def test_a_box_that_ends_past_the_edge_is_cut_off_and_no_trouble(tmp_path):
    assert boxes(labels.read_voc(voc(tmp_path / "a.xml", thing(90, 70, 140, 81)))) == [[90, 70, 100, 80]]


def test_standing_keeps_the_good_boxes_of_a_persons_bad_file(tmp_path, caplog):
    voc(tmp_path / "a.xml", thing(1, 2, 3, 4, name="no mask"), thing(1, 1, 2, 2, name="hat"))
    machine = labels.table([face(50, 50, 60, 60, origin="auto", source="set"), face(5, 5, 9, 9, image="b.jpg")])
    now = labels.standing(machine, tmp_path)
    assert boxes(now) == [[1, 2, 3, 4], [5, 5, 9, 9]] and now["source"].tolist() == ["set", ""]
    assert now["label"].tolist() == ["without_mask", "with_mask"] and "unknown class 'hat'" in caplog.text


# ── whose word a file is ────────────────────────────────────────────────────────────────────────────────────────────


def test_only_a_file_that_says_so_everywhere_is_the_machines(tmp_path):
    path = tmp_path / "a.xml"
    assert labels.owner(path) == ""
    auto = labels.table([face(1, 2, 30, 40, origin="auto")])
    assert labels.owner(labels.write_voc(path, auto, size=(100, 80))) == "auto"
    assert labels.owner(labels.write_voc(path, labels.table([]), size=(100, 80), image="a.jpg")) == "auto"
    assert labels.owner(labels.write_voc(path, auto, size=(100, 80), verified=True)) == "manual"
    mixed = labels.table([face(1, 2, 30, 40, origin="auto"), face(1, 2, 30, 40, origin="manual")])
    assert labels.owner(labels.write_voc(path, mixed, size=(100, 80))) == "manual"
    assert labels.owner(voc(path, thing(1, 2, 3, 4))) == "manual"  # as labelImg saves it
    assert labels.owner(images.write(path, "not xml at all")) == "manual"


def test_photos_of_one_name_in_two_folders_have_two_files(tmp_path):
    a, b = tmp_path / "photos" / "x" / "1.jpg", tmp_path / "photos" / "y" / "1.jpg"
    into = tmp_path / "labels"
    paths = [labels.voc_path(p, into, root=tmp_path / "photos") for p in (a, b)]
    assert paths == [into / "x" / "1.xml", into / "y" / "1.xml"]
    assert labels.voc_path(a, into) == into / "1.xml"
    assert labels.voc_path("/elsewhere/1.png", into, root=tmp_path) == into / "1.xml"


# ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_folder_gives_an_empty_table(tmp_path):
    table, problems = labels.read_folder(tmp_path)
    assert len(table) == len(problems) == 0 and list(problems) == ["file", "line", "reason"]
    assert "framing" in table
    with pytest.raises(FileNotFoundError, match="does not exist"):
        labels.read_folder(tmp_path / "nowhere")


def test_class_folders_voc_files_and_a_mix(tmp_path):
    photo(tmp_path / "Mask" / "1.jpg")
    photo(tmp_path / "train" / "without mask" / "2.jpg", (40, 30))
    photo(tmp_path / "Mask" / "3.jpg")
    voc(tmp_path / "Mask" / "3.xml", thing(1, 2, 3, 4, name="no_mask"))
    photo(tmp_path / "images" / "4.jpg")
    voc(tmp_path / "annotations" / "4.xml", thing(5, 6, 7, 8), thing(9, 9, 20, 20))
    photo(tmp_path / "bare.jpg")
    table, problems = labels.read_folder(tmp_path)
    assert len(problems) == 0
    rows = {(Path(r.image).stem, r.label, r.framing): (r.x1, r.y1, r.x2, r.y2) for r in table.itertuples()}
    assert rows == {
        ("1", "with_mask", "whole"): (0, 0, 100, 80),
        ("2", "without_mask", "whole"): (0, 0, 40, 30),
        ("3", "without_mask", "labelled"): (1, 2, 3, 4),
        ("4", "with_mask", "labelled"): (9, 9, 20, 20),
    }
    assert set(table["origin"]) == {"manual"} and set(table["source"]) == {tmp_path.name} and len(table) == 5


def test_files_of_one_name_meet_their_own_photo(tmp_path):
    for side in ("a", "b"):
        photo(tmp_path / "images" / side / "1.jpg")
    voc(tmp_path / "annotations" / "a" / "1.xml", thing(1, 1, 9, 9))
    voc(tmp_path / "annotations" / "b" / "1.xml", thing(2, 2, 9, 9))
    table, problems = labels.read_folder(tmp_path)
    assert len(problems) == 0
    assert {Path(r.image).parent.name: r.x1 for r in table.itertuples()} == {"a": 1, "b": 2}


def test_bad_files_are_listed_and_the_good_boxes_kept(tmp_path):
    for name in "abcdefg":
        photo(tmp_path / f"{name}.jpg")
    voc(tmp_path / "a.xml", thing(1, 2, 3, 4), thing(5, 5, 5, 9), thing(1, 1, 2, 2, name="hat"))
    images.write(tmp_path / "b.xml", "<annotation>")
    voc(tmp_path / "gone.xml", thing(1, 2, 3, 4))
    voc(tmp_path / "c.xml", thing(90, 70, 101, 81), thing(100, 0, 140, 10), thing(90, 0, 140, 10))
    voc(tmp_path / "d.xml", thing(1, 2, 3, 4), size="")
    voc(tmp_path / "e.xml", thing(1, 2, 3, 4), size="<size><width>640</width><height>480</height></size>")
    images.write(tmp_path / "f.jpg", b"\xff\xd8\xff\xe0 no picture")
    voc(tmp_path / "f.xml", thing(1, 2, 3, 4))
    voc(tmp_path / "g.xml", thing(1, 2, 3, 4), name="other.jpg")
    images.write(tmp_path / "with_mask" / "cut.jpg", photo(tmp_path / "g.jpg").read_bytes()[:400])
    table, problems = labels.read_folder(tmp_path)
    kept = {(Path(r.image).name, r.x1, r.x2, r.y2) for r in table.itertuples()}
    assert kept == {("a.jpg", 1, 3, 4), ("c.jpg", 90, 100, 80), ("c.jpg", 90, 100, 10), ("d.jpg", 1, 3, 4),
                    ("g.jpg", 1, 3, 4)}  # fmt: skip
    said = [f"{Path(p.file).name}:{p.line}: {p.reason}" for p in problems.itertuples()]
    for start in (
        "a.xml:5: box without area",
        "a.xml:6: unknown class 'hat'",
        "b.xml:1: broken XML",
        "c.xml:5: box outside the photo: (100, 0, 140, 10) in 100 × 80",
        "c.xml:6: box ends 40 px past the edge",
        "cut.jpg:0: damaged or cut short",
        "d.xml:0: no size stated",
        "e.xml:0: made for another image: size says 640 × 480, e.jpg is 100 × 80",
        "f.xml:0: unreadable image f.jpg: ",
        "g.xml:2: filename says 'other.jpg'; taken for g.jpg",
        "gone.xml:0: no such image: 'gone.jpg'",
    ):
        assert any(line.startswith(start) for line in said), (start, said)
    assert len(said) == 11


def test_boxes_can_be_read_as_published(tmp_path):
    photo(tmp_path / "a.jpg")
    voc(tmp_path / "a.xml", thing(81, 0, 101, 20))
    assert boxes(labels.read_folder(tmp_path)[0]) == [[81, 0, 100, 20]]
    assert boxes(labels.read_folder(tmp_path, clip=False)[0]) == [[81, 0, 101, 20]]


def test_a_folder_beside_the_classes_that_names_none_is_listed(tmp_path):
    for name in ("with_mask", "without_mask", "maske"):
        photo(tmp_path / name / "1.jpg")
    photo(tmp_path / "images" / "2.jpg")  # no class either, but the usual place of photos
    voc(tmp_path / "set" / "3.xml", thing(1, 2, 3, 4))
    photo(tmp_path / "set" / "3.jpg"), photo(tmp_path / "set" / "4.jpg")
    table, problems = labels.read_folder(tmp_path)
    assert len(table) == 3 and list(problems["reason"].str.slice(0, 21)) == ["unknown class 'maske'"]


def test_not_a_line_of_a_hidden_folder_is_read(tmp_path):
    voc(tmp_path / ".trash" / "a.xml", thing(1, 2, 3, 4))
    assert all(len(part) == 0 for part in labels.read_folder(tmp_path))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("photos-853", {"with_mask": 3232, "without_mask": 717, "mask_worn_incorrectly": 123}),
        ("photos-labelled", {"with_mask": 1648, "without_mask": 724, "mask_worn_incorrectly": 15}),
        ("photos-worn-incorrectly", {"mask_worn_incorrectly": 435, "with_mask": 274, "without_mask": 124}),
        ("faces-4k", {"with_mask": 2164, "without_mask": 1930}),
    ],
)
def test_the_real_sets_are_read_whole(shared, name, counts):
    table, problems = labels.read_folder(shared / "data" / name)
    assert dict(table["label"].value_counts()) == counts and len(problems) == 0
    assert set(table["source"]) == {name}
    assert set(table["framing"]) == {"whole" if name == "faces-4k" else "labelled"}


# ── for pictures ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_faces_become_detections():
    assert len(labels.to_detections(labels.table([]))) == 0
    found = labels.to_detections(labels.table([face(1, 2, 3, 4, label="without_mask", score=0.5)]))
    assert found.xyxy.tolist() == [[1, 2, 3, 4]] and found.class_id.tolist() == [1]
    other = labels.table([face(1, 2, 3, 4, label="without_mask", score=0.5, answer="with_mask")])
    assert labels.to_detections(other).confidence is None  # the score is the other answer's
    assert found.confidence.tolist() == [0.5] and list(found.data["class_name"]) == ["without_mask"]
