"""BatchNorm over micro-batches: what it computes, and what it does not make the host wait for or compile again."""

import copy

import pytest
import torch
from host_reads import HostReads
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train import backbones
from arcdoor_train.batchnorm import StepStatistics
from arcdoor_train.world import World

ALONE = World(0, 1, torch.device("cpu"))


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, momentum=0.3), nn.Flatten(1), nn.BatchNorm1d(5 * 36))


def images(passes, seed=1):
    return torch.randn(passes, 4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def step(model, statistics, some, keep=True):
    statistics.begin()
    found = []
    for one in some:
        found.append(model(one))
        statistics.add()
    statistics.end(keep)
    return found


def by_torch(model, some):
    """The same by torch's own cumulative average, which reads its counter back in each layer."""
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    old = [(layer, layer.running_mean.clone(), layer.running_var.clone(), layer.momentum) for layer in layers]
    for layer in layers:
        layer.momentum = None
        layer.num_batches_tracked.zero_()
    found = [model(one) for one in some]
    for layer, mean, variance, momentum in old:
        layer.momentum = momentum
        layer.running_mean.lerp_(mean, 1 - momentum)
        layer.running_var.lerp_(variance, 1 - momentum)
    return found


@pytest.mark.parametrize("passes", [1, 3, 8])
def test_forward_and_averages_are_those_of_the_cumulative_average(passes):
    first, second = network(), network()
    statistics = StepStatistics(first, ALONE)
    for number in range(3):
        some = images(passes, number)
        ours, theirs = step(first, statistics, some), by_torch(second, some)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
        for layer, other in zip(first, second, strict=True):
            if isinstance(layer, _BatchNorm):
                assert torch.allclose(layer.running_mean, other.running_mean, rtol=1e-5, atol=1e-6)
                assert torch.allclose(layer.running_var, other.running_var, rtol=1e-5, atol=1e-6)
                assert layer.num_batches_tracked == number + 1
                assert layer.momentum == other.momentum


def test_a_step_that_is_not_kept_leaves_no_trace():
    model = network()
    statistics = StepStatistics(model, ALONE)
    step(model, statistics, images(2))
    before = copy.deepcopy(model.state_dict())
    step(model, statistics, images(2) * float("nan"), keep=False)
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_forward_pass_reads_nothing_back():
    """79 times a pass of IResNet-50, by torch's cumulative average."""
    model = backbones.build("dense-xs", 16)
    statistics = StepStatistics(model, ALONE)
    some = torch.randn(2, 3, 112, 112)
    statistics.begin()
    with HostReads() as reads:
        for _ in range(2):
            model(some)
            statistics.add()
    assert not reads.seen
    statistics.end(True)


def test_compiled_it_is_one_graph_for_all_passes_and_steps():
    model = network()
    statistics, counter = StepStatistics(model, ALONE), CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    wanted = network()
    others = StepStatistics(wanted, ALONE)
    for number in range(2):
        found = step(compiled, statistics, images(9, number))
        plain = step(wanted, others, images(9, number))
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, plain, strict=True))
    assert counter.frame_count == 1
