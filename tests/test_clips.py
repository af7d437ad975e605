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


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.mp4 cannot be read"):
        list(clips.frames(tmp_path / "bad.mp4"))


def test_real_clips_decode(shared: Path) -> None:
    for path in sorted((shared / "data/videos").glob("*.mp4"))[:2]:
        seconds, rgb = next(clips.frames(path))
        assert seconds == 0 and rgb.ndim == 3 and rgb.std() > 10
