"""The floors and doors of DESIGN: imports go down, never up or sideways, and each heavy package has its doors."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIB = Path(__file__).parent.parent / "lib"
FLOORS = [
    "classes batch files images boxes cells assets manifest workspace plots clips screen",
    "crawl dedupe faces landmarks blur masks labels dataset model sample",
    "train detect",
    "evaluate video prelabel takedown",
    "webcam labeller web doctor run app",
    "__main__",
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms.split()}
DOORS = {
    "click": "__main__",
    "ipywidgets": "webcam labeller",
    "anywidget": "webcam labeller",
    "flask": "web",
    "waitress": "web",
    "PyQt5": "prelabel",
    "labelImg": "prelabel",
    "libs": "prelabel",
    "tensorflow": "model train evaluate",
    "keras": "model train evaluate",
    "ai_edge_litert": "detect model",
    "icrawler": "crawl",
    "requests": "crawl",
    "imagehash": "dedupe",
    "dlib": "faces landmarks",
    "defusedxml": "labels",
    "yaml": "labels",
    "av": "clips",
    "matplotlib": "plots",
    "papermill": "run",
    "sqlite3": "manifest __main__",
}
SOURCES = sorted(p for p in LIB.rglob("*.py") if "static" not in p.parts)


def room(path: Path) -> str:
    return path.relative_to(LIB).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """(our room, True) and (foreign package, False) of every import in a file, also inside functions."""
    found, depth = [], len(path.relative_to(LIB).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(a.name.split(".")[0], False) for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((str(node.module).split(".")[0], False))
        elif isinstance(node, ast.ImportFrom) and node.level == depth:  # from . (or .. in a package) import room
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            found += [(n, True) for n in names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(LIB)))
def test_imports_go_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in FLOOR, f"{here} stands on no floor: add it to this test and to CONTRIBUTING"
    for name, ours in imports(path):
        if ours and name in FLOOR and name != here:
            ground = FLOOR[here] == FLOOR[name] == 0  # the ground floor may lean on itself
            assert FLOOR[name] < FLOOR[here] or ground, f"{here} (floor {FLOOR[here]}) imports {name} ({FLOOR[name]})"
        if not ours and name in DOORS:
            assert here in DOORS[name].split(), f"{here} imports {name}, whose door is {DOORS[name]}"


def test_importing_any_room_loads_nothing_heavy() -> None:
    heavy = [
        "tensorflow",
        "keras",
        "dlib",
        "matplotlib",
        "PyQt5",
        "icrawler",
        "av",
        "IPython",
        "papermill",
        "supervision",
    ]
    rooms = ", ".join(sorted({room(p) for p in SOURCES} - {"__init__", "__main__", "webcam", "labeller"}))
    code = f"import sys\nfrom lib import {rooms}\nprint([n for n in {heavy} if n in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
