import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib import files


def test_a_name_is_the_content(tmp_path: Path) -> None:
    path = files.write(tmp_path / "deep/er/a.txt", "grüße")
    assert path.read_text(encoding="utf-8") == "grüße"
    assert files.sha256(path) == files.sha256("grüße".encode()) == hashlib.sha256("grüße".encode()).hexdigest()


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.write(tmp_path / "a.txt", b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_bytes() == b"old"


def test_force_is_named_only_where_it_is_offered(tmp_path):
    there = files.write(tmp_path / "a", b"1")
    with pytest.raises(ValueError, match="not overwritten; give another name$"):
        files.spare(there)
    with pytest.raises(ValueError, match="or say --force"):
        files.spare(there, force=False)
    files.spare(there, force=True)


def test_what_cpp_and_new_processes_say_is_turned_aside_and_comes_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "said").open("wb") as file, files.aside(file.fileno(), numbers=(1, 2)):
        os.write(1, b"output,")
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('error')"], check=True)
    with pytest.raises(ZeroDivisionError), Path(os.devnull).open("wb") as file, files.aside(file.fileno()):
        os.write(2, b"lost")
        raise ZeroDivisionError
    os.write(2, b"heard")
    assert (tmp_path / "said").read_text() == "output,error"
    assert capfd.readouterr() == ("", "heard")
