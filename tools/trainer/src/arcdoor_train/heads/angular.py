"""Heads on the unit sphere: Norm-Softmax, SphereFace, CosFace, ArcFace, combined margins, AdaFace and MagFace, each
over K sub-centres."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.config import Head
from arcdoor_train.heads import margins

#: AdaFace counts no feature norm as more.
_LARGEST = 100.0


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
        # Of the norms since the last ``end_step``: how many, their sum, the sum of their squares.
        self.register_buffer("norms_met", torch.zeros(3, dtype=torch.double), persistent=False)

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
        return self.config.scale * self.filtered(cosines).scatter(1, labels[:, None], target), extra

    def filtered(self, cosines: torch.Tensor) -> torch.Tensor:
        """Cosines to other classes, those above ``head.filter`` 0."""
        return torch.where(cosines > self.config.filter, 0.0, cosines) if self.config.filter else cosines

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
        norms = embeddings.detach().norm(dim=1, keepdim=True)
        if self.training:
            number = torch.isfinite(norms)
            met = torch.where(number, norms, 0.0).clamp(0.0, _LARGEST).double()
            self.norms_met.add_(torch.stack([number.sum(), met.sum(), met.square().sum()]))
        norms = norms.clamp(1e-3, _LARGEST)
        return ((norms - self.norm_mean) / (self.norm_deviation + 1e-3) * self.config.ada_h).clamp(-1.0, 1.0)

    @torch.no_grad()
    def end_step(self, keep: bool, total: Callable[[torch.Tensor], torch.Tensor] = lambda met: met) -> None:
        """Moves AdaFace's running mean and deviation once, towards those of all images of the step whose feature is a
        number; not where the step is not kept. ``total`` adds up over the processes that met different images, so that
        all have the same averages. (AdaFace's own code moves them in each pass and process.)"""
        if self.config.kind != "adaface":
            return
        count, first, second = total(self.norms_met.clone())
        self.norms_met.zero_()
        if not keep:
            return
        mean = first / count.clamp_min(1.0)
        deviation = ((second - first * mean) / (count - 1.0).clamp_min(1.0)).clamp_min(0.0).sqrt()
        for average, new in ((self.norm_mean, mean), (self.norm_deviation, deviation)):
            moved = average.lerp(new.to(average.dtype), self.config.ada_momentum)
            average.copy_(torch.where(count > 1, moved, average))
