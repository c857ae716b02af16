"""What each layer of a teacher costs on a device: the times that the engine's plan gives its steps."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcdoor_train.backbones.chain import Layer, Shape
from arcdoor_train.errors import DataError

#: The engine computes whole blocks of so many channels.
BLOCK = 16
_SUMS = re.compile(r"Conv|Gemm|MatMul")


@dataclass(frozen=True)
class Table:
    """Microseconds of each layer of the teacher, the linear layer last."""

    shape: Shape
    us: tuple[float, ...]

    def ms(self, shape: Shape) -> float:
        """Predicted milliseconds of ``shape``, which is of the same layers with other widths: a layer's time goes with
        its inputs and with the whole blocks of its outputs. Layers that the teacher has not (the factorised linear
        layer's first part) go by their multiply-accumulates, at the pace of the layer before."""
        total = 0.0
        sides = shape.sides()
        for number, layer in enumerate(shape.layers):
            if number < len(self.shape.layers):
                total += self.us[number] * _work(layer) / _work(self.shape.layers[number])
            else:
                before = self.shape.layers[-1]
                each = self.us[-2] / (_work(before) * self.shape.sides()[-1] ** 2)
                total += each * _work(layer) * sides[number] ** 2
        return (total + self.us[-1] * shape.last / self.shape.last) / 1e3


def _work(layer: Layer) -> float:
    blocks = -(-layer.outputs // BLOCK) * BLOCK
    return blocks * layer.weights / layer.outputs


def read(path: Path, shape: Shape) -> Table:
    """A table of ``arcdoor pack check --explain --json TEACHER`` (its network with as many layers as the teacher), or a
    TOML file with ``us``, a list of the layers' microseconds. Raises ``DataError``."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            times = [float(value) for value in tomllib.loads(text)["us"]]
        else:
            times = _of_plan([json.loads(line) for line in text.splitlines() if line.strip()], shape)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot read {path} as a table of times: {error!r}; write one by `arcdoor pack check --explain --json "
            f"PACK > {path.name}`, of the teacher's pack"
        ) from error
    if len(times) != len(shape.layers) + 1 or min(times) <= 0:
        raise DataError(f"{path} has {len(times)} times above 0 for {len(shape.layers) + 1} layers: another teacher's?")
    return Table(shape, tuple(times))


def _of_plan(lines: list[dict[str, Any]], shape: Shape) -> list[float]:
    """Networks are followed by their steps. A step of several layers is divided by their multiply-accumulates."""
    networks: list[list[dict[str, Any]]] = []
    for line in lines:
        if line.get("kind") == "network":
            networks.append(list(line.get("steps", [])))
    macs = [layer.weights * side**2 for layer, side in zip(shape.layers, shape.sides(), strict=True)]
    macs.append(shape.last * shape.dimension)
    for steps in networks:
        counts = [len(_SUMS.findall(step["operators"])) for step in steps]
        if sum(counts) != len(macs):
            continue
        times, at = [], 0
        for step, count in zip(steps, counts, strict=True):
            part = macs[at : at + count]
            times += [float(step["predicted_us"]) * value / sum(part) for value in part]
            at += count
        return times
    raise ValueError(f"no network of {len(macs)} layers on the plan is in it")
