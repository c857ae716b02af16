"""MobileFaceNet (arXiv 1804.07573): inverted residuals with PReLU, and a global depthwise convolution at the end."""

import torch
from torch import nn

from arcdoor_train.backbones.precise import Linear


def conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, prelu: bool = True
) -> nn.Sequential:
    """Convolution, BN and, unless linear, PReLU."""
    padding = 0 if kernel == 7 else kernel // 2
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if prelu:
        layers.append(nn.PReLU(outputs))
    return nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """1x1 up, depthwise 3x3, 1x1 down and linear; plus the input where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.body = nn.Sequential(
            conv(inputs, middle, 1), conv(middle, middle, 3, stride, middle), conv(middle, outputs, 1, prelu=False)
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.residual else self.body(x)


#: Expansion, channels, repeats, stride: table 1 of the paper.
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


def mobilefacenet(dimension: int, dropout: float) -> nn.Module:
    """The paper's network; 0.22 GMAC."""
    layers: list[nn.Module] = [conv(3, 64, 3, 2), conv(64, 64, 3, 1, 64)]
    inputs = 64
    for expansion, outputs, repeats, stride in STAGES:
        for n in range(repeats):
            layers.append(Bottleneck(inputs, outputs, expansion, stride if n == 0 else 1))
            inputs = outputs
    layers += [conv(inputs, 512, 1), conv(512, 512, 7, 1, 512, prelu=False), nn.Flatten(1), nn.Dropout(dropout)]
    return nn.Sequential(*layers, Linear(512, dimension, bias=False), nn.BatchNorm1d(dimension))
