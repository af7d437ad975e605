import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import helpers
import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import assets, classes, clips, detect, faces, images, video
from lib.video import telling

MASK, BARE = np.array([0.9, 0.06, 0.04]), np.array([0.06, 0.9, 0.04])


def people(*rows: np.ndarray, at: tuple[tuple[float, float], ...] = ((0, 0), (200, 0), (400, 0))) -> sv.Detections:
    """Faces of 100 × 100 pixels, at the given corners, with the given probabilities."""
    corners = np.array(at[: len(rows)], np.float32).reshape(-1, 2)
    p = np.array(rows, np.float32).reshape(-1, 3)
    ids, sure = detect.decide(p)
    names = np.array([*classes.NAMES, classes.UNSURE])[ids]
    data = {"class_name": names, "probabilities": p}
    return sv.Detections(np.hstack([corners, corners + 100]), confidence=sure, class_id=ids, data=data)


def clip(path: Path, *, frames: int = 12, fps: float = 12, h: int = 48, w: int = 64) -> Path:
    with clips.Writer(path, fps=fps) as writer:
        for i in range(frames):
            writer.write(np.full((h, w, 3), 20 * i % 250, np.uint8))
    return path


def masked(rgb: np.ndarray) -> sv.Detections:
    """A detector for tests: one masked face in the upper left quarter of whatever it is shown."""
    h, w = rgb.shape[:2]
    box = np.array([[0, 0, w / 2, h / 2]], np.float32)
    return sv.Detections(box, confidence=np.array([0.9]), data={"class_name": np.array(["with_mask"])})


def nobody(rgb: np.ndarray) -> sv.Detections:
    return sv.Detections.empty()


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("frames of")]


# sources


def test_every_frame_of_a_file_comes_in_order(tmp_path: Path) -> None:
    with video.open(clip(tmp_path / "a.mp4", frames=20)) as source:
        seen = list(source)
    assert [f.number for f in seen] == list(range(20))
    assert np.allclose(np.diff([f.seconds for f in seen]), 1 / 12, atol=0.01)
    assert (source.count, round(source.fps), source.live, source.dropped) == (20, 12, False, 0)
    assert threads() == []


def test_live_the_newest_frame_wins(tmp_path: Path) -> None:
    with video.open(clip(tmp_path / "a.mp4", frames=24, fps=48), live=True) as source:
        seen = []
        for frame in source:
            seen.append(frame.number)
            time.sleep(0.1)
    assert 3 <= len(seen) <= 12
    assert source.dropped == 24 - len(seen)
    assert seen == sorted(seen) and seen[-1] == 23


def test_a_live_file_plays_at_its_own_speed_and_again_in_a_loop(tmp_path: Path) -> None:
    start, seconds = time.monotonic(), []
    with video.open(clip(tmp_path / "a.mp4", frames=6, fps=20), live=True, loop=True) as source:
        for frame in source:
            seconds.append(frame.seconds)
            if len(seconds) == 15:
                break
    assert 0.5 < time.monotonic() - start < 3
    assert all(b > a for a, b in zip(seconds, seconds[1:], strict=False))
    assert threads() == []


def test_leaving_early_stops_the_thread_a_hundred_times(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", frames=30)
    for _ in range(100):
        with video.open(path) as source:
            next(iter(source))
    assert threads() == []


def test_a_folder_of_pictures_is_a_slow_film_without_the_broken_ones(tmp_path: Path) -> None:
    for name, value in (("b10.jpg", 200), ("b2.png", 100)):
        images.write(tmp_path / name, np.full((20, 30, 3), value, np.uint8))
    (tmp_path / "b3.jpg").write_text("no picture")
    seen = list(video.open(tmp_path))
    assert [round(f.rgb.mean(), -1) for f in seen] == [100, 200]
    assert len(list(video.open(tmp_path / "b2.png"))) == 1
    with pytest.raises(ValueError, match=r"b3\.jpg: no picture could be read"):
        list(video.open(tmp_path / "b3.jpg"))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("missing.mp4", FileNotFoundError, "missing.mp4 is no file, and no camera's name"),
        ("empty", ValueError, "holds no pictures"),
        ("zero.mp4", ValueError, "zero.mp4 cannot be read"),
        ("text.mp4", ValueError, "text.mp4 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(tmp_path: Path, source: str, error: type, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "text.mp4").write_text("certainly no video")
    with pytest.raises(error, match=words):
        video.open(str(tmp_path / source))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cameras are files on Linux only")
def test_a_camera_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(video.CameraTrouble, match="camera 87 is not there: this machine has") as caught:
        next(iter(video.open(87)))
    assert caught.value.state == "none"
    assert threads() == []


def test_a_source_is_read_once(tmp_path: Path) -> None:
    source = video.open(clip(tmp_path / "a.mp4"))
    list(source)
    with pytest.raises(ValueError, match="open it again"):
        list(source)


class _Camera(http.server.BaseHTTPRequestHandler):
    """A network camera that hangs up after five pictures."""

    visits = 0

    def do_GET(self) -> None:
        type(self).visits += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for value in range(5):
            jpeg = images.encode(np.full((48, 64, 3), 40 * value, np.uint8))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            self.wfile.write(head + jpeg + b"\r\n")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[str]:
    _Camera.visits = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Camera)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/live"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_stream_that_breaks_off_is_taken_up_again(camera: str) -> None:
    with video.open(camera) as source:
        seen = 0
        for frame in source:
            assert frame.rgb.shape == (48, 64, 3)
            seen += 1
            if _Camera.visits >= 3:
                break
    assert seen >= 3 and source.live
    assert threads() == []


def test_a_stream_that_is_not_there_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video.sources, "PATIENCE", 0.3)
    with pytest.raises(video.CameraTrouble, match="gave no picture for"):
        list(video.open("http://127.0.0.1:9/live"))


def test_a_file_of_the_web_that_breaks_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = iter([2, 3, 5])

    def read(address: str, *, timeout: float) -> Iterator[tuple[float, np.ndarray]]:
        length = next(lengths)
        for i in range(length):
            yield i / 10, np.full((2, 2, 3), i, np.uint8)
        if length < 5:
            raise ValueError("broke off")

    monkeypatch.setattr(clips, "frames", read)
    source = video.open("http://h/a.mp4")
    monkeypatch.setattr(source.stopped, "wait", lambda seconds: False)
    assert [(frame.seconds, frame.rgb[0, 0, 0]) for frame in source] == [(i / 10, i) for i in range(5)]


@pytest.mark.parametrize(
    ("address", "live"),
    [("http://h/a.mp4", False), ("http://h/live", True), ("rtsp://h/live.mp4", True), ("https://h/a.m3u8", True)],
)
def test_an_address_is_a_file_or_goes_on_for_ever(address: str, live: bool) -> None:
    assert video.open(address).live == live


def test_a_camera_is_known_by_a_part_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video.sources, "cameras", lambda: {0: "Integrated Camera", 2: "USB Cam X"})
    assert video.open("usb").name == "camera 2"
    with pytest.raises(FileNotFoundError, match="cameras here: 0: Integrated Camera; 2: USB Cam X"):
        video.open("firewire")


def test_a_video_comes_through_standard_input(tmp_path: Path) -> None:
    code = "from lib import video; print(len(list(video.open('-'))))"
    with clip(tmp_path / "a.mp4", frames=7).open("rb") as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "7", done.stderr


def test_frames_keep_their_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 2.0]
    with clips.Writer(tmp_path / "a.mp4", fps=25) as writer:
        for seconds in times:
            writer.write(np.zeros((48, 64, 3), np.uint8), seconds=seconds)
    watched = video.annotate(tmp_path / "a.mp4", masked, out=tmp_path / "b.mp4")
    assert np.allclose(watched.times, times, atol=0.001)
    assert np.allclose([seconds for seconds, _ in clips.frames(tmp_path / "b.mp4")], times, atol=0.001)


# tracking and the vote


def test_nobody_stays_nobody() -> None:
    tracked = video.Tracker()(sv.Detections.empty(), 0.0)
    assert len(tracked) == 0 and tracked.data["class_name"].shape == (0,)


def test_people_keep_their_numbers_while_they_move_and_swap_places_in_the_list() -> None:
    tracker = video.Tracker()
    for i in range(20):
        step = 15 * i
        there = tracker(people(MASK, BARE, at=((step, 0), (600 - step, 300))), i / 10)
        back = tracker(people(BARE, MASK, at=((600 - step, 300), (step + 1, 0))), i / 10 + 0.05)
        assert there.tracker_id.tolist() == [1, 2] and back.tracker_id.tolist() == [2, 1]


def test_who_was_away_for_long_is_somebody_new() -> None:
    tracker = video.Tracker(patience=0.5)
    assert tracker(people(MASK), 0).tracker_id[0] == 1
    assert tracker(people(MASK), 0.4).tracker_id[0] == 1
    assert len(tracker(people(), 0.8)) == 0
    assert tracker(people(MASK), 1.0).tracker_id[0] == 2


def test_who_stays_before_a_slow_camera_stays_the_same() -> None:
    tracker, heard, rung = video.Tracker(), [], []
    events, alarm = telling.Events(heard.append), video.Alarm(rung.append, hold_off=60)
    for i in range(6):  # a picture every two seconds
        there = tracker(people(BARE), 2.0 * i)
        events(there, 2.0 * i)
        alarm(there, 2.0 * i)
    assert [(e["event"], e["person"]) for e in heard] == [("appeared", 1)] and [r["seconds"] for r in rung] == [2.0]
    assert tracker(people(BARE), 60.0).tracker_id[0] == 2


def test_a_label_that_jumps_is_held_and_a_change_that_stays_is_taken() -> None:
    tracker = video.Tracker(hold=0.3, memory=0.4)
    jumping = [BARE if i % 3 == 0 else MASK for i in range(1, 60)]
    shown = [tracker(people(row), i / 20).data["class_name"][0] for i, row in enumerate(jumping)]
    assert set(shown) == {"with_mask"}
    later = [tracker(people(BARE), 3 + i / 20).data["class_name"][0] for i in range(40)]
    assert later[0] == "with_mask" and later[-1] == "without_mask"
    assert sum(a != b for a, b in zip(later, later[1:], strict=False)) <= 2  # at most by way of "unsure"
    assert later.index("without_mask") / 20 < 1.2


def test_unsure_gives_way_to_a_word_at_once() -> None:
    tracker = video.Tracker(unsure_below=0.8, hold=0.5, memory=0.2)
    rows = [np.array([0.5, 0.4, 0.1])] * 5 + [MASK] * 20
    tracked = [tracker(people(row), i / 10) for i, row in enumerate(rows)]
    shown = [(str(t.data["class_name"][0]), float(t.confidence[0])) for t in tracked]
    assert shown[0][0] == "unsure" and shown[-1][0] == "with_mask"
    assert not [sure for name, sure in shown if name == "unsure" and sure >= 0.8]


def test_the_single_answer_stays_beside_the_vote() -> None:
    tracker = video.Tracker()
    tracker(people(MASK), 0)
    tracked = tracker(people(BARE), 0.05)
    assert tracked.data["raw_name"].tolist() == ["without_mask"]
    assert tracked.data["class_name"].tolist() == ["with_mask"]


def test_the_threshold_may_change_on_the_way() -> None:
    tracker = video.Tracker(unsure_below=0.5, hold=0)
    weak = np.array([0.7, 0.2, 0.1])
    assert tracker(people(weak), 0).data["class_name"][0] == "with_mask"
    tracker.unsure_below = 0.95
    assert [tracker(people(weak), i / 10).data["class_name"][0] for i in range(1, 4)][-1] == "unsure"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_the_vote_never_flickers_more_than_the_frames(answers: list[int]) -> None:
    tracker = video.Tracker(unsure_below=0.0)
    rows = np.eye(3)[answers] * 0.8 + 0.2 / 3
    shown = [tracker(people(row), i / 15).data["class_name"][0] for i, row in enumerate(rows)]
    assert sum(a != b for a, b in zip(shown, shown[1:], strict=False)) <= sum(
        a != b for a, b in zip(answers, answers[1:], strict=False)
    )


# watching


def test_a_clip_is_annotated_counted_and_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "a.mp4"
    watched = video.annotate(clip(tmp_path / "a.mp4", frames=10), masked, out=out, events=tmp_path / "e.jsonl")
    back = list(clips.frames(out))
    assert len(back) == 10 and watched.ended == "end" and watched.out == out
    green = np.array(classes.COLOURS["with_mask"])
    assert np.abs(back[5][1][:26].astype(int) - green).sum(2).min() < 60
    table = video.counts(watched)
    assert len(table) == 10 and table["with_mask"].tolist() == [1] * 10 and table["people"].max() == 1
    assert {"wait for frame", "detect", "track", "draw", "encode"} == set(watched.stages)
    assert watched.words().endswith("most at once: mask 1")
    first = watched.answers()[0]
    assert first["seconds"] == 0 and first["faces"] == [[0, 0, 32, 24, pytest.approx(0.9), "with_mask", 1]]
    assert len(watched.answers()) == 10 and watched.answers(threshold=0.95) == []
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert events == [{"seconds": 0.0, "event": "appeared", "person": 1, "label": "with_mask"}]


def test_frames_without_anybody_are_counted_too(tmp_path: Path) -> None:
    watched = video.annotate(clip(tmp_path / "a.mp4", frames=5), nobody)
    assert video.counts(watched)["people"].tolist() == [0] * 5
    assert video.flicker(watched) == {"before": 0, "after": 0} and watched.out is None


def test_flicker_is_counted_person_by_person(tmp_path: Path) -> None:
    answers = iter([MASK, BARE] * 10)
    watched = video.annotate(clip(tmp_path / "a.mp4", frames=20), lambda rgb: people(next(answers), MASK))
    assert video.flicker(watched)["before"] == 19
    assert video.flicker(watched)["after"] <= 2


def test_an_interrupt_leaves_a_playable_file(tmp_path: Path) -> None:
    calls = iter(range(100))

    def tired(rgb: np.ndarray) -> sv.Detections:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return masked(rgb)

    watched = video.annotate(clip(tmp_path / "a.mp4", frames=30), tired, out=tmp_path / "b.mp4")
    assert watched.ended == "interrupted" and len(list(clips.frames(tmp_path / "b.mp4"))) == 4
    assert threads() == []


def test_ctrl_c_at_the_keyboard_leaves_a_playable_file(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", frames=300)
    code = (
        "import sys, time, supervision as sv; from lib import video\n"
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "def slow(rgb): print('x', flush=True); time.sleep(0.05); return sv.Detections.empty()\n"
        f"print(video.annotate({str(tmp_path / 'a.mp4')!r}, slow, out={str(tmp_path / 'b.mp4')!r}).ended)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0].split()[-1] == "interrupted"
    assert 4 <= len(list(clips.frames(tmp_path / "b.mp4"))) < 300


def test_a_source_that_breaks_off_keeps_what_was_seen(tmp_path: Path) -> None:
    def broken(source: video.Source) -> Iterator[tuple[float, np.ndarray]]:
        yield 0.0, np.zeros((48, 64, 3), np.uint8)
        yield 0.1, np.zeros((96, 64, 3), np.uint8)  # and the size changes on the way
        raise video.CameraTrouble("camera 0 gives no more pictures", state="lost")

    watched = video.annotate(video.Source("test", broken), masked, out=tmp_path / "b.mp4")
    assert watched.ended == "camera 0 gives no more pictures"
    assert [rgb.shape for _, rgb in clips.frames(tmp_path / "b.mp4")] == [(48, 64, 3)] * 2


def test_events_that_cannot_be_finished_do_not_cost_the_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: telling.Events) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(telling.Events, "close", full)
    with pytest.raises(OSError, match="No space left"):
        video.annotate(clip(tmp_path / "a.mp4"), masked, out=tmp_path / "b.mp4")
    assert len(list(clips.frames(tmp_path / "b.mp4"))) == 12 and not threads()


def test_a_disk_that_is_full_keeps_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = clip(tmp_path / "a.mp4"), clips.Writer.write

    def full(self: clips.Writer, rgb: np.ndarray, *, seconds: float | None = None) -> None:
        if self.count == 5:
            self._abandon()
            raise OSError(28, "No space left on device")
        write(self, rgb, seconds=seconds)

    monkeypatch.setattr(clips.Writer, "write", full)
    watched = video.annotate(path, masked, out=tmp_path / "b.mp4")
    assert watched.ended == "No space left on device" and len(watched.times) == 6 and watched.out is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_limit_and_progress(tmp_path: Path) -> None:
    lengths = []

    def progress(frames: video.Source) -> video.Source:
        lengths.append(len(frames))
        return frames

    watched = video.annotate(clip(tmp_path / "a.mp4", frames=9), nobody, limit=4, progress=progress)
    assert (len(watched.times), lengths) == (4, [9])


def test_who_appears_changes_and_leaves_is_told(tmp_path: Path) -> None:
    script = iter([people(BARE)] * 20 + [people(MASK)] * 40 + [people()] * 40)
    heard: list[dict] = []
    video.annotate(clip(tmp_path / "a.mp4", frames=100, fps=20), lambda rgb: next(script), events=heard.append)
    told = [(e["event"], e["label"]) for e in heard if e["label"] != "unsure"]
    assert told == [("appeared", "without_mask"), ("changed", "with_mask"), ("left", "with_mask")]


def test_events_are_a_table_where_the_name_says_so(tmp_path: Path) -> None:
    video.annotate(clip(tmp_path / "a.mp4", frames=12), masked, events=tmp_path / "new/e.csv")
    assert (tmp_path / "new/e.csv").read_text().splitlines() == [
        "seconds,event,person,label",
        "0.0,appeared,1,with_mask",
    ]


def test_an_alarm_rings_for_a_bare_face_and_then_holds_off() -> None:
    rung: list[dict] = []
    alarm, tracker = video.Alarm(rung.append, hold_off=2), video.Tracker()
    for i in range(80):
        there = people(MASK) if i < 8 or i > 56 else people(MASK, BARE)
        alarm(tracker(there, i / 8), i / 8)
    assert [(r["seconds"], r["label"], r["people"]) for r in rung] == [
        (s, "without_mask", [2]) for s in (1.375, 3.375, 5.375)
    ]


def test_what_is_seen_for_a_moment_rings_nothing_and_is_nobody() -> None:
    rung: list[dict] = []
    heard: list[dict] = []
    alarm, events, tracker = video.Alarm(rung.append), telling.Events(heard.append), video.Tracker()
    for i in range(60):
        hand = 20 <= i < 24  # the finder takes a hand for a face, for 0.2 s
        there = tracker(people(MASK, BARE) if hand else people(MASK), i / 20)
        alarm(there, i / 20)
        events(there, i / 20)
    assert not rung and [(e["event"], e["person"], e["seconds"]) for e in heard] == [("appeared", 1, 0.0)]


def test_an_alarm_that_fails_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(told: dict) -> None:
        raise OSError("no bell")

    alarm = video.Alarm(broken, labels=["with_mask"], hold_off=0.5)
    watched = video.annotate(clip(tmp_path / "a.mp4", frames=12), masked, alarm=alarm)
    assert watched.ended == "end" and len(watched.times) == 12 and caplog.text.count("the alarm failed") == 2
    with pytest.raises(ValueError, match="labels are among"):
        video.Alarm(broken, labels=["bare"])


def test_blurring_hides_the_face_and_leaves_the_rest_and_the_original() -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (100, 120, 3), np.uint8)
    before = rgb.copy()
    hidden = video.blurred(rgb, np.array([[10, 20, 50, 70], [-50, -50, -10, -10]]))
    assert (rgb == before).all()
    assert (hidden[20:70, 10:50] != rgb[20:70, 10:50]).mean() > 0.9
    assert (hidden[:, 60:] == rgb[:, 60:]).all()
    assert len(np.unique(hidden[20:70, 10:50].reshape(-1, 3), axis=0)) <= 48


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there a missing screen is known beforehand")
def test_no_screen_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ValueError, match="there is no screen here"):
        video.annotate(clip(tmp_path / "a.mp4"), nobody, show=True)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with helpers.virtual_screen(monkeypatch, size="640x480"):
        yield


@pytest.mark.parametrize("keys", [["windowfocus", "--sync", "{}", "key", "q"], ["key", "alt+F4"]])
def test_q_or_closing_the_window_ends_the_watch(display: None, tmp_path: Path, keys: list[str]) -> None:
    code = (
        "import supervision as sv; from lib import video\n"
        f"source = video.open({str(clip(tmp_path / 'a.mp4', h=240, w=320))!r}, live=True, loop=True)\n"
        "def nobody(rgb): return sv.Detections.empty()\n"
        f"seen = video.annotate(source, nobody, show=True, out={str(tmp_path / 'b.mp4')!r})\n"
        "print(seen.ended)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "press q to quit"]
    window = subprocess.run(find, check=True, capture_output=True, text=True, timeout=60).stdout.split()[0]
    time.sleep(1)
    subprocess.run(["xdotool", *(k.format(window) for k in keys)], check=True, timeout=20)
    try:
        said, complained = process.communicate(timeout=30)
    finally:
        process.kill()
    assert said.split() == ["interrupted"], complained
    assert len(list(clips.frames(tmp_path / "b.mp4"))) >= 5


def test_memory_stays_flat_on_a_long_watch() -> None:
    taken = []

    def long(source: video.Source) -> Iterator[tuple[float, np.ndarray]]:
        rgb = np.zeros((48, 64, 3), np.uint8)
        for i in range(3000):
            if i in (500, 2999):
                taken.append(_resident())
            yield i / 30, rgb

    four = people(MASK, BARE, MASK, BARE, at=((0, 0), (200, 0), (400, 0), (600, 0)))
    watched = video.annotate(video.Source("long", long), lambda rgb: four)
    assert len(watched.faces) == 12_000 and taken[1] - taken[0] < 4e6


def test_of_a_source_without_end_the_newest_answers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.video.watching.KEPT", 8)
    watched = video.annotate(clip(tmp_path / "a.mp4", frames=20), masked)
    assert watched.faces["frame"].tolist() == list(range(12, 20)) and len(watched.times) == 8
    assert watched.faces["shown"].unique().tolist() == ["with_mask"] and len(video.counts(watched)) == 8


def _resident() -> float:
    path = Path("/proc/self/statm")
    if not path.exists():
        pytest.skip("memory: /proc is Linux's")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_vote_calms_a_real_clip(weights: Path, shared: Path) -> None:
    try:
        detector = detect.MaskDetector.load("full", max_side=faces.LIVE)
    except assets.AssetMissing as trouble:
        pytest.skip(f"weights: {trouble}")
    watched = video.annotate(shared / "data/videos/woman_puts_mask_on.mp4", detector)
    flicker = video.flicker(watched)
    assert len(watched.times) == 233 and 2 * flicker["after"] <= flicker["before"] and flicker["after"] >= 1
    assert watched.faces["shown"].iloc[0] == "without_mask" and watched.faces["shown"].iloc[-1] == "with_mask"
