"""The live path beside the way of the 2020 tutorials, on the same frames in one run.

    python tests/benchmarks/live.py compare [--faces FOLDER]    # 480p, 720p, 1080p; 0, 1, 4, 16 faces; stages at 480p
    python tests/benchmarks/live.py memory [--frames 10000]     # resident memory while four people are watched
    python tests/benchmarks/live.py looks --clips CLIPS --photos PHOTOS    # faces found by the size of the look
    python tests/benchmarks/live.py flicker --clips CLIPS       # label changes before and after the vote

The tutorials' way: OpenCV's res10 network, then Keras's MobileNetV2 at 224 pixels by `model.predict`, a call for each
face as in their photo scripts, or one for all faces of a frame as in the best of their video scripts (both are shown).
Its weights are random, which changes no time. Frames are portraits side by side: sample people, or pictures of one face
each from FOLDER. Both ways take turns, frame by frame. Wall time counts what else the machine does (the load is
printed); CPU time, over all threads, hardly does. Figures go to standard output as JSON, words to standard error.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib import boxes, clips, detect, faces, images, labels, plots, sample, video

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
COUNTS = (0, 1, 4, 16)
LOOKS = {"640 and 320": 640, "480": 480, "416": 416, "320": 320}
SIDES = (12, 20, 28, 40, 64, 128, 10_000)  # pixels of a face's shorter side on a picture 854 pixels wide


def portraits(folder: Path | None) -> list[np.ndarray]:
    """Sixteen pictures with one face each, masked and bare."""
    if folder:
        return [images.read(path) for path in images.find(folder)[:16]]
    shots = [sample.portrait(40 + i, mask="any" if i % 2 else None, size=360, yaw=0).rgb for i in range(16)]
    return shots


def scene(people: list[np.ndarray], size: tuple[int, int], *, shift: int) -> np.ndarray:
    """People side by side in rows on a grey wall; shift moves them a little, as frames do."""
    w, h = size
    rgb = np.full((h, w, 3), 128, np.uint8)
    rows = int(np.ceil(np.sqrt(len(people)))) or 1
    side = h // rows
    for i, person in enumerate(people):
        x = (i % rows) * w // rows + (w // rows - side) // 2 + shift % 5
        y = i // rows * side
        rgb[y : y + side, x : x + side] = cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA)
    return rgb


def tutorial() -> Callable[..., int]:
    """Their loop over one frame: res10, a crop of each face, `predict`, boxes drawn; how many faces it found."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    find = faces.finder("res10")
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(224, 224, 3))
    head = keras.layers.AveragePooling2D((7, 7))(base.output)
    head = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(head))
    model = keras.Model(base.input, keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(head)))

    def one(rgb: np.ndarray, *, batched: bool) -> int:
        picture, found = rgb.copy(), find(rgb)
        cut = [rgb[int(y1) : int(y2), int(x1) : int(x2)] for x1, y1, x2, y2 in found.xyxy]
        small = [cv2.resize(c, (224, 224)).astype(np.float32) / 127.5 - 1 for c in cut if c.size]
        if batched and small:
            model.predict(np.stack(small), batch_size=32, verbose=0)
        for face in [] if batched else small:
            model.predict(face[None], verbose=0)
        for x1, y1, x2, y2 in found.xyxy.astype(int).tolist():
            cv2.putText(picture, "Mask: 99.00%", (x1, y1 - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 255, 0), 2)
            cv2.rectangle(picture, (x1, y1), (x2, y2), (0, 255, 0), 2)
        return len(found)

    return one


def ours() -> Callable[..., int]:
    """Our loop over one frame: find, crop, classify, follow and vote, draw; how many faces it found."""
    detector, tracker = detect.load("full", max_side=faces.LIVE), video.Tracker()
    clock = iter(range(10**9))

    def one(rgb: np.ndarray) -> int:
        people = tracker(detector(rgb), next(clock) / 30)
        plots.annotate(rgb, people)
        return len(people)

    return one


def timed(work: Callable[[], int], spent: list[tuple[float, float, int]]) -> None:
    """Append milliseconds of wall and of CPU, and the faces found."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    spent.append((1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu), count))


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a frame of each way, by size and number of faces, and the stages of ours at 480p with 4 faces."""
    people, theirs, mine = portraits(options.faces), tutorial(), ours()
    report: dict[str, Any] = {"load": os.getloadavg()[0], "frames": []}
    for name, size in SIZES.items():
        for count in COUNTS:
            spent: dict[str, list] = {"ours": [], "each face": [], "all faces": []}
            for i in range(options.rounds + 1):
                rgb = scene(people[:count], size, shift=i)
                for _ in range(4):
                    timed(lambda rgb=rgb: mine(rgb), spent["ours"])
                timed(lambda rgb=rgb: theirs(rgb, batched=False), spent["each face"])
                timed(lambda rgb=rgb: theirs(rgb, batched=True), spent["all faces"])
            row: dict[str, Any] = {"size": name, "faces": count}
            for way, times in spent.items():
                wall, cpu, found = np.median(times[len(times) // (options.rounds + 1) :], axis=0)  # the first warms up
                row[way] = {"ms": round(wall, 1), "cpu_ms": round(cpu, 1), "found": int(found)}
            row["times_faster"] = [round(row[way]["ms"] / row["ours"]["ms"], 1) for way in ("each face", "all faces")]
            report["frames"].append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    report["stages"] = stages(people[:4])
    return report | {"load_after": os.getloadavg()[0]}


def stages(people: list[np.ndarray], *, frames: int = 150) -> dict[str, Any]:
    """Milliseconds a frame that each stage takes of a 480p clip with four faces, and what comes out a second."""
    detector = detect.load("full", max_side=faces.LIVE)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.mp4"
        with clips.Writer(source, fps=30) as writer:
            for i in range(frames):
                writer.write(scene(people, SIZES["480p"], shift=i // 3))
        decoded = time.perf_counter()
        for _ in clips.frames(source):
            pass
        decoded = time.perf_counter() - decoded
        video.annotate(source, detector, limit=5)  # warm
        result: dict[str, Any] = {"decode alone": round(1e3 * decoded / frames, 2)}
        for name, out in (("watched", None), ("written", Path(folder) / "b.mp4")):
            start, cpu = time.perf_counter(), time.process_time()
            watched = video.annotate(source, detector, out=out)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            result[name] = {stage: round(ms, 2) for stage, ms in watched.stages.items()}
            result[name] |= {"frames_a_second": round(frames / wall, 1), "cpu_ms_a_frame": round(1e3 * cpu / frames, 2)}
            result[name]["faces_a_frame"] = round(len(watched.faces) / frames, 2)
    return result


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Resident megabytes as the frames go by."""
    people = portraits(options.faces)[:4]
    taken: dict[int, float] = {}

    def long(source: video.Source) -> Iterator[tuple[float, np.ndarray]]:
        for i in range(options.frames + 1):
            if i % (options.frames // 10) == 0 or i == 200:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                taken[i] = round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
                print(i, taken[i], file=sys.stderr, flush=True)
            yield i / 30, scene(people, SIZES["480p"], shift=i // 3)

    start = time.perf_counter()
    watched = video.annotate(video.Source("long", long), detect.load("full", max_side=faces.LIVE))
    rate = options.frames / (time.perf_counter() - start)
    return {
        "megabytes": taken,
        "faces": len(watched.faces),
        "frames_a_second": round(rate, 1),
        "load": os.getloadavg()[0],
    }


def looks(options: argparse.Namespace) -> dict[str, Any]:
    """Found faces and CPU milliseconds (one thread) by the size of the look, pictures brought to 854 pixels.

    On photos the truth is their labels, by the shorter side of the face; on clips it is what the thorough finder finds.
    """
    cv2.setNumThreads(1)
    finders = {name: faces.finder("yunet", max_side=side) for name, side in LOOKS.items()}
    table, _ = labels.read_folder(options.photos)
    names = np.random.default_rng(0).permutation(sorted(table["image"].unique()))[:220]
    on_photos = _Recall(finders)
    for name in names:
        rgb = images.read(name)
        scale = SIZES["480p"][0] / max(rgb.shape)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        truth = table.loc[table["image"] == name, ["x1", "y1", "x2", "y2"]].to_numpy(float) * scale
        on_photos(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=how), truth)
    on_clips, thorough = _Recall(finders), faces.finder("yunet")
    for path in sorted(options.clips.glob("*.mp4")):
        for _, rgb in list(clips.frames(path))[::10]:
            small = images.resize(rgb, SIZES["480p"][0])
            seen = thorough(small)
            on_clips(small, seen.xyxy[np.asarray(seen.confidence) >= 0.6] if len(seen) else np.empty((0, 4)))
    return {"photos": on_photos.report(), "clips": on_clips.report()}


class _Recall:
    """Counts what each finder finds of known faces."""

    def __init__(self, finders: dict[str, faces.Finder]) -> None:
        self.finders, self.pictures = finders, 0
        self.all = np.zeros(len(SIDES) - 1, int)
        self.found = {name: np.zeros(len(SIDES) - 1, int) for name in finders}
        self.spent = dict.fromkeys(finders, 0.0)

    def __call__(self, rgb: np.ndarray, truth: np.ndarray) -> None:
        self.pictures += 1
        bins = np.digitize((truth[:, 2:] - truth[:, :2]).min(axis=1), SIDES) - 1
        self.all += np.bincount(bins[bins >= 0], minlength=len(self.all))
        for name, find in self.finders.items():
            start = time.thread_time()
            seen = find(rgb)
            self.spent[name] += time.thread_time() - start
            scores = np.ones(len(seen)) if seen.confidence is None else np.asarray(seen.confidence)
            owners = boxes.match(np.asarray(seen.xyxy, float).reshape(-1, 4), truth, scores, min_iou=0.4)
            hit = bins[owners[owners >= 0]]
            self.found[name] += np.bincount(hit[hit >= 0], minlength=len(self.all))

    def report(self) -> dict[str, Any]:
        ranges = [f"{a}-{b}" if b < 10_000 else f"{a}+" for a, b in zip(SIDES[:-1], SIDES[1:], strict=True)]
        return {
            name: {r: f"{f}/{n}" for r, f, n in zip(ranges, found, self.all, strict=True) if n}
            | {"all": f"{found.sum()}/{self.all.sum()}", "cpu_ms": round(1e3 * self.spent[name] / self.pictures, 1)}
            for name, found in self.found.items()
        }


def flicker(options: argparse.Namespace) -> dict[str, Any]:
    """Label changes of each clip before and after the vote."""
    detector = detect.load("full", max_side=faces.LIVE)
    result = {path.name: video.flicker(video.annotate(path, detector)) for path in sorted(options.clips.glob("*.mp4"))}
    return result | {"all": {when: sum(r[when] for r in result.values()) for when in ("before", "after")}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "memory", "looks", "flicker"])
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--photos", type=Path)
    told = parser.parse_args()
    if told.what in ("looks", "flicker") and not told.clips or told.what == "looks" and not told.photos:
        parser.error("looks needs --clips and --photos, flicker needs --clips")
    print(
        json.dumps(
            {"compare": compare, "memory": memory, "looks": looks, "flicker": flicker}[told.what](told), indent=1
        )
    )
