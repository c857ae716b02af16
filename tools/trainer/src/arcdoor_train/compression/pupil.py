"""A student and all that it learns by: its maps' adapters, the optimiser, and the mean of its weights."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import config
from arcdoor_train.backbones.chain import Chain
from arcdoor_train.compression.maps import MapLoss
from arcdoor_train.compression.section import Compress


@dataclass(frozen=True)
class Learned:
    """What a step was of. ``loss`` is NaN where it was not taken."""

    loss: float
    cosine: float = math.nan
    #: The maps' error.
    apart: float = math.nan
    #: The gradient's norm before it was clipped.
    norm: float = math.nan


class Pupil:
    """``student`` learns by ``maps``, both already on their device and in their memory format."""

    def __init__(self, student: Chain, maps: MapLoss, section: Compress, optim: config.Optim) -> None:
        self.student, self.maps, self.section, self.clip = student, maps, section, optim.clip or math.inf
        student.requires_grad_(True)
        maps.adapters.requires_grad_(True)
        #: The averaged weights: what is saved and exported.
        self.mean = copy.deepcopy(student).requires_grad_(False)
        self.trained = [*student.parameters(), *maps.adapters.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, optim.lr, betas=section.betas, weight_decay=optim.weight_decay)

    def learn(
        self, pixels: torch.Tensor, wanted: torch.Tensor, theirs: list[torch.Tensor], step: int, share: float,
        lr: float, half: bool,
    ) -> Learned:  # fmt: skip
        """One step towards the teacher's answer ``wanted`` and its maps ``theirs``, after ``step`` others; ``share`` of
        the run is over. A step whose loss or gradient is no number changes nothing."""
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
            found, mine = self.student.maps(pixels, self.maps.of)
        apart = self.maps([part.float() for part in theirs], [part.float() for part in mine])
        loss, cosine = self._loss(wanted.float(), found.float(), apart, share)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.trained, self.clip))
        if not (math.isfinite(norm) and math.isfinite(loss.item())):
            return Learned(math.nan)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        self._average(step)
        return Learned(loss.item(), cosine.item(), apart.item(), norm)

    def _loss(
        self, wanted: torch.Tensor, found: torch.Tensor, apart: torch.Tensor, share: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        section = self.section
        cosine = functional.cosine_similarity(found, wanted).mean()
        square = (found - wanted).square().mean() / wanted.square().mean()
        weight = section.map_weight + (section.map_weight_end - section.map_weight) * share
        return 1 - cosine + section.embedding * square + weight * apart, cosine.detach()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Early weights are forgotten sooner, so that the start does not stay in the mean."""
        keep = min(self.section.ema, (1 + step) / (10 + step)) if self.section.ema else 0.0
        for mean, now in zip(self.mean.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)
