"""The dense networks, made for the device's engine: what is trained from nothing.

A 4x4 patch stem with stride 4 (the cheapest way to 28 pixels), 2x2 convolutions with stride 2 between the stages,
channels in blocks of 16, ReLU, plain 3x3 convolutions in the stages (in Winograd's form the cheapest MAC that the
engine has, at 28 and 14 pixels above all, so that the small sizes spend theirs there), and a global depthwise
convolution at the end. A 3x3 is trained as three branches and exported as one convolution (``reparameterise``).
"""

from dataclasses import dataclass

from torch import nn

from arcdoor_train.backbones.precise import Linear
from arcdoor_train.backbones.reparam import RepConv


@dataclass(frozen=True)
class Stage:
    """Blocks of one size of map: ``depth`` 3x3 convolutions of ``channels``."""

    channels: int
    depth: int


@dataclass(frozen=True)
class Dense:
    """One size: its stages at 28, 14 and 7 pixels, the width before the global convolution, and its budget."""

    stages: tuple[Stage, Stage, Stage]
    width: int
    #: MACs that the exported network may cost.
    budget: float


DENSE = {
    "dense-xs": Dense((Stage(32, 0), Stage(64, 1), Stage(128, 0)), 128, 0.05e9),
    "dense-s": Dense((Stage(64, 1), Stage(128, 3), Stage(256, 0)), 256, 0.15e9),
    "dense-m": Dense((Stage(64, 4), Stage(128, 8), Stage(256, 3)), 512, 0.5e9),
}


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def dense(name: str, dimension: int, dropout: float) -> nn.Module:
    """The network ``name`` of ``DENSE``."""
    spec = DENSE[name]
    layers: list[nn.Module] = []
    inputs, kernel = 3, 4
    for stage in spec.stages:
        layers += [*_conv(inputs, stage.channels, kernel, kernel), nn.ReLU(inplace=True)]
        for _ in range(stage.depth):
            layers += [RepConv(stage.channels), nn.ReLU(inplace=True)]
        inputs, kernel = stage.channels, 2
    if spec.width != inputs:
        layers += [*_conv(inputs, spec.width, 1, 1), nn.ReLU(inplace=True)]
    layers += [*_conv(spec.width, spec.width, 7, 1, spec.width), nn.Flatten(1), nn.Dropout(dropout)]
    return nn.Sequential(*layers, Linear(spec.width, dimension, bias=False), nn.BatchNorm1d(dimension))
