"""Packages of the npm registry, pinned by version and hash: fetched once with npm, kept in the cache, never changed."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from .. import assets, files

__all__ = ["RUNTIME", "fetch", "find", "pins"]

RUNTIME = Path(__file__).with_name("runtime.json")
PATIENCE = 600  # seconds for a download of some 12 MB


def pins(path: Path = RUNTIME) -> dict[str, Any]:
    """What is pinned: package, version, licence, integrity of its archive, and SHA-256 of each file that is used."""
    pinned: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return pinned


def find(path: Path = RUNTIME) -> Path:
    """The folder with the pinned files: below `MASK_ASSETS`, or in the user's cache. Raises AssetMissing."""
    pinned = pins(path)
    for folder in _folders(pinned):
        if all((folder / file).is_file() and files.sha256(folder / file) == sha for file, sha in _wanted(pinned)):
            return folder
    raise assets.AssetMissing(
        f"{pinned['package']} {pinned['version']} is not here; fetch it once, with a network and npm: make app-runtime"
    )


def fetch(path: Path = RUNTIME) -> Path:
    """The same folder, filled by `npm pack` if need be.

    Raises AssetMissing where it cannot be had, or is not as pinned.
    """
    try:
        return find(path)
    except assets.AssetMissing as missing:
        if assets.offline():
            raise assets.AssetMissing(f"{missing} (MASK_OFFLINE is set)") from None
    pinned = pins(path)
    target = _folders(pinned)[-1]
    with tempfile.TemporaryDirectory() as work:
        with tarfile.open(_packed(pinned, Path(work))) as archive:
            for file, sha in _wanted(pinned):
                member = archive.extractfile(f"package/{file}")
                content = member.read() if member else b""
                if files.sha256(content) != sha:
                    raise assets.AssetMissing(f"{pinned['package']}: {file} is not the file that is pinned")
                files.write(target / file, content)
    return target


def _packed(pinned: dict[str, Any], work: Path) -> Path:
    """The package's archive, by npm and its settings, checked."""
    npm = shutil.which("npm")
    if npm is None:
        raise assets.AssetMissing(f"npm is not here, which fetches {pinned['package']}; install Node.js")
    name = f"{pinned['package']}@{pinned['version']}"
    command = [npm, "pack", name, "--pack-destination", str(work), "--silent"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=PATIENCE)
    archives = list(work.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise assets.AssetMissing(f"npm could not fetch {name}: {said}")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if found != pinned["integrity"]:
        raise assets.AssetMissing(f"{name}: the archive has {found[:20]}…, pinned is {pinned['integrity'][:20]}…")
    return archives[0]


def _wanted(pinned: dict[str, Any]) -> list[tuple[str, str]]:
    return list(pinned["files"].items())


def _folders(pinned: dict[str, Any]) -> list[Path]:
    name = f"{pinned['package'].strip('@').replace('/', '-')}-{pinned['version']}"
    return [folder / name for folder in assets.folders()]
