"""How a sheet lies on a face: camera, spline, outline and warp, and the fit on turned heads."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_landmarks import face
from test_masks import photo

from lib import masks, sample
from lib.masks import head, scene, shapes

poses = st.tuples(st.floats(-55, 55), st.floats(-40, 40), st.floats(15, 120))


def laid(*, yaw=0.0, roll=0.0, eyes=60.0, cut="cloth", wear="with_mask", seed=0):
    points = face(yaw=yaw, roll=roll, eyes=eyes, at=(320, 260))
    sheet = shapes.build(shapes.CUTS[cut], wear, rng=np.random.default_rng(seed))
    return scene.Scene.of(photo(points, h=720, w=640), points, sheet)


@settings(deadline=None, max_examples=40)
@given(poses)
def test_the_camera_is_found_again(pose):
    yaw, roll, eyes = pose
    fit = head.fit(face(yaw=yaw, roll=roll, eyes=eyes))
    assert np.allclose(fit.rotation @ fit.rotation.T, np.eye(3), atol=1e-6)
    assert fit.scale == pytest.approx(eyes / 0.925, rel=0.06)
    assert np.degrees(np.arctan2(fit.rotation[0, 2], fit.rotation[0, 0])) == pytest.approx(yaw, abs=3 + abs(roll) / 2)


@settings(deadline=None, max_examples=30)
@given(poses, st.floats(0.3, 4), st.tuples(st.floats(-90, 90), st.floats(-90, 90)))
def test_a_face_moved_and_scaled_moves_and_scales_what_lies_on_it(pose, times, move):
    yaw, roll, eyes = pose
    points, cloth = face(yaw=yaw, roll=roll, eyes=eyes), head.NEUTRAL[:17] + (0, 0.1, 0.1)
    one, other = head.fit(points).project(cloth), head.fit(points * times + move).project(cloth)
    assert np.allclose(one * times + move, other, atol=1e-6 * eyes * times + 1e-6)


def test_a_landmark_pulls_what_lies_at_it_and_little_else():
    pull = head.weights(head.NEUTRAL)
    assert (pull.argmax(1)[:17] == np.arange(17)).all() and (pull >= 0).all() and (pull.sum(1) < 1).all()
    assert head.weights(np.array([[0.0, 30.0, 0.0]])).sum() < 0.01


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(1, 500))
def test_a_spline_goes_through_its_values_and_keeps_a_plane(seed, size):
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, size, (12, 2))
    values = rng.normal(size=(12, 2))
    assert np.allclose(head.spline(at, values)(at), values, atol=1e-4)
    plane = at @ np.array([[2.0], [-3.0]]) / size + 1
    where = rng.uniform(0, size, (5, 2))
    assert np.allclose(head.spline(at, plane)(where), where @ np.array([[2.0], [-3.0]]) / size + 1, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(0, 300)] * 4), st.integers(2, 400), st.integers(2, 400))
def test_a_window_on_the_grid_holds_its_points_and_stays_in_the_photo(corners, w, h):
    whole = scene.Window(0, 0, w, h)
    points = np.array([[min(corners[0], w), min(corners[1], h)], [min(corners[2], w), min(corners[3], h)]], float)
    try:
        window = scene.Window.around(points, 3, within=whole).widened(16, within=whole)
    except ValueError as trouble:
        assert "outside the photo" in str(trouble)
        return
    assert window.x % 16 == window.y % 16 == 0
    assert 0 <= window.x < window.x + window.w <= w and 0 <= window.y < window.y + window.h <= h
    assert (window.local(points) >= 0).all() and (window.local(points) <= (window.w, window.h)).all()


@pytest.mark.parametrize("yaw", [-55, -30, 0, 30, 55])
@pytest.mark.parametrize("cut", ["surgical", "cup", "kn95"])
def test_the_outline_as_one_polygon_covers_what_its_quads_cover(yaw, cut):
    set_ = laid(yaw=yaw, cut=cut)
    quads = np.zeros_like(scene.covered(set_))
    places = np.round(set_.inner.local(set_.places) * 16 - 8).astype(np.int32)
    for row in range(places.shape[0] - 1):
        for column in range(places.shape[1] - 1):
            quad = places[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
            cv2.fillConvexPoly(quads, quad, 255, cv2.LINE_8, 4)
    differ = (quads > 127) != (scene.covered(set_) > 127)
    assert differ.sum() < 0.03 * (quads > 127).sum()  # the rim, on a coarser grid
    assert not cv2.erode(differ.astype(np.uint8), np.ones((3, 3))).any()


@pytest.mark.parametrize("yaw", [-55, -30, 0, 30, 55])
def test_a_place_of_the_sheet_shows_its_own_texel(yaw):
    set_ = laid(yaw=yaw, eyes=110)
    rows, columns = set_.places.shape[:2]
    h, w = 120, 200
    v, u = np.mgrid[:h, :w]
    picture = np.stack([(u + 0.5) / w * 255, (v + 0.5) / h * 255, 0 * u], axis=2).astype(np.uint8)
    shown = scene.warped(set_, picture)
    seen = set_.facing[1:-1, 1:-1, 2] > 0.3
    x, y = np.floor(set_.inner.local(set_.places[1:-1, 1:-1])[seen]).astype(int).T
    row, column = (k[seen] for k in np.mgrid[1 : rows - 1, 1 : columns - 1])
    expected = np.stack([column / (columns - 1), row / (rows - 1)], axis=1)
    apart = np.abs(shown[y, x, :2] / 255 - expected)
    assert np.percentile(apart, 90) < 0.025 and apart.max() < 0.12  # smooth: it gives way where a landmark pulls hard


@pytest.mark.parametrize("yaw", [-60, -45, -30, 30, 45, 60])
@pytest.mark.parametrize("style", ["surgical-blue", "cloth-plain", "kn95-white", "n95"])
def test_on_a_turned_head_a_mask_covers_nose_and_mouth_and_stays_on_the_head(yaw, style):
    shot = sample.portrait(2, take=1, size=256, yaw=yaw)
    points = shot.faces[0].points68
    fabric = masks.put_on(shot.rgb, points, style=style, rng=1).mask == masks.FABRIC
    x, y = np.floor(points[[*range(30, 36), *range(48, 60)]]).astype(int).T
    assert fabric[y, x].all()
    reach = round((0.14 if style in ("n95", "kn95-white") else 0.08) * np.linalg.norm(points[8] - points[27]))  # a cup
    hull = np.zeros(fabric.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points[:36].round().astype(np.int32)), 1)
    hull = cv2.dilate(hull, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    assert (fabric & (hull == 0)).sum() <= 0.02 * fabric.sum()


def head_with(hair, *, skin=(214, 170, 146)):
    """A face whose crown and sides, ears included, are of one colour; and its points."""
    points = face(eyes=60, at=(320, 260))
    rgb = np.random.default_rng(0).integers(0, 12, (720, 640, 3)).astype(np.uint8) + 60
    cv2.ellipse(rgb, (320, 290), (125, 185), 0, 0, 360, hair, -1)
    cv2.ellipse(rgb, (320, 305), (58, 110), 0, 0, 360, skin, -1)
    for point in points[36:48].round().astype(int).tolist():
        cv2.circle(rgb, point, 2, (40, 30, 30), -1)
    return rgb, points


@pytest.mark.parametrize("hair", [(40, 30, 24), (196, 166, 118), (176, 172, 166), (150, 84, 48)])
def test_loops_are_behind_hair_of_any_colour(hair):
    def loops(colour):
        rgb, points = head_with(colour)
        return (masks.put_on(rgb, points, style="surgical-blue", rng=1).mask == masks.STRAP).sum()

    assert loops((214, 170, 146)) > 300  # a bald head: all of both loops is seen
    assert loops(hair) < 0.35 * loops((214, 170, 146))
