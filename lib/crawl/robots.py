"""What a site asks of programs in its robots.txt, read as RFC 9309 says: the longest rule counts, * and $ are known."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

__all__ = ["EVERYTHING", "NOTHING", "Robots", "parse"]

LARGEST = 500_000  # bytes of a robots.txt that are read


@dataclass(frozen=True)
class Robots:
    """The rules for one program at one site: (allowed, pattern) each, and the seconds it wants between requests."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay: float = 0.0

    def allows(self, url: str) -> bool:
        """Whether an address may be asked; of equally long rules the one that allows counts."""
        parts = urlsplit(url)
        path = _plain((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        fits = [(len(pattern), allowed) for allowed, pattern in self.rules if _pattern(pattern).match(path)]
        return max(fits, default=(0, True))[1]


EVERYTHING, NOTHING = Robots(), Robots(((False, "/"),))


def parse(content: bytes, user_agent: str) -> Robots:
    """Read the rules that a robots.txt has for a program; those for * where none names it.

    A group is meant for us where its name is part of our user agent, without regard to case.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    names: list[str] = []
    fresh = True  # whether the next User-agent line begins a new group
    for line in content[:LARGEST].decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        key, _, value = line.split("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            names = [value.lower()] if fresh else [*names, value.lower()]
            groups.setdefault(value.lower(), [])
            fresh = False
        elif key in ("allow", "disallow", "crawl-delay"):
            fresh = True
            for name in names:
                groups[name].append((key, value))
    ours = [name for name in groups if name not in ("", "*") and name in user_agent.lower()]
    said = [line for name in ours or ["*"] for line in groups.get(name, [])]
    rules = tuple((key == "allow", _plain(value)) for key, value in said if key != "crawl-delay" and value)
    return Robots(rules, max((_seconds(value) for key, value in said if key == "crawl-delay"), default=0.0))


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else 0.0


def _plain(path: str) -> str:
    """One spelling of a path, however it was escaped."""
    return quote(unquote(path), safe="/*$?&=+,;:@!'()~")


@lru_cache(4096)
def _pattern(rule: str) -> re.Pattern[str]:
    end = "$" if rule.endswith("$") else ""
    parts = re.split(r"\*+", rule.removesuffix("$"))
    return re.compile(".*".join(re.escape(part) for part in parts) + end)
