"""Windows on a desktop; OpenCV ends the whole process where there is no screen, so ask before."""

import os
import sys

import cv2
import numpy as np

__all__ = ["closed", "show", "there"]


def there() -> bool:
    """Whether a window can be opened here."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def closed(title: str) -> bool:
    """Whether the person has closed the window of that title, or there never was one."""
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1
    except cv2.error:
        return True


def show(rgb: np.ndarray, *, title: str, milliseconds: int = 0) -> bool:
    """Show a picture in a window until a key or, with milliseconds, so long; whether the person pressed q or Escape.

    Raises ValueError where there is no screen.
    """
    if not there():
        raise ValueError("show: there is no screen here (DISPLAY is not set); leave it out and write a file instead")
    cv2.imshow(title, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return cv2.waitKey(milliseconds) & 0xFF in (ord("q"), 27)
