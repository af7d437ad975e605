"""What covers a face and is no mask: hands, phones, cups, beards, scarves …, drawn on bare faces as `without_mask`."""

from .covering import LOOKALIKES, cover_with

__all__ = ["LOOKALIKES", "cover_with"]
