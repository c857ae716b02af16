"""How many channels each layer keeps: those go first that cost the answer least for what they cost the device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from arcdoor_train.backbones.chain import Chain, Shape
from arcdoor_train.compression.closed_form import shape_of
from arcdoor_train.compression.plan_table import Table
from arcdoor_train.compression.selection import order
from arcdoor_train.compression.statistics import Junction, importance
from arcdoor_train.errors import BudgetError

Costs = dict[str, float]


@dataclass(frozen=True)
class Targets:
    """What the network may cost; 0 leaves one open."""

    #: Multiply-accumulates of one crop.
    macs: float = 0.0
    #: Of all weights as f32. A file with int8 weights has a quarter.
    bytes: float = 0.0
    #: Milliseconds by the table of the device's plan.
    ms: float = 0.0

    def over(self, shape: Shape, table: Table | None) -> Costs:
        """Each target that ``shape`` breaks: by which factor."""
        costs = {"macs": shape.macs(), "bytes": 4 * shape.parameters(), "ms": table.ms(shape) if table else 0.0}
        wanted = {name: getattr(self, name) for name in costs}
        return {name: costs[name] / limit for name, limit in wanted.items() if limit and costs[name] > limit}


def losses(teacher: Chain, junctions: list[Junction], done: Callable[[], object] = lambda: None) -> list[list[float]]:
    """For each dense layer what the answer loses with 1, 2, ... of its channels, the others whole: the expected square
    of the way that the unit embedding moves, as far as a plane touching the sphere says it."""
    curves = []
    for layer, junction in zip([*teacher.shape.dense[1:], None], junctions, strict=True):
        weight = (teacher.fc if layer is None else teacher.layers[layer][0]).weight
        parts = weight.reshape(len(weight), len(junction.covariance), -1)
        with torch.no_grad():
            _, errors = order(junction.covariance, importance(parts, junction.metric), len(junction.covariance))
        curves.append(errors)
        done()
    return curves


def choose(
    teacher: Shape, curves: list[list[float]], targets: Targets, table: Table | None, rank: int, step: int
) -> tuple[int, ...]:
    """From the teacher's widths down, ``step`` channels at a time, until every target is met. Raises ``BudgetError``
    where even the narrowest network breaks one."""
    widths = list(teacher.widths)
    over = targets.over(shape_of(teacher, widths, rank), table)
    while over:
        best, price = None, float("inf")
        for number, width in enumerate(widths):
            narrower = max((width - 1) // step * step, min(step, width))
            if narrower == width:
                continue
            tried = [*widths[:number], narrower, *widths[number + 1 :]]
            saved = _saved(over, targets, shape_of(teacher, tried, rank), table)
            lost = curves[number][narrower - 1] - curves[number][width - 1]
            if saved > 0 and lost / saved < price:
                best, price = tried, lost / saved
        if best is None:
            raise BudgetError(
                f"no widths of at least {step} channels meet compress.targets: {', '.join(over)} stays above; allow "
                "more, or a lower compress.rank"
            )
        widths = best
        over = targets.over(shape_of(teacher, widths, rank), table)
    return tuple(widths)


def _saved(over: Costs, targets: Targets, shape: Shape, table: Table | None) -> float:
    """How much nearer to the targets that are broken."""
    after = targets.over(shape, table)
    return sum(factor - max(after.get(name, 1.0), 1.0) for name, factor in over.items())
