"""EfficientNet-B0 (arXiv 1905.11946) for 112-pixel crops: the light model of the ArcFace paper.

Own code, not timm's: one network of seven rows does not weigh up a dependency of a thousand, and the last layers
are not ImageNet's.
"""

import torch
from torch import nn

from arcdoor_train.backbones.precise import Linear


class SqueezeExcite(nn.Module):
    """Scales each channel by what the whole map says about it."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class MbConv(nn.Module):
    """1x1 up, depthwise, squeeze and excite, 1x1 down and linear; plus the input where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*_conv(inputs, middle, 1), nn.SiLU()]
        layers += [*_conv(middle, middle, kernel, stride, middle), nn.SiLU(), SqueezeExcite(middle, inputs // 4)]
        self.body = nn.Sequential(*layers, *_conv(middle, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.residual else self.body(x)


#: Expansion, channels, repeats, stride, kernel: table 1 of the paper.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


def efficientnet_b0(dimension: int, dropout: float) -> nn.Module:
    """The network with stride 1 at the stem, so that a 112-pixel crop ends at 7x7 as 224 pixels do; a global
    depthwise convolution in place of the paper's 12 M weights after the last map keeps the file below 20 MB."""
    layers: list[nn.Module] = [*_conv(3, 32, 3, 1), nn.SiLU()]
    inputs = 32
    for expansion, outputs, repeats, stride, kernel in STAGES:
        for n in range(repeats):
            layers.append(MbConv(inputs, outputs, expansion, kernel, stride if n == 0 else 1))
            inputs = outputs
    layers += [*_conv(inputs, 512, 1), nn.SiLU(), nn.Conv2d(512, 512, 7, groups=512, bias=False), nn.BatchNorm2d(512)]
    layers += [nn.Flatten(1), nn.Dropout(dropout), Linear(512, dimension, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm1d(dimension))
