"""A sheet before a face: where it lies in the photo, what it covers, how its fabric is stretched there."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import head, jpeg, light, shapes

__all__ = ["Outside", "Scene", "Window", "covered", "outline", "skin", "straps", "texels", "warped"]


class Outside(ValueError):
    """What should be drawn would lie outside the photo."""

    def __init__(self, what: str = "the mask") -> None:
        super().__init__(f"points: {what} would lie outside the photo")


@dataclass(frozen=True)
class Window:
    """A part of the photo, in whole pixels."""

    x: int
    y: int
    w: int
    h: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y, self.y + self.h), slice(self.x, self.x + self.w)

    def local(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of the photo as pixels of this part."""
        return xy - (self.x, self.y)

    def inside(self, other: "Window") -> tuple[slice, slice]:
        """The slices of this part in a larger one."""
        return Window(self.x - other.x, self.y - other.y, self.w, self.h).slices

    def widened(self, grid: int, *, within: "Window") -> "Window":
        """This part widened to start and end on multiples of grid, or where the larger part ends."""
        x, y = self.x // grid * grid, self.y // grid * grid
        right, bottom = -(-(self.x + self.w) // grid) * grid, -(-(self.y + self.h) // grid) * grid
        return Window(x, y, min(right, within.x + within.w) - x, min(bottom, within.y + within.h) - y)

    @classmethod
    def around(cls, xy: np.ndarray, margin: float, *, within: "Window") -> "Window":
        """The smallest part of another that holds points (n, 2) with a margin in pixels. Raises ValueError."""
        start, end = (within.x, within.y), (within.x + within.w, within.y + within.h)
        low = np.clip(np.floor(xy.min(0) - margin), start, end).astype(int)
        high = np.clip(np.ceil(xy.max(0) + margin), start, end).astype(int)
        if (high - low).min() < 2:
            raise Outside
        return cls(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


@dataclass(frozen=True)
class Scene:
    """One sheet over one face.

    places (rows, columns, 2): its grid in the photo; facing (…, 3): its normals in the camera's axes; window: the part
    that may change, part its pixels; inner: the part that the sheet lies in, both on JPEG's grid; soft: the photo's
    blur, σ in pixels; quality: of the JPEG that it came from, None where it shows no sign of one.
    """

    fit: head.Fit
    sheet: shapes.Sheet
    places: np.ndarray
    facing: np.ndarray
    window: Window
    inner: Window
    part: np.ndarray
    seen: light.Light
    soft: float
    quality: int | None

    @classmethod
    def of(cls, rgb: np.ndarray, points: np.ndarray, sheet: shapes.Sheet) -> "Scene":
        """Lay a sheet on the face with these 68 points. Raises ValueError where it would lie outside the photo."""
        fit = head.fit(points)
        every = fit.project(np.concatenate([sheet.points.reshape(-1, 3), *sheet.straps]))
        places = every[: sheet.points[..., 0].size].reshape(*sheet.points.shape[:2], 2)
        soft = light.blur(rgb, points)
        photo = Window(0, 0, rgb.shape[1], rgb.shape[0])
        window = Window.around(every, 0.22 * fit.scale + 4, within=photo).widened(jpeg.GRID, within=photo)
        inner = Window.around(places.reshape(-1, 2), 3 * soft + 2, within=window).widened(jpeg.GRID, within=photo)
        seen, facing, quality = light.estimate(rgb, fit), fit.facing(sheet.normals), jpeg.quality(rgb[inner.slices])
        return cls(fit, sheet, places, facing, window, inner, rgb[window.slices], seen, soft, quality)

    @property
    def fine(self) -> int:
        """How many times finer than the photo outlines are filled."""
        return int(np.clip(np.ceil(220 / self.fit.scale), 2, 4))


def _fixed(xy: np.ndarray, fine: int) -> np.ndarray:
    """Pixels as OpenCV wants them: 4 bits below the pixel of a finer grid, counted from its first pixel's centre."""
    return np.round(xy * (fine * 16) - 8).astype(np.int32)


def covered(scene: Scene) -> np.ndarray:
    """Coverage 0–255 of the inner window by the sheet.

    A sheet that folds over nowhere is one polygon; else all its quads are filled.
    """
    window, fine = scene.inner, scene.fine
    picture = np.zeros((window.h * fine, window.w * fine), np.uint8)
    at = _fixed(window.local(scene.places), fine)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=2)
    one, other = (
        (quads[..., 2, :] - quads[..., 0, :]).astype(float),
        (quads[..., 3, :] - quads[..., 1, :]).astype(float),
    )
    areas = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    if (areas > 0).all() or (areas < 0).all():
        rim = np.concatenate([at[0], at[1:, -1], at[-1, -2::-1], at[-2:0:-1, 0]])
        cv2.fillPoly(picture, [rim], 255, cv2.LINE_8, 4)
    else:
        for quad in quads.reshape(-1, 4, 2):
            cv2.fillConvexPoly(picture, quad, 255, cv2.LINE_8, 4)
    return cv2.resize(picture, (window.w, window.h), interpolation=cv2.INTER_AREA)


def straps(scene: Scene) -> np.ndarray:
    """Coverage 0–255 of the window by the straps; behind hair and on the far side of the head they vanish."""
    fit, window = scene.fit, scene.window
    if not scene.sheet.straps:
        return np.zeros((window.h, window.w), np.uint8)
    width = scene.sheet.width * fit.scale
    fine = scene.fine if width < 6 else 1
    picture = np.zeros((window.h * fine, window.w * fine), np.uint8)
    for line in scene.sheet.straps:
        normals = line * (1, 0, 0.55) / np.linalg.norm(line * (1, 0, 0.55), axis=1, keepdims=True)
        visible = fit.facing(normals)[:, 2] > -0.05
        if visible.sum() < 2:
            continue
        path = _fixed(window.local(fit.project(line))[visible], fine)
        cv2.polylines(picture, [path], False, 255, max(1, round(width * fine)), cv2.LINE_AA, 4)
    cover = cv2.resize(picture, (window.w, window.h), interpolation=cv2.INTER_AREA)
    return cv2.multiply(cover, skin(scene), scale=min(1.0, max(width, 0.35)) / 255)


def skin(scene: Scene) -> np.ndarray:
    """How much each pixel of the window looks like this face's skin, 0–255: hair, hats and hands before it do not."""
    part, seen = scene.part, scene.seen
    step = max(1.0, scene.fit.scale / 24)
    wh = max(1, round(part.shape[1] / step)), max(1, round(part.shape[0] / step))
    lab = cv2.cvtColor(light.shrunk(part, wh), cv2.COLOR_RGB2LAB).astype(np.float32)
    away = np.sqrt((lab - seen.skin.astype(np.float32)) ** 2 @ _LAB) / (2.2 * seen.spread + 8)
    like = 1 / (1 + np.exp(np.clip((away - 1) * 7, -30, 30)))
    like = np.minimum(like, _unlike_hair(lab, seen))
    soft = cv2.GaussianBlur((255 * like).astype(np.uint8), (0, 0), 0.8)
    return cv2.resize(soft, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)


_LAB = np.array([0.12, 1, 1], np.float32)  # how much L, a and b count: skin lies in the light and in the shade
_APART = 5.0  # what lies around the face and is no farther from its cheeks says nothing: a bald head, a beige wall


def _unlike_hair(lab: np.ndarray, seen: light.Light) -> np.ndarray:
    """0 where a colour (h, w, 3) is nearer to what lies around the face than to its cheeks, 1 where not.

    Fair hair has nearly the colour of skin: only beside each other are they told apart.
    """
    around = seen.around[_nearest(seen.around, seen.cheeks) > _APART] if len(seen.cheeks) else seen.around[:0]
    h, w = lab.shape[:2]
    if not len(around):
        return np.ones((h, w), np.float32)
    small = cv2.resize(lab, (-(-w // 2), -(-h // 2)), interpolation=cv2.INTER_AREA)  # strands are not told one by one
    skin, hair = (_nearest(small.reshape(-1, 3), samples) + 2 for samples in (seen.cheeks, around))
    share = cv2.GaussianBlur((hair / (skin + hair)).reshape(small.shape[:2]), (0, 0), 0.7)
    return cv2.resize(1 / (1 + np.exp(40 * (0.41 - share))), (w, h), interpolation=cv2.INTER_LINEAR)


def _nearest(colours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance (n,) of each colour in Lab (n, 3) to the nearest of others (m, 3); lightness counts half."""
    one, other = (np.asarray(part, np.float32) * np.array([0.5, 1, 1], np.float32) for part in (colours, others))
    square = (one**2).sum(1) + ((other**2).sum(1)[:, None] - 2 * (other @ one.T)).min(0)
    return np.sqrt(np.maximum(square, 0))


def texels(scene: Scene) -> tuple[int, int]:
    """Size of the fabric's own picture: as fine as the photo shows it, at most about 0.6 texels a pixel if large."""
    w = float(np.linalg.norm(np.diff(scene.places, axis=1), axis=2).sum(1).max())
    h = float(np.linalg.norm(np.diff(scene.places, axis=0), axis=2).sum(0).max())
    share = 1 / max(1.0, scene.soft)
    share = min(share, max(0.6 * share, 200 / max(w, 1)))
    return int(np.clip(w * share, 48, 700)), int(np.clip(h * share, 40, 525))


def warped(scene: Scene, picture: np.ndarray) -> np.ndarray:
    """The fabric's picture as it lies in the inner window: places → (u, v) by a thin-plate spline through what is seen.

    The spline is asked on a coarse grid, one cell wider than the window all round.
    """
    window, (rows, columns), (h, w) = scene.inner, scene.places.shape[:2], picture.shape[:2]
    chosen = np.zeros((rows, columns), bool)
    chosen[::4, ::3] = True
    seen = chosen & (scene.facing[..., 2] > 0.05)
    v, u = np.nonzero(seen if seen.sum() >= 8 else chosen)
    target = np.column_stack([u / (columns - 1) * w - 0.5, v / (rows - 1) * h - 0.5])
    back = head.spline(window.local(scene.places)[v, u], target, smooth=1e-3)
    step = max(4, -(-max(window.w, window.h) // 24))
    gw, gh = -(-window.w // step) + 2, -(-window.h // step) + 2
    gx, gy = np.meshgrid((np.arange(gw) - 0.5) * step, (np.arange(gh) - 0.5) * step)
    coarse = back(np.column_stack([gx.ravel(), gy.ravel()])).reshape(gh, gw, 2).astype(np.float32)
    where: np.ndarray = cv2.resize(coarse, (gw * step, gh * step), interpolation=cv2.INTER_LINEAR)
    where = where[step : step + window.h, step : step + window.w]
    nothing = np.empty(0, np.float32)  # both coordinates are in `where`
    return cv2.remap(picture, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def outline(cover: np.ndarray, window: Window) -> np.ndarray:
    """The outline (k, 2) of what is covered by half or more, in pixels of the photo; the largest piece."""
    half = cv2.threshold(cover, 127, 255, cv2.THRESH_BINARY)[1]
    found, _ = cv2.findContours(half, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return np.empty((0, 2))
    largest = max(found, key=cv2.contourArea)
    simple = cv2.approxPolyDP(largest, 0.6, True)[:, 0].astype(float)
    return simple + 0.5 + (window.x, window.y)
