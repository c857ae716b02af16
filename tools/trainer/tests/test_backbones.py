"""Backbones: shapes, budgets, and the exported form's equality."""

import pytest
import torch
from torch import nn

from arcdoor_train import backbones, macs
from arcdoor_train.backbones.dense import DENSE
from arcdoor_train.backbones.reparam import RepConv
from arcdoor_train.errors import ConfigError


def unsettled(model: nn.Module) -> nn.Module:
    """BatchNorm with statistics and weights as training leaves them, so that folding has something to do."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            size = module.running_mean.shape
            module.running_mean.copy_(torch.randn(size, generator=generator) * 0.2)
            module.running_var.copy_(torch.rand(size, generator=generator) + 0.5)
            module.weight.data.copy_(torch.rand(size, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(size, generator=generator) * 0.2)
    return model.eval()


def test_branches_become_one_convolution():
    block = unsettled(RepConv(8)).double()
    x = torch.randn(2, 8, 9, 9, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(block(x), block.fused()(x), atol=1e-12)


@pytest.mark.parametrize("name", ["dense-xs", "dense-s", "dense-m", "mobilefacenet", "iresnet18", "efficientnet-b0"])
def test_reparameterised_equals_trained(name):
    model = unsettled(backbones.build(name, 64)).double()
    exported = backbones.reparameterise(model)
    x = torch.randn(2, 3, 112, 112, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, got = model(x), exported(x)
    assert wanted.shape == (2, 64)
    assert torch.allclose(wanted, got, rtol=1e-9, atol=1e-9 * wanted.abs().max().item())
    assert not any(isinstance(module, RepConv) for module in exported.modules())


@pytest.mark.parametrize("name", DENSE)
def test_dense_keeps_its_budget(name):
    cost = macs.count(backbones.reparameterise(backbones.build(name, 512)))
    assert 0.1 * DENSE[name].budget < cost.macs <= DENSE[name].budget
    assert cost.parameters * 4 < 20e6


def test_counting_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.Flatten(1), nn.Linear(4 * 16, 5))
    outputs = 4 * 4 * 4
    cost = macs.count(model, 8)
    assert cost.macs == outputs * 27 + 5 * 64
    assert cost.flops == outputs * (2 * 27 - 1) + 5 * 2 * 64


def test_known_costs():
    mobilefacenet = macs.count(backbones.build("mobilefacenet", 512))
    assert 215e6 < mobilefacenet.macs < 230e6
    assert 0.42e9 < mobilefacenet.flops < 0.46e9
    for name, millions in (("iresnet18", 24.0), ("iresnet34", 34.1), ("iresnet50", 43.6), ("iresnet100", 65.2)):
        with torch.device("meta"):
            iresnet = backbones.build(name, 512)
        assert sum(p.numel() for p in iresnet.parameters()) / 1e6 == pytest.approx(millions, abs=0.1), name


@pytest.mark.parametrize("name", ["dense-xs", "mobilefacenet", "iresnet18", "efficientnet-b0"])
def test_the_embedding_is_made_in_float32_whatever_autocast_says(name):
    model, seen = backbones.build(name, 16), []
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.BatchNorm1d):
            layer.register_forward_hook(lambda _, given, made: seen.append((given[0].dtype, made.dtype)))
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.zeros(2, 3, 112, 112))
    assert [made for _, made in seen] == [torch.float32] * 2
    assert seen[1][0] == torch.float32


def test_unknown_name():
    with pytest.raises(ConfigError, match="dense-s"):
        backbones.build("resnet9000")
