from pathlib import Path

import numpy as np
import pytest

from lib import clips


def plain(value: int, h: int = 48, w: int = 64) -> np.ndarray:
    return np.full((h, w, 3), value, np.uint8)


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for value in (0, 100, 200):
            writer.write(plain(value))
    back = list(clips.frames(tmp_path / "a.mp4"))
    assert [round(t, 2) for t, _ in back] == [0.0, 0.1, 0.2]
    assert [round(float(rgb.mean()), -1) for _, rgb in back] == [0, 100, 200]


def test_a_writer_makes_mp4_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.mp4"):
        clips.Writer(tmp_path / "a.avi", fps=10)


@pytest.mark.parametrize("room", [0, 30_000])  # bytes: not even the head fits; the beginning does
def test_a_full_disk_is_an_error_and_leaves_no_half_file(tmp_path: Path, room: int) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits the size of files")
    noise = np.random.default_rng(0).integers(0, 255, (60, 240, 320, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = clips.Writer(tmp_path / "a.mp4", fps=10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            for rgb in noise:
                writer.write(rgb)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert writer.count == 0 and list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_at_the_very_end_leaves_no_half_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = clips.Writer(tmp_path / "a.mp4", fps=10)
    writer.write(plain(10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_an_odd_size_and_a_change_of_size_fit(tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(plain(50, 33, 65))
        writer.write(plain(50, 100, 40))
    assert [rgb.shape for _, rgb in clips.frames(tmp_path / "a.mp4")] == [(32, 64, 3), (32, 64, 3)]


def test_an_interrupted_writer_leaves_a_playable_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(plain(10))
        raise KeyboardInterrupt
    assert len(list(clips.frames(tmp_path / "a.mp4"))) == 1


@pytest.mark.parametrize(("content", "why"), [(b"", "it is empty"), (b"no video at all" * 100, "Invalid data.*input")])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\.mp4 cannot be read \({why}\)"):
        list(clips.frames(tmp_path / "bad.mp4"))


def test_a_file_that_is_cut_short_is_read_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for rgb in np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8):
            writer.write(rgb)
    assert len(list(clips.frames(tmp_path / "a.mp4"))) == 40 and not caplog.messages
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    count = len(list(clips.frames(tmp_path / "cut.mp4")))
    assert 0 < count < 38 and f"of 40 frames that it promises {count} are there" in caplog.messages[0]


def test_real_clips_decode(shared: Path) -> None:
    for path in sorted((shared / "data/videos").glob("*.mp4"))[:2]:
        seconds, rgb = next(clips.frames(path))
        assert seconds == 0 and rgb.ndim == 3 and rgb.std() > 10


def test_frames_keep_the_times_they_bring(tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for seconds in (5.0, 5.1, 5.7, 5.7):
            writer.write(plain(50), seconds=seconds)
    assert [round(t, 2) for t, _ in clips.frames(tmp_path / "a.mp4")] == [0.0, 0.1, 0.7, 0.7]


def test_a_video_says_what_it_is(tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=12) as writer:
        for value in range(6):
            writer.write(plain(value))
    said = clips.about(tmp_path / "a.mp4")
    assert (said.size, said.frames) == ((64, 48), 6) and said.seconds == pytest.approx(0.5, abs=0.1)
    assert said.fps == pytest.approx(12, rel=0.01)


def test_a_hole_in_the_middle_is_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for _ in range(40):
            writer.write(rng.integers(0, 255, (48, 64, 3), np.uint8))
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    (tmp_path / "holed.mp4").write_bytes(content)
    assert 20 < len(list(clips.frames(tmp_path / "holed.mp4"))) <= 40


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_phone_held_upright_gives_upright_frames(tmp_path: Path, turn: int) -> None:
    page = np.zeros((64, 96, 3), np.uint8)
    page[:32, :48] = 255  # the upper left corner as it is stored
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(page)
    content = (tmp_path / "a.mp4").read_bytes()
    plain_matrix = _matrix(0)
    assert content.count(plain_matrix) >= 1
    track = content.index(b"tkhd")
    at = content.index(plain_matrix, track)
    (tmp_path / "b.mp4").write_bytes(content[:at] + _matrix(turn) + content[at + 36 :])
    (_, rgb), *_ = clips.frames(tmp_path / "b.mp4")
    bright = {0: (0, 0), 90: (0, 1), 180: (1, 1), 270: (1, 0)}[turn]  # turned clockwise, as players do
    h, w = rgb.shape[0] // 2, rgb.shape[1] // 2
    means = [[rgb[i * h : i * h + h, j * w : j * w + w].mean() for j in (0, 1)] for i in (0, 1)]
    assert np.unravel_index(np.argmax(means), (2, 2)) == bright
    assert rgb.shape[:2] == ((64, 96) if turn % 180 == 0 else (96, 64))


def _matrix(turn: int) -> bytes:
    """The 3 × 3 matrix of an MP4 track header that shows it turned clockwise (ISO 14496-12, 8.3.2)."""
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[turn]
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000]
    return b"".join(int(v).to_bytes(4, "big", signed=True) for v in values)


def test_times_count_from_the_first_frame(tmp_path: Path) -> None:
    """A transport stream's clock starts anywhere: a recording of a broadcast at hours."""
    import av

    rng = np.random.default_rng(0)
    path = tmp_path / "a.ts"
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25, width=64, height=48, pix_fmt="yuv420p")
        for i in range(40):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (48, 64, 3), np.uint8), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert [round(t, 3) for t, _ in clips.frames(path)][:4] == [0, 0.04, 0.08, 0.12]


def test_a_stream_without_times_has_zeros(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.m2v"
    with av.open(str(path), "w", format="mpeg2video") as container:
        stream = container.add_stream("mpeg2video", rate=25, width=64, height=48, pix_fmt="yuv420p")
        for i in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(plain(40 * i), format="rgb24")))
        container.mux(stream.encode(None))
    times = [t for t, _ in clips.frames(path)]
    assert len(times) == 5 and times[0] == 0 and min(times) >= 0
