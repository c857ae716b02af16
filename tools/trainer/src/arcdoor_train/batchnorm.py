"""BatchNorm's running statistics, step by step: the same for any number of processes.

A step has several micro-batches, divided among the processes; each normalises by its own statistics. After the step
the running averages move once, towards the mean of all its micro-batches' statistics.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train.world import World


class StepStatistics:
    """Call ``begin`` before a step's first forward pass, ``add`` after each, and ``end`` after the last. Nothing here
    waits for a value on a GPU, and the layers' momentum is one number in all passes of all steps: ``torch.compile``
    makes one graph. (A momentum of 1 / (k + 1) in pass k would make it compile again for each k.)"""

    def __init__(self, model: nn.Module, world: World) -> None:
        self.world = world
        self.layers = [
            layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats
        ]
        self.momenta = [layer.momentum for layer in self.layers]
        self.counters = [layer.num_batches_tracked for layer in self.layers]
        self.buffers = [getattr(layer, name) for layer in self.layers for name in ("running_mean", "running_var")]
        self.before: list[torch.Tensor] = []
        self.sums: list[torch.Tensor] = []
        self.passes = 0

    def begin(self) -> None:
        """Makes each pass leave its own micro-batch's statistics in the layers."""
        self.before = [buffer.clone() for buffer in self.buffers]
        self.sums = [torch.zeros_like(buffer) for buffer in self.buffers]
        self.passes = 0
        for layer in self.layers:
            layer.momentum = 1.0
            layer.num_batches_tracked = None  # else every pass adds 1 to it, layer by layer

    def add(self) -> None:
        """Takes a pass's statistics up."""
        self.passes += 1
        if self.layers:
            torch._foreach_add_(self.sums, self.buffers)

    def end(self, keep: bool) -> None:
        """Moves the running averages by the step, or restores them where the step is not kept."""
        if not self.layers:
            return
        flat = self.world.sum(torch.cat([total.flatten() for total in self.sums])) / (self.passes * self.world.size)
        means = flat.split([buffer.numel() for buffer in self.buffers])
        with torch.no_grad():
            for n, (buffer, old, mean) in enumerate(zip(self.buffers, self.before, means, strict=True)):
                buffer.copy_(torch.lerp(old, mean.view_as(old), self.momenta[n // 2]) if keep else old)
            if keep:
                torch._foreach_add_(self.counters, 1)
        for layer, momentum, counter in zip(self.layers, self.momenta, self.counters, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, counter
