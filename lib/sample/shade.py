"""Light on what is seen: skin, hair, cloth and glass, with shadows and hollows, in picture space."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import paint
from .mesh import CLOTH, FACE, HAIR, SHINY, SKIN, Part, sampled

__all__ = ["Light", "glaze", "shade"]


@dataclass(frozen=True)
class Light:
    """One hard and one soft light: direction to the key light, linear colours, brightness of the whole."""

    key: tuple[float, float, float] = (-0.5, -0.5, 0.7)
    colour: tuple[float, float, float] = (1.0, 0.97, 0.92)
    ambient: tuple[float, float, float] = (0.42, 0.43, 0.46)
    rim: float = 0.15
    exposure: float = 1.0

    @property
    def direction(self) -> np.ndarray:
        """Unit vector to the key light."""
        return _f(self.key) / np.linalg.norm(_f(self.key))


@dataclass
class _Seen:
    """What the seen pixels show, n each: normal, linear colour, gloss, kind, light that reaches them."""

    normals: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    kinds: np.ndarray
    shadow: np.ndarray
    hollow: np.ndarray

    def only(self, which: np.ndarray) -> "_Seen":
        """Some of the pixels, by a mask (n,)."""
        return _Seen(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def _f(values: object) -> np.ndarray:
    return np.asarray(values, np.float32)


def shade(
    parts: list[Part],
    index: np.ndarray,
    depth: np.ndarray,
    *,
    texture: np.ndarray,
    light: Light,
    scale: float,
) -> np.ndarray:
    """The lit picture, premultiplied rgb 0–255 and alpha (h, w, 4), of what `mesh.splat` saw.

    parts: the first is the head, which wears the texture (h, w, 4) of `paint.face`; scale: pixels a unit.
    """
    there = index >= 0
    which = index[there]
    shadow, hollow = _shadow(depth, light.direction, scale)
    counts = [len(p.points) for p in parts]
    seen = _Seen(
        normals=np.concatenate([p.normals for p in parts])[which],
        albedo=np.concatenate([p.colour for p in parts])[which],
        gloss=np.repeat(_f([p.gloss for p in parts]), counts)[which],
        kinds=np.repeat(np.array([p.kind for p in parts], np.uint8), counts)[which],
        shadow=shadow[there],
        hollow=hollow[there],
    )
    seen.hollow = 1 - (1 - seen.hollow) * np.clip(seen.normals[:, 2] * 1.6 + 0.1, 0, 1)
    _dress(seen, parts[0].canonical[which[seen.kinds == FACE]], texture)
    lit = _lit(seen, light)
    strands = seen.kinds == HAIR
    if strands.any():
        along = np.concatenate([np.zeros_like(p.points) if p.tangents is None else p.tangents for p in parts])
        lit[strands] = _hair_lit(seen.only(strands), along[which[strands]], light)
    lit *= light.exposure
    rgba = np.zeros((*index.shape, 4), np.float32)
    rgba[there, :3] = np.sqrt(np.clip(lit * 1.22 / (1 + 0.22 * lit), 0, 1)) * 255
    rgba[there, 3] = 1
    return rgba


def _dress(seen: _Seen, canonical: np.ndarray, texture: np.ndarray) -> None:
    """Give the face its painted skin; canonical (m, 3) places of its pixels."""
    scale = texture.shape[1] / (paint.RIGHT - paint.LEFT)
    u = (canonical[:, 0] - paint.LEFT) * scale - 0.5
    v = (canonical[:, 1] - paint.TOP) * scale - 0.5
    painted = sampled(texture, u, v)
    frontal = np.clip((canonical[:, 2:] + 0.35) * 3, 0, 1)
    face = seen.kinds == FACE
    seen.albedo[face] = (painted[:, :3] / 255) ** 2 * frontal + seen.albedo[face] * (1 - frontal)
    seen.gloss[face] = painted[:, 3]


def _lit(seen: _Seen, light: Light) -> np.ndarray:
    """Linear colours (n, 3): a wrapped warm Lambert for skin, a highlight, a rim."""
    n, key, colour = seen.normals, light.direction, _f(light.colour)
    skin = ((seen.kinds == FACE) | (seen.kinds == SKIN))[:, None]
    wrap = np.where(skin, _f([0.42, 0.26, 0.18]), _f(0.12))
    diffuse = np.clip(((n @ key)[:, None] + wrap) / (1 + wrap), 0, None)
    shadow = seen.shadow[:, None] ** np.where(skin, _f([0.7, 1.0, 1.15]), _f(1.0))
    open_ = seen.hollow[:, None] ** np.where(skin, _f([0.8, 1.05, 1.15]), _f(1.0))
    ambient = _f(light.ambient) * ((0.5 - 0.5 * n[:, 1:2]) * 0.55 + 0.55) * open_
    front = np.clip(n[:, 2:], 0, 1)
    lit = seen.albedo * (diffuse * shadow * colour + ambient + 0.10 * front * open_)
    half = key + _f([0, 0, 1])
    spec = np.clip(n @ (half / np.linalg.norm(half)), 0, 1)
    power = np.where(seen.kinds == SHINY, 60, np.where(seen.gloss > 0.5, 34, 16))
    shine = spec**power * seen.gloss * np.where(seen.kinds == CLOTH, 0.05, 0.20) * seen.shadow
    rim = (1 - front) ** 3 * light.rim * _f(light.ambient) * open_ * (0.4 + seen.albedo)
    return lit + shine[:, None] * colour + rim


def _hair_lit(seen: _Seen, tangent: np.ndarray, light: Light) -> np.ndarray:
    """Strands after Kajiya and Kay (1989), with a wrapped diffuse part for the volume."""
    key, colour = light.direction, _f(light.colour)
    t = tangent / np.maximum(np.sqrt(np.einsum("ij,ij->i", tangent, tangent))[:, None], 1e-9)
    along, sight = t @ key, t[:, 2]
    across = np.sqrt(np.clip(1 - along**2, 0, 1))
    volume = np.clip((seen.normals @ key + 0.35) / 1.35, 0, None)
    highlight = np.clip(across * np.sqrt(np.clip(1 - sight**2, 0, 1)) - along * sight, 0, 1)
    direct = colour * (volume * (0.35 + 0.75 * across) * seen.shadow)[:, None]
    up = ((0.5 - 0.5 * seen.normals[:, 1]) * 0.6 + 0.5) * seen.hollow
    spark = (highlight**26 * seen.gloss * volume * seen.shadow)[:, None]
    lit = seen.albedo * (direct + _f(light.ambient) * up[:, None])
    return lit + spark * (0.30 * np.sqrt(seen.albedo) + 0.035) * colour


def _shadow(depth: np.ndarray, key: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Light that reaches each pixel from the key light, and from all around, 0–1 (h, w), at half resolution."""
    h, w = depth.shape
    small = cv2.resize(depth, (w // 2, h // 2), interpolation=cv2.INTER_NEAREST)
    there = small > -8
    step = scale / 2
    lit: np.ndarray = np.ones_like(small)
    across = key[:2]
    for reach in (0.05, 0.10, 0.17, 0.26, 0.40, 0.60, 0.85):
        dx, dy = across * reach * step
        shift = _f([[1, 0, -dx], [0, 1, -dy]])
        other = cv2.warpAffine(small, shift, (w // 2, h // 2), flags=cv2.INTER_LINEAR, borderValue=-9)
        above = other - small - key[2] * reach
        lit = lit * (1 - 0.62 * np.clip((above - 0.03) / 0.10, 0, 1) * (above < 0.75))
    lit = cv2.GaussianBlur(lit, (0, 0), max(0.6, 0.018 * step))
    mass = there.astype(np.float32)
    filled = np.where(there, small, 0)
    hollow: np.ndarray = np.ones_like(small)
    for radius, strength in ((0.06, 1.3), (0.16, 0.8), (0.42, 0.42)):
        sigma = max(0.6, radius * step)
        mean = cv2.GaussianBlur(filled, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(mass, (0, 0), sigma), 1e-3)
        hollow = hollow * (1 - np.clip(strength * (mean - small - 0.004) / (radius * 2.2), 0, 0.5))
    back = (w, h)
    return cv2.resize(lit, back), cv2.resize(hollow, back)


def glaze(rgba: np.ndarray, rim: np.ndarray, light: Light) -> None:
    """Lay a faint reflection on a lens whose rim is given in pixels."""
    h, w = rgba.shape[:2]
    cover = np.zeros((h, w), np.uint8)
    cv2.fillPoly(cover, [np.round(rim * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    x1, y1 = np.clip(rim.min(0).astype(int), 0, (w - 1, h - 1))
    x2, y2 = np.clip(rim.max(0).astype(int) + 1, (x1 + 1, y1 + 1), (w, h))
    yy, xx = np.mgrid[y1:y2, x1:x2].astype(np.float32)
    slope = ((xx - x1) / (x2 - x1) + (yy - y1) / (y2 - y1)) / 2
    streak = 0.05 + 0.16 * np.exp(-(((slope - 0.36) / 0.07) ** 2)) + 0.08 * np.exp(-(((slope - 0.52) / 0.03) ** 2))
    alpha = (streak * cover[y1:y2, x1:x2] / 255 * rgba[y1:y2, x1:x2, 3])[..., None]
    part = rgba[y1:y2, x1:x2, :3]
    part += (_f([236, 242, 250]) * np.clip(light.exposure, 0.5, 1) - part) * alpha
