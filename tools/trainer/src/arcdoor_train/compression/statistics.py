"""What is known of a teacher's maps: how the channels vary together, and how much the answer depends on each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from arcdoor_train.backbones.chain import Chain
from arcdoor_train.compression.moments import Moments

#: Crops in one forward pass.
BATCH = 16
#: Added to the metric's diagonal, as a share of its mean: what a few crops say of no channel is not thought worthless.
FLOOR = 0.02


@dataclass(frozen=True)
class Junction:
    """Between two dense layers: the channels that the second takes."""

    #: (channels, channels), float64: their covariance over positions and crops.
    covariance: torch.Tensor
    #: (outputs, outputs), float64: E[g g^T] of the second layer's sums, g the gradient of a random direction on the
    #: sphere of the embeddings; summed over a crop's positions.
    metric: torch.Tensor


def observe(teacher: Chain, crops: torch.Tensor, sensitive: int, seed: int) -> list[Junction]:
    """A junction for each dense layer but the first, and one for the linear layer. ``crops`` are network inputs; the
    gradients are of the first ``sensitive``."""
    layers = teacher.shape.dense[1:]
    covariances = [Moments() for _ in range(len(layers) + 1)]
    with torch.no_grad():
        for batch in crops.split(BATCH):
            _, maps = teacher.maps(batch, [*(layer - 1 for layer in layers), len(teacher.layers) - 1])
            for moments, found in zip(covariances, maps, strict=True):
                moments.add(rows(found))
    metrics = _metrics(teacher, crops[:sensitive], layers, seed)
    return [Junction(moments.covariance, metric) for moments, metric in zip(covariances, metrics, strict=True)]


def rows(maps: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w) to (n * h * w, c): one position a row."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _metrics(teacher: Chain, crops: torch.Tensor, layers: Sequence[int], seed: int) -> list[torch.Tensor]:
    """Of the sums of each of ``layers``, and of the embedding."""
    generator = torch.Generator().manual_seed(seed)
    totals: list[torch.Tensor | float] = [0.0] * (len(layers) + 1)
    for batch in crops.split(BATCH):
        sums, x = [], batch if teacher.offset is None else batch + teacher.offset
        for number, layer in enumerate(teacher.layers):
            x = layer[0](x)
            if number in layers:
                x = x if x.requires_grad else x.requires_grad_()
                sums.append(x)
            x = layer[1](x) if len(layer) > 1 else x
        sums.append(teacher.fc(teacher.flat(x)))
        for number, gradient in enumerate(torch.autograd.grad(_direction(sums[-1], generator), sums)):
            each = gradient.flatten(2).transpose(1, 2).flatten(0, 1) if gradient.dim() > 2 else gradient
            totals[number] = totals[number] + (each.T @ each).double() / len(crops)
    return totals


def _direction(embeddings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """How far the embeddings lie along a random direction, each on its sphere: the sum over the batch."""
    length = embeddings.detach().norm(dim=1, keepdim=True)
    unit = functional.normalize(embeddings.detach())
    drawn = torch.randn(embeddings.shape, generator=generator)
    tangent = (drawn - (drawn * unit).sum(1, keepdim=True) * unit) / length
    return (embeddings * tangent).sum()


def importance(weight: torch.Tensor, metric: torch.Tensor) -> torch.Tensor:
    """(inputs, inputs): what an error in a layer's inputs costs at its outputs, summed over the kernel's places.
    ``weight`` is (outputs, inputs, places)."""
    mean = metric.diagonal().mean()
    floored = metric + FLOOR * mean * torch.eye(len(metric), dtype=metric.dtype)
    return torch.einsum("eip,ef,fjp->ij", weight.double(), floored, weight.double())


def root(matrix: torch.Tensor) -> torch.Tensor:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ (values.clamp_min(0).sqrt()[:, None] * vectors.T)
