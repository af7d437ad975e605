"""Beards: a dark ground of short hair, and strands over it that grow from the skin of jaw, chin and upper lip."""

import cv2
import numpy as np

from .. import head
from .place import Place, floats, lit, noise, over, srgb
from .relief import Relief

__all__ = ["beard"]

_COLOURS = {
    "black": (24, 21, 20), "dark": (48, 36, 29), "brown": (84, 58, 40), "fair": (150, 112, 70), "ginger": (142, 76, 40),
    "grey": (128, 124, 120), "white": (205, 200, 194),
}  # fmt: skip
# Half of the edges of where a beard grows, from the middle to the ear: (x, y) of the head at u = 0, ¼, ½, ¾, 1.
_TOP = ((0, 0.90), (0.27, 0.90), (0.60, 0.98), (0.93, 0.74), (1.14, 0.18))
_LINE = ((0, 1.86), (0.34, 1.82), (0.66, 1.60), (0.96, 1.22), (1.15, 0.66))
_CUTS = {  # how far out (u) it reaches, length of strands, how dense, how far below the chin, share
    "stubble": ((0.85, 1.0), (0.03, 0.05), (0.5, 0.8), (0.0, 0.1), 1.0),
    "short": ((0.9, 1.0), (0.07, 0.13), (0.85, 1.0), (0.05, 0.15), 2.0),
    "full": ((0.95, 1.0), (0.16, 0.28), (1.0, 1.0), (0.15, 0.4), 3.0),
    "long": ((0.9, 1.0), (0.28, 0.5), (1.0, 1.0), (0.5, 1.3), 1.2),
    "moustache": ((0.26, 0.36), (0.08, 0.18), (0.9, 1.0), (-0.92, -0.84), 0.8),
    "goatee": ((0.30, 0.40), (0.10, 0.2), (0.9, 1.0), (0.05, 0.3), 1.3),
}
_ROWS, _COLUMNS = 13, 25


def beard(place: Place, rng: np.random.Generator) -> tuple[list[Relief], dict[str, object]]:
    """A beard with its moustache, from stubble to long; its colour is often that of the brows."""
    names = list(_CUTS)
    shares = np.array([cut[-1] for cut in _CUTS.values()])
    cut = names[rng.choice(len(names), p=shares / shares.sum())]
    reach, long, dense, below = (float(rng.uniform(*pair)) for pair in _CUTS[cut][:4])
    grid = _grid(below, rng)
    places = place.at(grid.reshape(-1, 3)).reshape(_ROWS, _COLUMNS, 3)
    about = places.reshape(-1, 3)
    relief = Relief(place, about[:, :2].min(0) - 0.25, about[:, :2].max(0) + 0.3 + 0.3 * (cut == "long"))
    colour, name = _colour(place, rng)
    thick = _thickness(places, relief, reach=reach, dense=dense, rng=rng)
    amount, seen = _shade(place, grid), place.seen
    base = lit(np.broadcast_to(colour * 0.55, (_ROWS, _COLUMNS, 3)), amount, seen)
    ground = _spread(relief, places, base)
    roots = _roots(thick, relief, places, count=int(np.clip(thick.sum() / 9, 80, 3200)), rng=rng)
    ink, cover = _strands(
        relief, place, grid, roots=roots, colour=colour, amount=amount, long=long, ground=ground, rng=rng
    )
    under = thick * (0.55 if cut == "stubble" else 0.9)
    cover = np.maximum(cover, under)
    cover *= 1 - _lips(relief, place, hang=long)
    relief.least = 0.25
    relief.ready = over(ink, cover)
    return [relief], {"cut": cut, "colour": name, "length": long, "below": below}


def _grid(below: float, rng: np.random.Generator) -> np.ndarray:
    """Points (rows, columns, 3) of the skin that grows hair; rows past the jaw hang below the chin."""
    top, line = np.array(_TOP) + (0, rng.normal(0, 0.025)), np.array(_LINE)
    top[2:4, 1] += rng.normal(0, 0.07)
    line[:3, 1] += below * np.array([1, 0.9, 0.45])
    line[:, 1] += 0.08
    across = np.linspace(-1, 1, _COLUMNS)
    knots = np.linspace(0, 1, 5)
    edges = [np.column_stack([np.interp(np.abs(across), knots, e[:, 0]) * np.sign(across),
                              np.interp(np.abs(across), knots, e[:, 1])]) for e in (top, line)]  # fmt: skip
    v = np.linspace(0, 1, _ROWS)[:, None, None]
    xy = edges[0] + (edges[1] - edges[0]) * v
    z = head.surface(np.minimum(xy, (9, 1.9)).reshape(-1, 2)).reshape(_ROWS, _COLUMNS)
    return np.dstack([xy, z + 0.04])


def _colour(place: Place, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    own = _brows(place)
    if rng.random() < 0.55 and own.mean() < 0.55 * place.skin.mean():  # brows that can be told from skin
        return own, "own"
    name = str(rng.choice(list(_COLOURS)))
    colour = np.clip(np.array(_COLOURS[name], float) * rng.uniform(0.85, 1.2), 8, 235)
    return place.dyed(srgb(*colour)), name


def _brows(place: Place) -> np.ndarray:
    """The linear colour of the brows, held between grey and brown: they may lie under a cap or paint."""
    h, w = place.rgb.shape[:2]
    at = np.clip(place.points[17:27] + (0, 0.03 * place.fit.scale), 0, (w - 1, h - 1)).astype(int)
    seen = np.percentile(np.square(place.rgb[at[:, 1], at[:, 0]].astype(np.float32) / 255), 25, axis=0)
    own = seen / max(place.seen.ambient + float(place.seen.toward[2]) * 0.7, 1e-3)
    grey = float(own.mean())
    return floats(np.clip(own, grey * np.array([1.0, 0.7, 0.35]), grey * np.array([1.7, 1.0, 0.95])).clip(0.006, 0.35))


def _shade(place: Place, grid: np.ndarray) -> np.ndarray:
    """Light (rows, columns) on the beard, darker below the chin."""
    across, down = np.gradient(grid, axis=1), np.gradient(grid, axis=0)
    normals = np.cross(across, down)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    seen = place.seen.on(place.fit.facing(normals))
    return floats(seen * np.clip(1.15 - 0.55 * np.maximum(grid[..., 1] - 1.7, 0), 0.45, 1.2))


def _spread(relief: Relief, places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at the grid's points → over the picture, smoothly (blurred dabs, weighted)."""
    k = 3
    wh = max(4, relief.w // k), max(4, relief.h // k)
    at = ((places[..., :2] - relief.low) * relief.res / k).round().astype(int).reshape(-1, 2)
    ok = np.all((at >= 0) & (at < wh), axis=1)
    flat = values.reshape(len(at), -1)
    total = np.zeros((wh[1], wh[0], flat.shape[1] + 1), np.float32)
    np.add.at(total, (at[ok, 1], at[ok, 0]), np.column_stack([flat[ok], np.ones(ok.sum())]))
    total = cv2.GaussianBlur(total, (0, 0), 0.13 * relief.res / k) + 1e-6 * np.append(flat.mean(0), 1).astype(
        np.float32
    )
    return cv2.resize(total[..., :-1] / total[..., -1:], (relief.w, relief.h))


def _thickness(
    places: np.ndarray, relief: Relief, *, reach: float, dense: float, rng: np.random.Generator
) -> np.ndarray:
    """How densely hair grows (h, w), 0–1: ragged at the edges, thin at the cheeks' upper edge."""
    u = np.abs(np.linspace(-1, 1, _COLUMNS))
    inside = np.flatnonzero(u <= reach)
    ring = [places[0, inside], places[1:, inside[-1]], places[-1, inside[::-1]], places[:0:-1, inside[0]]]
    field = relief.filled([np.concatenate(ring)])
    wide = cv2.GaussianBlur(field, (0, 0), max(0.5, 0.055 * relief.res))
    size = relief.h / relief.res, relief.w / relief.res
    rough = (
        noise(field.shape, (size[0] * 14, size[1] * 14), rng) * 0.12
        + noise(field.shape, (size[0] * 3, size[1] * 3), rng) * 0.08
    )
    return np.clip((wide + rough - 0.38) * 3.2, 0, 1) * np.float32(dense)


def _roots(
    thick: np.ndarray, relief: Relief, places: np.ndarray, *, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Where strands begin (n, 2) in grid coordinates (column, row)."""
    at = np.column_stack([rng.uniform(0, _COLUMNS - 1, 2 * count), rng.uniform(0, _ROWS - 1, 2 * count)])
    where = _between(places, at)
    pixel = np.clip(((where[:, :2] - relief.low) * relief.res).astype(int), 0, (relief.w - 1, relief.h - 1))
    return at[rng.random(len(at)) < thick[pixel[:, 1], pixel[:, 0]]][:count]


def _between(grid: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of a grid (rows, columns, k) at (column, row) places (n, 2)."""
    x, y = floats(at[:, 0])[None], floats(at[:, 1])[None]
    return cv2.remap(floats(grid), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def _combed(place: Place, grid: np.ndarray, roots: np.ndarray, *, long: float, rng: np.random.Generator) -> np.ndarray:
    """How strands lie (n, 4, 2) in units: down the cheeks, outwards on the lip, in tufts."""
    start, n = _between(grid, roots), len(roots)
    lip = (np.abs(start[:, 0]) < 0.5) & (start[:, 1] < 1.06)
    way = np.column_stack([-0.25 * start[:, 0], np.ones(n), np.full(n, 0.12)])
    way[lip] = np.column_stack([np.sign(start[lip, 0]) * 0.85, np.full(lip.sum(), 0.42), np.full(lip.sum(), 0.1)])
    way += rng.normal(0, 0.22, (n, 3)) + _between(rng.normal(0, 0.3, (_ROWS, _COLUMNS, 3)), roots)
    length = long * rng.uniform(0.5, 1.25, n) * np.where(lip, 0.7, 1)
    t = np.array([0, 0.35, 0.7, 1.0])
    bend = rng.normal(0, 0.25, (n, 2))
    turned = way @ place.fit.rotation.T
    line = turned[:, None, :2] * (t * 1.0)[None, :, None] * length[:, None, None]
    line = line + bend[:, None] * (t**2)[None, :, None] * length[:, None, None]
    return _between(place.at(grid.reshape(-1, 3)).reshape(grid.shape), roots)[:, None, :2] + line


def _strands(
    relief: Relief,
    place: Place,
    grid: np.ndarray,
    *,
    roots: np.ndarray,
    colour: np.ndarray,
    amount: np.ndarray,
    long: float,
    ground: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The strands in ink (h, w, 3) and their coverage (h, w): five tones, from below upwards."""
    ink, cover = np.clip(ground, 0, 255).astype(np.uint8), np.zeros((relief.h, relief.w), np.uint8)
    if not len(roots):
        return ink.astype(np.float32), cover.astype(np.float32)
    pixels = relief.pixels(_combed(place, grid, roots, long=long, rng=rng))
    light = _between(amount[..., None], roots)[:, None]
    order = rng.permutation(len(roots))
    for part, tone in zip(np.array_split(order, 6), (0.4, 0.62, 0.85, 1.1, 1.35, 1.8), strict=True):
        if len(part):
            shade = lit(colour[None] * tone + 0.004, floats([light[part].mean()]), place.seen)[0]
            thin = max(1, round(0.011 * relief.res))
            cv2.polylines(ink, list(pixels[part]), False, shade.tolist(), thin, cv2.LINE_AA, 4)
            cv2.polylines(cover, list(pixels[part]), False, 255, thin, cv2.LINE_AA, 4)
    mean = cv2.GaussianBlur(ground, (0, 0), 3)
    return ink.astype(np.float32) * np.clip(mean / np.maximum(mean.mean((0, 1)), 1), 0.6, 1.5), cover.astype(
        np.float32
    ) / 255


def _lips(relief: Relief, place: Place, *, hang: float) -> np.ndarray:
    """Where the lips stay free (h, w), 0–1; a long moustache hangs over the upper one."""
    scale = place.fit.scale
    mouth = place.points[48:60] / scale
    middle = mouth.mean(0)
    down = place.fit.rotation[:2, 1]
    mouth = middle + (mouth - middle) * (0.96, 1.0)
    mouth[:7] += down * min(0.12, 0.25 * hang)
    return cv2.GaussianBlur(relief.filled([mouth]), (0, 0), max(0.4, 0.018 * relief.res))
