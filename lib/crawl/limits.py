"""How much is asked for, how politely, and the word for what was not taken."""

from dataclasses import dataclass

__all__ = ["FORGOTTEN", "Limits", "NotTaken"]

FORGOTTEN = "forgotten at a person's wish"


@dataclass(frozen=True)
class Limits:
    """What one crawl may cost: bytes and pixels of an image, bytes of all, and its manners in seconds.

    side is the shortest that an image may have. total holds over all queries and engines of one call. delay lies
    between two requests to one host, and is longer where a site's robots.txt asks for more; timeout is silence,
    deadline a whole answer; wait caps what a server may ask for with Retry-After or Crawl-delay.
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

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        least = {"bytes": 1, "pixels": 1, "side": 1, "total": 1, "threads": 1, "pages": 1, "delay": 0, "wait": 0}
        for name, value in least.items():
            if not getattr(self, name) >= value:
                raise ValueError(f"{name}: must be at least {value}, got {getattr(self, name)}")
        if not self.user_agent.strip() or not self.user_agent.isprintable():
            raise ValueError(f"user_agent: must be one line that says who asks, got {self.user_agent!r}")


class NotTaken(Exception):
    """One address of many gave no image: outcome (unreadable, refused, failed) and the reason, for people."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason
