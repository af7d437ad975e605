"""How much is asked for, how politely, and the word for what was not taken."""

from dataclasses import dataclass

__all__ = ["Limits", "NotTaken"]


@dataclass(frozen=True)
class Limits:
    """What one crawl may cost: bytes and pixels of an image, shortest side, bytes of all, and its manners in seconds.

    delay lies between two requests to one host; timeout is silence, deadline a whole answer; wait caps what a server
    may ask for with Retry-After.
    """

    bytes: int = 25_000_000
    pixels: int = 60_000_000
    side: int = 1
    total: int = 5_000_000_000
    delay: float = 0.5
    timeout: float = 10.0
    deadline: float = 60.0
    wait: float = 30.0
    retries: int = 2
    pages: int = 200
    threads: int = 4
    user_agent: str = "Mozilla/5.0 (compatible; face-mask-workbench/0.1)"


class NotTaken(Exception):
    """One address of many gave no image: outcome (unreadable, refused, failed) and the reason, for people."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason
