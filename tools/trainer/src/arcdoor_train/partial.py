"""A head divided among the processes, and Partial FC (arXiv 2203.15565): only a share of the classes a step.

Process r of W holds the classes ``bounds(classes, r, W)``. Features and labels of all processes are gathered; each
process computes its classes' logits, and the softmax is joined by three reductions of (N,). The loss is the mean over
the gathered images on every process, so the centres' gradients are exact as they are; the features' gradients are
summed over the shards and multiplied by W, since DDP divides by it.
"""

import math

import numpy as np
import torch
from torch import nn

from arcdoor_train.config import Head
from arcdoor_train.heads.angular import AngularHead, draw_centres
from arcdoor_train.world import World

#: torch's own of AdamW.
BETAS, EPSILON = (0.9, 0.999), 1e-8


def bounds(classes: int, rank: int, size: int) -> tuple[int, int]:
    """First and one past the last class of a process; the first ``classes % size`` have one more."""
    each, more = divmod(classes, size)
    start = rank * each + min(rank, more)
    return start, start + each + (rank < more)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context, local: torch.Tensor, world: World) -> torch.Tensor:
        context.world, context.count = world, len(local)
        return world.gather(local)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        world = context.world
        total = world.sum(gradient.contiguous().clone())
        return total[world.rank * context.count :][: context.count] * world.size, None


class _JoinedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of logits whose classes lie on several processes. ``place`` is the label's column here, or
    -1 where another process has it."""

    @staticmethod
    def forward(context, logits: torch.Tensor, place: torch.Tensor, world: World) -> torch.Tensor:
        top = world.maximum(logits.detach().amax(1))
        shares = torch.exp(logits - top[:, None])
        total = world.sum(shares.sum(1))
        here = place >= 0
        rows = torch.arange(len(logits), device=logits.device)[here]
        target = logits.new_zeros(len(logits))
        target[here] = logits[rows, place[here]] - top[here]
        target = world.sum(target)
        context.save_for_backward(shares / total[:, None], rows, place[here])
        return (torch.log(total) - target).mean()

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        shares, rows, columns = context.saved_tensors
        result = shares.clone()
        result[rows, columns] -= 1.0
        return result * (gradient / len(shares)), None, None


class ShardedHead(nn.Module):
    """This process's share of an ``AngularHead``. It keeps its centres' momentum (and AdamW's squares) and updates them
    itself, since only the classes met in a step may move: call ``begin``, ``forward`` for every micro-batch, backward,
    ``update``."""

    def __init__(
        self, config: Head, dimension: int, classes: int, seed: int, world: World, adamw: bool = False
    ) -> None:
        super().__init__()
        self.config, self.world, self.seed = config, world, seed
        self.start, self.stop = bounds(classes, world.rank, world.size)
        # The arithmetic of a whole head, over centres that ``cosines`` is handed.
        self.rule = AngularHead(config, dimension, 1, seed)
        del self.rule.weight
        centres = draw_centres(seed, self.start, self.stop, config.centres, dimension)
        self.register_buffer("weight", centres)
        self.register_buffer("momentum", torch.zeros_like(centres))
        self.adamw = adamw
        if adamw:
            self.register_buffer("squares", torch.zeros_like(centres))
            # A centre that was met seldom has few gradients behind its averages.
            self.register_buffer("times", centres.new_zeros(len(centres), 1))
        self.rows: torch.Tensor | None = None
        self.active = centres
        self.met = torch.arange(self.stop - self.start)

    def begin(self, labels: torch.Tensor, step: int) -> None:
        """Chooses the classes of this step: those of ``labels`` (of all processes), and others by chance."""
        count = self.stop - self.start
        device = self.weight.device
        if self.config.sample < 1.0:
            own = labels[(labels >= self.start) & (labels < self.stop)].unique().cpu() - self.start
            drawn = np.random.default_rng([self.seed, step, self.start]).random(count, dtype=np.float32)
            chance = torch.from_numpy(drawn)
            chance[own] = 2.0
            wanted = max(len(own), math.ceil(self.config.sample * count))
            self.met = chance.topk(wanted).indices.sort().values.to(device)
            inner = torch.arange(self.config.centres, device=device)
            self.rows = (self.met[:, None] * self.config.centres + inner).flatten()
            self.active = self.weight[self.rows].requires_grad_()
        else:
            self.met = torch.arange(count, device=device)
            self.active = self.weight.detach().clone().requires_grad_()

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            features = _Gather.apply(embeddings.to(self.weight.dtype), self.world)
            labels = self.world.gather(labels) - self.start
            column = torch.searchsorted(self.met, labels.contiguous()).clamp_max(len(self.met) - 1)
            here = self.met[column] == labels
            cosines = self.rule.cosines(features, self.active)
            own = cosines.gather(1, column[:, None])
            target, extra = self.rule.target(own, features)
            cosines = self.rule.filtered(cosines)
            target = torch.where(here[:, None], target, cosines.gather(1, column[:, None]))
            logits = self.config.scale * cosines.scatter(1, column[:, None], target)
            loss = _JoinedCrossEntropy.apply(logits, torch.where(here, column, -1), self.world)
            # Every process computes the same regulariser of the same features: one of them lets it flow back.
            return loss + (extra if self.world.first else extra.detach())

    def update(self, lr: float, momentum: float, weight_decay: float, factor: float = 1.0) -> None:
        """SGD with momentum, or AdamW, on the classes met; ``factor`` scales the gradient (clipping)."""
        with torch.no_grad():
            if self.adamw:
                self._adamw(lr, weight_decay, self.active.grad * factor)
                return
            gradient = self.active.grad * factor + weight_decay * self.active
            if self.rows is None:
                self.momentum.mul_(momentum).add_(gradient)
                self.weight.sub_(lr * self.momentum)
            else:
                moved = self.momentum[self.rows] * momentum + gradient
                self.momentum[self.rows] = moved
                self.weight[self.rows] = self.active.detach() - lr * moved

    def _adamw(self, lr: float, weight_decay: float, gradient: torch.Tensor) -> None:
        rows = slice(None) if self.rows is None else self.rows
        first, second = BETAS
        self.times[rows] += 1
        times = self.times[rows]
        mean = self.momentum[rows].lerp(gradient, 1 - first)
        squares = self.squares[rows].lerp(gradient.square(), 1 - second)
        self.momentum[rows], self.squares[rows] = mean, squares
        root = (squares / (1 - second**times)).sqrt() + EPSILON
        kept = self.active.detach() * (1 - lr * weight_decay)
        self.weight[rows] = kept - lr * mean / (1 - first**times) / root

    def kept(self) -> dict[str, torch.Tensor]:
        """What a checkpoint keeps, rows of classes."""
        more = {"squares": self.squares, "times": self.times} if self.adamw else {}
        return {"weight": self.weight, "momentum": self.momentum, **more}

    def square_norm(self) -> torch.Tensor:
        """The squared norm of the centres' gradient, over all processes."""
        return self.world.sum(self.active.grad.double().square().sum())
