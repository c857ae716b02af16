"""A smaller network without training: channels chosen from the answer backwards, then every layer fitted by least
squares from the start forwards, on what the smaller network itself makes of the crops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.backbones.chain import Chain, Layer, Shape
from arcdoor_train.compression.least_squares import LeastSquares
from arcdoor_train.compression.selection import RIDGE, order
from arcdoor_train.compression.statistics import BATCH, Junction, importance, root, rows

#: Positions of a crop's map that a fit takes at most.
POSITIONS = 98


def shape_of(teacher: Shape, widths: Sequence[int], rank: int) -> Shape:
    """The teacher's shape with these widths of its dense layers; with ``rank`` the linear layer in two: first to so
    many channels at each place."""
    left, layers, inputs = list(widths), [], teacher.layers[0].inputs
    for layer in teacher.layers:
        outputs = inputs if layer.depthwise else left.pop(0)
        layers.append(replace(layer, inputs=inputs, outputs=outputs))
        inputs = outputs
    if rank:
        layers.append(Layer(inputs, rank, bent=False))
    return Shape(tuple(layers), teacher.dimension)


def choose(teacher: Chain, junctions: list[Junction], widths: Sequence[int]) -> list[torch.Tensor]:
    """For each dense layer the outputs that stay, ascending; from the last layer to the first, each for what is left
    of the layer after it."""
    following = [*teacher.shape.dense[1:], None]
    kept = torch.arange(teacher.shape.dimension)
    chosen: list[torch.Tensor] = []
    for layer, junction, width in zip(following[::-1], junctions[::-1], widths[::-1], strict=True):
        weight = (teacher.fc if layer is None else teacher.layers[layer][0]).weight
        parts = weight[kept].reshape(len(kept), len(junction.covariance), -1)
        metric = junction.metric[kept][:, kept]
        if width < len(junction.covariance):
            found, _ = order(junction.covariance, importance(parts, metric), width)
            kept = torch.tensor(sorted(found))
        else:
            kept = torch.arange(len(junction.covariance))
        chosen.append(kept)
    return chosen[::-1]


@dataclass
class _Maps:
    """Both networks' maps of all crops, batch by batch; in half precision, since they take gigabytes."""

    teacher: list[torch.Tensor]
    student: list[torch.Tensor]


def build(
    teacher: Chain, junctions: list[Junction], widths: Sequence[int], rank: int, crops: torch.Tensor, seed: int,
    done: Callable[[], object] = lambda: None,
) -> Chain:  # fmt: skip
    """The smaller network, in ``eval`` mode; ``done`` is called after each layer."""
    chosen = choose(teacher, junctions, widths)
    student = Chain(shape_of(teacher.shape, widths, rank)).eval().requires_grad_(False)
    batches = list(crops.split(BATCH))
    moved = batches if teacher.offset is None else [batch + teacher.offset for batch in batches]
    maps = _Maps(moved, batches)
    generator = torch.Generator().manual_seed(seed)
    kept = torch.arange(teacher.shape.layers[0].inputs)
    left = list(chosen)
    for number, layer in enumerate(teacher.layers):
        depthwise, spec = teacher.shape.layers[number].depthwise, student.layers[number]
        kept = kept if depthwise else left.pop(0)
        if depthwise or number == 0:
            _copy(layer[0], spec[0], kept, teacher.offset if number == 0 else None)
        else:
            _fit(layer[0], spec[0], kept, maps, generator)
        if len(layer) > 1:
            spec[1].weight.data = layer[1].weight[kept].clone()
        maps.teacher = [layer(part.float()).half() for part in maps.teacher]
        maps.student = [spec(part.float()).half() for part in maps.student]
        done()
    _head(teacher, student, junctions[-1], maps, rank)
    return student


def _copy(source: nn.Conv2d, target: nn.Conv2d, kept: torch.Tensor, offset: torch.Tensor | None) -> None:
    """Filters as they are. The offset of a teacher's input becomes part of the bias: not so at the border, which the
    layers after it are fitted to."""
    target.weight.data = source.weight[kept].clone()
    target.bias.data = source.bias[kept].clone()
    if offset is not None:
        target.bias.data += source.weight[kept].sum((2, 3)) @ offset.flatten()


def _fit(source: nn.Conv2d, target: nn.Conv2d, kept: torch.Tensor, maps: _Maps, generator: torch.Generator) -> None:
    """From the student's own maps to the teacher's sums, at some positions of each map."""
    fit, places = LeastSquares(), None
    for wanted, given in zip(maps.teacher, maps.student, strict=True):
        sums = functional.conv2d(wanted.float(), source.weight[kept], source.bias[kept], source.stride, source.padding)
        y = sums.flatten(2)
        if places is None:
            places = torch.randperm(y.shape[2], generator=generator)[:POSITIONS].sort().values
        x = functional.unfold(given.float(), target.kernel_size, padding=target.padding, stride=target.stride)
        fit.add(*(part[:, :, places].transpose(1, 2).flatten(0, 1) for part in (x, y)))
    weight, bias = fit.solve()
    target.weight.data = weight.reshape(target.weight.shape).float()
    target.bias.data = bias.float()


def _head(teacher: Chain, student: Chain, junction: Junction, maps: _Maps, rank: int) -> None:
    """The linear layer on a reconstruction of the teacher's last map; in two where ``rank`` says so: first to the
    directions that matter most to the answer, at each place."""
    fit = LeastSquares()
    for wanted, given in zip(maps.teacher, maps.student, strict=True):
        fit.add(rows(given.float()), rows(wanted.float()))
    rebuilt, shift = fit.solve()
    parts = teacher.fc.weight.double().reshape(teacher.shape.dimension, len(rebuilt), -1)
    weight = torch.einsum("ecp,cs->esp", parts, rebuilt)
    bias = teacher.fc.bias.double() + torch.einsum("ecp,c->e", parts, shift)
    if rank:
        code, back = _directions(fit.x.covariance, importance(weight, junction.metric), rank)
        narrow = student.layers[-1][0]
        narrow.weight.data = code.float()[:, :, None, None]
        narrow.bias.data = (-code @ fit.x.mean).float()
        bias = bias + torch.einsum("esp,s->e", weight, fit.x.mean)
        weight = torch.einsum("esp,sr->erp", weight, back)
    student.fc.weight.data = weight.flatten(1).float()
    student.fc.bias.data = bias.float()


def _directions(covariance: torch.Tensor, weighed: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The way to ``rank`` numbers and back that loses least where errors are weighed so: principal directions of
    M^1/2 x."""
    # A little of every direction, so that there is a way back.
    weighed = weighed + RIDGE**2 * weighed.diagonal().mean() * torch.eye(len(weighed), dtype=weighed.dtype)
    half = root(weighed)
    _, vectors = torch.linalg.eigh(half @ covariance @ half)
    top = vectors.flip(1)[:, :rank]
    return top.T @ half, torch.linalg.solve(half, top)
