"""Solid things before a face as a picture of heights: round tubes, plates and balls, with their normals and colours."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..scene import Outside
from .place import Place, amount_on, floats, lit, over

__all__ = ["FLESH", "Relief"]

_PIXELS = 80_000  # more make a thing no better: faces are judged at some 100 pixels
_FINEST, _COARSEST = 110.0, 44.0
_OVER = 0.08  # how far the picture goes on past the edges of the photo
FLESH = 1  # the mark of skin, into which light sinks: its shadows are redder


class Relief:
    """A picture that things are set into; what is nearer hides what is farther.

    cover 0–1, which (the `mark` that was set as the pixel was drawn), height, normal (h, w, 3), albedo (h, w, 3)
    linear, gloss, and along, across: where on the thing a pixel lies (units along a tube; −1…1 across it).
    """

    def __init__(self, place: Place, low: Sequence[float], high: Sequence[float]) -> None:
        self.place = place
        self.low = np.maximum(np.asarray(low, float), place.box[:2] - _OVER)
        self.high = np.minimum(np.asarray(high, float), place.box[2:] + _OVER)
        size = self.high - self.low
        if ((size - 2 * _OVER) * place.fit.scale).min() < 2:
            raise Outside("the look-alike")
        self.res = float(np.clip(place.fit.scale, _COARSEST, _FINEST))
        self.res = min(self.res, float(np.sqrt(_PIXELS / size.prod())))
        self.w, self.h = (max(2, int(np.ceil(side * self.res))) for side in size)
        shape = self.h, self.w
        self.cover, self.gloss = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.height = np.full(shape, -99, np.float32)
        self.normal, self.albedo = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
        self.least = 0.5  # from which coverage on a pixel counts as the thing
        self.ready: np.ndarray | None = None  # a picture that was drawn and lit already
        self.which, self.mark = np.zeros(shape, np.uint8), 0
        self.along, self.across = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.x = floats(self.low[0] + (np.arange(self.w) + 0.5) / self.res)[None]
        self.y = floats(self.low[1] + (np.arange(self.h) + 0.5) / self.res)[:, None]

    def pixels(self, xy: np.ndarray) -> np.ndarray:
        """Units (n, 2+) → pixels here with four binary places, as cv2 draws them with shift 4."""
        return np.round(((np.asarray(xy)[..., :2] - self.low) * self.res - 0.5) * 16).astype(np.int32)

    def part(self, low: np.ndarray, high: np.ndarray) -> tuple[slice, slice] | None:
        """The rows and columns between two corners in units; None where nothing of them is in the picture."""
        first = np.clip(np.floor((low[:2] - self.low) * self.res - 1), 0, (self.w, self.h)).astype(int)
        last = np.clip(np.ceil((high[:2] - self.low) * self.res + 1), 0, (self.w, self.h)).astype(int)
        if (last - first).min() < 1:
            return None
        return slice(first[1], last[1]), slice(first[0], last[0])

    def tube(self, line: object, radii: object, colour: np.ndarray, *, flat: float = 1.0, gloss: float = 0.0) -> None:
        """A round thing along points (n, 3) with radii (n,); flat < 1 presses it towards the picture's plane."""
        line, radii, done = np.asarray(line, float), np.asarray(radii, float), 0.0
        for a, b, ra, rb in zip(line, line[1:], radii, radii[1:], strict=False):
            self._segment((a, b), (ra, rb), colour, flat=flat, gloss=gloss, start=done)
            done += float(np.linalg.norm(b - a))

    def _segment(
        self, ends: tuple, radii: tuple, colour: np.ndarray, *, flat: float, gloss: float, start: float
    ) -> None:
        (a, b), (ra, rb) = ends, radii
        here = self.part(np.minimum(a[:2] - ra, b[:2] - rb), np.maximum(a[:2] + ra, b[:2] + rb))
        if here is None:
            return
        dx, dy = self.x[:, here[1]] - np.float32(a[0]), self.y[here[0]] - np.float32(a[1])
        way = floats(b - a)
        t = np.clip((dx * way[0] + dy * way[1]) / max(float(way[0] ** 2 + way[1] ** 2), 1e-9), 0, 1)
        r = np.float32(ra) + t * np.float32(rb - ra)
        qx, qy = (dx - t * way[0]) / r, (dy - t * way[1]) / r
        far = np.sqrt(qx * qx + qy * qy)
        up = np.sqrt(np.maximum(1 - far * far, 0)).astype(np.float32)
        z = np.float32(a[2]) + t * way[2] + np.float32(flat) * r * up
        normal = cv2.merge([qx * np.float32(flat), qy * np.float32(flat), np.maximum(up, np.float32(0.02))])
        length = float(np.hypot(way[0], way[1])) or 1.0
        side = (qx * -way[1] + qy * way[0]) / np.float32(length)
        at = np.float32(start) + t * np.float32(np.linalg.norm(way))
        self.set(
            here, np.clip(0.5 - (far - 1) * r * self.res, 0, 1), z, normal, colour=colour, gloss=gloss, uv=(at, side)
        )

    def set(
        self,
        here: tuple[slice, slice],
        cover: np.ndarray,
        z: np.ndarray,
        normal: np.ndarray,
        *,
        colour: np.ndarray,
        gloss: float = 0.0,
        uv: tuple | None = None,
    ) -> None:
        """Set something into a part of the picture wherever it is nearer than what is there."""
        near = (cover > 0) & (z > self.height[here])
        spot = near.view(np.uint8)
        cv2.max(self.cover[here], floats(cover), self.cover[here])
        np.copyto(self.height[here], z, where=near, casting="same_kind")
        cv2.copyTo(np.ascontiguousarray(normal, np.float32), spot, self.normal[here])
        self.albedo[here][near] = floats(colour)
        self.gloss[here][near] = gloss
        self.which[here][near] = self.mark
        for kept, new in zip((self.along, self.across), uv or (), strict=False):
            np.copyto(kept[here], new, where=near, casting="same_kind")

    def plate(self, outline: np.ndarray, normal: np.ndarray, colour: np.ndarray, *, gloss: float = 0.0) -> None:
        """A flat thing with this outline (n, 3), seen from its normal's side."""
        here = self.part(outline.min(0), outline.max(0))
        if here is None:
            return
        fill = self.filled([outline])[here]
        z = np.full(fill.shape, outline[:, 2].mean(), np.float32)
        if abs(normal[2]) > 0.05:
            middle = outline.mean(0)
            z = floats(
                middle[2]
                - ((self.x[:, here[1]] - middle[0]) * normal[0] + (self.y[here[0]] - middle[1]) * normal[1]) / normal[2]
            )
        self.set(here, fill, z, np.broadcast_to(floats(normal), (*fill.shape, 3)), colour=colour, gloss=gloss)

    def filled(self, outlines: Sequence[np.ndarray]) -> np.ndarray:
        """Coverage (h, w) of closed outlines (n, 2+)."""
        canvas = np.zeros((self.h, self.w), np.uint8)
        for outline in outlines:
            cv2.fillPoly(canvas, [self.pixels(outline)], 255, cv2.LINE_AA, 4)
        return canvas.astype(np.float32) / 255

    def lines(self, lines: Sequence[np.ndarray], width: float) -> np.ndarray:
        """Coverage (h, w) of lines (n, 2+) of a width in units."""
        canvas = np.zeros((self.h, self.w), np.uint8)
        cv2.polylines(canvas, [self.pixels(line) for line in lines], False, 255, max(1, round(width * self.res)), 16, 4)
        return canvas.astype(np.float32) * (min(1.0, max(width * self.res, 0.3)) / 255)

    def soften(self, width: float) -> None:
        """Round off what stands in the picture so far: normals blurred by a width in units."""
        sigma = width * self.res
        if sigma > 0.3:
            thick = cv2.merge([*cv2.split(self.normal * self.cover[..., None]), self.cover])
            soft = _blurred(thick, sigma)
            cv2.copyTo(soft[..., :3] / (soft[..., 3:] + 1e-4), (self.cover > 0).view(np.uint8), self.normal)

    def ball(
        self, centre: object, radii: object, colour: np.ndarray, *, under: float = 9.0, gloss: float = 0.0
    ) -> None:
        """An egg standing as the head does: centre and radii (3,) in the head's own axes; nothing below y = under."""
        turn, centre = self.place.fit.rotation.astype(np.float32), np.asarray(centre, float)
        middle = self.place.at(centre)[0]
        reach = np.full(2, np.max(np.asarray(radii)))
        here = self.part(middle[:2] - reach, middle[:2] + reach)
        if here is None:
            return
        dx, dy = np.broadcast_arrays(self.x[:, here[1]] - floats(middle[0]), self.y[here[0]] - floats(middle[1]))
        radii = floats(radii)
        ray = turn[2] / radii  # where the camera looks along, in the egg's own measure
        start = (dx[..., None] * turn[0] + dy[..., None] * turn[1]) / radii
        a, b, c = float(ray @ ray), start @ ray, (start**2).sum(2) - 1
        square = b * b - a * c
        z = (-b + np.sqrt(np.maximum(square, 0))) / a
        hit = start + z[..., None] * ray
        normal = (hit / radii) @ turn.T
        normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6)
        edge = np.clip(0.5 + square / np.maximum(np.abs(cv2.Laplacian(square, cv2.CV_32F)), 0.05) * 2, 0, 1)
        y = hit[..., 1] * radii[1] + np.float32(centre[1])
        cover = edge * np.clip((np.float32(under) - y) * self.res + 0.5, 0, 1)
        self.set(here, cover, z + floats(middle[2]), normal, colour=colour, gloss=gloss, uv=(hit[..., 1], hit[..., 0]))

    def bump(self, field: np.ndarray, strength: float) -> None:
        """Tilt the normals by the slopes of a field (h, w) of heights in units, times strength."""
        k = np.float32(strength * self.res / 8)
        self.normal[..., 0] -= cv2.Sobel(field, cv2.CV_32F, 1, 0) * k
        self.normal[..., 1] -= cv2.Sobel(field, cv2.CV_32F, 0, 1) * k

    def rgba(self, *, hollows: float = 1.0) -> np.ndarray:
        """The picture (h, w, 4) uint8 under the face's light with its coverage; colours are multiplied by it.

        hollows: how much light is lost where neighbours stand higher.
        """
        if self.ready is not None:
            return self.ready
        seen = self.place.seen
        nx, ny, nz = cv2.split(self.normal)
        normal = self.normal / np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-6))[..., None]
        amount = amount_on(normal, seen) * (1 - hollows * self._hidden())
        if self.gloss.any():
            toward = seen.toward / max(float(np.linalg.norm(seen.toward)), 1e-6) * 0.5 + (-0.1, -0.55, 0.9)
            half = toward + np.array([0, 0, np.linalg.norm(toward)])
            shine = np.clip(normal @ floats(half / np.linalg.norm(half)), 0, 1) ** 40
        flesh = self.which == FLESH
        albedo = self.albedo
        if flesh.any():
            level = floats(np.clip(amount[flesh] / max(float(np.percentile(amount[flesh][::7], 85)), 1e-4), 0.15, 1.3))
            albedo = albedo.copy()
            albedo[flesh] *= (
                cv2.merge([level**-0.04, level**0.07, level**0.12]).reshape(-1, 3) * seen.colourful + 1 - seen.colourful
            )
        colour = lit(albedo, amount, seen)
        if self.gloss.any():
            colour += (self.gloss * shine * 255 * np.sqrt(min(float(seen.ambient), 1.0)))[..., None]
        return over(colour, self.cover)

    def _hidden(self) -> np.ndarray:
        """How much of the light is taken by higher neighbours, 0–0.6."""
        solid = (self.cover > 0).astype(np.float32)
        height = np.maximum(self.height, -9) * solid
        around = _blurred(cv2.merge([height, solid]), 0.07 * self.res)
        return np.clip((around[..., 0] / (around[..., 1] + 1e-4) - height) * 2.2 * solid, 0, 0.6)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur; a wide one is done on a smaller picture."""
    h, w = picture.shape[:2]
    k = max(1, min(int(sigma / 1.6), h // 4, w // 4))
    if k == 1:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    small = cv2.resize(picture, (w // k, h // k), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / k), (w, h))
