import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import assets, files

CONTENT = b"weights" * 100


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good.bin" else 404)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def toy(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A made-up asset whose publisher is on this machine; nothing of it is here yet."""
    asset = assets.Asset("good.bin", len(CONTENT), files.sha256(CONTENT), (f"{server}/good.bin",), "MIT")
    monkeypatch.setitem(assets.ASSETS, "toy", (asset,))
    monkeypatch.setattr(assets.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    monkeypatch.setenv("MASK_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("MASK_OFFLINE", "0")
    return "toy"


def test_a_download_happens_once(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not assets.have(toy)
    path = assets.find(toy)
    assert path.read_bytes() == CONTENT and assets.have(toy)
    monkeypatch.setenv("MASK_OFFLINE", "1")
    assert assets.find(toy) == path


def test_offline_says_what_to_do(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_OFFLINE", "1")
    with pytest.raises(assets.AssetMissing, match=r"good\.bin is not here \(MASK_OFFLINE is set\).*MASK_ASSETS"):
        assets.find(toy)


def test_a_named_folder_comes_first_but_wrong_bytes_are_refused(toy: str, tmp_path: Path) -> None:
    wrong = files.write(tmp_path / "assets/good.bin", b"something else")
    assert assets.find(toy).parent == tmp_path / "cache"
    files.write(wrong, CONTENT)
    assert assets.find(toy) == wrong


def test_a_publisher_who_serves_other_bytes_is_refused(toy: str, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    asset = assets.Asset("good.bin", 7, "0" * 64, (f"{server}/good.bin", f"{server}/gone.bin"), "MIT")
    monkeypatch.setitem(assets.ASSETS, "toy", (asset,))
    with pytest.raises(assets.AssetMissing, match=r"expected 000000.*404"):
        assets.find(toy)
    assert not assets.have(toy)


def test_a_download_that_was_cut_off_does_not_stay(toy: str, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    """Without a known SHA-256 the length is all there is to tell a whole file by."""
    asset = assets.Asset("good.bin", len(CONTENT) + 1, "", (f"{server}/good.bin",), "MIT")
    monkeypatch.setitem(assets.ASSETS, "toy", (asset,))
    with pytest.raises(assets.AssetMissing, match=f"{len(CONTENT)} bytes, expected {len(CONTENT) + 1}"):
        assets.find(toy)
    assert not assets.have(toy)


def test_what_was_cut_off_before_is_fetched_again(
    toy: str, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
) -> None:
    monkeypatch.setitem(
        assets.ASSETS, "toy", (assets.Asset("good.bin", len(CONTENT), "", (f"{server}/good.bin",), "MIT"),)
    )
    files.write(tmp_path / "cache/good.bin", CONTENT[:50])
    assert assets.find(toy).read_bytes() == CONTENT


def test_a_damaged_file_is_not_had(toy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MASK_OFFLINE", "1")
    files.write(tmp_path / "cache/good.bin", b"x" * len(CONTENT))
    assert not assets.have(toy)


def test_unknown_names_are_quoted() -> None:
    with pytest.raises(ValueError, match="unknown name 'nope'"):
        assets.find("nope")
    with pytest.raises(assets.AssetMissing, match="no card at nope"):
        assets.model("nope")


def test_a_model_is_found_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = files.write(tmp_path / "mine.json", "{}")
    assert assets.model(card) == assets.model(tmp_path / "mine") == assets.model(tmp_path / "mine.tflite") == card
    monkeypatch.setattr(assets, "models", lambda: tmp_path)
    assert assets.model("mine") == card


def test_every_known_weight_file_here_is_the_one_we_know(weights: Path) -> None:
    for name in ("yunet", "res10", "res10-graph", "mobilenet_v2_1.0", "mobilenet_v2_0.35"):
        assert assets.find(name).parent == weights
