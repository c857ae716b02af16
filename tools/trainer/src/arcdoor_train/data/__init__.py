"""Aligned crops in: ``open`` reads one set, ``gather`` all sets of a configuration.

A set is a folder of identities (``NAME/x.jpg``), a ``.zip`` or ``.tar`` of such, or an insightface ``.rec`` with its
``.idx``. It declares how its crops were aligned, in a ``dataset.toml`` beside or inside it, or in the configuration;
another alignment than the device's is refused.
"""

from arcdoor_train.data.batches import Batches, explain
from arcdoor_train.data.sets import ALIGNMENT, Dataset, gather, open, open_drawn

__all__ = ["ALIGNMENT", "Batches", "Dataset", "explain", "gather", "open", "open_drawn"]
