"""doornet, our own family, made for the device's engine.

A 4x4 patch stem with stride 4 (the cheapest way to 28 pixels), 2x2 convolutions with stride 2 between the stages,
channels in blocks of 16, ReLU, and a global depthwise convolution at the end. Blocks are trained multi-branch and
exported as one convolution each (``reparameterise``): ``dense`` is a plain 3x3, ``depthwise`` an inverted residual,
which the device's own kernels make cheap.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from arcdoor_train.backbones.reparam import RepConv


@dataclass(frozen=True)
class Stage:
    """Blocks of one size of map."""

    channels: int
    depth: int
    kind: Literal["dense", "depthwise"]


@dataclass(frozen=True)
class Doornet:
    """One size: its stages at 28, 14 and 7 pixels, the width before the global convolution, and its budget."""

    stages: tuple[Stage, Stage, Stage]
    width: int
    #: MACs that the exported network may cost.
    budget: float


DOORNETS = {
    "doornet-xs": Doornet((Stage(32, 0, "dense"), Stage(64, 1, "depthwise"), Stage(128, 1, "depthwise")), 128, 0.05e9),
    "doornet-s": Doornet(
        (Stage(64, 2, "depthwise"), Stage(128, 6, "depthwise"), Stage(256, 2, "depthwise")), 256, 0.15e9
    ),
    "doornet-m": Doornet((Stage(64, 4, "dense"), Stage(128, 8, "dense"), Stage(256, 3, "dense")), 512, 0.5e9),
}


class Dense(nn.Module):
    """A multi-branch 3x3 and ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(RepConv(channels), nn.ReLU(inplace=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class Depthwise(nn.Module):
    """1x1 to twice the channels, a multi-branch depthwise 3x3, 1x1 back and linear; plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = 2 * channels
        self.body = nn.Sequential(
            *_conv(channels, middle, 1, 1),
            nn.ReLU(inplace=True),
            RepConv(middle, groups=middle),
            nn.ReLU(inplace=True),
            *_conv(middle, channels, 1, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def doornet(name: str, dimension: int, dropout: float) -> nn.Module:
    """The network ``name`` of ``DOORNETS``."""
    spec = DOORNETS[name]
    layers: list[nn.Module] = []
    inputs, kernel = 3, 4
    for stage in spec.stages:
        layers += [*_conv(inputs, stage.channels, kernel, kernel), nn.ReLU(inplace=True)]
        block = Dense if stage.kind == "dense" else Depthwise
        layers += [block(stage.channels) for _ in range(stage.depth)]
        inputs, kernel = stage.channels, 2
    if spec.width != inputs:
        layers += [*_conv(inputs, spec.width, 1, 1), nn.ReLU(inplace=True)]
    layers += [*_conv(spec.width, spec.width, 7, 1, spec.width), nn.Flatten(1), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(spec.width, dimension, bias=False), nn.BatchNorm1d(dimension))
