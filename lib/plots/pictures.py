"""Boxes on photos and contact sheets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .. import classes, images

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["annotate", "clusters", "frame", "sheet", "show"]

LINE = 14  # pixels of a line of a contact sheet's captions
INK, PAPER = (20, 20, 20), (255, 255, 255)


def annotate(rgb: np.ndarray, detections: "sv.Detections") -> np.ndarray:
    """A copy of a photo with each face's box, word and probability drawn on it, in the colours of `classes`.

    Lines and letters grow with the photo; captions stay inside it and carry their own ground, so that they can be
    read on any background. detections need data["class_name"]; confidence may be missing.
    """
    picture = np.ascontiguousarray(rgb).copy()
    names = detections.data.get("class_name", np.full(len(detections), "")) if len(detections) else []
    probabilities = detections.confidence if detections.confidence is not None else [None] * len(detections)
    for box, name, probability in zip(detections.xyxy, names, probabilities, strict=True):
        frame(picture, box, classes.caption(str(name), probability), classes.COLOURS.get(str(name), INK))
    return picture


def frame(picture: np.ndarray, box: np.ndarray, caption: str, colour: tuple[int, int, int]) -> None:
    """Draw one box and its caption into a picture, in place (the one function here that changes its argument)."""
    h, w = picture.shape[:2]
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    thin = max(1, round(max(h, w) / 400))
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), INK, thin + 2, cv2.LINE_AA)
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, thin, cv2.LINE_AA)
    if not caption:
        return
    scale = max(0.38, min(max(h, w) / 1400, (x2 - x1) / 120, 1.6))
    weight = 1 if scale < 0.8 else 2
    (tw, th), base = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    pad = max(2, round(th * 0.35))
    left = int(np.clip(x1, 0, max(0, w - tw - 2 * pad)))
    top = y1 - th - base - 2 * pad
    top = y1 if top < 0 else top
    cv2.rectangle(picture, (left, top), (left + tw + 2 * pad, top + th + base + 2 * pad), colour, -1)
    letters = PAPER if np.dot(colour, (0.299, 0.587, 0.114)) < 140 else INK
    at = (left + pad, top + pad + th)
    cv2.putText(picture, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, letters, weight, cv2.LINE_AA)


def sheet(
    pictures: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    *,
    colours: Sequence[tuple[int, int, int]] | None = None,
    columns: int = 8,
    side: int = 128,
) -> np.ndarray:
    """A contact sheet, rgb: pictures (any sizes) fitted into squares, each with its caption and a coloured rim.

    An empty sequence gives an empty sheet of one row. Captions take two lines where one needs it; what is longer still
    is cut in its middle.
    """
    lines = [_wrapped(str(words), side) for words in captions or ()]
    text = 0 if captions is None else 4 + LINE * max(map(len, lines), default=1)
    gap = 4
    columns = max(1, min(columns, len(pictures) or 1))
    rows = max(1, -(-len(pictures) // columns))
    page = np.full((rows * (side + text + gap) + gap, columns * (side + gap) + gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = gap + i // columns * (side + text + gap), gap + i % columns * (side + gap)
        scale = side / max(picture.shape[:2])
        wh = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        top, left = y + (side - wh[1]) // 2, x + (side - wh[0]) // 2
        page[top : top + wh[1], left : left + wh[0]] = small
        if colours is not None:
            cv2.rectangle(page, (x, y), (x + side - 1, y + side - 1), colours[i], 3)
        if captions is not None:
            for k, words in enumerate(lines[i]):
                at = (x, y + side + 13 + k * LINE)
                cv2.putText(page, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
    return page


def _wrapped(words: str, width: int) -> list[str]:
    """One line, or two that break at a space; each cut in its middle where it is still wider than so many pixels."""
    if _wide(words) <= width or " " not in words:
        return [_fitted(words, width)]
    breaks = [k for k, letter in enumerate(words) if letter == " "]
    at = max((k for k in breaks if _wide(words[:k]) <= width), default=breaks[0])
    return [_fitted(words[:at], width), _fitted(words[at + 1 :], width)]


def _fitted(words: str, width: int) -> str:
    keep = len(words)
    short = words
    while keep > 1 and _wide(short) > width:
        keep -= 1
        short = f"{words[: (keep + 1) // 2]}..{words[len(words) - keep // 2 :]}"
    return short


def _wide(words: str) -> int:
    return int(cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.38, 1)[0][0])


def show(rgb: np.ndarray, *, alt: str, width: int = 900, quality: int = 80) -> Any:
    """A picture for a notebook cell: a JPEG at most `width` pixels wide, with alt text for those who cannot see it."""
    from IPython.display import Image

    small = images.resize(rgb, max(rgb.shape[:2]) * width // rgb.shape[1]) if rgb.shape[1] > width else rgb
    return Image(data=images.encode(small, ".jpg", quality=quality), format="jpeg", alt=alt)


def clusters(
    groups: Sequence[Sequence[np.ndarray]], captions: Sequence[str], *, side: int = 84, most: int = 10
) -> np.ndarray:
    """Groups of look-alikes as rows of pictures, rgb: a caption, then at most `most` members, and how many more."""
    rows = []
    for members, caption in zip(groups, captions, strict=True):
        row = np.full((side + 22, most * (side + 4) + 4, 3), 255, np.uint8)
        words = caption if len(members) <= most else f"{caption} (the first {most} of {len(members)})"
        cv2.putText(row, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        for i, member in enumerate(members[:most]):
            x = 4 + i * (side + 4)
            row[20 : 20 + side, x : x + side] = cv2.resize(member, (side, side), interpolation=cv2.INTER_AREA)
        rows.append(row)
    return np.concatenate(rows) if rows else np.full((side, side, 3), 255, np.uint8)
