"""The network of the study: two layers over a pack's features, and a head with K sub-centres. The pack's own network
stands still, which makes a training of seconds out of one of hours; what noise spoils is what is learnt over it."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import config, heads
from arcdoor_train.optimiser import optimiser, rate

#: What an image's loss weighs; ``none`` trains on all alike.
REMEDIES = ("none", "co-mining", "NT", "NR")
_HIDDEN = 256


@dataclass(frozen=True)
class Learned:
    """A network, and its class centres (classes, K, d)."""

    network: nn.Module
    centres: np.ndarray

    def features(self, rows: np.ndarray) -> np.ndarray:
        """(n, d) unit-length features of a pack's."""
        with torch.no_grad():
            return functional.normalize(self.network(torch.from_numpy(rows))).numpy()


class _Student:
    """A network, its head and its optimiser."""

    def __init__(self, whole: config.Config, inputs: int, classes: int, centres: int, seed: int) -> None:
        torch.manual_seed(seed)
        size = whole.model.dimension
        self.network = nn.Sequential(
            nn.Linear(inputs, _HIDDEN, bias=False), nn.BatchNorm1d(_HIDDEN), nn.PReLU(_HIDDEN), nn.Linear(_HIDDEN, size)
        )
        self.head = heads.AngularHead(dataclasses.replace(whole.head, centres=centres), size, classes, seed)
        self.optimiser = optimiser(whole.optim, self.network, self.head)

    def losses(self, rows: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n,) losses, and the cosines (n, classes) before the margin."""
        found = self.network(rows)
        logits, _ = self.head.logits(found, labels)
        return functional.cross_entropy(logits, labels, reduction="none"), self.head.cosines(found)

    def step(self, loss: torch.Tensor, lr: float) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()


def learn(
    whole: config.Config, rows: np.ndarray, labels: np.ndarray, centres: int, seed: int, remedy: str = "none",
    noise: float = 0.0,
) -> Learned:  # fmt: skip
    """Trains on a pack's features ``rows`` (n, d) by ``[head]`` and ``[optim]``; ``noise``, the share of wrong labels,
    is told to co-mining alone, as its authors do."""
    classes, optim = int(labels.max()) + 1, whole.optim
    students = [
        _Student(whole, rows.shape[1], classes, centres, seed + 1000 * n)
        for n in range(2 if remedy == "co-mining" else 1)
    ]
    inputs, wanted = torch.from_numpy(rows), torch.from_numpy(labels)
    per_epoch = max(len(rows) // optim.batch, 1)
    for epoch in range(optim.epochs):
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(len(rows)))
        for n in range(per_epoch):
            some = order[n * optim.batch : (n + 1) * optim.batch]
            progress = epoch + n / per_epoch
            _step(students, inputs[some], wanted[some], remedy, noise, progress / optim.epochs, rate(optim, progress))
    first = students[0]
    size = whole.model.dimension
    return Learned(first.network.eval(), first.head.weight.detach().numpy().reshape(classes, centres, size))


def _step(
    students: list[_Student], rows: torch.Tensor, labels: torch.Tensor, remedy: str, noise: float, progress: float,
    lr: float,
) -> None:  # fmt: skip
    found = [student.losses(rows, labels) for student in students]
    if remedy == "co-mining":
        # Each learns from the images whose loss is small for the other (after Wang et al., ICCV 2019).
        keep = max(int(len(rows) * (1 - noise * min(progress / 0.3, 1.0))), 2)
        small = [losses.detach().topk(keep, largest=False).indices for losses, _ in found]
        for student, (losses, _), chosen in zip(students, found, reversed(small), strict=True):
            student.step(losses[chosen].mean(), lr)
        return
    (losses, cosines), (student,) = found[0], students
    if remedy == "NT":
        # Weights grow with the cosine to the own centre as training goes on (after Hu et al., CVPR 2019).
        own = cosines.detach().gather(1, labels[:, None])[:, 0]
        low, high = torch.quantile(own, torch.tensor([0.005, 0.995]))
        place = ((own - low) / (high - low).clamp_min(1e-6)).clamp(0.0, 1.0)
        weight = 1 - progress + progress * functional.softplus(10 * place) / functional.softplus(torch.tensor(10.0))
        losses = losses * weight
    elif remedy == "NR":
        # The network's own answer stands beside the label (after Zhong et al., CVPR 2019).
        scale, answer = student.head.config.scale, cosines.detach().argmax(1)
        own = functional.cross_entropy(scale * cosines, answer, reduction="none")
        losses = (1 - 0.5 * progress) * losses + 0.5 * progress * own
    student.step(losses.mean(), lr)
