"""Make `.venv` and install the pinned versions into it. Standard library only: this runs before anything is there.

Called by the Makefile; safe to call again: it does nothing when `.venv` already holds what the lock asks for.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.txt"
SOURCES = ("requirements.lock", "pyproject.toml")
NEEDED_GB = 6  # 1.2 GB of downloads, 4.5 GB installed


def advise(trouble: str, mend: str) -> None:
    sys.exit(f"\n  {trouble}\n  Mend: {mend}\n")


def check() -> None:
    found = platform.python_version()
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        advise(
            f"Python {found} found, 3.11 to 3.13 needed.",
            "make run PYTHON=/path/to/python3.12 (from python.org, pyenv, or your system)",
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        advise("Python's venv module is missing.", "sudo apt-get install python3-venv")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB and not STAMP.exists():
        advise(
            f"{free:.1f} GB free on this disk, about {NEEDED_GB} GB needed.",
            "free some space, then run the same command again",
        )


def wanted() -> str:
    digest = hashlib.sha256(platform.python_version().encode())
    for name in SOURCES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def python() -> str:
    return str(VENV / ("Scripts" if sys.platform == "win32" else "bin") / "python")


def usable() -> bool:
    """Whether .venv is whole (a killed run leaves half of one) and of this very Python."""
    if not Path(python()).exists():
        return False
    code = "import platform, pip; print(platform.python_version())"
    result = subprocess.run([python(), "-c", code], capture_output=True, text=True)
    return result.stdout.strip() == platform.python_version()


def install(*arguments: str) -> None:
    command = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        tail = "\n  ".join(result.stderr.strip().splitlines()[-8:])
        offline = any(
            word in result.stderr for word in ("Temporary failure", "NewConnectionError", "No matching distribution")
        )
        mend = (
            "connect to the internet and run the same command again"
            if offline
            else "see the lines above, then run the same command again"
        )
        if "No space left" in result.stderr:
            mend = "free some disk space, then run the same command again"
        advise(f"Installing failed:\n  {tail}", mend)


def main() -> None:
    check()
    stamp = wanted()
    if STAMP.is_file() and STAMP.read_text() == stamp:
        return
    started = time.monotonic()
    print("Installing into .venv (once; 1.2 GB to download, a few minutes) …", flush=True)
    if not usable():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    install("-r", "requirements.lock")
    install("--no-deps", "-e", ".")
    STAMP.write_text(stamp)
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)


if __name__ == "__main__":
    main()
