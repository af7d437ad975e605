import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import boxes

number = st.integers(-50, 150)


@st.composite
def some_boxes(draw: st.DrawFn, n: int | None = None) -> np.ndarray:
    n = draw(st.integers(1, 6)) if n is None else n
    rows = [(draw(number), draw(number), draw(st.integers(1, 90)), draw(st.integers(1, 90))) for _ in range(n)]
    return np.array([(x, y, x + w, y + h) for x, y, w, h in rows], float)


def gradient(h: int, w: int) -> np.ndarray:
    y, x = np.mgrid[:h, :w]
    return np.stack([x, y, x + y], axis=2).astype(np.uint8)


def test_no_boxes() -> None:
    none = np.zeros((0, 4))
    assert boxes.iou(none, none).shape == (0, 0) and boxes.area(none).shape == (0,)
    assert len(boxes.nms(none, np.zeros(0))) == 0 and boxes.widen(none, 0.2).shape == (0, 4)
    assert boxes.match(none, np.array([[0, 0, 1, 1.0]]), np.zeros(0)).shape == (0,)


def test_overlap_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10.0]])
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [9, 9, 3, 3.0]])
    np.testing.assert_allclose(boxes.iou(a, b), [[1, 1 / 3, 0, 0]])


@given(some_boxes(), some_boxes())
def test_overlap_laws(a: np.ndarray, b: np.ndarray) -> None:
    overlap = boxes.iou(a, b)
    assert ((overlap >= 0) & (overlap <= 1)).all()
    np.testing.assert_allclose(overlap, boxes.iou(b, a).T)
    np.testing.assert_allclose(np.diag(boxes.iou(a, a)), 1)
    np.testing.assert_allclose(boxes.iou(a + 7, b + 7), overlap)


@given(some_boxes(), st.floats(0, 1))
def test_widening_keeps_the_centre_and_scales_the_sides(a: np.ndarray, margin: float) -> None:
    wide = boxes.widen(a, margin)
    np.testing.assert_allclose(wide[:, :2] + wide[:, 2:], a[:, :2] + a[:, 2:])
    np.testing.assert_allclose(boxes.area(wide), boxes.area(a) * (1 + 2 * margin) ** 2)
    inside = boxes.widen(a, margin, size=(100, 60))
    assert (inside[:, [0, 2]] <= 100).all() and (inside[:, [1, 3]] <= 60).all() and (inside >= 0).all()


@given(some_boxes(1), st.floats(0, 0.5), st.integers(8, 64))
def test_a_crop_has_its_size_wherever_the_box_lies(box: np.ndarray, margin: float, size: int) -> None:
    before = box.copy()
    assert boxes.crop(gradient(80, 100), box[0], margin=margin, size=size).shape == (size, size, 3)
    assert np.array_equal(box, before)


def test_a_crop_inside_is_the_very_pixels() -> None:
    rgb = gradient(80, 100)
    assert np.array_equal(boxes.crop(rgb, np.array([20, 10, 52, 42]), margin=0, size=32), rgb[10:42, 20:52])
    assert np.array_equal(boxes.crop(rgb, np.array([28, 18, 44, 34]), margin=0.5, size=32), rgb[10:42, 20:52])


def test_a_crop_past_the_edge_repeats_the_border() -> None:
    cut = boxes.crop(gradient(80, 100), np.array([-16, 10, 16, 42]), margin=0, size=32)
    assert np.array_equal(cut[:, :16], np.repeat(cut[:, 16:17], 16, axis=1))
    assert np.array_equal(cut[:, 16:], gradient(80, 100)[10:42, :16])


def test_a_tall_box_becomes_a_square_about_its_centre() -> None:
    cut = boxes.crop(gradient(80, 100), np.array([46, 20, 54, 52]), margin=0, size=32)
    assert cut[0, 0].tolist() == [34, 20, 54] and cut[-1, -1].tolist() == [65, 51, 116]


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 9, 3, 12)])
def test_a_crop_without_area_is_refused(box: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have an area"):
        boxes.crop(gradient(20, 20), np.array(box), margin=0.1, size=8)


@given(some_boxes(), st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_of_each_heap(a: np.ndarray, threshold: float) -> None:
    scores = np.linspace(1, 0.1, len(a))
    kept = boxes.nms(a, scores, iou_threshold=threshold)
    overlap = boxes.iou(a, a)
    assert kept[0] == 0
    assert (overlap[np.ix_(kept, kept)] - np.eye(len(kept)) <= threshold + 1e-9).all()
    dropped = set(range(len(a))) - set(kept.tolist())
    assert all((overlap[d, kept] > threshold).any() for d in dropped)


def test_matching_gives_a_face_to_the_best_score_only() -> None:
    truth = np.array([[0, 0, 10, 10], [50, 50, 60, 60.0]])
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [80, 80, 90, 90.0]])
    assert boxes.match(found, truth, np.array([0.9, 0.8, 0.7])).tolist() == [0, -1, -1]
