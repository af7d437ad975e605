"""A log that TensorBoard reads, written without it: it is not among what we install."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["board"]


@contextlib.contextmanager
def board(folder: str | Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that notes an epoch's numbers (a row with 'epoch') in a TensorBoard folder; None notes nothing.

    `tf.summary.scalar` refuses to work where the package tensorboard is missing; `tf.summary.write` does not, and the
    same record comes of it.
    """
    if folder is None:
        yield lambda row: None
        return
    import tensorflow as tf

    kind = tf.compat.v1.SummaryMetadata
    scalar = kind(plugin_data=kind.PluginData(plugin_name="scalars"), data_class=1)  # 1: DATA_CLASS_SCALAR
    writer = tf.summary.create_file_writer(str(folder))

    def note(row: dict[str, Any]) -> None:
        with writer.as_default(step=row["epoch"]):
            for name, value in row.items():
                if name != "epoch" and isinstance(value, int | float):
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=scalar)
        writer.flush()

    try:
        yield note
    finally:
        writer.close()
