"""What a tuning starts from: the closed form's network, within its budget, or one that was tuned before."""

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from arcdoor_train import checkpoint, config, crops, data, export, macs
from arcdoor_train.backbones.chain import CHAIN, Chain, Shape
from arcdoor_train.compression import closed_form, plan_table, statistics, widths
from arcdoor_train.compression.section import Compress
from arcdoor_train.errors import CheckpointError, ConfigError, DataError

#: Where in a run's folder it is kept; a checkpoint, for ``eval`` and ``export``.
FOLDER = "closed-form"


def calibration(source: data.Dataset, section: Compress, seed: int) -> torch.Tensor:
    """Network inputs of crops drawn from the seed."""
    return inputs_of(source, np.random.default_rng(seed).permutation(len(source)), section.crops)


def inputs_of(source: data.Dataset, numbers: np.ndarray, most: int) -> torch.Tensor:
    """Network inputs of the first ``most`` crops of ``numbers`` that can be read."""
    found = list(itertools.islice(source.readable(numbers), most))
    if not found:
        raise DataError("not one crop can be read")
    return torch.from_numpy(crops.to_input(np.stack(found)))


def make(teacher: Chain, section: Compress, whole: config.Config, inputs: torch.Tensor) -> Chain:
    """The network, which is also kept in the run's folder. Raises ``BudgetError`` before hours are spent on one that
    could not be exported."""
    bar = tqdm(
        total=2 + len(teacher.shape.dense) + len(teacher.layers), unit="part", desc="closed form",
        disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        junctions = statistics.observe(teacher, inputs, section.sensitive, whole.run.seed)
        bar.update()
        chosen = _widths(teacher, junctions, section, whole, bar)
        _affordable(closed_form.shape_of(teacher.shape, chosen, section.rank), whole)
        student = closed_form.build(teacher, junctions, chosen, section.rank, inputs, whole.run.seed, bar.update)
    with torch.no_grad():
        cosine = torch.cosine_similarity(student(inputs), teacher(inputs)).mean().item()
    print(f"closed form: widths {list(chosen)}, rank {section.rank}; {macs.count(student)}")
    print(f"cosine to the teacher {cosine:.4f}, on the {len(inputs)} crops that it was fitted to", flush=True)
    folder = config.expand(whole.run.folder) / FOLDER
    checkpoint.make(folder)
    checkpoint.save_model(folder / "model.pt", student, whole)
    return student


def loaded(path: Path, teacher: Chain) -> Chain:
    """The network of a checkpoint of ``compress``: its file, its folder, or a run. Raises ``CheckpointError`` for
    another's, ``ConfigError`` for one of another teacher: it has other maps."""
    model, _ = checkpoint.load_model(path)
    if not isinstance(model, Chain):
        raise CheckpointError(f"{path} is of no network that compress made: its layers cannot be compared")
    mine, theirs = model.shape, teacher.shape
    layers = zip(mine.layers, theirs.layers, strict=False)
    like = all((a.kernel, a.stride, a.depthwise) == (b.kernel, b.stride, b.depthwise) for a, b in layers)
    if not like or len(mine.layers) < len(theirs.layers) or mine.dimension != theirs.dimension:
        raise ConfigError(f"{path} is of another teacher: its layers are not those of compress.teacher")
    return model


def _widths(
    teacher: Chain, junctions: list[statistics.Junction], section: Compress, whole: config.Config, bar: tqdm
) -> tuple[int, ...]:
    shape = teacher.shape
    if section.widths:
        wanted = list(zip(section.widths, shape.widths, strict=False))
        if len(section.widths) != len(shape.widths) or any(width > most for width, most in wanted):
            raise ConfigError(
                f"compress.widths = {list(section.widths)}: the teacher's dense convolutions have {list(shape.widths)} "
                "outputs; give as many numbers, none above its own"
            )
        return section.widths
    table = plan_table.read(config.expand(section.table), shape) if section.table else None
    curves = widths.losses(teacher, junctions, bar.update)
    targets = section.targets
    if export.section_of(whole).budget != "none":
        # LFR counts two FLOPs for a multiply-accumulate; the track allows a thousand million.
        light = export.LIGHT_FLOPS / 2
        targets = dataclasses.replace(targets, macs=min(targets.macs or light, light))
    return widths.choose(shape, curves, targets, table, section.rank, section.step)


def _affordable(shape: Shape, whole: config.Config) -> None:
    cost = macs.count(Chain(shape))
    export.check_budget(CHAIN, export.section_of(whole).budget, cost, 4 * cost.parameters)
