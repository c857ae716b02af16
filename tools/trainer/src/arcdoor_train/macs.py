"""What a network costs: multiply-accumulates, parameters, and FLOPs as the LFR organisers count them."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Cost:
    """For one image."""

    macs: int
    #: Convolutions and linear layers only: 2 x MAC, less one an output where there is no bias.
    flops: int
    parameters: int

    def __str__(self) -> str:
        return (
            f"{self.macs / 1e6:.1f} MMAC, {self.flops / 1e6:.1f} MFLOPs (LFR's counting), "
            f"{self.parameters / 1e6:.2f} M parameters, {self.parameters * 4 / 1e6:.1f} MB as f32"
        )


def count(model: nn.Module, side: int = 112) -> Cost:
    """Counts by one forward pass of a (1, 3, side, side) input. Hand it the re-parameterised network: the branches
    of training cost nothing on the device."""
    macs = flops = 0

    def hook(layer: nn.Module, _inputs: tuple, output: torch.Tensor) -> None:
        nonlocal macs, flops
        each = layer.weight[0].numel()
        macs += each * output.numel()
        flops += (2 * each - (layer.bias is None)) * output.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    training = model.training
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, side, side, device=device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return Cost(macs, flops, sum(parameter.numel() for parameter in model.parameters()))
