"""The webcam cell: the browser's camera, the kernel's, a file or a stream, with boxes over the live picture."""

import base64
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from . import classes, clips, images, plots, video

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["Webcam"]

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
UNWATCHED = 20.0  # seconds without a sign from a browser after which the kernel's camera is let go
MAX_UPLOAD = 30_000_000  # bytes
Detector = Callable[[np.ndarray], "sv.Detections"]
_running: "weakref.WeakSet[Webcam]" = weakref.WeakSet()


class Webcam(anywidget.AnyWidget):
    """A cell that watches: start, stop, source, threshold, mirror, snapshot, recording, a picture from disk.

    detector: rgb → sv.Detections, such as `detect.MaskDetector`, or several by name, to choose from. source: None
    or "browser" for the camera of the browser that shows the cell; a number, path or address for what the kernel's
    machine has (see `video.open`). clip: a video that is offered beside, and played where there is no camera. folder:
    where snapshots and recordings go.
    Cameras are let go by stop, close, a kernel interrupt, a closed page, and when nobody watches for 20 s.
    """

    _esm = STATIC / "webcam.js"
    _css = STATIC / "webcam.css"

    source = traitlets.Unicode("browser").tag(sync=True)
    sources: Any = traitlets.List().tag(sync=True)  # [value, words] of each source that can be chosen
    running = traitlets.Bool(False).tag(sync=True)
    recording = traitlets.Bool(False).tag(sync=True)
    mirror = traitlets.Bool(True).tag(sync=True)
    detectors: Any = traitlets.List().tag(sync=True)  # names to choose from
    using = traitlets.Unicode("").tag(sync=True)  # the name of the detector that looks
    unsure_below = traitlets.Float(0.6, min=0.0, max=1.0).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)  # a sentence from the kernel
    error = traitlets.Unicode("").tag(sync=True)  # a camera's failure, in the browser or here
    preview = traitlets.Bytes(b"").tag(sync=True)  # JPEG that stands in the cell before the start
    legend: Any = traitlets.List().tag(sync=True)  # [class, word, colour]

    def __init__(
        self,
        detector: Detector | Mapping[str, Detector],
        source: str | Path | int | None = None,
        *,
        clip: str | Path | None = None,
        folder: str | Path = ".",
    ) -> None:
        self._detectors = dict(detector) if isinstance(detector, Mapping) else {"detector": detector}
        if not self._detectors:
            raise ValueError("detector: give one, or several by their names")
        name, self.detector = next(iter(self._detectors.items()))
        self.folder = Path(folder)
        self.frames = 0  # looked at so far
        self.last: tuple[np.ndarray, sv.Detections] | None = None
        self._lock, self._seen, self._halt = threading.RLock(), threading.Event(), threading.Event()
        self._heard = 0.0
        self._player: threading.Thread | None = None
        self._writer: clips.Writer | None = None
        self._clip = str(clip) if clip else ""
        self._tracker = video.Tracker()
        chosen = "browser" if source is None else str(source)
        super().__init__(
            source=chosen,
            sources=_offers(chosen, self._clip),
            detectors=list(self._detectors),
            using=name,
            unsure_below=float(getattr(self.detector, "unsure_below", 0.6)),
            preview=self._first_picture(self._clip or (chosen if Path(chosen).is_file() else "")),
            legend=[[n, classes.WORDS[n], _css(n)] for n in (*classes.NAMES, classes.UNSURE)],
        )
        self.on_msg(self._hear)
        _listen_for_interrupts()

    def start(self) -> None:
        """Begin to watch, as the button does."""
        self.running = True

    def stop(self) -> None:
        """Let the camera go, and finish a recording; returns when both are done."""
        self.running = False

    def close(self) -> None:
        """Stop, and take the cell's widget away."""
        self.stop()
        super().close()

    def snapshot(self, path: str | Path | None = None) -> Path:
        """Write the newest picture with its boxes; where to. Raises ValueError before there is one."""
        with self._lock:
            if self.last is None:
                raise ValueError("snapshot: there is no picture yet; start first")
            rgb, people = self.last
        target = Path(path) if path else self._name("snapshot", ".jpg")
        images.write(target, plots.annotate(rgb, people))
        self.message = f"Saved {target}"
        return target

    def look(self, rgb: np.ndarray) -> "sv.Detections":
        """The faces of a still picture, by the threshold of the slider."""
        return video.Tracker(unsure_below=self.unsure_below)(self.detector(rgb), 0.0)

    def __repr__(self) -> str:
        return f"Webcam(source={Path(self.source).name!r}, running={self.running})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and a still picture for pages that cannot run it."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data and self.preview:
            data["image/jpeg"] = base64.b64encode(self.preview).decode()
        return bundle

    @traitlets.observe("running")
    def _run(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.error = self.message = ""
            self._tracker = video.Tracker(unsure_below=self.unsure_below)
            _running.add(self)
            if self.source != "browser":
                self._play()
        else:
            _running.discard(self)
            self._halt.set()
            self._seen.set()
            if self._player is not None and self._player is not threading.current_thread():
                self._player.join(6)
            self.recording = False

    @traitlets.observe("source")
    def _change(self, change: dict[str, Any]) -> None:
        if self.running:  # the old one is let go before the new one is taken
            self.stop()
            self.start()

    @traitlets.observe("unsure_below")
    def _set_threshold(self, change: dict[str, Any]) -> None:
        self._tracker.unsure_below = change["new"]

    @traitlets.validate("using")
    def _known(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self._detectors:
            raise traitlets.TraitError(f"using: must be one of {list(self._detectors)}, got {proposal['value']!r}")
        return proposal["value"]

    @traitlets.observe("using")
    def _use(self, change: dict[str, Any]) -> None:
        self.detector = self._detectors[change["new"]]

    @traitlets.observe("recording")
    def _record(self, change: dict[str, Any]) -> None:
        with self._lock:
            if change["new"]:
                self._writer = clips.Writer(self._name("recording", ".mp4"), fps=15)
                return
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
                self.message = f"Saved {writer.path}" if writer.count else "Nothing was recorded"

    def _play(self) -> None:
        self._halt = threading.Event()
        self._heard = time.monotonic()
        self._player = threading.Thread(target=self._watch, args=(self._halt,), name="webcam", daemon=True)
        self._player.start()

    def _watch(self, halt: threading.Event) -> None:
        """Show what the kernel's own source sees, one frame on its way at a time (in a thread)."""
        trouble = ""
        try:
            with video.open(self._opened(), live=True, loop=True) as source:
                for frame in source:
                    if halt.is_set():
                        return
                    self._seen.clear()
                    self._show(frame.rgb, frame.seconds)
                    self._seen.wait(1.0)  # a busy kernel hears late; then one frame a second goes out all the same
                    if time.monotonic() - self._heard > UNWATCHED:
                        trouble = f"Nobody was watching for {UNWATCHED:.0f} s: stopped, and the camera is free again."
                        break
        except (OSError, ValueError) as error:
            trouble = f"{str(error)[:1].upper()}{str(error)[1:]}."
        except Exception as error:  # a detector's own fault: said in the cell, where people look
            log.exception("webcam stopped")
            trouble = f"The detector failed: {error}"
        if not halt.is_set():
            self.error = trouble or "The source has ended."
            self.running = False

    def _opened(self) -> str | int:
        """What `video.open` is to open: a path stays a path, "2" is a camera."""
        return int(self.source) if self.source.isdigit() else self.source

    def _show(self, rgb: np.ndarray, seconds: float) -> None:
        start = time.perf_counter()
        people = self._see(rgb, seconds)
        spent = 1000 * (time.perf_counter() - start)
        jpeg = images.encode(images.resize(rgb, 960), ".jpg", quality=80)
        self.send({"kind": "frame", "ms": spent, "boxes": _boxes(rgb, people)}, [jpeg])

    def _see(self, rgb: np.ndarray, seconds: float) -> "sv.Detections":
        found = self.detector(rgb)
        with self._lock:
            people = self._tracker(found, seconds)
            self.last = rgb, people
            self.frames += 1
            if self._writer is not None:
                self._keep(self._writer, plots.annotate(rgb, people), seconds)
        return people

    def _keep(self, writer: clips.Writer, rgb: np.ndarray, seconds: float) -> None:
        """Record a frame; where that cannot be done, the watch goes on without."""
        try:
            writer.write(rgb, seconds=seconds)
        except OSError as trouble:
            self._writer, self.recording = None, False
            self.message = f"The recording was ended and is lost: {trouble.strerror}"

    def _hear(self, widget: Any, content: dict[str, Any], buffers: list[Any]) -> None:
        """Answer the browser; nothing it may send ends the kernel's cell with an error."""
        self._heard = time.monotonic()
        kind = content.get("kind")
        try:
            if kind == "seen":
                self._seen.set()
            elif kind == "frame":
                self._answer(content, bytes(buffers[0]))
            elif kind == "picture":
                self._upload(bytes(buffers[0]))
            elif kind == "snapshot":
                self.snapshot()
            elif kind == "no camera":
                self._without_camera(str(content.get("state", "")), str(content.get("words", "")))
        except (images.UnreadableImage, ValueError, OSError) as trouble:
            name = content.get("name", "the picture")
            self.message = f"{name}: {trouble.reason}" if isinstance(trouble, images.UnreadableImage) else str(trouble)
            if kind == "frame":
                self.send({"kind": "boxes", "id": content.get("id"), "view": content.get("view"), "boxes": []})
        except Exception as trouble:
            log.exception("webcam stopped")
            self.error = f"The detector failed: {trouble}"
            self.running = False

    def _answer(self, content: dict[str, Any], jpeg: bytes) -> None:
        if not self.running:
            return
        start = time.perf_counter()
        rgb = images.read(jpeg)
        people = self._see(rgb, time.monotonic())
        spent = 1000 * (time.perf_counter() - start)
        reply = {"id": content.get("id"), "view": content.get("view"), "ms": spent, "boxes": _boxes(rgb, people)}
        self.send({"kind": "boxes", **reply})

    def _upload(self, content: bytes) -> None:
        if len(content) > MAX_UPLOAD:
            raise ValueError(f"The picture has {len(content) / 1e6:.0f} MB; at most {MAX_UPLOAD / 1e6:.0f} are taken")
        self.stop()
        rgb = images.read(content)
        start = time.perf_counter()
        people = self.look(rgb)
        spent = 1000 * (time.perf_counter() - start)
        self.last = rgb, people
        jpeg = images.encode(images.resize(rgb, 1280), ".jpg", quality=85)
        self.send({"kind": "frame", "still": True, "ms": spent, "boxes": _boxes(rgb, people)}, [jpeg])
        self.message = f"{len(people)} {'face' if len(people) == 1 else 'faces'} in your picture."

    def _without_camera(self, state: str, words: str) -> None:
        """Play the clip where the browser has no camera to give; else say what the person can do."""
        self.running = False
        if self._clip and state in ("none", "insecure"):
            self.source = self._clip
            self.running = True
            why = words if state == "insecure" else "There is no camera at this computer."
            self.message = f"{why} A clip is played meanwhile."
        else:
            self.error = words

    def _first_picture(self, path: str) -> bytes:
        """A still for the cell before the start, from the middle second of a clip."""
        if not path:
            return b""
        with video.open(path) as source:
            for frame in source:
                rgb = frame.rgb
                if frame.seconds >= 1:
                    break
        return images.encode(images.resize(plots.annotate(rgb, self.detector(rgb)), 480), ".jpg", quality=70)

    def _name(self, what: str, suffix: str) -> Path:
        stem = f"{what}-{time.strftime('%Y%m%d-%H%M%S')}"
        names = [self.folder / f"{stem}{more}{suffix}" for more in ("", *(f"-{i}" for i in range(2, 100)))]
        return next(path for path in names if not path.exists())


def _offers(chosen: str, clip: str) -> list[list[str]]:
    """Sources to choose from: [value, words]."""
    offers = {"browser": "this browser's camera"}
    offers |= {str(number): f"the kernel's camera {number}: {name}" for number, name in video.cameras().items()}
    if clip:
        offers[clip] = f"clip: {Path(clip).name}"
    offers.setdefault(chosen, f"the kernel's camera {chosen}" if chosen.isdigit() else f"source: {Path(chosen).name}")
    return [[value, words] for value, words in offers.items()]


def _css(name: str) -> str:
    return f"rgb{classes.COLOURS.get(name, (20, 20, 20))}"


def _boxes(rgb: np.ndarray, people: "sv.Detections") -> list[dict[str, Any]]:
    """What the browser draws: corners as shares of the picture, class and probability."""
    h, w = rgb.shape[:2]
    sure = people.confidence if people.confidence is not None else np.ones(len(people))
    return [
        {
            "xyxy": [round(float(v), 4) for v in np.asarray(box) / (w, h, w, h)],
            "name": str(name),
            "caption": classes.caption(str(name), float(p)),
        }
        for box, name, p in zip(people.xyxy, people.data["class_name"], sure, strict=True)
    ]


def _listen_for_interrupts() -> None:
    """Let every camera go when the kernel is interrupted while no cell runs (ipykernel only)."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is not None and hasattr(kernel, "saved_sigint_handler"):
        kernel.saved_sigint_handler = _interrupted  # what ipykernel puts back when this cell has run


def _interrupted(number: int, frame: Any) -> None:
    for webcam in list(_running):
        threading.Thread(target=webcam.stop, daemon=True).start()  # a signal's handler must not wait
