"""Branches that train well and run as one convolution: RepVGG's re-parameterisation (arXiv 2101.03697)."""

import copy

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval


class RepConv(nn.Module):
    """3x3 + 1x1 + identity, each with its BN, added up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.wide_norm = nn.BatchNorm2d(channels)
        self.point = nn.Conv2d(channels, channels, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(channels)
        self.identity_norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.wide_norm(self.wide(x)) + self.point_norm(self.point(x)) + self.identity_norm(x)

    def fused(self) -> nn.Conv2d:
        """One 3x3 convolution with a bias that gives what the branches give in ``eval`` mode."""
        wide = fuse_conv_bn_eval(self.wide, self.wide_norm)
        point = fuse_conv_bn_eval(self.point, self.point_norm)
        norm = self.identity_norm
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        with torch.no_grad():
            wide.weight += functional.pad(point.weight, (1, 1, 1, 1))
            wide.bias += point.bias + shift
            channels = torch.arange(len(scale))
            wide.weight[channels, channels, 1, 1] += scale
        return wide


def reparameterise(model: nn.Module) -> nn.Module:
    """A copy in ``eval`` mode with every ``RepConv`` made one convolution, and every BN that follows a convolution
    or a linear layer folded into it. Its outputs equal those of ``model.eval()`` but for rounding."""
    fused = copy.deepcopy(model).eval()
    return _fuse(fused)


def _fuse(module: nn.Module) -> nn.Module:
    if isinstance(module, RepConv):
        return module.fused()
    for name, child in module.named_children():
        setattr(module, name, _fuse(child))
    if isinstance(module, nn.Sequential):
        _fold_neighbours(module)
    linear, features = getattr(module, "linear", None), getattr(module, "features", None)
    if isinstance(linear, nn.Linear) and isinstance(features, nn.BatchNorm1d):
        module.linear, module.features = fuse_linear_bn_eval(linear, features), nn.Identity()
    return module


def _fold_neighbours(chain: nn.Sequential) -> None:
    """Folds BN into what stands before it, and drops what does nothing once trained."""
    kept: list[nn.Module] = []
    for child in chain:
        previous = kept[-1] if kept else None
        if isinstance(child, nn.Dropout):
            continue
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            kept[-1] = fuse_conv_bn_eval(previous, child)
        elif isinstance(child, nn.BatchNorm1d) and isinstance(previous, nn.Linear):
            kept[-1] = fuse_linear_bn_eval(previous, child)
        else:
            kept.append(child)
    chain._modules.clear()
    for n, child in enumerate(kept):
        chain.add_module(str(n), child)
