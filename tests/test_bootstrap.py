"""The first script that runs on a bare machine: advice instead of tracebacks, and a half-made .venv heals."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
import bootstrap  # noqa: E402


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv/installed.txt")
    return tmp_path / ".venv"


def test_half_an_environment_is_made_anew(venv: Path) -> None:
    assert not bootstrap.usable()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    assert not bootstrap.usable(), "a killed run leaves a Python without pip"


def test_an_old_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"3\.11 to 3\.13 needed[^$]*make run PYTHON="):
        bootstrap.check()


def test_a_full_disk_is_told_before_anything_is_installed(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1e9})())
    with pytest.raises(SystemExit, match=r"1\.0 GB free on this disk, about 6 GB needed"):
        bootstrap.check()


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("OSError: [Errno 28] No space left on device", "free some disk space"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "connect to the internet"),
        ("error: something else", "see the lines above"),
    ],
)
def test_a_failed_install_ends_in_advice(venv: Path, monkeypatch: pytest.MonkeyPatch, error: str, mend: str) -> None:
    failed = subprocess.CompletedProcess([], 1, "", error)
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(SystemExit, match=f"{mend}.*run the same command again"):
        bootstrap.install("-r", "requirements.lock")
