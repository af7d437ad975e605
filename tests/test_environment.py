"""One source of versions: pyproject's ranges → requirements.lock → environment.yml, and what is installed here."""

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, set[str]]:
    """Package → its locked versions (several where they differ by Python version)."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if found := re.match(r"([\w.-]+)==([^\s;]+)", line):
            versions.setdefault(plain(found[1]), set()).add(found[2])
    return versions


def direct(*extras: str) -> set[str]:
    """Packages that pyproject names, for the given extras and for every install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(p for e in extras for p in project["optional-dependencies"][e])]
    return {plain(re.split(r"[<>=!~;\[ ]", p)[0]) for p in asked} - {"face-mask-workbench"}


def pip_lines() -> list[str]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    return next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))


def test_conda_and_pip_ask_for_the_same_versions() -> None:
    pinned = dict(line.split("==") for line in pip_lines() if "==" in line)
    assert set(pinned) == direct("run", "workbench", "label")
    wrong = {n: (v, locked().get(n)) for n, v in pinned.items() if v not in locked().get(n, set())}
    assert not wrong, f"environment.yml differs from requirements.lock: {wrong}"


def test_every_line_of_the_environment_says_where_it_is_used() -> None:
    lines = (ROOT / "environment.yml").read_text().split("dependencies:")[1].strip().splitlines()
    silent = [line for line in lines if not re.search(r"  # \w.{5,}", line) and line.strip() != "- pip:"]
    assert not silent


def test_the_lock_covers_what_pyproject_names() -> None:
    assert direct("run", "workbench", "label", "test") <= set(locked())


def test_what_is_installed_is_what_is_locked() -> None:
    versions = locked()
    wrong = {}
    for name in direct("run", "workbench", "label", "test"):
        if (found := importlib.metadata.version(name)) not in versions[name]:
            wrong[name] = (found, versions[name])
    assert not wrong, f"installed, locked: {wrong}; run `make install`"


def test_the_light_install_is_light() -> None:
    """What `pip install .[run]` pulls in, followed through the installed packages' own requirements."""
    from packaging.requirements import Requirement

    todo, seen = sorted(direct("run")), set()
    while todo:
        name = plain(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    heavy = {"tensorflow", "keras", "pyqt5", "jupyterlab", "ipykernel", "labelimg", "dlib-bin", "torch"}
    assert not seen & heavy
    assert {n for n in seen if n.startswith("opencv")} == {"opencv-python"}


@pytest.mark.parametrize("name", ["face_recognition_models", "dlib"])
def test_no_compiler_is_needed(name: str) -> None:
    lines = (ROOT / "requirements.lock").read_text()
    assert "dlib-bin==" in lines and not re.search(r"^dlib==", lines, re.M)
    assert importlib.util.find_spec(name)


def test_every_package_of_lib_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "lib").rglob("__init__.py")}
    assert set(listed) == there | {"lib.shipped"}
