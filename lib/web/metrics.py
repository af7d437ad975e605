"""Counters for those who watch the server, in the text form of Prometheus."""

import threading
from collections import defaultdict
from collections.abc import Mapping

__all__ = ["Metrics"]

_HELP = {
    "requests_total": ("counter", "Requests answered, by route and status."),
    "faces_total": ("counter", "Faces in uploaded pictures, by answer."),
    "looking_seconds_total": ("counter", "Seconds spent on uploaded pictures."),
    "viewers": ("gauge", "Who watches the server's camera now."),
    "camera_open": ("gauge", "Whether the server's camera is in use."),
    "videos": ("gauge", "Videos that are known now, by state."),
}


class Metrics:
    """Count what happens; `text` is what a scraper reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        key = ",".join(f'{label}="{value}"' for label, value in labels.items())
        with self._lock:
            self._counts[name][key] = self._counts[name].get(key, 0) + amount

    def text(self, now: Mapping[str, Mapping[str, float]]) -> str:
        """Everything counted so far, and `now`: what is measured at this moment, name → labels → value."""
        with self._lock:
            values = {name: dict(rows) for name, rows in self._counts.items()} | {k: dict(v) for k, v in now.items()}
        lines = []
        for name, (kind, words) in _HELP.items():
            lines += [f"# HELP face_masks_{name} {words}", f"# TYPE face_masks_{name} {kind}"]
            for key, value in sorted(values.get(name, {}).items()):
                lines.append(f"face_masks_{name}{{{key}}} {value:g}" if key else f"face_masks_{name} {value:g}")
        return "\n".join(lines) + "\n"
