"""IResNet, the ResNet of the ArcFace paper: no bottleneck, BatchNorm before the first convolution of a block, PReLU,
and BN-Dropout-FC-BN after the last one (arXiv 1801.07698, section 4.1)."""

import torch
from torch import nn

from arcdoor_train.backbones.precise import Linear


class Block(nn.Module):
    """BN, 3x3, BN, PReLU, 3x3 with the stride, BN; plus the input, through 1x1 where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


class EmbeddingHead(nn.Module):
    """BN-Dropout-FC-BN: a (N, channels, side, side) map to (N, dimension)."""

    def __init__(self, channels: int, side: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = Linear(channels * side * side, dimension)
        self.features = nn.BatchNorm1d(dimension)
        # The scale of a feature's entries is fixed: the head normalises the whole anyway.
        self.features.weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.dropout(self.norm(x)).flatten(1)
        return self.features(self.linear(x))


def iresnet(depths: tuple[int, int, int, int], dimension: int, dropout: float) -> nn.Module:
    """The network with that many blocks at 56, 28, 14 and 7 pixels: (3, 4, 14, 3) is IResNet-50."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)]
    inputs = 64
    for outputs, depth in zip((64, 128, 256, 512), depths, strict=True):
        layers.append(Block(inputs, outputs, 2))
        layers.extend(Block(outputs, outputs, 1) for _ in range(depth - 1))
        inputs = outputs
    model = nn.Sequential(*layers, EmbeddingHead(512, 7, dimension, dropout))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.1)
    return model
