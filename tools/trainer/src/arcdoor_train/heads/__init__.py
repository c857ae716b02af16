"""Heads: from embeddings and labels to a loss. ``build`` makes one from the configuration.

A head computes in float32 whatever autocast says. ``forward(embeddings, labels)`` takes (N, D) and (N,) int64 and
gives the mean loss over the N images; ``cosines`` gives the class scores before any margin.
"""

import torch
from torch import nn

from arcdoor_train.config import METRIC, Head
from arcdoor_train.heads.additions import Additions
from arcdoor_train.heads.angular import AngularHead
from arcdoor_train.heads.metric import Metric
from arcdoor_train.heads.softmax import Softmax

__all__ = ["AngularHead", "Metric", "Softmax", "build", "inner"]


def build(config: Head, dimension: int, classes: int, seed: int = 1) -> nn.Module:
    """The head of ``config`` over ``classes`` identities, its centres drawn from ``seed``."""
    if config.kind in METRIC:
        return Metric(config)
    if config.kind == "softmax":
        return Softmax(dimension, classes, torch.Generator().manual_seed(seed))
    head = AngularHead(config, dimension, classes, seed)
    if config.intra or config.inter or config.triplet or config.centre_pull:
        return Additions(config, head)
    return head


def inner(head: nn.Module) -> nn.Module:
    """The head itself, without what adds terms to its loss."""
    while hasattr(head, "head"):
        head = head.head
    return head
