"""How to train: the one place that names every choice, with its default."""

from dataclasses import dataclass

from .crops import WIDE

__all__ = ["QUICK", "Plan"]

NETWORKS = ("mobilenet_v2", "tutorial_cnn")


@dataclass(frozen=True)
class Plan:
    """How to train: the network, how long, how fast, and how crops are changed before they are shown."""

    network: str = "mobilenet_v2"  # or "tutorial_cnn"
    size: int = 96
    sizes: tuple[int, ...] = ()  # batches take turns in these input sizes, multiples of 32; the model has `size`
    alpha: float = 1.0
    margin: float = 0.25
    weights: str | None = "imagenet"
    epochs_head: int = 3
    epochs_all: int = 12
    blocks: int | None = None  # how many of the last blocks learn in the second stage; None is all
    batch: int = 32
    rate_head: float = 1e-3
    rate_all: float = 2e-4
    smoothing: float = 0.05
    balance: float = 0.5  # 0: every face counts alike, 1: every class does
    average: float = 0.0  # momentum of the weights' running mean, which ends every epoch; 0: none is kept
    patience: int = 5  # epochs of the second stage without a better validation loss
    jitter: float = 1.0  # how far boxes are moved, turned and stretched; 0: as they were labelled
    shrink: float = 0.7  # share of crops shown at a lower resolution
    worn: float | None = None  # share of faces worn incorrectly where the model is used; None: as in validation
    half: bool = False  # count in 16 bits where that is safe: for a GPU, on a CPU it is slower
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if self.network not in NETWORKS:
            raise ValueError(f"network: must be mobilenet_v2 or tutorial_cnn, got {self.network!r}")
        if self.epochs_head + self.epochs_all < 1:
            raise ValueError(f"epochs: must be at least 1, got {self.epochs_head} + {self.epochs_all}")
        if not 0 <= self.margin < WIDE:
            raise ValueError(f"margin: must be at least 0 and below {WIDE}, got {self.margin}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average: must be at least 0 and below 1, got {self.average}")
        if self.sizes and (self.network != NETWORKS[0] or len(set(self.sizes)) < 2 or any(s % 32 for s in self.sizes)):
            raise ValueError(f"sizes: must be two or more multiples of 32, for mobilenet_v2 alone, got {self.sizes}")

    def largest(self) -> int:
        """The largest input size that training shows: crops are cut for it."""
        return max(self.size, *self.sizes, 0)


QUICK = Plan(epochs_head=4, epochs_all=2, blocks=3, rate_head=2e-3, patience=2)  # some hundred crops, about a minute
