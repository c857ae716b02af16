"""Softmax with cross-entropy over W . x + b: the paper's L1."""

import torch
from torch import nn
from torch.nn import functional


class Softmax(nn.Module):
    """A plain linear classifier."""

    def __init__(self, dimension: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dimension, generator=generator) * 0.01)
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            dtype = self.weight.dtype
            return functional.cross_entropy(functional.linear(embeddings.to(dtype), self.weight, self.bias), labels)
