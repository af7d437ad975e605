"""Any file → an upright RGB image, and back, without surprises."""

import io
import os
import re
import struct
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from . import files
from .batch import Skip
from .files import sha256

__all__ = [
    "SUFFIXES",
    "UnreadableImage",
    "encode",
    "find",
    "opened",
    "read",
    "resize",
    "sha256",
    "sharpness",
    "size",
    "write",
]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
MAX_PIXELS = 100_000_000  # a decompression bomb is larger; a 100-megapixel camera is not

# What Pillow raises on damaged pixels and metadata; it is no closed list, a test damages files of every format.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
)


class UnreadableImage(Skip):
    """A file that is no image, is cut short, or would fill the memory; `.path` and `.reason` say which and why."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(reason)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    def __reduce__(self) -> tuple:
        return UnreadableImage, (self.path, self.reason)


def read(source: str | Path | bytes, *, max_side: int | None = None) -> np.ndarray:
    """Decode a file (or its bytes) into rgb, uint8 (h, w, 3), upright.

    EXIF rotation is applied; grey, palette, CMYK and 16-bit images are converted; transparency is laid on white;
    of an animation the first frame counts. max_side: shrink, never enlarge, so that the longer side fits; JPEGs are
    then decoded at reduced size, which is several times faster. Raises UnreadableImage.
    """
    name = "<bytes>" if isinstance(source, bytes) else source
    with opened(name, source) as image:
        _check_pixels(name, image.size)
        if max_side and image.format == "JPEG":
            share = max_side / max(image.size)  # draft keeps both sides at least as large as asked
            image.draft("RGB", (max(1, int(image.width * share)), max(1, int(image.height * share))))
        image.load()
        rgb = _to_rgb(ImageOps.exif_transpose(image))
    return resize(rgb, max_side) if max_side else rgb


@contextmanager
def opened(name: object, source: str | Path | bytes) -> Iterator[Image.Image]:
    """Open an image (its file or its bytes): whatever its damage raises, here or in the block, is UnreadableImage.

    name is what the error calls it. Keep in the block what decodes, nothing else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata are no help here
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                yield image
    except UnidentifiedImageError:
        raise UnreadableImage(name, "not an image (the content is none, whatever the name says)") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(name, f"more than {MAX_PIXELS:,} pixels") from None
    except (FileNotFoundError, UnreadableImage):
        raise
    except _DAMAGE as trouble:
        if isinstance(trouble, OSError) and trouble.errno is not None:
            raise UnreadableImage(name, os.strerror(trouble.errno).lower()) from trouble
        raise UnreadableImage(name, f"damaged or cut short ({trouble})") from trouble


def _check_pixels(name: object, wh: tuple[int, int]) -> None:
    if wh[0] * wh[1] > MAX_PIXELS:
        raise UnreadableImage(name, f"{wh[0]} × {wh[1]} pixels; at most {MAX_PIXELS:,} are read")


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.nan_to_num(np.asarray(image, np.float64))
        # 16 bits end at 65535; 32 bits say nothing of their range: up to 255 they are taken as 8 bits, above as 16
        top = 65535.0 if image.mode.startswith("I;16") or grey.max(initial=0) > 255 else 255.0
        return np.repeat((grey / top * 255).clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def size(path: str | Path) -> tuple[int, int]:
    """(width, height) of the upright image, read from the header alone. Raises UnreadableImage."""
    with opened(path, path) as image:
        w, h = image.size
        return (h, w) if image.getexif().get(0x0112, 1) in range(5, 9) else (w, h)


def resize(rgb: np.ndarray, max_side: int) -> np.ndarray:
    """Shrink by area so that the longer side is at most max_side pixels; a smaller image is returned as it is."""
    h, w = rgb.shape[:2]
    scale = max_side / max(h, w)
    if scale >= 1:
        return rgb
    wh = max(1, round(w * scale)), max(1, round(h * scale))
    return cv2.resize(rgb, wh, interpolation=cv2.INTER_AREA)


def encode(rgb: np.ndarray, suffix: str = ".jpg", *, quality: int = 92) -> bytes:
    """rgb (h, w, 3), rgba (h, w, 4) or a mask (h, w) → the bytes of a file; quality 1–100 is for JPEG and WebP."""
    flag = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".jpeg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}
    turn = cv2.COLOR_RGB2BGR if rgb.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
    pixels = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, turn)
    ok, data = cv2.imencode(suffix, pixels, [flag[suffix], quality] if suffix in flag else [])
    if not ok:
        raise ValueError(f"image: cannot be written as {suffix!r}")
    return data.tobytes()


def write(path: str | Path, content: np.ndarray | bytes | str, *, quality: int = 92) -> Path:
    """Write an image (or ready bytes, or text) so that the file is there whole or not at all. Returns the path."""
    if isinstance(content, np.ndarray):
        content = encode(content, Path(path).suffix.lower() or ".jpg", quality=quality)
    return files.write(path, content)


def find(folder: str | Path, *, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Image files in a folder and below, by suffix, in natural order (photo2 before photo10); hidden ones left out."""
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise FileNotFoundError(f"folder: {folder} {what}; give a folder of photos")
    found = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(
        visible,
        key=lambda p: [
            (not t.isdecimal(), int(t) if t.isdecimal() else t)
            for t in re.split(r"(\d+)", str(p.relative_to(folder)).lower())
        ],
    )


def sharpness(rgb: np.ndarray, *, side: int = 224) -> float:
    """Variance of the Laplacian of the grey image resized to side × side: low is blurred (Pech-Pacheco 2000)."""
    grey = cv2.cvtColor(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())
