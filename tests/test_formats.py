"""lib.labels: YOLO, COCO and crops beside Pascal VOC: there and back to the pixel, in any mix, and every bad file."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib import classes, images, labels
from lib.labels import folder, yolo

NAMES = "with_mask\nwithout_mask\nmask_weared_incorrect\n"
KINDS = tuple(NAMES.split())
BOX = ["x1", "y1", "x2", "y2"]


def photo(path: Path, size: tuple[int, int] = (100, 80)) -> Path:
    return images.write(path, np.full((size[1], size[0], 3), 128, np.uint8))


def face(*box: float, label: str = "with_mask", image: str = "a.jpg", **more: object) -> dict:
    return dict(zip(BOX, box, strict=True), image=image, label=label, **more)


def boxes(table) -> list[list[float]]:
    return table[BOX].to_numpy().tolist()


def said(problems) -> list[str]:
    return [f"{Path(p.file).name}:{p.line}: {p.reason}" for p in problems.itertuples()]


def turned(path: Path) -> Path:
    """A photo that lies 100 × 80 in its file and stands 80 × 100 when looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 80)).save(path, exif=exif)
    return path


def shares(number: int, *box: float, size: tuple[int, int] = (100, 80), digits: int = 6) -> str:
    (x1, y1, x2, y2), (w, h) = box, size
    values = (x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h
    return f"{number} " + " ".join(f"{v:.{digits}f}" for v in values)


def instances(path: Path, *marks: dict, photos: tuple = (("a.jpg", 100, 80),), names: tuple = KINDS) -> Path:
    entries = [
        {"id": i, "file_name": name, **({} if w is None else {"width": w, "height": h})}
        for i, (name, w, h) in enumerate(photos)
    ]
    notes = [{"id": i, "image_id": 0, "category_id": 0, **mark} for i, mark in enumerate(marks, 10)]
    kinds = [{"id": i, "name": name} for i, name in enumerate(names)]
    return images.write(path, json.dumps({"images": entries, "annotations": notes, "categories": kinds}))


# ── there and back, to the pixel ────────────────────────────────────────────────────────────────────────────────────


@st.composite
def photographed(draw) -> tuple[tuple[int, int], list[dict]]:
    """A photo's size and boxes in it: whole numbers and any others, at least a hundredth of a pixel wide."""
    size = draw(st.tuples(st.integers(1, 8000), st.integers(1, 8000)))

    def edge(side: int) -> st.SearchStrategy[float]:
        return st.one_of(st.integers(0, side).map(float), st.floats(0, side, allow_nan=False))

    rows = draw(st.lists(st.tuples(*[edge(side) for side in size * 2], st.sampled_from(classes.NAMES)), max_size=5))
    return size, [face(*r[:4], label=r[4]) for r in rows if r[2] - r[0] >= 0.01 and r[3] - r[1] >= 0.01]


def same(back, size: tuple[int, int], rows: list[dict]) -> None:
    assert list(back["label"]) == [r["label"] for r in rows]
    was, now = np.array([[r[c] for c in BOX] for r in rows]).reshape(-1, 4), back[BOX].to_numpy()
    assert np.abs(was - now).max(initial=0) < 1e-6 * max(size) / 100
    whole = was == was.round()
    assert (was[whole] == now[whole]).all(), "whole pixels come back as whole pixels"


@settings(deadline=None)
@given(photographed())
def test_voc_gives_every_box_back(tmp_path_factory, drawn):
    size, rows = drawn
    path = tmp_path_factory.mktemp("voc") / "a.xml"
    same(labels.read_voc(labels.write_voc(path, labels.table(rows), size=size, image="a.jpg")), size, rows)


@settings(deadline=None)
@given(photographed())
def test_yolo_gives_every_box_back(tmp_path_factory, drawn):
    size, rows = drawn
    path = labels.write_yolo(tmp_path_factory.mktemp("yolo") / "a.txt", labels.table(rows), size=size)
    read = yolo.pixels(yolo.parse(path, yolo.Names(path, dict(enumerate(yolo.NAMES)))), size)
    assert read.problems == []
    same(labels.table([r | {"image": "a.jpg"} for r in read.rows]), size, rows)


@settings(deadline=None)
@given(photographed())
def test_coco_gives_every_box_back(tmp_path_factory, drawn):
    size, rows = drawn
    path = tmp_path_factory.mktemp("coco") / "a.json"
    same(labels.read_coco(labels.write_coco(path, labels.table(rows), sizes={"a.jpg": size})), size, rows)


@settings(deadline=None)
@given(st.integers(1, 8000), st.data())
def test_whole_pixels_survive_the_six_decimals_of_other_programs(side, data):
    x1 = data.draw(st.integers(0, side - 1))
    x2 = data.draw(st.integers(x1 + 1, side))
    words = shares(0, x1, 0, x2, side, size=(side, side)).split()
    row = yolo._row(words, yolo.Names(Path("classes.txt"), {0: "mask"})) | {"line": 1}
    found = yolo.pixels(folder.Said(rows=[row]), (side, side)).rows[0]
    assert (found["x1"], found["x2"], found["y1"], found["y2"]) == (x1, x2, 0, side)


@pytest.mark.parametrize("steps", [("yolo", "coco", "voc"), ("coco", "yolo", "coco"), ("voc", "yolo", "voc")])
def test_a_mixed_folder_through_all_formats(tmp_path, steps):
    here = tmp_path / "set"
    turned(here / "tall.jpg"), photo(here / "sub/a.jpg"), photo(here / "a.png"), photo(here / "a.jpg", (31, 17))
    photo(here / "Mask/whole.jpg"), photo(here / "nobody.jpg"), photo(here / "bare.jpg")
    tall = labels.table([face(1.25, 2, 80, 100, image="tall.jpg")])
    labels.write_voc(here / "tall.xml", tall, size=(80, 100))
    images.write(here / "sub/a.txt", shares(2, 1, 2, 31, 42))
    images.write(here / "classes.txt", NAMES)
    images.write(here / "nobody.txt", "")
    instances(here / "x.json", {"bbox": [3, 4, 5, 6]}, {"image_id": 1, "bbox": [0, 0, 31, 17], "category_id": 1},
              photos=(("a.png", 100, 80), ("a.jpg", 31, 17)))  # fmt: skip
    first, problems = labels.read_folder(here)
    assert len(problems) == 0 and first.attrs["formats"] == {"voc": 1, "coco": 2, "yolo": 2, "crops": 1}

    def rows(table):
        sizes = [images.size(i) for i in table["image"]]
        return sorted(zip(sizes, *(table[c] for c in (*BOX, "label")), strict=True))

    last = here
    for i, step in enumerate(steps):
        _, problems = labels.convert(last, to=step, into=tmp_path / f"{i}")
        last = tmp_path / f"{i}"
        again, more = labels.read_folder(last)
        assert len(problems) == len(more) == 0, said(more)
        assert rows(again) == rows(first) and again.attrs["formats"] == {step: 6}
    assert {p.parent.name for p in (tmp_path / "2" / "images").rglob("a*.*")} == {"images", "sub"}, "no images/images/"
    assert not any("bare" in p.name for p in last.rglob("*")), "nobody labelled it"


# ── YOLO ────────────────────────────────────────────────────────────────────────────────────────────────────────────

NAMED = {
    "classes.txt": NAMES,
    "data.yaml": "train: images\nnc: 3\nnames: [Mask, no-mask, with_incorrect_mask]\n",
    "data.yml": "names:\n  0: mask\n  1: bare\n  2: incorrect_mask\n",
    "obj.names": "\ufeffmask\r\nno mask\r\nmask_weared_incorrect\r\n",
    "labels/classes.txt": NAMES,
}


@pytest.mark.parametrize("names", NAMED)
@pytest.mark.parametrize("place", ["labels/train/a.txt", "images/train/a.txt"])
def test_yolo_takes_the_names_from_any_usual_file(tmp_path, names, place):
    photo(tmp_path / "images/train/a.jpg"), photo(tmp_path / "images/val/a.jpg", (9, 9))
    images.write(tmp_path / names, NAMED[names])
    path = images.write(tmp_path / place, shares(1, 1, 2, 30, 40) + "\n" + shares(2, 5, 6, 7, 8) + " 0.75\n")
    table, problems = labels.read_folder(tmp_path)
    assert said(problems) == [] and boxes(table) == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert list(table["label"]) == ["without_mask", "mask_worn_incorrectly"]
    assert list(table["origin"]) == ["manual", "auto"] and table["score"][1] == 0.75
    assert set(table["image"]) == {str(tmp_path / "images/train/a.jpg")}
    one = labels.read_yolo(path)
    assert boxes(one) == boxes(table) and list(one["image"]) == list(table["image"]) and one.attrs["size"] == (100, 80)


def test_bad_yolo_lines_are_listed_and_the_good_ones_kept(tmp_path):
    photo(tmp_path / "images/a.jpg")
    lines = [
        shares(0, 1, 2, 3, 4).encode(),
        b"0 0.5 0.5 0.1",
        b"0 0.5 x 0.1 0.1",
        b"0 0.5 nan 0.1 0.1",
        b"0 0.5 0.5 0 0.1",
        b"0 0.5 0.5 0.1 -0.1",
        shares(7, 1, 2, 3, 4).encode(),
        shares(1, 1, 2, 3, 4).encode(),
        b"0 50 40 10 10",
        b"0 1.5 0.5 0.1 0.1",
        b"0 1.0 0.5 0.5 0.5",
        b"0 \xff 0.5 0.1 0.1",
        shares(0, 1, 2, 3, 4).encode(),
        b"",
        b"0.5 0.5 0.5 0.1 0.1",
        b"0 " + b"0.1 0.2 " * 4,
        b"hat 0.5 0.5 0.1 0.1",
        shares(0, 10, 20, 30, 40).encode(),
        b"0 1e999999999 0.5 0.1 0.1",
    ]
    images.write(tmp_path / "labels/a.txt", b"\r\n".join(lines))
    images.write(tmp_path / "labels/gone.txt", shares(0, 1, 2, 3, 4))
    images.write(tmp_path / "labels/zero.txt", b"\0\0")
    images.write(tmp_path / "labels/classes.txt", "Mask\nhat\n")
    table, problems = labels.read_folder(tmp_path)
    assert boxes(table) == [[1, 2, 3, 4], [75, 20, 100, 60], [10, 20, 30, 40]]
    for start in (
        "a.txt:2: 4 columns",
        "a.txt:3: not a number: 'x'",
        "a.txt:4: not a finite number",
        "a.txt:5: box without area",
        "a.txt:6: box without area",
        "a.txt:7: unknown class 7: classes.txt names [0, 1]",
        "a.txt:8: unknown class 'hat' (1 in classes.txt)",
        "a.txt:9: numbers must be shares of the photo's sides (0–1), got 50 40 10 10",
        "a.txt:10: box outside the photo: (145, 36, 155, 44) in 100 × 80",
        "a.txt:11: box ends 25 px past the edge",
        "a.txt:12: broken UTF-8",
        "a.txt:13: the box of line 1 once more; left out",
        "a.txt:15: class: must be a whole number",
        "a.txt:16: 9 columns",
        "a.txt:17: unknown class 'hat'",
        "a.txt:19: not a finite number",
        "gone.txt:0: no such image: 'gone'",
        "zero.txt:1: no text",
    ):
        assert any(line.startswith(start) for line in said(problems)), (start, said(problems))
    assert len(problems) == 18
    with pytest.raises(labels.FormatError, match="a.txt:2: 4 columns"):
        labels.read_yolo(tmp_path / "labels/a.txt")
    assert len(labels.read_yolo(tmp_path / "labels/a.txt", whole=False)) == 4, "twice is said of folders"


BAD_NAMES = {
    "data.yaml": [("names: 7\n", 0, "names: must be"), ("names: [a\n", 2, "broken YAML"), ("names: {x: y}", 0, "names"),
                  ("names: !!python/object/apply:os.system [echo]", 1, "broken YAML"), ("[" * 5000, 0, "broken YAML")],
    "classes.txt": [(b"mask\n\xff\n", 2, "broken UTF-8")],
}  # fmt: skip


@pytest.mark.parametrize(("file", "case"), [(f, c) for f, cases in BAD_NAMES.items() for c in cases])
def test_a_bad_list_of_names_is_said_once(tmp_path, file, case):
    text, line, reason = case
    for name in "ab":
        photo(tmp_path / f"{name}.jpg"), images.write(tmp_path / f"{name}.txt", shares(0, 1, 2, 3, 4))
    images.write(tmp_path / file, text)
    table, problems = labels.read_folder(tmp_path)
    assert len(table) == 0
    assert [s for s in said(problems) if s.startswith(f"{file}:{line}: {reason}")], said(problems)


def test_numbers_that_nobody_names_are_said_and_remarks_are_not(tmp_path):
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    images.write(tmp_path / "a.txt", shares(0, 1, 2, 3, 4)), images.write(tmp_path / "b.txt", shares(0, 1, 2, 3, 4))
    images.write(tmp_path / "c.txt", "taken in Rome, 2019"), images.write(tmp_path / "README.txt", "1 2 3 4 5")
    _, problems = labels.read_folder(tmp_path)
    assert len(problems) == 1 and problems["reason"][0].startswith("2 YOLO files whose numbers nobody names")


def test_yolo_is_written_for_trainers_and_for_labelimg(tmp_path):
    path = labels.write_yolo(tmp_path / "labels/a.txt", labels.table([face(-3, 8, 50, 40, score=0.5)]), size=(100, 80))
    assert path.read_text() == "0 0.250000000000 0.300000000000 0.500000000000 0.400000000000\n"
    labels.write_names(tmp_path)
    assert (tmp_path / "labels/classes.txt").read_text().split() == list(yolo.NAMES)
    assert "  2: mask_worn_incorrectly\n" in (tmp_path / "data.yaml").read_text()
    with pytest.raises(ValueError, match="not among the names"):
        labels.write_yolo(path, labels.table([face(0, 0, 9, 9)]), size=(9, 9), names=["bare"])
    with pytest.raises(ValueError, match="no area inside 100 × 80"):
        labels.write_yolo(path, labels.table([face(100, 0, 120, 9)]), size=(100, 80))
    with pytest.raises(ValueError, match="one photo"):
        labels.write_yolo(path, labels.table([face(0, 0, 9, 9), face(0, 0, 9, 9, image="b")]), size=(100, 80))


# ── COCO ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_coco_keeps_our_own_columns(tmp_path):
    rows = [face(0.5, 1, 10, 12.5, origin="auto", score=0.875, answer="without_mask", parent="p.jpg", difficult="1")]
    path = labels.write_coco(tmp_path / "a.json", labels.table(rows), sizes={"a.jpg": (100, 80), "b.jpg": (5, 5)})
    whole = json.loads(path.read_text())
    assert whole["annotations"][0]["bbox"] == [0.5, 1, 9.5, 11.5] and whole["annotations"][0]["iscrowd"] == 0
    assert [i["file_name"] for i in whole["images"]] == ["a.jpg", "b.jpg"]
    row = labels.read_coco(path).iloc[0]
    assert (row["origin"], row["score"], row["answer"], row["parent"]) == ("auto", 0.875, "without_mask", "p.jpg")
    assert row["difficult"] == "1" and row["image"] == str(tmp_path / "a.jpg")
    for sizes, why in (({}, "a.jpg is missing"), ({"a.jpg": (9, 9), "x/a.jpg": (9, 9)}, "two photos have one name")):
        with pytest.raises(ValueError, match=why):
            labels.write_coco(path, labels.table(rows), sizes=sizes)


def test_photos_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for name in ("a.jpg", "x/a.jpg", "y/a.jpg"):
        photo(tmp_path / "images" / name)
    marks = [{"image_id": i, "bbox": [i, 0, 9, 9]} for i in range(3)]
    instances(
        tmp_path / "annotations/i.json", *marks, photos=tuple((n, 100, 80) for n in ("a.jpg", "x/a.jpg", "y\\a.jpg"))
    )
    table, problems = labels.read_folder(tmp_path)
    assert said(problems) == []
    assert {str(Path(r.image).relative_to(tmp_path / "images")): r.x1 for r in table.itertuples()} == {
        "a.jpg": 0, "x/a.jpg": 1, "y/a.jpg": 2,
    }  # fmt: skip


def test_bad_annotations_are_listed_and_the_good_ones_kept(tmp_path):
    photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg"), photo(tmp_path / "c.jpg")
    marks = [
        {"bbox": [1, 2, 3, 4]},
        {"bbox": [1, 2, 0, 4]},
        {"bbox": [1, 2, 3, -4]},
        {"bbox": [1, 2, 3]},
        {},
        {"bbox": [1, 2, "x", 4]},
        {"bbox": [1, 2, 10**400, 4]},
        {"bbox": [1, 2, 3, 4], "category_id": 1},
        {"bbox": [1, 2, 3, 4], "category_id": 99},
        {"bbox": [1, 2, 3, 4], "category_id": []},
        {"bbox": [1, 2, 3, 4], "image_id": 99},
        {"bbox": [1, 2, 3, 4], "image_id": {}},
        {"bbox": [200, 2, 3, 4]},
        {"bbox": [90, 2, 30, 4]},
        {"bbox": [1, 2, 3, 4]},
        {"bbox": [99, 2, 2, 4], "iscrowd": 1, "segmentation": {"counts": "x"}},
        {"bbox": [5, 5, 5, 5], "image_id": 1},
        {"bbox": [5, 5, 5, 5], "image_id": 2},
        {"bbox": [5, 5, 5, 5], "image_id": 3},
        {"bbox": [1, 2, 3, 4], "category_id": 2},
    ]
    shown = (("a.jpg", 100, 80), ("b.jpg", None, None), ("gone.jpg", 100, 80), ("c.jpg", 80, 100))
    instances(tmp_path / "i.json", *marks, photos=shown, names=["Mask", "hat", "no-mask"])
    table, problems = labels.read_folder(tmp_path)
    kept = sorted((Path(r.image).name, r.x1, r.y1, r.x2, r.y2) for r in table.itertuples())
    assert kept == [("a.jpg", 1, 2, 4, 6), ("a.jpg", 1, 2, 4, 6), ("a.jpg", 90, 2, 100, 6), ("a.jpg", 99, 2, 100, 6),
                    ("b.jpg", 5, 5, 10, 10)]  # fmt: skip
    starts = [
        "annotation 11: box without area", "annotation 12: box without area",
        "annotation 13: annotation without a bbox",
        "annotation 14: annotation without a bbox", "annotation 15: width: not a finite number: 'x'",
        "annotation 16: width: not a finite number", "annotation 17: unknown class 'hat'",
        "annotation 18: unknown class: category_id 99", "annotation 19: unknown class: category_id []",
        "annotation 20: image_id 99 is not among", "annotation 21: image_id {} is not among",
        "annotation 22: box outside the photo: (200, 2, 203, 6)", "annotation 23: box ends 20 px past the edge",
        "annotation 24: the box of annotation 10 once more", "no size stated for b.jpg",
        "no such image: 'gone.jpg'", "made for another image: size says 80 × 100, c.jpg is 100 × 80",
        "annotation 29: the box of annotation 10 with another class (without_mask); both are kept",
    ]  # fmt: skip
    for start in starts:
        assert any(line.startswith(f"i.json:0: {start}") for line in said(problems)), (start, said(problems))
    assert len(problems) == len(starts)
    with pytest.raises(labels.FormatError, match="image_id 99"):
        labels.read_coco(tmp_path / "i.json")
    assert "problems" in labels.read_coco(tmp_path / "i.json", whole=False).attrs


LISTS = '"images": [], "annotations": [], "categories": []'
BAD_JSON = {
    '{\n"images": [],\n"annotations": [,]}': (3, "broken JSON"),
    b'{"images": [],\n"annotations": ["\xff"]}': (2, "broken UTF-8"),
    '{"images": [], "annotations": ' + "[" * 100_000: (0, "broken JSON"),
    '{"images": {}, "annotations": []}': (0, "not COCO: must hold lists"),
    '{"images": [1], "annotations": [2], "categories": [3, {"id": [], "name": "x"}]}': (
        0,
        "images[0]: must have an id",
    ),
    '{"images": [], "annotations": [], "categories": 3}': (0, "categories: must be a list"),
    '{"images": [], "annotations": [' + "9" * 5000 + "]}": (0, "broken JSON"),
}


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
def test_a_bad_coco_file_is_listed_and_any_other_json_is_not(tmp_path, text):
    images.write(tmp_path / "i.json", text)
    images.write(tmp_path / "settings.json", '{"images": 3')
    line, reason = BAD_JSON[text]
    _, problems = labels.read_folder(tmp_path)
    assert any(one.startswith(f"i.json:{line}: {reason}") for one in said(problems)), said(problems)
    assert set(problems["file"]) == {str(tmp_path / "i.json")}


# ── XML that attacks ────────────────────────────────────────────────────────────────────────────────────────────────

LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
ATTACKS = {
    "a billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><annotation>&l9;</annotation>',
    "a file of this machine": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><annotation>&e;</annotation>',
    "a file by parameter": '<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/hostname">%e;]><annotation/>',
    "a definition elsewhere": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><annotation><filename/></annotation>',
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_xml_that_attacks_is_listed_and_the_rest_read(tmp_path, attack):
    images.write(tmp_path / "bad.xml", ATTACKS[attack])
    photo(tmp_path / "bad.jpg"), photo(tmp_path / "a.jpg")
    labels.write_voc(tmp_path / "a.xml", labels.table([face(1, 2, 3, 4)]), size=(100, 80))
    table, problems = labels.read_folder(tmp_path)
    assert boxes(table) == [[1, 2, 3, 4]] and [Path(f).name for f in problems["file"]] == ["bad.xml"]
    assert "entities" in problems["reason"][0]


def test_folders_named_like_files_and_links_to_nowhere_end_no_run(tmp_path):
    photo(tmp_path / "a.jpg"), images.write(tmp_path / "a.txt", shares(0, 1, 2, 3, 4))
    images.write(tmp_path / "classes.txt", NAMES)
    for name in ("x.txt", "x.json", "data.yaml", "y.names"):
        (tmp_path / name).mkdir()
    for name in ("l.txt", "l.json"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    table, problems = labels.read_folder(tmp_path)
    assert boxes(table) == [[1, 2, 3, 4]]
    assert said(problems) == ["l.json:0: No such file or directory", "l.txt:0: No such file or directory"]


# ── which label counts ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_format_counts_and_the_others_are_said(tmp_path):
    for name in "ab":
        photo(tmp_path / "with_mask" / f"{name}.jpg")
        images.write(tmp_path / "with_mask" / f"{name}.txt", shares(1, 9, 9, 20, 20))
    images.write(tmp_path / "classes.txt", NAMES)
    labels.write_voc(tmp_path / "with_mask/a.xml", labels.table([face(1, 2, 3, 4)]), size=(100, 80))
    instances(tmp_path / "i.json", {"bbox": [5, 5, 5, 5]})
    instances(tmp_path / "j.json", {"bbox": [6, 6, 6, 6]}, photos=(("b.jpg", 100, 80),))
    table, problems = labels.read_folder(tmp_path)
    assert {Path(r.image).stem: r.x1 for r in table.itertuples()} == {"a": 1, "b": 6}
    assert table.attrs["formats"] == {"voc": 1, "coco": 1}
    assert said(problems) == [
        "i.json:0: 1 photos have labels in a VOC file too, which counts; these were left aside",
        "with_mask:0: 1 photos have labels in a VOC file too, which counts; these were left aside",
        "with_mask:0: 1 photos have labels in a COCO file too, which counts; these were left aside",
    ]


# ── crops and conversion ────────────────────────────────────────────────────────────────────────────────────────────


def test_crops_have_the_pixels_of_their_boxes(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    path = images.write(tmp_path / "set/no mask/a.png", rgb)
    rows = [face(10.5, 20, 30, 40.2, image=str(path)), face(0, 0, 100, 80, image=str(path), framing="whole"),
            face(1, 1, 5, 5, image=str(path), label="without_mask")]  # fmt: skip
    made, skipped = labels.write_crops(tmp_path / "out", labels.table(rows), root=tmp_path / "set")
    assert skipped == [] and set(made["parent"]) == {str(path)}
    names = [str(Path(p).relative_to(tmp_path / "out")) for p in made["image"]]
    assert names == ["with_mask/no mask-a.png", "with_mask/no mask-a-2.png", "without_mask/no mask-a-3.png"]
    assert (images.read(made["image"][0]) == rgb[20:41, 10:30]).all()
    assert Path(made["image"][1]).read_bytes() == path.read_bytes()
    table, problems = labels.read_folder(tmp_path / "out")
    assert len(problems) == 0 and [0, 0, 20, 21] in boxes(table) and table.attrs["formats"] == {"crops": 3}
    assert sorted(table["label"]) == ["with_mask", "with_mask", "without_mask"]
    with pytest.raises(ValueError, match="there already"):
        labels.write_crops(tmp_path / "out", labels.table(rows), root=tmp_path / "set")


def test_a_turned_photo_is_cut_and_converted_upright(tmp_path):
    turned(tmp_path / "set/tall.jpg")
    labels.write_voc(tmp_path / "set/tall.xml", labels.table([face(0, 90, 80, 100, image="tall.jpg")]), size=(80, 100))
    made, _ = labels.convert(tmp_path / "set", to="crops", into=tmp_path / "crops")
    assert images.size(made["image"][0]) == (80, 10) and made.attrs == {"formats": {"voc": 1}, "photos": 1}
    labels.convert(tmp_path / "set", to="yolo", into=tmp_path / "yolo")
    assert boxes(labels.read_yolo(tmp_path / "yolo/labels/tall.txt")) == [[0, 90, 80, 100]]
    assert (tmp_path / "yolo/images/tall.jpg").read_bytes() == (tmp_path / "set/tall.jpg").read_bytes()


def test_what_a_person_said_stays_his(tmp_path):
    here, into = tmp_path / "set", tmp_path / "out"
    auto = labels.table([face(1, 2, 30, 40, origin="auto")])
    for name, rows, verified in (("a", auto, True), ("b", auto[:0], True), ("c", auto, False), ("d", auto[:0], False)):
        photo(here / f"{name}.jpg")
        labels.write_voc(here / f"{name}.xml", rows.assign(image=f"{name}.jpg"), size=(100, 80), verified=verified,
                         image=f"{name}.jpg")  # fmt: skip
    labels.convert(here, to="voc", into=into)
    owners = {p.stem: labels.owner(p) for p in (into / "annotations").glob("*.xml")}
    assert owners == {"a": "manual", "b": "manual", "c": "auto", "d": "auto"}
    labels.convert(here, to="coco", into=tmp_path / "coco")
    table, _ = labels.read_folder(tmp_path / "coco")
    assert {Path(r.image).stem: r.origin for r in table.itertuples()} == {"a": "manual", "c": "auto"}


def test_other_programs_read_the_same_boxes(tmp_path):
    """supervision's readers, none of our code, find our boxes; a class that nobody has is not announced."""
    import supervision as sv

    rows = [face(1, 2, 30, 40), face(5.5, 6, 77.25, 80, label="mask_worn_incorrectly")]
    labels.write_voc(tmp_path / "set/annotations/a.xml", labels.table(rows), size=(100, 80))
    photo(tmp_path / "set/images/a.jpg")
    for to in ("yolo", "coco"):
        labels.convert(tmp_path / "set", to=to, into=tmp_path / to)
    at = str(tmp_path / "yolo/images"), str(tmp_path / "yolo/labels"), str(tmp_path / "yolo/data.yaml")
    first = sv.DetectionDataset.from_yolo(*at)
    second = sv.DetectionDataset.from_coco(
        str(tmp_path / "coco/images"), str(tmp_path / "coco/annotations/instances.json")
    )
    for dataset, slack in ((first, 1), (second, 0.01)):  # supervision rounds what it reads of YOLO
        (found,) = dataset.annotations.values()
        assert np.abs(found.xyxy - [[r[c] for c in BOX] for r in rows]).max() <= slack
        assert dataset.classes == list(classes.NAMES) and found.class_id.tolist() == [0, 2]


def test_a_photo_whose_label_is_no_use_is_not_called_empty(tmp_path):
    photo(tmp_path / "set/a.jpg"), photo(tmp_path / "set/b.jpg")
    images.write(tmp_path / "set/a.txt", "0 0.5 0.5 0 0"), images.write(tmp_path / "set/b.txt", "")
    images.write(tmp_path / "set/classes.txt", NAMES)
    assert folder.survey(tmp_path / "set").empty == [str(tmp_path / "set/b.jpg")]
    made, problems = labels.convert(tmp_path / "set", to="coco", into=tmp_path / "out")
    assert len(made) == 0 and made.attrs["photos"] == 1 and len(problems) == 1
    assert [p.name for p in (tmp_path / "out/images").iterdir()] == ["b.jpg"]


def test_nothing_is_overwritten(tmp_path):
    photo(tmp_path / "set/Mask/a.jpg")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    images.write(tmp_path / "full/x.txt", "mine")
    for into, why in (("set", "what is read|inside"), ("set/out", "lies inside"), ("full", "holds something")):
        with pytest.raises(ValueError, match=why):
            labels.convert(tmp_path / "set", to="voc", into=tmp_path / into)
    with pytest.raises(ValueError, match="must be one of voc, yolo, coco, crops, got 'kitti'"):
        labels.convert(tmp_path / "set", to="kitti", into=tmp_path / "new")
    photo(tmp_path / "none/a.jpg")
    with pytest.raises(ValueError, match="no VOC, YOLO or COCO labels"):
        labels.convert(tmp_path / "none", to="voc", into=tmp_path / "new")
    assert all(p.read_bytes() == data for p, data in before.items()) and not (tmp_path / "new").exists()


@pytest.mark.slow
def test_the_test_of_record_through_every_format(shared, tmp_path):
    first, _ = labels.read_folder(shared / "data" / "photos-853")
    last = shared / "data" / "photos-853"
    for step in ("yolo", "coco", "voc"):
        labels.convert(last, to=step, into=tmp_path / step)
        last = tmp_path / step
    again, problems = labels.read_folder(last)
    assert len(problems) == 0 and len(again) == 4072 and again["image"].nunique() == 853
    names = first["image"].map(lambda p: Path(p).name)
    assert names.equals(again["image"].map(lambda p: Path(p).name)) and first["label"].equals(again["label"])
    assert np.abs(first[BOX].to_numpy() - again[BOX].to_numpy()).max() == 0
