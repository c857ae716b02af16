"""BatchNorm's running statistics, step by step: the same for any number of processes.

A step has several micro-batches, divided among the processes; each normalises by its own statistics. After the step
the running averages move once, towards the mean of all its micro-batches' statistics.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train.world import World


class StepStatistics:
    """Call ``begin`` before a step's first forward pass and ``end`` after its last."""

    def __init__(self, model: nn.Module, world: World) -> None:
        self.world = world
        self.layers = [
            layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats
        ]
        self.momenta = [layer.momentum for layer in self.layers]
        self.buffers = [getattr(layer, name) for layer in self.layers for name in ("running_mean", "running_var")]
        self.before: list[torch.Tensor] = []
        self.steps: list[torch.Tensor] = []

    def begin(self) -> None:
        """Makes the layers average this step's micro-batches alone."""
        self.before = [buffer.clone() for buffer in self.buffers]
        self.steps = [layer.num_batches_tracked.clone() for layer in self.layers]
        for layer in self.layers:
            layer.momentum = None  # torch: the plain mean over the batches since the counter was zero
            layer.num_batches_tracked.zero_()

    def end(self, keep: bool) -> None:
        """Moves the running averages by the step, or restores them where the step is not kept."""
        if not self.layers:
            return
        flat = torch.cat([buffer.flatten() for buffer in self.buffers])
        means = (self.world.sum(flat) / self.world.size).split([buffer.numel() for buffer in self.buffers])
        with torch.no_grad():
            for n, (buffer, old, mean) in enumerate(zip(self.buffers, self.before, means, strict=True)):
                buffer.copy_(torch.lerp(old, mean.view_as(old), self.momenta[n // 2]) if keep else old)
        for layer, momentum, steps in zip(self.layers, self.momenta, self.steps, strict=True):
            layer.momentum = momentum
            layer.num_batches_tracked.copy_(steps + int(keep))
