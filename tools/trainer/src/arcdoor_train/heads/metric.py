"""Losses between the images of a micro-batch, without class centres: triplets and tuplets."""

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.config import Head
from arcdoor_train.heads.margins import angle


class Metric(nn.Module):
    """``triplet`` or ``tuplet`` over (N, D) embeddings. It learns nothing itself."""

    def __init__(self, config: Head) -> None:
        super().__init__()
        self.config = config

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            wide = embeddings if embeddings.dtype == torch.double else embeddings.float()
            if self.config.kind == "triplet":
                return triplet(wide, labels, self.config.triplet_margin)
            return tuplet(wide, labels, self.config.scale)


def pairs(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, N) each: which images are another one of the same identity, and which are of another identity."""
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def triplet(embeddings: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """max(0, arccos(x_pos . x) + m - arccos(x_neg . x)) with the hardest positive and negative of the batch, the
    mean over the images that have both; 0 where none has."""
    unit = functional.normalize(embeddings)
    angles = angle(unit @ unit.T)
    positive, negative = pairs(labels)
    far = angles.masked_fill(~positive, -1.0).amax(1)
    near = angles.masked_fill(~negative, 4.0).amin(1)
    return _mean(functional.relu(far + margin - near), positive.any(1) & negative.any(1))


def tuplet(embeddings: torch.Tensor, labels: torch.Tensor, scale: float) -> torch.Tensor:
    """log(1 + sum over x_neg of exp(s (x_neg . x - x_pos . x))), the (N + 1)-tuplet loss (Sohn, NIPS 2016) of
    unit-length features: the mean over all pairs x, x_pos whose x has a negative; 0 where there is none."""
    unit = functional.normalize(embeddings)
    cosines = scale * (unit @ unit.T)
    positive, negative = pairs(labels)
    some = negative.any(1, keepdim=True)
    # An image without a negative counts for nothing; its own row keeps the sum's logarithm finite.
    against = torch.logsumexp(cosines.masked_fill(~(negative | ~some), -torch.inf), 1, keepdim=True)
    return _mean(functional.softplus(against - cosines), positive & some)


def _mean(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Over the chosen ones; 0 where there is none."""
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp_min(1)
