"""lib.labeller: what the widgets answer to the browser, and that every change is on disk at once."""

from pathlib import Path

import numpy as np
import pytest

from lib import boxes, classes, images, labeller, labels


def photo(path: Path, *, grey: int = 128, size: tuple[int, int] = (100, 80)) -> str:
    return str(images.write(path, np.full((size[1], size[0], 3), grey, np.uint8)))


def face(image: str, *box: float, **more: object) -> dict:
    corners = dict(zip(("x1", "y1", "x2", "y2"), box or (10, 10, 40, 50), strict=True))
    common = dict(image=image, label="with_mask", origin="auto", score=0.8, answer="with_mask", doubt=0.2)
    return common | corners | more


class Browser:
    """Stands in for the page: keeps what the widget sends, and says things to it."""

    def __init__(self, widget: labeller.Labeller | labeller.CropWall, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget, self.heard = widget, []
        monkeypatch.setattr(widget, "send", lambda content, buffers=None: self.heard.append((content, buffers or [])))

    def say(self, **message: object) -> tuple[dict, list[bytes]]:
        before = len(self.heard)
        self.widget._answer(self.widget, message, [])
        return self.heard[-1] if len(self.heard) > before else ({}, [])


# ── the labeller ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_table_gives_a_labeller_that_says_so(tmp_path, monkeypatch):
    widget = labeller.Labeller(labels.table([]), into=tmp_path)
    assert (widget.count, widget.done, len(widget.table)) == (0, 0, 0)
    assert Browser(widget, monkeypatch).say(type="open", at=0) == ({}, [])


def test_the_doubtful_come_first_and_those_without_a_doubt_last(tmp_path):
    rows = [face("a", doubt=0.1), face("a", doubt=0.3), face("b", doubt=0.9), face("c", doubt=float("nan"))]
    table = labels.table(rows)
    assert labeller.Labeller(table, into=tmp_path).queue == ["b", "a", "c"]
    assert labeller.Labeller(table, into=tmp_path, order="file").queue == ["a", "b", "c"]
    assert labeller.Labeller(table, into=tmp_path, photos=["z", "a"]).queue == ["a", "z"]
    with pytest.raises(ValueError, match="order: must be 'doubt' or 'file', got 'x'"):
        labeller.Labeller(table, into=tmp_path, order="x")


def test_a_photo_travels_as_jpeg_in_a_message_and_not_in_the_state(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg", size=(400, 200))
    widget = labeller.Labeller(labels.table([face(a)]), into=tmp_path / "l", max_side=100)
    browser = Browser(widget, monkeypatch)
    message, (jpeg,) = browser.say(type="open", at=0)
    assert images.read(jpeg).shape == (50, 100, 3) and (message["width"], message["height"]) == (400, 200)
    assert message["faces"][0]["x2"] == 40 and message["faces"][0]["score"] == 0.8 and message["name"] == "a.jpg"
    assert browser.say(type="open", at=0, picture=False)[1] == []
    assert not any(isinstance(value, bytes) for value in widget.get_state().values())
    assert not (tmp_path / "l").exists()  # looking at it writes nothing


def test_words_and_colours_come_from_classes(tmp_path):
    palette = labeller.Labeller(labels.table([]), into=tmp_path).classes
    assert [c["name"] for c in palette] == list(classes.NAMES) and [c["key"] for c in palette] == ["1", "2", "3"]
    assert palette[0]["colour"] == "#009e73" and palette[2]["word"] == classes.WORDS["mask_worn_incorrectly"]


def test_a_draft_is_saved_and_keeps_what_was_not_touched(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    table = labels.table([face(a, framing="found"), face(a, 50, 50, 60, 60, source="set")])
    widget = labeller.Labeller(table, into=tmp_path / "l")
    browser = Browser(widget, monkeypatch)
    faces = browser.say(type="open", at=0)[0]["faces"]
    faces[0] |= {"x2": 45, "origin": "manual", "label": "without_mask"}
    reply, _ = browser.say(type="save", at=0, ticket=7, faces=faces)
    assert (reply["type"], reply["at"], reply["ticket"], reply["judged"], widget.done) == ("saved", 0, 7, False, 0)
    back = labels.read_voc(tmp_path / "l" / "a.xml", image=a)
    assert list(back["origin"]) == ["manual", "auto"] and list(back["x2"]) == [45, 60]
    assert list(back["label"]) == ["without_mask", "with_mask"] and list(back["framing"]) == ["found", ""]
    assert list(widget.table["x2"]) == [45, 60] and widget.table["source"][1] == "set"
    assert list(table["x2"]) == [40, 60]  # the caller's table stays


def test_done_makes_every_box_a_persons_and_counts(tmp_path, monkeypatch):
    a, b = photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg")
    table = labels.table([face(a), face(b, origin="artificial")])
    browser = Browser(labeller.Labeller(table, into=tmp_path / "l", order="file"), monkeypatch)
    for at in (0, 1):
        browser.say(type="save", at=at, ticket=1, final=True, faces=browser.say(type="open", at=at)[0]["faces"])
    assert browser.widget.done == 2
    assert list(browser.widget.table["origin"]) == ["manual", "artificial"]
    assert labels.owner(tmp_path / "l" / "a.xml") == labels.owner(tmp_path / "l" / "b.xml") == "manual"
    again = labeller.Labeller(table, into=tmp_path / "l")
    assert (again.done, list(again.table["origin"])) == (2, ["manual", "artificial"])


def test_a_photo_left_without_faces_stays_so(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    browser.say(type="save", at=0, ticket=1, final=True, faces=[])
    assert len(browser.widget.table) == 0 and list(browser.widget.table)[:12] == list(labels.COLUMNS)
    again = labeller.Labeller(labels.table([face(a)]), into=tmp_path)
    assert again.done == 1 and len(again.table) == 0


def test_undoing_everything_gives_the_file_back_to_the_machine(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    faces = browser.say(type="open", at=0)[0]["faces"]
    browser.say(type="save", at=0, ticket=1, faces=[faces[0] | {"origin": "manual"}])
    assert labels.owner(tmp_path / "a.xml") == "manual"
    browser.say(type="save", at=0, ticket=2, faces=faces)
    assert labels.owner(tmp_path / "a.xml") == "auto"


def test_what_labelimg_saved_meanwhile_is_shown(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    browser.say(type="open", at=0)
    his = labels.table([face(a, 1, 2, 30, 40, origin="manual", label="without_mask")])
    labels.write_voc(tmp_path / "a.xml", his, size=(100, 80))
    assert browser.say(type="open", at=0)[0]["faces"][0]["x1"] == 1
    assert list(browser.widget.table["label"]) == ["without_mask"]


def test_what_somebody_saved_while_the_photo_was_open_is_not_written_over(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    shown, _ = browser.say(type="open", at=0, page="mine")
    his = labels.table([face(a, 1, 2, 30, 40, origin="manual", label="without_mask")])
    note = labels.write_voc(tmp_path / "a.xml", his, size=(100, 80))
    before = note.read_bytes()
    mine = dict(type="save", at=0, page="mine", faces=[face(a, 5, 5, 9, 9, origin="manual")])
    for final in (False, True):
        reply, _ = browser.say(**mine, ticket=1, state=shown["state"], final=final)
        assert (reply["type"], reply["ticket"], reply["faces"][0]["x1"]) == ("photo", 1, 1)
        assert note.read_bytes() == before and browser.widget.done == 0
    assert browser.say(**mine, ticket=2, state=reply["state"])[0]["type"] == "saved"  # he has seen it: now his word
    assert browser.say(**mine, ticket=3, state=reply["state"])[0]["type"] == "saved"  # sent before the answer came
    assert list(labels.read_voc(note)["x1"]) == [5]


def test_of_two_pages_on_one_kernel_none_writes_over_the_other(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    state = browser.say(type="open", at=0, page="one")[0]["state"]
    save = dict(type="save", at=0, state=state)
    assert browser.say(**save, page="one", ticket=1, faces=[face(a, 5, 5, 9, 9, origin="manual")])[0]["page"] == "one"
    reply, _ = browser.say(**save, page="two", ticket=1, faces=[face(a, origin="manual")])
    assert (reply["type"], reply["page"], reply["faces"][0]["x1"]) == ("photo", "two", 5)
    assert list(browser.widget.table["x1"]) == [5]


def test_two_photos_that_share_a_label_file_are_not_mixed_up(tmp_path, monkeypatch):
    a, b = photo(tmp_path / "a.jpg"), photo(tmp_path / "a.png")
    table = labels.table([face(a), face(b, 1, 1, 9, 9)])
    browser = Browser(labeller.Labeller(table, into=tmp_path, order="file"), monkeypatch)
    browser.say(type="save", at=0, ticket=1, faces=[face(a, 20, 20, 40, 40, origin="manual")], final=True)
    assert browser.say(type="open", at=1)[0]["faces"][0]["x1"] == 1
    reply, _ = browser.say(type="save", at=1, ticket=1, faces=[face(b, origin="manual")])
    assert reply["reason"] == "a.xml holds the labels of a.jpg; rename one of the two photos"
    assert list(labels.read_voc(tmp_path / "a.xml")["x1"]) == [20]
    assert labeller.Labeller(table, into=tmp_path).done == 1


HALF = (
    "<annotation><object><name>no mask</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>"
    "</bndbox></object><object><name>hat</name><bndbox><xmin>50</xmin><ymin>2</ymin><xmax>60</xmax><ymax>40</ymax>"
    "</bndbox></object></annotation>"
)


@pytest.mark.parametrize(("text", "shown"), [(HALF, 1), ("<annotation><object>", 10)])
def test_a_persons_file_that_cannot_be_read_whole_is_never_written(tmp_path, monkeypatch, text, shown):
    a = photo(tmp_path / "a.jpg")
    note = images.write(tmp_path / "l" / "a.xml", text)
    table = labels.table([face(a)])
    browser = Browser(labeller.Labeller(table, into=tmp_path / "l"), monkeypatch)
    faces = browser.say(type="open", at=0)[0]["faces"]
    assert [f["x1"] for f in faces] == [shown] and browser.widget.done == 0
    for final in (False, True):
        reply, _ = browser.say(type="save", at=0, ticket=1, final=final, faces=faces)
        assert reply["type"] == "error" and "a.xml" in reply["reason"] and "cannot be read whole" in reply["reason"]
        assert browser.widget.error == reply["reason"] and note.read_text() == text
    shown_now = browser.widget.table
    wall = Browser(labeller.CropWall(shown_now, into=tmp_path / "l"), monkeypatch)
    assert "cannot be read whole" in wall.say(type="flip", id=0, label="with_mask")[0]["reason"]
    assert note.read_text() == text and list(wall.widget.table["x1"]) == [shown]
    note.write_text(text.replace("hat", "mask") if text == HALF else "<annotation/>")
    assert browser.say(type="save", at=0, ticket=2, faces=faces)[0]["type"] == "saved"


def test_what_a_person_said_of_a_box_elsewhere_stays(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path), monkeypatch)
    his = labels.table([face(a, origin="manual", pose="Left", truncated="1", difficult="1")])
    note = labels.write_voc(tmp_path / "a.xml", his, size=(100, 80), verified=True)
    faces = browser.say(type="open", at=0)[0]["faces"]
    browser.say(type="save", at=0, ticket=1, faces=[faces[0] | {"label": "without_mask"}])
    back = labels.read_voc(note)
    assert back.attrs["verified"] and back.iloc[0][["pose", "truncated", "difficult"]].tolist() == ["Left", "1", "1"]
    wall = Browser(labeller.CropWall(browser.widget.table, into=tmp_path), monkeypatch)
    wall.say(type="flip", id=0, label="with_mask")
    assert labels.read_voc(note).equals(back.assign(label="with_mask")) and labels.read_voc(note).attrs["verified"]


def test_trouble_goes_back_to_the_browser(tmp_path, monkeypatch):
    broken = str(images.write(tmp_path / "b.jpg", b"no picture"))
    a = photo(tmp_path / "a.jpg")
    table = labels.table([face(a), face(broken), face(str(tmp_path / "gone.jpg"))])
    browser = Browser(labeller.Labeller(table, into=tmp_path / "l", order="file"), monkeypatch)
    assert "not an image" in browser.say(type="open", at=1)[0]["reason"]
    assert browser.say(type="open", at=2)[0]["type"] == "error"
    outside = browser.say(type="save", at=0, ticket=3, faces=[face(a, 200, 200, 220, 220)])[0]
    assert outside["type"] == "error" and outside["ticket"] == 3 and "no area inside" in outside["reason"]
    assert "unknown name 'hat'" in browser.say(type="save", at=0, faces=[face(a, label="hat")])[0]["reason"]
    assert browser.say(type="save", at=0)[0]["type"] == "error"
    assert browser.say(type="open", at=99) == browser.say(type="open", at="../x") == ({}, [])
    assert not (tmp_path / "l").exists() and browser.widget.error


def test_skipped_photos_are_remembered(tmp_path, monkeypatch):
    browser = Browser(labeller.Labeller(labels.table([face("a.jpg")]), into=tmp_path), monkeypatch)
    for _ in range(2):
        browser.say(type="skip", at=0)
    assert browser.widget.skipped == ["a.jpg"]


# ── the wall ────────────────────────────────────────────────────────────────────────────────────────────────────────


def wall_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict], **options: object) -> Browser:
    return Browser(labeller.CropWall(labels.table(rows), into=tmp_path / "l", **options), monkeypatch)


def test_an_empty_wall_is_an_empty_page(tmp_path, monkeypatch):
    message, crops = wall_of(tmp_path, monkeypatch, []).say(type="page", label="", page=0)
    assert (message["total"], message["cells"], crops) == (0, [], [])


def test_pages_by_class_with_the_doubtful_first(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    rows = [face(a, i, 0, i + 9, 9, doubt=i / 10, label=classes.NAMES[i % 2]) for i in range(10)]
    browser = wall_of(tmp_path, monkeypatch, rows, per_page=3)
    assert browser.widget.counts == {"with_mask": 5, "without_mask": 5, "mask_worn_incorrectly": 0}
    message, crops = browser.say(type="page", label="with_mask", page=0)
    assert [c["doubt"] for c in message["cells"]] == [0.8, 0.6, 0.4] and message["total"] == 5
    assert images.read(crops[0]).shape == (192, 192, 3)
    assert len(browser.say(type="page", label="with_mask", page=1)[0]["cells"]) == 2
    assert len(browser.say(type="page", label="", page=3)[0]["cells"]) == 1


def test_a_page_reads_a_large_photo_once_and_small_and_cuts_the_same(tmp_path, monkeypatch):
    y, x = np.mgrid[:900, :1200]
    rgb = np.stack([x * 255 / 1199, y * 255 / 899, 0 * x], -1).astype(np.uint8)
    a = str(images.write(tmp_path / "a.jpg", rgb))
    read, asked = images.read, []
    monkeypatch.setattr(images, "read", lambda *source, **how: asked.append(how) or read(*source, **how))
    rows = [face(a, 100, 100, 500, 600), face(a, 900, 500, 1200, 900)]
    crops = wall_of(tmp_path, monkeypatch, rows).say(type="page", label="", page=0)[1]
    assert asked == [{"max_side": 576}]  # 192 pixels for the smaller face, of 400 on 1200
    for crop, row in zip(crops, rows, strict=True):
        box = np.array([row[c] for c in ("x1", "y1", "x2", "y2")], float)
        whole = boxes.crop(rgb, box, margin=0.25, size=192)
        assert np.abs(read(crop).astype(int) - whole).mean() < 3


def test_a_flip_is_on_disk_and_the_face_stays_on_its_page(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = wall_of(tmp_path, monkeypatch, [face(a), face(a, 50, 50, 70, 70, doubt=0.9)])
    cell = browser.say(type="page", label="with_mask", page=0)[0]["cells"][0]
    assert browser.say(type="flip", id=cell["id"], label="without_mask")[0]["label"] == "without_mask"
    back = labels.read_voc(tmp_path / "l" / "a.xml", image=a)
    assert list(back["label"]) == ["with_mask", "without_mask"] and list(back["origin"]) == ["auto", "manual"]
    assert not back.attrs["verified"] and browser.widget.changed == 1
    message, _ = browser.say(type="page", label="with_mask", page=0)
    assert [c["label"] for c in message["cells"]] == ["without_mask", "with_mask"]
    assert list(browser.widget.table["label"]) == ["with_mask", "without_mask"]


def test_a_box_that_moved_meanwhile_is_not_flipped(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = wall_of(tmp_path, monkeypatch, [face(a)])
    other = Browser(labeller.Labeller(labels.table([face(a)]), into=tmp_path / "l"), monkeypatch)
    other.say(type="save", at=0, ticket=1, final=True, faces=[face(a, 11, 11, 40, 50)])
    reply, _ = browser.say(type="flip", id=0, label="without_mask")
    assert reply["type"] == "error" and "moved or deleted meanwhile" in reply["reason"]
    assert browser.say(type="flip", id=99, label="with_mask")[0]["type"] == "error"


def test_a_wall_made_anew_shows_what_was_flipped_before(tmp_path, monkeypatch):
    rows = [face(photo(tmp_path / "a.jpg")), face(photo(tmp_path / "b.jpg"), doubt=0.9)]
    wall_of(tmp_path, monkeypatch, rows).say(type="flip", id=1, label="without_mask")
    again = wall_of(tmp_path, monkeypatch, rows)
    cells = again.say(type="page", label="", page=0)[0]["cells"]
    assert [c["label"] for c in cells] == ["with_mask", "without_mask"] and again.widget.changed == 1


def test_of_two_boxes_in_one_place_the_one_on_the_wall_is_flipped(tmp_path, monkeypatch):
    a = photo(tmp_path / "a.jpg")
    browser = wall_of(tmp_path, monkeypatch, [face(a), face(a, label="without_mask", doubt=0.9)])
    assert browser.say(type="flip", id=0, label="mask_worn_incorrectly")[0]["type"] == "flipped"
    assert list(browser.widget.table["label"]) == ["with_mask", "mask_worn_incorrectly"]


def test_a_flip_that_fails_says_what_label_stands(tmp_path, monkeypatch):
    browser = wall_of(tmp_path, monkeypatch, [face(photo(tmp_path / "a.jpg"))])
    images.write(tmp_path / "l", b"in the way")
    reply, _ = browser.say(type="flip", id=0, label="without_mask")
    assert (reply["type"], reply["label"]) == ("error", "with_mask") and str(tmp_path / "l") in reply["reason"]
    assert "Errno" not in reply["reason"]


def test_a_missing_photo_leaves_a_hole_in_the_wall_and_the_rest_stands(tmp_path, monkeypatch):
    rows = [face(photo(tmp_path / "a.jpg")), face(str(tmp_path / "gone.jpg"), doubt=0.9)]
    _, crops = wall_of(tmp_path, monkeypatch, rows).say(type="page", label="", page=0)
    assert [bool(crop) for crop in crops] == [False, True]
