"""What is here, what is missing, and the command that mends it. Imports nothing that may itself be missing."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Finding", "examine", "report"]

RUN_TIME = ("numpy", "opencv-python", "supervision", "ai-edge-litert")
WORKBENCH = ("tensorflow", "keras", "jupyterlab", "ipywidgets", "anywidget", "icrawler", "imagehash", "dlib-bin")
PACKAGES = (*RUN_TIME, *WORKBENCH, "labelImg")
HOST = "https://github.com"


@dataclass(frozen=True)
class Finding:
    """One row of the doctor's table.

    state: "ok", "missing" (only what `spoils` names does not work) or "broken" (nothing works before it is mended).
    """

    what: str
    state: str
    detail: str
    spoils: str = ""
    mend: str = ""

    def row(self) -> dict[str, str]:
        """The finding as plain strings."""
        return asdict(self)


def examine(need: str = "run") -> list[Finding]:
    """Look at this machine. need: "use" (a trained model), "run" (the notebooks) or "test"."""
    checks: list[Callable[[], list[Finding]]] = [
        _python,
        lambda: _packages(need),
        _one_opencv,
        _opencv_loads,
        _disk,
        _weights,
        _models,
        _internet,
        _display,
        _camera,
    ]
    if need == "test":
        checks.append(_test_tools)
    return [finding for check in checks for finding in check()]


def report(findings: list[Finding], *, only_trouble: bool = False) -> str:
    """The findings as text, each trouble followed by what it spoils and the command that mends it."""
    marks = {"ok": "ok     ", "missing": "missing", "broken": "BROKEN "}
    lines = []
    for finding in findings:
        if only_trouble and finding.state == "ok":
            continue
        lines.append(f"{marks[finding.state]}  {finding.what}: {finding.detail}")
        if finding.state != "ok":
            lines += [f"           without it: {finding.spoils}"] if finding.spoils else []
            lines += [f"           mend:       {finding.mend}"] if finding.mend else []
    return "\n".join(lines)


def _python() -> list[Finding]:
    version = platform.python_version()
    detail = f"{version} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return [Finding("Python", "ok", detail)]
    return [Finding("Python", "broken", detail, "the pinned packages do not install", "use Python 3.11, 3.12 or 3.13")]


def _packages(need: str) -> list[Finding]:
    findings = []
    for name in PACKAGES:
        try:
            findings.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            needed = name in RUN_TIME or (need != "use" and name != "labelImg")
            extra = "run" if name in RUN_TIME else "all"
            spoils = "labelling in its window" if name == "labelImg" else "" if needed else "the notebooks"
            mend = f"pip install -c requirements.lock -e '.[{extra}]'"
            findings.append(Finding(name, "broken" if needed else "missing", "not installed", spoils, mend))
    return findings


def _one_opencv() -> list[Finding]:
    names = sorted({d.metadata["Name"] for d in importlib.metadata.distributions() if _is_opencv(d)})
    if len(names) <= 1:
        return []
    again = "pip install --force-reinstall --no-deps -c requirements.lock opencv-python"
    mend = f"pip uninstall -y {' '.join(names)}; {again}"
    return [Finding("OpenCV", "broken", f"{len(names)} wheels in one place: {', '.join(names)}",
                    "they overwrite each other; windows and models fail at random", mend)]  # fmt: skip


def _is_opencv(distribution: importlib.metadata.Distribution) -> bool:
    return (distribution.metadata["Name"] or "").lower().startswith("opencv")


def _opencv_loads() -> list[Finding]:
    command = [sys.executable, "-c", "import cv2; print(cv2.__version__)"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode == 0:
        return [Finding("OpenCV loads", "ok", result.stdout.strip())]
    detail = (result.stderr.strip().splitlines() or ["the process ended"])[-1]
    return [Finding("OpenCV loads", "broken", detail, "nothing that reads a picture works", _mend_libraries(detail))]


def _mend_libraries(detail: str) -> str:
    if ".so" in detail and sys.platform.startswith("linux"):
        return "sudo apt-get install libgl1 libglib2.0-0"
    return "pip install --force-reinstall --no-deps -c requirements.lock opencv-python"


def _disk() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free > 2:
        return [Finding("disk", "ok", f"{free:.0f} GB free")]
    return [Finding("disk", "broken", f"{free:.2f} GB free", "a run needs up to 2 GB", "free some disk space")]


def _weights() -> list[Finding]:
    from . import assets

    uses = {
        "yunet": "one look finds faces alone; notebooks 01 to 04 use dlib's detector, which misses masked ones",
        "mobilenet_v2_1.0": "training starts from the backbone of the model that ships",
    }
    findings = []
    for name, spoils in uses.items():
        files = " or ".join(a.file for a in assets.ASSETS[name])
        if assets.have(name):
            findings.append(Finding(f"weights {name}", "ok", str(assets.find(name))))
        else:
            once = "unset MASK_OFFLINE" if assets.offline() else "connect to the internet"
            mend = f"{once} once, or put {files} into a folder and set MASK_ASSETS to it"
            findings.append(Finding(f"weights {name}", "missing", "not here yet", spoils, mend))
    try:
        findings.append(Finding("68 landmarks", "ok", f"{assets.landmarks_68().name} (not for commercial use)"))
    except assets.AssetMissing as trouble:
        mend = "pip install -c requirements.lock face_recognition_models"
        findings.append(Finding("68 landmarks", "missing", str(trouble), "no artificial masks", mend))
    return findings


def _models() -> list[Finding]:
    from . import assets

    cards = sorted(p.stem for p in assets.models().glob("*.json"))
    if cards:
        return [Finding("models", "ok", ", ".join(cards))]
    return [Finding("models", "broken", "no card in models/", "nothing can be detected", "git checkout models")]


def _internet() -> list[Finding]:
    from . import assets

    if assets.offline():
        return [Finding("internet", "ok", "not asked: MASK_OFFLINE is set")]
    spoils = "crawling; downloads of weights. The sample, training and the camera work without"
    try:
        urllib.request.urlopen(urllib.request.Request(HOST, method="HEAD"), timeout=4).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as trouble:
        return [
            Finding("internet", "missing", f"{HOST} does not answer ({trouble})", spoils, "connect, or set a proxy")
        ]
    return [Finding("internet", "ok", f"{HOST} answers")]


def _display() -> list[Finding]:
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return [
            Finding("display", "ok", os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform)
        ]
    spoils = "labelImg and OpenCV windows; label in the notebook instead"
    mend = "run on a desktop, or: sudo apt-get install xvfb && xvfb-run -a COMMAND"
    return [Finding("display", "missing", "no DISPLAY", spoils, mend)]


def _camera() -> list[Finding]:
    if sys.platform != "linux":
        return [Finding("camera", "ok", "not asked: the system asks for permission at first use")]
    devices = sorted(str(p) for p in Path("/dev").glob("video*"))
    if devices:
        return [Finding("camera", "ok", ", ".join(devices))]
    spoils = "the kernel's camera; the browser's own camera and the sample clip work without"
    return [
        Finding("camera", "missing", "no /dev/video*", spoils, "plug one in, or use source='browser' in notebook 05")
    ]


def _test_tools() -> list[Finding]:
    findings = []
    tools: dict[str, Any] = {
        "chromium": (("chromium", "chromium-browser", "google-chrome"), "tests in a real browser"),
        "Xvfb": (("Xvfb",), "the test of the real labelImg window"),
        "xdotool": (("xdotool",), "the test of the real labelImg window"),
    }
    for what, (names, spoils) in tools.items():
        path = next((p for n in names if (p := shutil.which(n))), None)
        mend = f"sudo apt-get install {what.lower()}"
        findings.append(
            Finding(what, "ok", path) if path else Finding(what, "missing", "not here", f"{spoils} is skipped", mend)
        )
    return findings
