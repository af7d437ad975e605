import subprocess
import sys
from pathlib import Path

import pytest

from lib import doctor


def by_name(findings: list[doctor.Finding]) -> dict[str, doctor.Finding]:
    return {f.what: f for f in findings}


def test_every_trouble_comes_with_its_mend() -> None:
    findings = doctor.examine("test")
    assert {"Python", "tensorflow", "OpenCV loads", "disk", "weights yunet", "display", "camera", "chromium"} <= set(
        by_name(findings)
    )
    assert all(f.mend and (f.spoils or f.state == "broken") for f in findings if f.state != "ok")


def test_exactly_one_opencv_is_installed() -> None:
    assert "OpenCV" not in by_name(doctor.examine("use")), "two OpenCV wheels in one environment"


def test_two_opencvs_are_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("opencv_python", "opencv_python_headless"):
        info = tmp_path / f"{name}-5.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 5.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = by_name(doctor.examine("use"))["OpenCV"]
    assert found.state == "broken" and "pip uninstall -y opencv-python opencv-python-headless" in found.mend


@pytest.mark.parametrize("library", ["libGL.so.1", "libgthread-2.0.so.0", "libxcb.so.1"])
def test_a_missing_system_library_is_advice_not_a_traceback(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    error = f"ImportError: {library}: cannot open shared object file: No such file or directory"
    broken = subprocess.CompletedProcess([], 1, "", f"Traceback …\n{error}")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: broken)
    found = by_name(doctor.examine())["OpenCV loads"]
    assert found.state == "broken" and found.mend == "sudo apt-get install libgl1 libglib2.0-0"


def test_the_doctor_itself_needs_no_opencv() -> None:
    code = (
        "import sys; sys.modules['cv2'] = None; sys.modules['numpy'] = None\nfrom lib import doctor; doctor.examine()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "tensorflow":
            raise doctor.importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    assert by_name(doctor.examine("run"))["tensorflow"].state == "broken"
    light = by_name(doctor.examine("use"))["tensorflow"]
    assert light.state == "missing" and light.mend == "pip install -c requirements.lock -e '.[all]'"


def test_the_report_can_be_only_trouble() -> None:
    findings = [doctor.Finding("a", "ok", "1"), doctor.Finding("b", "missing", "not here", "x", "do y")]
    assert doctor.report(findings, only_trouble=True).splitlines() == [
        "missing  b: not here", "           without it: x", "           mend:       do y"]  # fmt: skip


def test_who_asked_to_stay_offline_is_not_sent_to_the_internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MASK_OFFLINE", "1")
    monkeypatch.setenv("MASK_ASSETS", str(tmp_path))
    monkeypatch.setattr("lib.assets.have", lambda name, **how: False)
    mend = by_name(doctor.examine())["weights yunet"].mend
    assert "unset MASK_OFFLINE" in mend and "connect" not in mend
