import pickle

import cv2
import numpy as np
import pytest

from lib import faces, images, landmarks

# A neutral head, eye distance 0.925: x to the picture's right, y down, z to the camera; the right half.
JAW = [(0, 1.83, 0.90), (0.27, 1.78, 0.86), (0.54, 1.63, 0.72), (0.76, 1.42, 0.52), (0.94, 1.16, 0.29)]
JAW += [(1.06, 0.88, 0.09), (1.12, 0.57, -0.04), (1.16, 0.25, -0.13), (1.18, -0.06, -0.18)]
BROW = [(0.14, -0.28, 1.35), (0.32, -0.34, 1.34), (0.51, -0.39, 1.26), (0.70, -0.36, 1.13), (0.86, -0.27, 0.95)]
RIDGE = [(0, -0.02, 1.28), (0, 0.20, 1.34), (0, 0.41, 1.45), (0, 0.64, 1.55)]
BASE = [(0, 0.78, 1.39), (0.10, 0.76, 1.43), (0.22, 0.72, 1.44)]
EYE = [(0.28, 0.02, 1.12), (0.39, -0.08, 1.14), (0.53, -0.10, 1.11), (0.64, -0.04, 1.04), (0.53, 0.06, 1.08)]
EYE += [(0.40, 0.07, 1.11)]
UPPER = [(0, 1.01, 1.43), (0.10, 0.99, 1.41), (0.26, 1.03, 1.39), (0.39, 1.10, 1.30)]
LOWER = [(0.27, 1.20, 1.31), (0.11, 1.25, 1.33), (0, 1.25, 1.33)]


def mirrored(points):
    return [(-x, y, z) for x, y, z in points]


def head():
    """The 68 points in 3-D."""
    eye = mirrored([EYE[i] for i in (3, 2, 1, 0, 5, 4)]) + EYE
    nose = RIDGE + mirrored(BASE[:0:-1]) + BASE
    outer = mirrored(UPPER[:0:-1]) + UPPER + LOWER[:2] + [LOWER[2]] + mirrored(LOWER[1::-1])
    inner = [(x * 0.7, 1.12, z) for x, z in ((-0.5, 1.3), (-0.2, 1.38), (0, 1.4), (0.2, 1.38), (0.5, 1.3))]
    inner += [(x * 0.7, 1.14, z) for x, z in ((0.2, 1.38), (0, 1.4), (-0.2, 1.38))]
    points = mirrored(JAW[:0:-1]) + JAW + mirrored(BROW[::-1]) + BROW + nose + eye + outer + inner
    return np.array(points, float)


def face(*, eyes=60.0, yaw=0.0, roll=0.0, at=(150.0, 130.0)):
    """Points (68, 2) of a neutral face, eye distance in pixels, angles in degrees, the eyes' middle at `at`."""
    a, b = np.radians(yaw), np.radians(roll)
    x, y, z = head().T
    turned = np.stack([x * np.cos(a) + z * np.sin(a), y], axis=1) * eyes / 0.925
    back = np.array([[np.cos(b), -np.sin(b)], [np.sin(b), np.cos(b)]])
    turned = turned @ back.T
    return turned - turned[36:48].mean(0) + at


def box(points):
    """A face box as YuNet would draw it."""
    low, high = points.min(0), points.max(0)
    return np.array([low[0], low[1] - 0.25 * (high[1] - low[1]), *high])


def test_no_faces_no_points(weights):
    points = landmarks.finder()(np.zeros((50, 50, 3), np.uint8), np.empty((0, 4)))
    assert points.shape == (0, 68, 2)


@pytest.mark.parametrize("yaw", [-35, -20, 0, 20, 35])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_a_face_is_plausible_in_any_usual_pose(yaw, roll):
    points = face(yaw=yaw, roll=roll)
    assert landmarks.implausible(points, box(points)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p * np.nan, "do not settle"),
        (lambda p: p * 0.05, "pixels apart"),
        (lambda p: p * (1, -1), "not below"),
        (lambda p: p[np.r_[0:48, 27:31, 27:31, 27:31, 27:31, 27:31]], "mouth lies not below"),
        (lambda p: p + 200, "outside"),
    ],
)
def test_impossible_points_are_named(change, reason):
    points = change(face())
    where = box(face() if "outside" in reason else points if np.isfinite(points).all() else face())
    if reason == "not below":
        where = np.array([*points.min(0), *points.max(0)])
    assert reason in landmarks.implausible(points, where)


def test_pose_tells_the_side_and_the_roll():
    assert landmarks.pose(face(yaw=30))[0] > 0.3 and landmarks.pose(face(yaw=-30))[0] < -0.3
    assert abs(landmarks.pose(face())[0]) < 0.02
    assert landmarks.pose(face(roll=25))[1] == pytest.approx(25, abs=0.5)


@pytest.mark.parametrize("name", ["yunet", "hog"])
def test_boxes_of_both_detectors_lead_to_the_same_points(shared, weights, name):
    rgb = images.read(shared / "data" / "photos-bare" / "ilc-0004.jpg")
    locate = pickle.loads(pickle.dumps(landmarks.finder()))
    find = faces.finder(name)(rgb).xyxy[:1]
    reference = locate(rgb, faces.finder("hog")(rgb).xyxy[:1])[0]
    points = locate(rgb, find)[0]
    eyes = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    assert np.linalg.norm(points - reference, axis=1).mean() / eyes < 0.05
    assert landmarks.implausible(points, find[0]) is None


@pytest.mark.parametrize(("scale", "how"), [(0.2, cv2.INTER_AREA), (8, cv2.INTER_CUBIC)])
def test_points_scale_with_the_photo(shared, weights, scale, how):
    """Down to a face of some 25 pixels and up to one of 1,000."""
    rgb = images.read(shared / "data" / "photos-bare" / "ilc-0004.jpg")
    locate, xyxy = landmarks.finder(), faces.finder("yunet")(rgb).xyxy[:1]
    scaled = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=how)
    points, others = locate(rgb, xyxy)[0], locate(scaled, xyxy * scale)[0]
    eyes = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    assert np.linalg.norm(points - others / scale, axis=1).mean() / eyes < 0.05


def test_a_mirrored_photo_has_mirrored_points(shared, weights):
    rgb = images.read(shared / "data" / "photos-bare" / "ilc-0004.jpg")
    locate, (x1, y1, x2, y2) = landmarks.finder(), faces.finder("yunet")(rgb).xyxy[0]
    w = rgb.shape[1]
    points = locate(rgb, np.array([[x1, y1, x2, y2]]))[0]
    others = locate(np.ascontiguousarray(rgb[:, ::-1]), np.array([[w - x2, y1, w - x1, y2]]))[0]
    turned = np.array([head()[i] * (-1, 1, 1) for i in landmarks._MIRROR])
    assert np.allclose(turned[:48], head()[:48])  # the order in the mirror; lips here are not quite symmetrical
    others = np.column_stack([w - others[:, 0], others[:, 1]])[landmarks._MIRROR]
    eyes = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    assert np.linalg.norm(points - others, axis=1).mean() / eyes < 0.05


@pytest.mark.parametrize("name", ["ilcx-0008.jpg", "ilcx-0009.jpg", "ilcx-0103.jpg"])
def test_a_profile_is_refused(shared, weights, name):
    rgb = images.read(shared / "data" / "photos-bare" / name)
    xyxy = faces.finder("yunet")(rgb).xyxy
    sides = (xyxy[:, 2:] - xyxy[:, :2]).prod(1)
    largest = xyxy[sides.argmax()]
    assert landmarks.implausible(landmarks.finder()(rgb, largest[None])[0], largest) is not None


def test_a_wall_has_no_landmarks(weights):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (200, 200, 3)).astype(np.uint8)
    points = landmarks.finder()(noise, np.array([[20.0, 20, 150, 180]]))[0]
    assert landmarks.implausible(points, np.array([20.0, 20, 150, 180])) is not None


@pytest.mark.parametrize("name", ["obs-0371.jpg", "obs-0403.jpg", "obs-0419.jpg"])
def test_a_face_upside_down_is_refused(shared, weights, name):
    """On these the starts agree on points that stand upright: only the picture turned tells."""
    rgb = np.ascontiguousarray(images.read(shared / "data" / "photos-bare" / name)[::-1, ::-1])
    found = faces.finder("yunet")(rgb).xyxy
    assert len(found)
    assert not np.isfinite(landmarks.finder()(rgb, found)).any()
