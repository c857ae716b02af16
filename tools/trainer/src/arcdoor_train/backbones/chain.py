"""A plain network: convolutions one after the other, each with its PReLU, and a linear layer on the last map.

What ``compress`` reads a teacher as, and what it makes of it. There are no branches, so that any channel may go.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from arcdoor_train.errors import CheckpointError

#: What stands for the backbone's name in the configuration of such a network; its shape lies in the checkpoint.
CHAIN = "chain"


@dataclass(frozen=True)
class Layer:
    """A convolution. A depthwise one has one filter a channel; others join all channels (dense)."""

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    depthwise: bool = False
    #: Whether a PReLU follows.
    bent: bool = True

    def side(self, side: int) -> int:
        """Rows of the map that it makes of one of ``side`` rows."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def weights(self) -> int:
        """How many, without biases and slopes."""
        return self.outputs * (1 if self.depthwise else self.inputs) * self.kernel**2


@dataclass(frozen=True)
class Shape:
    """All layers, and the embedding's dimension."""

    layers: tuple[Layer, ...]
    dimension: int

    def sides(self, side: int = 112) -> list[int]:
        """Rows of the map that each layer makes."""
        found = []
        for layer in self.layers:
            side = layer.side(side)
            found.append(side)
        return found

    @property
    def last(self) -> int:
        """Values of the last map."""
        return self.layers[-1].outputs * self.sides()[-1] ** 2

    @property
    def dense(self) -> list[int]:
        """Layers whose number of outputs may be chosen: all but the depthwise."""
        return [n for n, layer in enumerate(self.layers) if not layer.depthwise]

    @property
    def widths(self) -> tuple[int, ...]:
        """Outputs of the dense layers."""
        return tuple(self.layers[n].outputs for n in self.dense)

    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        each = (layer.weights * side**2 for layer, side in zip(self.layers, self.sides(), strict=True))
        return sum(each) + self.last * self.dimension

    def parameters(self) -> int:
        """Weights, biases, slopes."""
        each = (layer.weights + layer.outputs * (2 if layer.bent else 1) for layer in self.layers)
        return sum(each) + (self.last + 1) * self.dimension

    def table(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"layers": [asdict(layer) for layer in self.layers], "dimension": self.dimension}

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Shape":
        """What ``table`` gave. Raises ``CheckpointError``."""
        try:
            return cls(tuple(Layer(**layer) for layer in table["layers"]), table["dimension"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"a network's shape is damaged: {error!r}; take another checkpoint") from error


class Chain(nn.Module):
    """The network of a shape, with random weights. A teacher of others may want its planes moved by ``offset`` before
    the first convolution adds its border of zeros."""

    def __init__(self, shape: Shape, offset: torch.Tensor | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("offset", None if offset is None else offset.reshape(1, -1, 1, 1))
        self.layers = nn.ModuleList(_built(layer) for layer in shape.layers)
        self.flat = nn.Flatten(1)
        self.fc = nn.Linear(shape.last, shape.dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maps(x)[0]

    def maps(self, x: torch.Tensor, of: Iterable[int] = ()) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The embedding, and the maps that the layers ``of`` make."""
        wanted, found = set(of), []
        x = x if self.offset is None else x + self.offset
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in wanted:
                found.append(x)
        return self.fc(self.flat(x)), found


def _built(layer: Layer) -> nn.Sequential:
    groups = layer.outputs if layer.depthwise else 1
    conv = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, groups=groups)
    return nn.Sequential(conv, nn.PReLU(layer.outputs)) if layer.bent else nn.Sequential(conv)
