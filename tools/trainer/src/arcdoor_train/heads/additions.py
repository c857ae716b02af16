"""What the paper adds to a classifier: intra-loss, inter-loss, angular triplets, and the sub-centre regulariser."""

import math

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.config import Head
from arcdoor_train.heads.angular import AngularHead
from arcdoor_train.heads.margins import angle
from arcdoor_train.heads.metric import triplet


class Additions(nn.Module):
    """A head's loss plus weighted additions."""

    def __init__(self, config: Head, head: AngularHead) -> None:
        super().__init__()
        self.config = config
        self.head = head

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        config, weight = self.config, self.head.weight
        loss = self.head(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.to(weight.dtype)
            if config.intra:
                loss = loss + config.intra * intra(self.head.cosines(embeddings), labels)
            if config.inter:
                loss = loss + config.inter * inter(weight, labels, config.centres)
            if config.triplet:
                loss = loss + config.triplet * triplet(embeddings, labels, config.triplet_margin)
            if config.centre_pull:
                loss = loss + config.centre_pull * centre_pull(weight, config.centres)
        return loss


def intra(cosines: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """theta_y / pi, the mean over the images: pulls an image to its centre."""
    return angle(cosines.gather(1, labels[:, None])).mean() / math.pi


def inter(weight: torch.Tensor, labels: torch.Tensor, centres: int = 1) -> torch.Tensor:
    """-(1 / (pi (N - 1))) * sum over j != y of arccos(W_y . W_j), the mean over the images: pushes the centres of
    other identities away. Of K sub-centres the nearest pair counts."""
    unit = functional.normalize(weight)
    classes = len(unit) // centres
    own = unit.view(classes, centres, -1)[labels]
    cosines = torch.einsum("nkd,cd->nkc", own, unit)
    cosines = cosines.view(len(labels), centres, classes, centres).amax((1, 3))
    others = torch.ones_like(cosines).scatter(1, labels[:, None], 0.0)
    return -(angle(cosines) * others).sum(1).mean() / (math.pi * (classes - 1))


def centre_pull(weight: torch.Tensor, centres: int) -> torch.Tensor:
    """The mean angle / pi between an identity's sub-centres, over pairs: pulls them together (SoftTriple's
    regulariser, arXiv 1909.05235, as an angle)."""
    if centres < 2:
        return weight.sum() * 0.0
    unit = functional.normalize(weight).view(-1, centres, weight.shape[1])
    cosines = torch.einsum("ckd,cld->ckl", unit, unit)
    pairs = torch.triu_indices(centres, centres, 1, device=weight.device)
    return angle(cosines[:, pairs[0], pairs[1]]).mean() / math.pi
