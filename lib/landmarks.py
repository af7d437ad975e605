"""dlib's 68 points on a face, and whether they are to be believed."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from . import assets, boxes

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["PARTS", "Locator", "Portrait", "draw", "finder", "implausible", "portraits", "pose"]

# Indices of the 68 points (Sagonas et al. 2013, 300-W); "left" is the person's left, the picture's right.
PARTS = {
    "jaw": range(0, 17),  # from the person's right ear over the chin (8) to the left ear
    "right brow": range(17, 22),
    "left brow": range(22, 27),
    "nose bridge": range(27, 31),
    "nose base": range(31, 36),
    "right eye": range(36, 42),
    "left eye": range(42, 48),
    "outer lips": range(48, 60),
    "inner lips": range(60, 68),
}

# The same 68 points of a face seen in a mirror.
_MIRROR = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47:45:-1, 39:35:-1, 41:39:-1, 54:47:-1, 59:54:-1]
_MIRROR = np.r_[_MIRROR, 64:59:-1, 67:64:-1]

# RGB; jaw and nose, which carry a mask, stand out.
_COLOURS = {"jaw": (0, 200, 255), "nose bridge": (255, 140, 0), "nose base": (255, 190, 90), "other": (150, 230, 150)}

# The predictor learnt in HOG's square boxes. Where HOG and YuNet found the same 289 faces, HOG's side was 0.94 of
# the mean of YuNet's sides (± 0.08) and its centre 0.06 lower. Rows: side, shift right, shift down. The landmarks from
# any of the first four starts, two of them on the face mirrored, agree on a face that the predictor understands: what
# it makes up on a profile or on a wall is seldom its own mirror image. The rest are for turned heads.
_STARTS = ((0.94, -0.05, 0.06), (0.88, 0.0, 0.08)), ((0.94, -0.05, 0.06), (1.02, 0.0, 0.03))
_MORE = tuple((side, right, down) for right in (-0.24, -0.15, 0.15, 0.24) for side, down in ((0.9, 0.03), (1.0, 0.08)))
_MORE += ((0.94, 0.05, 0.06), (0.9, 0.0, -0.05), (0.9, 0.0, 0.15))
_AGREED = 0.05  # mean distance from the median, as a share of 0.4 box sides (about the eye distance)
_SURE = 0.02  # nearer they lie on most upright faces; of 153 upside down 8 pass all the same, 16 without this
_FRAMED = 0.085  # of the height: finders frame downwards, so that a box turned with its picture sits too high
_SIDES = (160.0, 480.0)  # a smaller face is enlarged to, a larger one shrunk to so many pixels
_MIN_EYES = 7.0  # pixels between the eyes


class Locator:
    """The loaded 68-point predictor: call it with rgb and boxes (n, 4), get points (n, 68, 2).

    Points are in pixels of the photo with the origin at its corner, so the centre of the first pixel is (0.5, 0.5).
    A face on which several starts do not agree has points of NaN: `implausible` says so. Can be pickled.
    """

    def __init__(self) -> None:
        import dlib

        self._predict = dlib.shape_predictor(str(assets.landmarks_68()))
        self._rectangle = dlib.rectangle

    def __call__(self, rgb: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        xyxy = np.asarray(xyxy, float).reshape(-1, 4)
        rgb = np.ascontiguousarray(rgb)
        return np.array([self._placed(rgb, box) for box in xyxy]).reshape(-1, 68, 2)

    def __reduce__(self) -> tuple:
        return Locator, ()

    def _placed(self, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Points of one face, looked at neither too small (the predictor answers in whole pixels) nor too large."""
        if not (box[2] > box[0] and box[3] > box[1]):
            return np.full((68, 2), np.nan)
        side = (box[2:] - box[:2]).mean()
        h, w = rgb.shape[:2]
        left, top = np.clip(np.floor(box[:2] - side), 0, (w - 1, h - 1)).astype(int)
        right, bottom = np.clip(np.ceil(box[2:] + side), (left + 1, top + 1), (w, h)).astype(int)
        part, corner, scale = rgb[top:bottom, left:right], np.array([left, top]), np.clip(side, *_SIDES) / side
        wh = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part = cv2.resize(part, wh, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
        scales = np.array(wh) / (right - left, bottom - top)
        return self._settle(part, ((box.reshape(2, 2) - corner) * scales).ravel()) / scales + corner

    def _settle(self, rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Median of the starts that agree best, on the face and on its mirror image alike; NaN where none do."""
        scale = (box[2:] - box[:2]).mean() * 0.4
        mirrored = np.ascontiguousarray(rgb[:, ::-1])
        plain, other = self._tried(rgb, box, _STARTS[0]), self._tried(mirrored, box, _STARTS[1], mirrored=True)
        tries = np.concatenate([plain, other])
        middle = np.median(tries, axis=0)
        apart = _apart(tries) / scale
        if apart < _AGREED:
            return np.full((68, 2), np.nan) if apart > _SURE and self._stood_up(rgb, box) / scale < apart else middle
        plain = np.concatenate([plain, self._tried(rgb, box, _MORE)])
        other = np.concatenate([other, self._tried(mirrored, box, _MORE, mirrored=True)])
        tries = np.concatenate([plain, other])
        between = np.linalg.norm(tries[:, None] - tries[None], axis=3).mean(2)
        near = [np.argsort(part, axis=1)[:, :5] for part in (between[:, : len(plain)], between[:, len(plain) :])]
        groups = np.concatenate([near[0], near[1] + len(plain)], axis=1)  # five of either kind around each try
        best = np.take_along_axis(between, groups, axis=1).mean(1).argmin()
        tries = tries[groups[best]]
        return np.median(tries, axis=0) if _apart(tries) / scale < _AGREED else np.full((68, 2), np.nan)

    def _stood_up(self, rgb: np.ndarray, box: np.ndarray) -> float:
        """How far the starts lie apart on the picture turned upside down: less than on itself if the face stood so."""
        h, w = rgb.shape[:2]
        turned, box = np.ascontiguousarray(rgb[::-1, ::-1]), np.array([w, h, w, h]) - box[[2, 3, 0, 1]]
        box = box + np.array([0, 1, 0, 1]) * _FRAMED * (box[3] - box[1])
        mirrored = np.ascontiguousarray(turned[:, ::-1])
        plain, other = self._tried(turned, box, _STARTS[0]), self._tried(mirrored, box, _STARTS[1], mirrored=True)
        return _apart(np.concatenate([plain, other]))

    def _tried(
        self, rgb: np.ndarray, box: np.ndarray, starts: tuple[tuple[float, ...], ...], *, mirrored: bool = False
    ) -> np.ndarray:
        """Points (n, 68, 2) from every start; of a mirrored picture as they lie in the picture itself."""
        if not mirrored:
            return np.array([self._once(rgb, box, *start) for start in starts])
        w = rgb.shape[1]
        box = np.array([w - box[2], box[1], w - box[0], box[3]])
        points = np.array([self._once(rgb, box, *start) for start in starts])[:, _MIRROR]
        points[..., 0] = w - points[..., 0]
        return points

    def _once(self, rgb: np.ndarray, box: np.ndarray, side: float, right: float, down: float) -> np.ndarray:
        w, h = box[2:] - box[:2]
        if abs(w / h - 1) < 0.02:  # HOG's own square box needs no reframing
            side, down = side / 0.94, down - 0.06
        mean = (w + h) / 2
        centre = (box[:2] + box[2:]) / 2 + (right * mean, down * mean)
        x1, y1, x2, y2 = np.round([*(centre - side * mean / 2), *(centre + side * mean / 2)]).astype(int).tolist()
        shape = self._predict(rgb, self._rectangle(x1, y1, max(x2 - 1, x1), max(y2 - 1, y1)))  # inclusive ends
        return np.array([(p.x, p.y) for p in shape.parts()], float) + 0.5


def _apart(tries: np.ndarray) -> float:
    """Mean distance of several answers (n, 68, 2) from their median, in pixels."""
    return float(np.linalg.norm(tries - np.median(tries, axis=0), axis=2).mean())


class Portrait(NamedTuple):
    """The surroundings of one face: rgb, its 68 points (68, 2) there, and why it cannot be used, "" where it can."""

    rgb: np.ndarray
    points: np.ndarray
    reason: str


def portraits(
    photos: Iterable[np.ndarray],
    *,
    find: Callable[[np.ndarray], "sv.Detections"],
    locate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    size: int = 640,
    margin: float = 0.25,
) -> list[Portrait]:
    """Cut the best face of each photo (rgb) out, with a margin (share of its side), and place its points.

    size: pixels of the square cut. Photos in which no face is found are left out.
    """
    made = []
    for rgb in photos:
        for box in find(rgb).xyxy[:1]:
            sides = (box[2:] - box[:2]) * size / ((1 + 2 * margin) * (box[2:] - box[:2]).max())
            there = np.concatenate([size - sides, size + sides]) / 2
            cut = boxes.crop(rgb, box, margin=margin, size=size)
            points = locate(cut, there[None])[0]
            made.append(Portrait(cut, points, implausible(points, there) or ""))
    return made


def draw(rgb: np.ndarray, points: np.ndarray, *, numbers: bool = True) -> np.ndarray:
    """A copy of a photo with the 68 points on it, coloured by part, numbered from 0 where there is room."""
    picture, eyes = rgb.copy(), float(np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0)))
    size = max(1, round(eyes / 45))
    for part, indices in PARTS.items():
        line = np.round((points[list(indices)] - 0.5) * 16).astype(np.int32)
        colour = _COLOURS.get(part, _COLOURS["other"])
        cv2.polylines(picture, [line], "eye" in part or "lips" in part, colour, max(1, size // 2), cv2.LINE_AA, 4)
        for index, (x, y) in zip(indices, line.tolist(), strict=True):
            cv2.circle(picture, (x, y), size * 16, colour, -1, cv2.LINE_AA, 4)
            if numbers and eyes > 90:
                at = x // 16 + size + 1, y // 16 - size
                cv2.putText(picture, str(index), at, cv2.FONT_HERSHEY_SIMPLEX, eyes / 520, (20, 20, 20), 2, cv2.LINE_AA)
                cv2.putText(
                    picture, str(index), at, cv2.FONT_HERSHEY_SIMPLEX, eyes / 520, (255, 255, 255), 1, cv2.LINE_AA
                )
    return picture


def finder() -> Locator:
    """Load the 68-point predictor: a callable (rgb, xyxy (n, 4)) → points (n, 68, 2).

    It needs 4 ms a frontal and some 25 ms a turned face, however large the photo. Raises AssetMissing.
    """
    return Locator()


def pose(points: np.ndarray) -> tuple[float, float]:
    """(turn, roll) of a face from its 68 points: turn −1…1, positive towards the picture's right; roll in degrees.

    The turn compares the nose's distance from both cheeks: 0 is frontal, ± 0.5 about 30°, ± 0.9 about 55°.
    """
    eyes = points[42:48].mean(0) - points[36:42].mean(0)
    across = eyes / max(float(np.linalg.norm(eyes)), 1e-9)
    nose = points[29:31].mean(0)
    before, after = (nose - points[1:4].mean(0)) @ across, (points[13:16].mean(0) - nose) @ across
    turn = (before - after) / max(abs(before) + abs(after), 1e-9)
    return float(np.clip(turn, -1, 1)), float(np.degrees(np.arctan2(eyes[1], eyes[0])))


def implausible(points: np.ndarray, box: np.ndarray) -> str | None:
    """Why the 68 points cannot be those of the face in the box, in words for people; None where they can.

    points (68, 2) and box (4,) in pixels of the same photo.
    """
    if not np.isfinite(points).all():
        return "the landmarks do not settle (profile, hidden or blurred face)"
    checks: tuple[Callable[[np.ndarray, np.ndarray], str | None], ...] = (_eyes, _outside, _order, _symmetry)
    return next((reason for check in checks if (reason := check(points, np.asarray(box, float)))), None)


def _eyes(points: np.ndarray, box: np.ndarray) -> str | None:
    eyes = float(np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0)))
    side = float((box[2:] - box[:2]).mean())
    if eyes < _MIN_EYES:
        return f"the eyes are only {eyes:.0f} pixels apart; {_MIN_EYES:.0f} are needed"
    if not 0.22 < eyes / side < 0.75:
        return f"the eyes are {eyes / side:.2f} of the box apart; 0.22 to 0.75 is usual"
    return None


def _outside(points: np.ndarray, box: np.ndarray) -> str | None:
    grown = (box[2:] - box[:2]) * 0.35
    out = ((points < box[:2] - grown) | (points > box[2:] + grown)).any(1).sum()
    return f"{out} of 68 points lie far outside the face's box" if out > 4 else None


def _order(points: np.ndarray, box: np.ndarray) -> str | None:
    """Brows, eyes, nose, mouth and chin must follow each other down the face's own axis."""
    eyes = points[42:48].mean(0) - points[36:42].mean(0)
    length = max(float(np.linalg.norm(eyes)), 1e-9)
    down = np.array([-eyes[1], eyes[0]]) / length**2  # eye distance = 1
    parts = ("brows", points[17:27]), ("eyes", points[36:48]), ("nose", points[31:36]), ("mouth", points[48:68])
    heights = [(name, float((part @ down).mean())) for name, part in (*parts, ("chin", points[7:10]))]
    for (upper, a), (lower, b) in zip(heights, heights[1:], strict=False):
        if b - a < 0.08:
            return f"the {lower} {'lies' if lower != 'eyes' else 'lie'} not below the {upper}"
    return None


def _symmetry(points: np.ndarray, box: np.ndarray) -> str | None:
    turn, roll = pose(points)
    if abs(roll) > 60:
        return f"the head lies at {roll:.0f}°; up to 60° can be handled"
    if abs(turn) > 0.97:
        return "the head is turned away too far: one cheek has no width"
    return None
