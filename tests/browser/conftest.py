"""A JupyterLab server on the loopback address and a real Chromium, for the tests of widgets and pages."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers import until

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHOWN = "--expose-app-in-browser"  # so that a test can run commands
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass(frozen=True)
class Lab:
    """A running server: its address, its token, and the folder that it shows."""

    url: str
    token: str
    root: Path

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells into the server's folder; its name."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.root / name)
        return name

    def ask(self, path: str) -> Any:
        """An answer of the server's REST interface, None while a kernel starts (it answers 500 then)."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as trouble:
            trouble.close()
            if trouble.code != 500:
                raise
            return None

    @staticmethod
    def until(condition: Callable[[], Any], *, seconds: float = 60) -> Any:
        """Wait for something to become true; what it became."""
        return until(condition, seconds=seconds)

    def _kernels_of(self, name: str) -> list[dict[str, Any]]:
        """The kernels of one notebook: another's may be idle long before ours is connected."""
        return [s["kernel"] for s in self.ask("/api/sessions") or [] if s["path"] == name]

    def run(self, page: Any, name: str, *, at: str = "lab/tree") -> None:
        """Open a notebook in the page and run all its cells. at: "lab/tree", or "notebooks" for Notebook 7."""
        page.goto(f"{self.url}/{at}/{name}?reset&token={self.token}")
        page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
        until(lambda: any(k["execution_state"] == "idle" and k["connections"] for k in self._kernels_of(name)))
        page.evaluate(
            "async () => { await jupyterapp.restored; await jupyterapp.commands.execute('notebook:run-all-cells') }"
        )


@contextmanager
def running(home: Path, *options: str, app: str = "jupyterlab") -> Iterator[Lab]:
    """A Jupyter of its own: own folder, own settings, no network but the loopback. app: the module that serves."""
    root = home / "books"
    root.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(8), root)
    folders = {f"JUPYTER_{name}_DIR": str(home / f"{name.lower()}_dir") for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", app, "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={lab.token}", "--allow-root"]
    command += [f"--ServerApp.root_dir={root}", *options]
    quiet = home / "config_dir/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    environment = {**os.environ, **folders, "IPYTHONDIR": str(home / "ipython")}
    with (home / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: _answers(lab))
            yield lab
        finally:
            for kernel in lab.ask("/api/kernels") or []:
                _end_kernel(lab, kernel["id"])
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of its own."""
    pytest.importorskip("jupyterlab")
    with running(tmp_path_factory.mktemp("lab"), SHOWN) as server:
        yield server


def _answers(lab: Lab) -> bool:
    try:
        return lab.ask("/api") is not None
    except OSError:
        return False


def _end_kernel(lab: Lab, number: str) -> None:
    request = urllib.request.Request(
        f"{lab.url}/api/kernels/{number}", headers={"Authorization": f"token {lab.token}"}, method="DELETE"
    )
    urllib.request.urlopen(request, timeout=20).close()


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Any]]:
    """A function that starts Chromium with given options and returns a page: launch(*CAMERA, permissions=[...])."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("browser: no chromium here (apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    browsers = []

    def start(*options: str, width: int = 1280, height: int = 900, **context: Any) -> Any:
        browsers.append(playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *options]))
        return browsers[-1].new_page(viewport={"width": width, "height": height}, **context)

    yield start
    for browser in browsers:
        browser.close()
    playwright.stop()


@pytest.fixture
def page(launch: Callable[..., Any]) -> Any:
    """A page in a Chromium of its own, with Chromium's made-up camera."""
    return launch(*CAMERA)
