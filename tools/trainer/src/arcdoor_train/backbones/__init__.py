"""Networks from aligned crops to embeddings.

Every backbone takes (N, 3, 112, 112), RGB, (value - 127.5) / 128, and gives (N, dimension) embeddings, not
normalised. ``build`` makes one by name; ``reparameterise`` gives the form that is exported.
"""

from collections.abc import Callable

from torch import nn

from arcdoor_train.backbones.dense import DENSE, dense
from arcdoor_train.backbones.efficientnet import efficientnet_b0
from arcdoor_train.backbones.iresnet import iresnet
from arcdoor_train.backbones.mobilefacenet import mobilefacenet
from arcdoor_train.backbones.reparam import reparameterise
from arcdoor_train.errors import ConfigError

__all__ = ["BUILDERS", "build", "reparameterise"]

#: Name -> a function of the embedding's dimension and the drop-out before the last layer.
BUILDERS: dict[str, Callable[[int, float], nn.Module]] = {
    "iresnet18": lambda dimension, dropout: iresnet((2, 2, 2, 2), dimension, dropout),
    "iresnet34": lambda dimension, dropout: iresnet((3, 4, 6, 3), dimension, dropout),
    "iresnet50": lambda dimension, dropout: iresnet((3, 4, 14, 3), dimension, dropout),
    "iresnet100": lambda dimension, dropout: iresnet((3, 13, 30, 3), dimension, dropout),
    "iresnet200": lambda dimension, dropout: iresnet((6, 26, 60, 6), dimension, dropout),
    "mobilefacenet": mobilefacenet,
    "efficientnet-b0": efficientnet_b0,
    **{name: (lambda dimension, dropout, _name=name: dense(_name, dimension, dropout)) for name in DENSE},
}


def build(name: str, dimension: int = 512, dropout: float = 0.0) -> nn.Module:
    """The backbone ``name`` with random weights. Raises ``ConfigError`` for an unknown name."""
    if name not in BUILDERS:
        raise ConfigError(f"model.backbone = {name!r}: one of {', '.join(BUILDERS)}")
    return BUILDERS[name](dimension, dropout)
