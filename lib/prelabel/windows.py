"""Windows in a process of their own: `python -m lib.prelabel.windows labelimg IMAGES CLASSES LABELS` and `… roi PHOTO`.

labelImg 1.8.6 hands floats to Qt functions that take integers, which aborts it on Python ≥ 3.10 at the first mouse
move. The repairs here are made in memory; nothing of the installed package is touched.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["label_img", "roi"]


def _rounded(values: tuple) -> tuple:
    return tuple(round(v) if isinstance(v, float) else v for v in values)


class _Whole:
    """A Qt signal of integers whose `emit` rounds what it is given; everything else passes through."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signal, name)

    def emit(self, *values: Any) -> None:
        self._signal.emit(*_rounded(values))


def _round_arguments(owner: type, name: str) -> None:
    """Replace a method of a Qt class by one that rounds float arguments."""
    method = getattr(owner, name)
    setattr(owner, name, lambda self, *values: method(self, *_rounded(values)))


def label_img(arguments: list[str]) -> int:
    """Run labelImg with (images, file of classes, folder of labels) until its window is closed.

    Repaired: floats for integers; panning, whose integer signal gets floats; boxes at the left or top edge, which
    labelImg moves in by a pixel when it saves; the labels of photos in subfolders, which it looks for and puts at the
    top. Saving by itself when the next photo opens is switched on.
    """
    for name in [n for n in os.environ if n.startswith("QT_") and n.endswith(("PATH", "FONTDIR"))]:
        del os.environ[name]  # set by `import cv2`; with them QApplication aborts
    import libs.canvas
    import libs.labelFile
    from labelImg import labelImg as program
    from PyQt5.QtGui import QPainter
    from PyQt5.QtWidgets import QAbstractSlider, QSpinBox

    for name in ("drawLine", "drawRect", "drawText"):
        _round_arguments(QPainter, name)
    _round_arguments(QAbstractSlider, "setValue")
    _round_arguments(QSpinBox, "setValue")
    signal = libs.canvas.Canvas.scrollRequest
    libs.canvas.Canvas.scrollRequest = property(lambda self: _Whole(signal.__get__(self)))
    libs.labelFile.LabelFile.convert_points_to_bnd_box = staticmethod(_bounds)
    _follow(program.MainWindow, Path(arguments[0]), Path(arguments[2]))
    application, window = program.get_main_app(["labelImg", *arguments])
    window.auto_saving.setChecked(True)
    return application.exec_()


def _follow(window: Any, folder: Path, into: Path) -> None:
    """Let the folder of labels follow the photo that is opened, until the person chooses another in the window."""
    from .. import labels

    load, last = window.load_file, [str(into)]

    def load_file(self: Any, file_path: str | None = None) -> bool:
        if file_path and self.default_save_dir == last[-1]:
            inside = Path(file_path).is_relative_to(folder)
            home = labels.voc_path(file_path, into, root=folder).parent if inside else Path(file_path).parent
            home.mkdir(parents=True, exist_ok=True)
            last.append(str(home))
            self.default_save_dir = last[-1]
        return load(self, file_path)

    window.load_file = load_file


def _bounds(points: list[tuple[float, float]]) -> tuple[int, int, int, int]:
    """The box around points; labelImg's own turns a coordinate of 0 into 1."""
    xs, ys = zip(*points, strict=True)
    return int(min(xs)), int(min(ys)), int(max(xs)), int(max(ys))


def roi(arguments: list[str]) -> int:
    """Let a person draw boxes on a photo and print them as JSON: [[x1, y1, x2, y2], …] in its own pixels."""
    import cv2

    from .. import images

    rgb = images.read(arguments[0])
    small = images.resize(rgb, 1200)
    scale = rgb.shape[1] / small.shape[1]
    title = "Drag a box, Space keeps it, Esc ends"
    drawn = cv2.selectROIs(title, cv2.cvtColor(small, cv2.COLOR_RGB2BGR), showCrosshair=False, printNotice=False)
    corners = [(x, y, x + w, y + h) for x, y, w, h in (drawn if len(drawn) else [])]
    sys.stdout.write(json.dumps([[round(float(v) * scale) for v in box] for box in corners if box[2] > box[0]]))
    return 0


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    sys.exit({"labelimg": label_img, "roi": roi}[command](rest))
