import logging
import pickle
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import assets, boxes, faces, images


def grey(h=64, w=64):
    return np.full((h, w, 3), 128, np.uint8)


def photo(shared, name):
    """A real bare photo and the box that its index gives for the largest face."""
    import csv

    folder = shared / "data" / "photos-bare"
    with (folder / "index.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["file"] == name)
    x, y, w, h = (float(row[f"face_{k}"]) for k in "xywh")
    return images.read(folder / name), np.array([[x, y, x + w, y + h]])


def no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("MASK_ASSETS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_empty_wall_has_no_faces():
    find = faces.finder("hog")
    for wh in ((64, 64), (1, 1), (3, 400)):
        found = find(grey(*wh))
        assert len(found) == 0 and found.xyxy.shape == (0, 4)


def test_unknown_names_and_odd_pictures_are_refused():
    with pytest.raises(ValueError, match="haar"):
        faces.finder("haar")
    with pytest.raises(ValueError, match="max_side"):
        faces.finder("hog", max_side=3)
    with pytest.raises(ValueError, match="float64"):
        faces.finder("hog")(np.zeros((40, 40, 3)))


def test_auto_falls_back_to_hog_and_says_so_once(monkeypatch, tmp_path, caplog):
    no_weights(monkeypatch, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert faces.finder("auto", min_score=0.7).name == "hog"
    assert len(caplog.records) == 1 and "misses many masked faces" in caplog.text
    with pytest.raises(assets.AssetMissing, match="yunet"):
        faces.finder("yunet")


def test_a_pickled_finder_is_the_same_finder():
    copy = pickle.loads(pickle.dumps(faces.finder("hog", min_score=0.25, max_side=320)))
    assert (copy.name, copy.min_score, copy.max_side) == ("hog", 0.25, 320)


@pytest.mark.parametrize("name", faces.NAMES)
def test_all_three_find_a_real_face(shared, weights, name):
    rgb, truth = photo(shared, "ilc-0004.jpg")
    found = faces.finder(name)(rgb)
    assert boxes.iou(truth, found.xyxy).max() > 0.5
    assert (found.xyxy >= 0).all() and (found.xyxy[:, 2:] <= (rgb.shape[1], rgb.shape[0])).all()
    assert (np.diff(found.confidence) <= 0).all()


BOXES = st.lists(
    st.tuples(*[st.integers(0, 300)] * 2, *[st.integers(5, 90)] * 2, st.floats(0.125, 1, width=32)),
    min_size=1,
    max_size=12,
)


@given(BOXES)
def test_merged_boxes_are_fewer_and_lie_among_what_was_seen(rows):
    x, y, w, h, scores = np.array(rows, float).T
    xyxy = np.column_stack([x, y, x + w, y + h])
    places, best = faces._merged(xyxy, scores)
    assert 1 <= len(places) == len(best) <= len(rows)
    assert best[0] == scores.max() and (np.diff(best) <= 0).all()
    assert (places >= xyxy.min(0) - 1e-6).all() and (places <= xyxy.max(0) + 1e-6).all()
    assert (boxes.iou(places, xyxy).max(1) > 0.25).all()


def test_what_is_seen_twice_is_one_face_in_the_middle_by_score():
    xyxy = np.array([[0, 0, 100, 100], [0, 10, 100, 110], [300, 0, 340, 40]], float)
    places, scores = faces._merged(xyxy, np.array([0.9, 0.3, 0.5]))
    np.testing.assert_allclose(places, [[0, 2.5, 100, 102.5], [300, 0, 340, 40]])
    assert scores.tolist() == [0.9, 0.5]


def test_a_face_in_a_part_of_a_better_one_is_none_and_neighbours_stay():
    xyxy = np.array([[0, 0, 100, 100], [10, 40, 40, 70], [80, 50, 130, 110]], float)
    for scores in ([0.9, 0.6, 0.7], [0.7, 0.6, 0.9]):
        places, best = faces._merged(xyxy, np.array(scores))
        assert sorted(places.tolist()) == [xyxy[0].tolist(), xyxy[2].tolist()] and best.min() == 0.7


def test_a_photo_is_looked_at_in_halves_down_to_320():
    assert [faces._sides(side) for side in (1280, 640, 639, 100)] == [[1280, 640, 320], [640, 320], [639], [100]]


def test_a_small_face_is_found_that_a_quick_look_overlooks(shared, weights):
    rgb, truth = photo(shared, "ilc-0004.jpg")
    scale = 8 / (truth[0, 2] - truth[0, 0])
    tiny = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    wall = np.full((200, 300, 3), 128, np.uint8)
    wall[20 : 20 + tiny.shape[0], 30 : 30 + tiny.shape[1]] = tiny
    there = truth * scale + (30, 20, 30, 20)
    thorough, quick = (faces.finder("yunet", max_side=side)(wall).xyxy for side in (1280, 320))
    assert boxes.iou(there, thorough).max(initial=0) > 0.5 > boxes.iou(there, quick).max(initial=0)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_boxes_come_back_in_pixels_of_the_photo(shared, weights, factor):
    rgb, _ = photo(shared, "ilc-0004.jpg")
    other = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    find = faces.finder("yunet")
    assert boxes.iou(find(rgb).xyxy[:1] * factor, find(other).xyxy[:1]).max() > 0.9


def test_a_face_that_fills_the_picture_is_found(shared, weights):
    rgb, truth = photo(shared, "ilc-0004.jpg")
    x1, y1, x2, y2 = truth[0].astype(int)
    close = cv2.resize(rgb[y1:y2, x1:x2], None, fx=3, fy=3)
    found = faces.finder("yunet")(close)
    assert len(found) == 1
    assert boxes.iou(found.xyxy, np.array([[0, 0, close.shape[1], close.shape[0]]])).max() > 0.7


def test_without_any_detector_every_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The light install, offline, before anything was downloaded."""
    monkeypatch.setenv("MASK_ASSETS", str(tmp_path))
    monkeypatch.setattr(faces.assets.platformdirs, "user_cache_dir", lambda name: str(tmp_path))
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(faces.assets.AssetMissing) as caught:
        faces.finder()
    for words in ("yunet: face_detection_yunet", "MASK_ASSETS", "res10: opencv_face", "pip install dlib-bin"):
        assert words in str(caught.value)
