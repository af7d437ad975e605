"""The phone's app as a folder: what it is made of, what is refused, how its runtime is fetched, how it is served."""

import base64
import hashlib
import io
import json
import re
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import bright

from lib import __main__ as main
from lib import app, assets, cells, classes, files, web
from lib.app import runtime
from lib.app.icons import icon

STATIC = Path(app.__file__).parent / "static"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card that calls the small classifier a one-look model: the folder only wants a file that LiteRT reads."""
    shipped = json.loads((assets.models() / "small.json").read_text())
    (tmp_path / "small.tflite").write_bytes((assets.models() / "small.tflite").read_bytes())
    told = {"network": "one_look", "input_size": [96, 96], "measures": {"validation": {"map50_both": 0.8}}}
    return files.write(tmp_path / "look.json", json.dumps(shipped | told))


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime of other content than the pinned one, in its place."""
    for name in runtime.pins()["files"]:
        files.write(tmp_path / "runtime" / name, f"// {name}")
    monkeypatch.setattr(runtime, "find", lambda: tmp_path / "runtime")
    return tmp_path / "runtime"


def test_the_folder_holds_all_that_the_page_needs(card: Path, fetched: Path, tmp_path: Path) -> None:
    out = app.build(tmp_path / "out", model=card)
    about = json.loads((out / "about.json").read_text())
    assert about["classes"] == list(classes.NAMES) and about["cells"]["reach"] == cells.REACH
    assert [name for name, _, _ in about["legend"]] == [*classes.NAMES, classes.UNSURE]
    assert about["model"]["sha256"] == files.sha256(out / about["model"]["file"])
    for name, entry in about["files"].items():
        assert entry == {"hash": files.sha256(out / name)[:16], "bytes": (out / name).stat().st_size}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert there == set(about["files"]) | {"about.json", "sw.js"}
    worker = (out / "sw.js").read_text()
    assert "{{" not in worker and all(f'"{name}"' in worker for name in about["files"])
    manifest = json.loads((out / "manifest.webmanifest").read_text())
    named = [entry["src"] for entry in manifest["icons"]]
    named += re.findall(r'(?:src|href)="([\w.-]+)"', (out / "index.html").read_text())
    assert len(named) > 8 and set(named) <= there
    wasm = out / "runtime/litert_wasm_internal.wasm.gzip"
    assert cv2.imread(str(out / "icon-512.png")).shape == (512, 512, 3) and wasm.read_bytes()[:2] == b"\x1f\x8b"


def test_the_version_changes_with_what_is_in_it_and_only_then(card: Path, fetched: Path, tmp_path: Path) -> None:
    def version(out: Path) -> str:
        return json.loads((out / "about.json").read_text())["version"]

    first = version(app.build(tmp_path / "a", model=card))
    assert version(app.build(tmp_path / "b", model=card)) == first
    (fetched / "wasm/litert_wasm_internal.js").write_text("// newer")
    out = app.build(tmp_path / "a", model=card)  # over what was there
    assert version(out) != first and not list(tmp_path.glob(".part-*"))


def test_a_folder_of_something_else_is_left_alone(card: Path, fetched: Path, tmp_path: Path) -> None:
    mine = files.write(tmp_path / "mine/letter.txt", "dear")
    with pytest.raises(ValueError, match="holds something else"):
        app.build(mine.parent, model=card)
    assert mine.read_text() == "dear" and len(list(mine.parent.iterdir())) == 1


def test_what_is_missing_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(assets, "models", lambda: tmp_path)
    assert main.start(["app", "--out", str(tmp_path / "out")]) == 2
    assert "--detector one-look-small" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main.start(["app"]) == 2 and "--out" in capsys.readouterr().err
    monkeypatch.undo()
    with pytest.raises(ValueError, match="needs a one-look model"):
        app.build(tmp_path / "out", model="small")


@pytest.mark.parametrize(
    ("measures", "words"),
    [
        ({}, "Not measured."),
        ({"validation": {"map50_both": 0.7, "recall": 0.8}}, "AP50 0.70 .* by which it was chosen; it finds 80 %"),
        ({"validation": {"map50": 0.7}}, "AP50 0.70 over three classes on validation"),
        (
            {"validation": {"map50": 0.7}, "photos-853": {"map50_with_without": 0.9}},
            "AP50 0.90 .* on photos-853, never seen",
        ),
    ],
)
def test_what_was_measured_is_told_with_where(measures: dict, words: str) -> None:
    assert re.match(words, app.measured({"measures": measures}))


def test_our_files_name_no_other_place() -> None:
    """No address of another origin stands in what we wrote; the licences quote one."""
    for path in STATIC.iterdir():
        if path.suffix != ".txt":
            assert not re.search(r"(https?:)?//\w+\.\w", path.read_text()), path.name


def test_an_icon_is_a_face_in_green_with_room_for_a_round_cut() -> None:
    rgb = cv2.imdecode(np.frombuffer(icon(96, room=0.2), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    green = np.abs(rgb - classes.COLOURS["with_mask"]).sum(axis=2) < 30
    y, x = np.nonzero(green)
    assert green.mean() > 0.05 and np.hypot(x - 47.5, y - 47.5).max() < 0.4 * 96
    assert (rgb[:15] == rgb[0, 0]).all()


# --- the runtime ------------------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A program called npm that packs what it is told: registry(content) → the pins for it."""
    monkeypatch.setattr(assets.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.delenv("MASK_ASSETS", raising=False)
    monkeypatch.setenv("MASK_OFFLINE", "0")

    def start(content: bytes, **changes: object) -> Path:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo("package/a/b.js")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        (tmp_path / "packed").write_bytes(packed.getvalue())
        npm = files.write(tmp_path / "bin/npm", f'#!/bin/sh\ncp "{tmp_path}/packed" "$4/x.tgz"\n')
        npm.chmod(npm.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", str(npm.parent), prepend=":")
        digest = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
        pins = {"package": "@x/y", "version": "1.2.3", "integrity": f"sha512-{digest}"}
        pins |= {"files": {"a/b.js": files.sha256(content)}} | changes
        return files.write(tmp_path / "pins.json", json.dumps(pins))

    return start


def test_the_runtime_is_fetched_once_and_checked(registry: Callable, tmp_path: Path) -> None:
    pins = registry(b"42")
    with pytest.raises(assets.AssetMissing, match="make app-runtime"):
        app.find(pins)
    folder = app.fetch(pins)
    assert (folder / "a/b.js").read_bytes() == b"42" and folder == app.find(pins) and "x-y-1.2.3" in folder.name
    (tmp_path / "packed").unlink()
    assert app.fetch(pins) == folder
    (folder / "a/b.js").write_text("changed")
    with pytest.raises(assets.AssetMissing):
        app.find(pins)


@pytest.mark.parametrize("changes", [{"integrity": "sha512-no"}, {"files": {"a/b.js": "0" * 64}}])
def test_a_runtime_that_is_not_as_pinned_is_refused(registry: Callable, changes: dict) -> None:
    pins = registry(b"42", **changes)
    with pytest.raises(assets.AssetMissing, match="pinned"):
        app.fetch(pins)


def test_nothing_is_fetched_offline_or_without_npm(registry: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = registry(b"42")
    monkeypatch.setenv("MASK_OFFLINE", "1")
    with pytest.raises(assets.AssetMissing, match="MASK_OFFLINE"):
        app.fetch(pins)
    monkeypatch.setenv("MASK_OFFLINE", "0")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(assets.AssetMissing, match="install Node"):
        app.fetch(pins)


# --- served -----------------------------------------------------------------------------------------------------------


def test_the_server_shows_it_isolated_and_nothing_beside_it(tmp_path: Path) -> None:
    for name in ("index.html", "sw.js", "runtime/a.wasm.gzip"):
        files.write(tmp_path / "app" / name, "words")
    files.write(tmp_path / "secret.txt", "secret")
    client = web.create_app(bright, pocket=tmp_path / "app").test_client()

    def ask(path: str) -> Any:
        answer = client.get(path)
        answer.close()
        return answer

    page = ask("/app/")
    assert page.status_code == 200 and page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "'wasm-unsafe-eval'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-cache"
    assert ask("/app/sw.js").mimetype == "text/javascript"
    packed = ask("/app/runtime/a.wasm.gzip")
    assert packed.mimetype == "application/octet-stream" and "Content-Encoding" not in packed.headers
    assert ask("/app").headers["Location"] == "app/"
    for path in ("/app/../secret.txt", "/app/%2e%2e/secret.txt", "/app/nothing.js"):
        assert ask(path).status_code == 404
    plain = ask("/")
    assert "wasm" not in plain.headers["Content-Security-Policy"] and plain.headers["Cache-Control"] == "no-store"
    assert web.create_app(bright).test_client().get("/app/").status_code == 404
