"""Heads on the unit sphere: Norm-Softmax, SphereFace, CosFace, ArcFace, combined margins, AdaFace and MagFace, each
over K sub-centres."""

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.config import Head
from arcdoor_train.heads import margins


def draw_centres(seed: int, start: int, stop: int, centres: int, dimension: int) -> torch.Tensor:
    """The first centres of the classes ``start..stop``: the same however the classes are divided."""
    chunk = 4096
    parts = []
    for first in range(start - start % chunk, stop, chunk):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + first)
        rows = torch.randn(chunk, centres, dimension, generator=generator) * 0.01
        parts.append(rows[max(start - first, 0) : stop - first])
    return torch.cat(parts).flatten(0, 1)


class AngularHead(nn.Module):
    """``weight`` is (classes * K, D): class c has the rows c * K .. c * K + K - 1."""

    def __init__(self, config: Head, dimension: int, classes: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.classes = classes
        self.weight = nn.Parameter(draw_centres(seed, 0, classes, config.centres, dimension))
        # AdaFace's running mean and deviation of the feature norms, as its authors start them.
        self.register_buffer("norm_mean", torch.tensor(20.0))
        self.register_buffer("norm_deviation", torch.tensor(100.0))

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.to(self.weight.dtype)
            logits, extra = self.logits(embeddings, labels)
            return functional.cross_entropy(logits, labels) + extra

    def logits(self, embeddings: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, classes) logits with the margin applied, and what a regulariser adds to the loss."""
        cosines = self.cosines(embeddings)
        own = cosines.gather(1, labels[:, None])
        target, extra = self.target(own, embeddings)
        return self.config.scale * cosines.scatter(1, labels[:, None], target), extra

    def cosines(self, embeddings: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """(N, classes) cosines; over K sub-centres their maximum, or their softmax-weighted mean."""
        weight = self.weight if weight is None else weight
        cosines = functional.linear(functional.normalize(embeddings), functional.normalize(weight))
        if self.config.centres > 1:
            cosines = cosines.view(len(embeddings), -1, self.config.centres)
            if self.config.pooling == "max":
                cosines = cosines.amax(2)
            else:
                weights = torch.softmax(self.config.scale * cosines, 2)
                cosines = (weights * cosines).sum(2)
        return cosines.clamp(-1.0, 1.0)

    def target(self, own: torch.Tensor, embeddings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What takes the place of the own class's cosine (N, 1), and a regulariser's term."""
        config = self.config
        nothing = own.new_zeros(())
        if config.kind == "norm-softmax":
            return own, nothing
        if config.kind == "margin":
            return margins.combined(own, config.m1, config.m2, config.m3), nothing
        if config.kind == "adaface":
            return margins.adaface(own, self._quality(embeddings), config.ada_margin), nothing
        norms = embeddings.norm(dim=1, keepdim=True).clamp(config.mag_low, config.mag_high)
        slope = (config.mag_margin_high - config.mag_margin_low) / (config.mag_high - config.mag_low)
        margin = config.mag_margin_low + slope * (norms - config.mag_low)
        pull = (1.0 / norms + norms / config.mag_high**2).mean()
        return margins.magface(own, margin), config.mag_pull * pull

    def _quality(self, embeddings: torch.Tensor) -> torch.Tensor:
        """AdaFace's image quality: the feature norm against its running mean, in deviations, clipped to -1..1."""
        norms = embeddings.detach().norm(dim=1, keepdim=True).clamp(1e-3, 100.0)
        if self.training and len(norms) > 1:
            pace = self.config.ada_momentum
            self.norm_mean.lerp_(norms.mean(), pace)
            self.norm_deviation.lerp_(norms.std(), pace)
        return ((norms - self.norm_mean) / (self.norm_deviation + 1e-3) * self.config.ada_h).clamp(-1.0, 1.0)
