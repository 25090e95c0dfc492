"""Sets of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.data.source import Source

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples

PREFIXES = ("hf://", "hub/")


class Hub(Source):
    """A set of the Hugging Face hub: hf://org/name, with a configuration hf://org/name:config, or hub/org/name.

    Fetched by the `datasets` library into its own cache. A set with a picture column opens as labelled pictures (the label column is the
    one with class names, or data.target), any other as a table. The sides are the set's own: train, validation and test.
    hf://PATH opens a local folder of parquet or arrow files that `datasets` reads.
    """

    claims = 20

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str) or not target.startswith(PREFIXES) or (target.startswith("hub/") and Path(target).exists()):
            return None
        return f"'{target}' names a set of the Hugging Face hub"

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Fetch if need be and open.

        Raises InputError LL006 (no network or no such set), LL014 (no label), LL017, LL022 (configuration), LL024 (`datasets` is missing).
        """
        from leadline.data.hub_sets import open_hub

        for prefix in PREFIXES:
            target = str(target).removeprefix(prefix)
        return open_hub(target, spec)

    @classmethod
    def tiny(cls, folder: Any) -> str:
        """A local set in the hub's form, train and test parquet files: forty pictures of 16 pixels with class names."""
        from leadline.data.hub_sets import write_tiny
        from leadline.data.sources.image_folder import ImageFolder

        root = Path(folder) / "hub_set"
        write_tiny(ImageFolder.tiny(folder), root)
        return f"hf://{root}"
