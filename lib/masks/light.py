"""The light on a face, the noise and the blur of its photo: what a drawn mask must share to belong there."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from . import head

__all__ = ["Light", "blur", "estimate", "grain", "shown", "shrunk"]

# Where bare skin is mostly seen: (x, y) on the neutral head, both sides. Lips, brows and nostrils are left out.
_HALF = [(0.0, -0.7), (0.3, -0.65), (0.6, -0.6), (0.0, 0.25), (0.0, 0.5), (0.3, 0.35), (0.45, 0.3), (0.6, 0.35)]
_HALF += [(0.75, 0.3), (0.4, 0.55), (0.6, 0.6), (0.8, 0.6), (0.35, 0.8), (0.55, 0.85), (0.75, 0.85), (0.92, 0.45)]
_HALF += [(0.9, 0.75), (0.5, 1.1), (0.7, 1.15), (0.0, 1.6), (0.25, 1.5), (0.5, 1.4), (0.98, 0.2), (1.05, 0.55)]
_PLACES = np.array(_HALF + [(-x, y) for x, y in _HALF if x], float)
_CHEEKS = (np.abs(_PLACES[:, 0]) <= 0.8) & (_PLACES[:, 1] > 0)  # hair mostly leaves these free
# Where hair, a hat or the wall is mostly seen: (x, y, z) on the neutral head, both sides.
_ROUND = [(0.0, -1.25, 0.5), (0.45, -1.2, 0.45), (0.85, -1.0, 0.2), (1.15, -0.55, -0.2), (1.35, 0.6, -0.4)]
_ROUND += [(1.3, 1.0, -0.3), (1.2, -0.9, -0.2)]
_AROUND = np.array(_ROUND + [(-x, y, z) for x, y, z in _ROUND if x], float)
_SKIN_WARMTH = 2.6  # red over blue of usual skin, linear, under neutral light
_STEP = 0.02
_SECOND = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to slopes and edges along the axes


@dataclass(frozen=True)
class Light:
    """Light on a white sheet, linear (gamma taken as 2), 1 = the photo's full scale.

    ambient + toward · n is the light on a surface with normal n (camera's axes); tint (3,) its colour, mean 1;
    colourful 0–1 scales a mask's own colours (0 for a black-and-white photo); skin (3,) and spread: the face's mean
    colour in Lab and how far its samples lie from it; cheeks (m, 3), around (k, 3): samples in Lab of bare cheeks, and
    of what is seen around the face (hair, a hat, the wall).
    """

    ambient: float
    toward: np.ndarray
    tint: np.ndarray
    colourful: float
    skin: np.ndarray
    spread: float
    cheeks: np.ndarray
    around: np.ndarray

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Light (…) on surfaces with normals (…, 3) in the camera's axes; never fully dark."""
        return np.maximum(self.ambient + normals @ self.toward, 0.3 * self.ambient)


def shown(linear: np.ndarray) -> np.ndarray:
    """Linear light (…), 1 = full scale, as the photo shows it: 0–255, not rounded; from 0.7 on highlights roll off."""
    if float(linear.max(initial=0)) > 0.7:
        high = np.maximum(linear - np.float32(0.7), 0)
        linear = np.minimum(linear, np.float32(0.7)) + np.float32(0.3) * high / (np.float32(0.3) + high)
    return cv2.sqrt(linear).reshape(linear.shape) * np.float32(255)


@cache
def _places() -> tuple[np.ndarray, np.ndarray]:
    z = head.surface(_PLACES)
    right, below = head.surface(_PLACES + (_STEP, 0)), head.surface(_PLACES + (0, _STEP))
    normals = np.stack([-(right - z) / _STEP, -(below - z) / _STEP, np.ones_like(z)], axis=1)
    return np.column_stack([_PLACES, z]), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def estimate(rgb: np.ndarray, fit: head.Fit) -> Light:
    """Read the light off the face's own skin: a least-squares Lambert fit that ignores beard, hair and glasses."""
    points, normals = _places()
    places, facing = fit.project(points), fit.facing(normals)
    colours, seen = _sampled(rgb, places, fit.scale)
    use = seen & (facing[:, 2] > 0.12)
    if use.sum() < 6:
        use = facing[:, 2] > -1
    linear = (colours[use] / 255) ** 2
    grey = linear @ (0.2126, 0.7152, 0.0722)
    ambient, toward, trust = _lambert(facing[use], grey)
    face = max(float(np.average(grey, weights=trust)), 1e-3)
    white = _white(rgb, places, fit.scale, face)
    skin = np.average(linear, axis=0, weights=trust)
    warmth = float(np.clip(skin[0] / max(skin[2], 1e-4) / _SKIN_WARMTH, 0.4, 2.5))
    tint = np.array([warmth**0.2, 1.0, warmth**-0.2])  # along the line from daylight to lamps; skin itself differs
    lab = _lab(colours[use])
    middle = np.average(lab, axis=0, weights=trust)
    colour = float(np.hypot(*(middle[1:] - 128)))
    spread = float(np.sqrt(np.average(((lab - middle) ** 2 * (0.2, 1, 1)).sum(1), weights=trust)))
    return Light(
        ambient * white / face,
        toward * white / face,
        tint / tint.mean() if colour > 3 else np.ones(3),
        float(np.clip((colour - 1) / 9, 0, 1)),
        middle,
        max(spread, 6.0),
        lab[_CHEEKS[use]],
        _lab(_beside(rgb, fit)),
    )


def _lab(colours: np.ndarray) -> np.ndarray:
    """Colours (n, 3) in Lab, all three 0–255."""
    return cv2.cvtColor(colours.astype(np.uint8)[None], cv2.COLOR_RGB2LAB)[0].astype(float) if len(colours) else colours


def _beside(rgb: np.ndarray, fit: head.Fit) -> np.ndarray:
    """Colours (k, 3) of what lies around the face, as far as it is in the photo."""
    colours, seen = _sampled(rgb, fit.project(_AROUND), fit.scale)
    return colours[seen]


def _sampled(rgb: np.ndarray, places: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours (n, 3) of patches about a tenth of a unit wide, and whether each lies in the photo (n,)."""
    h, w = rgb.shape[:2]
    shrink = min(1.0, 10.0 / max(scale, 1e-6))  # a patch is then a pixel
    low = np.floor(np.clip(places.min(0) - 2, 0, (w - 1, h - 1))).astype(int)
    high = np.ceil(np.clip(places.max(0) + 2, low + 1, (w, h))).astype(int)
    part = rgb[low[1] : high[1], low[0] : high[0]]
    wh = max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink))
    small = shrunk(part, wh)
    at = np.floor((places - low) * (np.array(wh) / (high - low))).astype(int)
    seen = np.all((places >= 0) & (places < (w, h)), axis=1)
    at = np.clip(at, 0, np.array(wh) - 1)
    return small[at[:, 1], at[:, 0]].astype(float), seen


def shrunk(rgb: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """A small copy of a picture, the mean of at most four by four samples a pixel: quick for large pictures."""
    w, h = min(4 * wh[0], rgb.shape[1]), min(4 * wh[1], rgb.shape[0])
    return cv2.resize(cv2.resize(rgb, (w, h), interpolation=cv2.INTER_NEAREST), wh, interpolation=cv2.INTER_AREA)


def _lambert(normals: np.ndarray, grey: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """ambient + toward · n by iteratively reweighted least squares; dark outliers (hair) count least."""
    matrix = np.column_stack([np.ones(len(grey)), normals])
    trust = np.ones(len(grey))
    middle = float(np.median(grey)) + 1e-4
    for _ in range(4):
        weighted = matrix * trust[:, None]
        ridge = np.diag([0.0, 0.35, 0.35, 2.0]) * trust.sum() * 0.08
        solved = np.linalg.solve(weighted.T @ matrix + ridge + 1e-9 * np.eye(4), weighted.T @ grey)
        rest = (grey - matrix @ solved) / middle
        trust = 1 / (1 + (rest / np.where(rest < 0, 0.18, 0.3)) ** 2)
    return float(solved[0]), solved[1:], trust


def _white(rgb: np.ndarray, places: np.ndarray, scale: float, face: float) -> float:
    """How bright a white sheet would be where the face's mean is `face` (linear): skin of any tone, any exposure.

    Skin reflects 0.15 to 0.6. What is brightest around the head narrows that down.
    """
    h, w = rgb.shape[:2]
    low = np.clip(places.min(0) - 1.2 * scale, 0, (w - 1, h - 1)).astype(int)
    high = np.clip(places.max(0) + 1.2 * scale, low + 1, (w, h)).astype(int)
    step = max(1, round(scale / 12))
    around = rgb[low[1] : high[1] : step, low[0] : high[0] : step].max(2)
    bright = (float(np.percentile(around, 95)) / 255) ** 2
    guess = 0.55 * bright + 0.45 * face / 0.42
    return float(np.clip(guess, face * 1.25, face * 3.2))


def blur(rgb: np.ndarray, points: np.ndarray) -> float:
    """Blur of the photo at the eyes and brows, as the σ of a Gaussian in pixels, from 0.4.

    The steepest edges before and after a known blur: a step of width σ falls to σ / √(σ² + blur²).
    """
    h, w = rgb.shape[:2]
    about = points[17:48]
    low = np.clip(about.min(0) - 2, 0, (w - 1, h - 1)).astype(int)
    high = np.clip(about.max(0) + 3, low + 1, (w, h)).astype(int)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2GRAY)
    grey = grey.astype(np.float32)
    if min(grey.shape) < 4:
        return 0.6

    def steep(image: np.ndarray) -> float:
        slope = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)).ravel()
        return float(np.percentile(slope[:: max(1, len(slope) // 4000)], 97))

    sharp, found = steep(grey), 0.0
    for again in (1.5, 4.0, 10.0):  # a wide blur is told apart only by a wider one
        ratio = max(sharp / max(steep(cv2.GaussianBlur(grey, (0, 0), again)), 1e-3), 1.02)
        found = float(again / np.sqrt(ratio**2 - 1))
        if found < 1.6 * again:
            break
    eyes = max(float(np.linalg.norm(points[45] - points[36])), 1.0)
    share = 0.75 * found / eyes  # eyes and brows are no perfect steps: corrected on photos blurred on purpose
    return float(np.clip(share * eyes * (1 + 5 * share + 200 * share**2), 0.4, max(6.0, 0.15 * eyes)))


def grain(rgb: np.ndarray, fit: head.Fit) -> float:
    """Noise of the photo on smooth skin: the standard deviation of grey values, 0–12 (Immerkær 1996, by the median)."""
    points, normals = _places()
    places = fit.project(points)[fit.facing(normals)[:, 2] > 0.3]
    h, w = rgb.shape[:2]
    half = int(np.clip(0.09 * fit.scale, 3, 12))
    found = []
    for x, y in places[3:15].astype(int):
        patch = rgb[max(0, y - half) : y + half, max(0, x - half) : x + half, 1]
        if min(patch.shape) >= 4 and 0 <= x < w and 0 <= y < h:
            rest = cv2.filter2D(patch.astype(np.float32), cv2.CV_32F, _SECOND)[1:-1, 1:-1]
            found.append(float(np.abs(rest).mean()) * 0.2089)
    return float(np.clip(np.median(found), 0, 12)) if found else 0.0
