"""``qat``: quantisation-aware training. The re-parameterised network is trained on with its weights and activations
rounded to int8, to give the features that it gave in f32 (no labels are needed), and exported as QDQ."""

import argparse
import copy
import dataclasses
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from tqdm import tqdm

from arcdoor_train import checkpoint, config, crops, export, journal, lock, onnx_file
from arcdoor_train.backbones import reparameterise
from arcdoor_train.errors import CheckpointError, ConfigError, DataError, DivergedError, UsageError
from arcdoor_train.world import World

#: What a run goes on from.
STATE = "qat-state.pt"

LOW, HIGH = -128, 127
#: Pace of the running least and largest activation.
PACE = 0.05


class Activation(nn.Module):
    """Rounds a tensor to int8 by a running range; ``freeze`` makes the range two constants."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("range", torch.tensor([float("inf"), float("-inf")]))
        self.frozen: tuple[float, int] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.frozen is None and self.training:
            with torch.no_grad():
                seen = torch.stack([x.min().clamp(max=0.0), x.max().clamp(min=0.0)])
                known = torch.isfinite(self.range)
                self.range.copy_(torch.where(known, self.range + PACE * (seen - self.range), seen))
        scale, zero = self.frozen or self.parameters_of()
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, LOW, HIGH)

    def parameters_of(self) -> tuple[float, int]:
        """Scale and zero point of the present range."""
        low, high = (float(end) for end in self.range)
        if not np.isfinite([low, high]).all():
            raise DataError("no activation was seen yet: train for at least one step")
        scale = max((high - low) / (HIGH - LOW), 1e-8)
        return scale, int(np.clip(round(LOW - low / scale), LOW, HIGH))

    def freeze(self) -> None:
        """Keeps the range as it is."""
        self.frozen = self.parameters_of()


class Rounded(nn.Module):
    """A convolution or linear layer on int8 weights (per output channel; the scales are constants, set by the
    trained weights) and int8 inputs."""

    def __init__(self, layer: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.input = Activation()
        largest = layer.weight.detach().abs().flatten(1).amax(dim=1)
        self.register_buffer("scale", torch.where(largest > 0, largest / HIGH, torch.ones_like(largest)))
        self.register_buffer("zero", torch.zeros(len(largest), dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, layer = self.input(x), self.layer
        weight = torch.fake_quantize_per_channel_affine(layer.weight, self.scale, self.zero, 0, LOW, HIGH)
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(x, weight, layer.bias)
        return layer._conv_forward(x, weight, layer.bias)


def prepare(plain: nn.Module) -> nn.Module:
    """A copy of a re-parameterised network with every convolution and linear layer ``Rounded``."""
    return _wrap(copy.deepcopy(plain))


def _wrap(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return Rounded(module)
    for name, child in module.named_children():
        setattr(module, name, _wrap(child))
    return module


@dataclass(frozen=True)
class Qat:
    """The section ``[qat]``; an option on the command line is stronger."""

    steps: int = 500
    batch: int = 32
    rate: float = 1e-4
    seed: int = 1
    #: Steps between two saved states, and between two lines of metrics.jsonl.
    save_steps: int = 50

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError("qat.steps is at least 1: the ranges of the activations come from training")
        if min(self.batch, self.save_steps) < 1 or self.rate <= 0:
            raise ConfigError("qat.batch and qat.save_steps are at least 1, qat.rate is above 0")


def train(
    rounded: nn.Module, plain: nn.Module, faces: crops.Crops, wanted: Qat, run: Path | None = None, resume: bool = False
) -> list[float]:
    """Trains ``rounded`` to give the features of ``plain``; the losses, 1 - cosine, step by step. What is drawn by
    chance is drawn from (seed, step). With a folder ``run`` it keeps its state and metrics there, and with ``resume``
    goes on from them, bit for bit. Raises ``TrainError``."""
    device = next(plain.parameters()).device
    optimiser = torch.optim.Adam(rounded.parameters(), lr=wanted.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, wanted.steps)
    _observe(rounded)
    losses: list[float] = []
    parts = {"model": rounded, "optimiser": optimiser, "schedule": schedule}
    about = {"qat": dataclasses.asdict(wanted), "names": list(faces.names)}
    if run and resume and (run / STATE).is_file():
        losses = _restore(run / STATE, parts, about)
    book = journal.Journal(run, len(losses)) if run else None
    began, since = time.monotonic(), len(losses)
    steps = tqdm(
        range(len(losses), wanted.steps), initial=len(losses), total=wanted.steps, unit="step",
        disable=not sys.stderr.isatty(),
    )  # fmt: skip
    for step in steps:
        rng = np.random.default_rng((wanted.seed, step))
        names = [faces.names[i] for i in rng.integers(0, len(faces), wanted.batch)]
        inputs = torch.from_numpy(crops.to_input(np.stack([faces.read(name) for name in names]))).to(device)
        inputs = inputs.flip(3) if rng.random() < 0.5 else inputs
        with torch.no_grad():
            features = plain(inputs)
        loss = (1 - nn.functional.cosine_similarity(rounded(inputs), features)).mean()
        if not torch.isfinite(loss):
            raise DivergedError("the loss is no number: lower --rate; the last saved state is whole")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate = schedule.get_last_lr()[0]
        schedule.step()
        losses.append(float(loss.detach()))
        if run and book and ((step + 1) % wanted.save_steps == 0 or step + 1 == wanted.steps):
            speed = (step + 1 - since) * wanted.batch / (time.monotonic() - began)
            line = {"step": step + 1, "epoch": (step + 1) * wanted.batch / len(faces), "loss": losses[-1], "lr": rate}
            book.add({**line, "images_per_s": round(speed, 1)})
            state = {name: part.state_dict() for name, part in parts.items()}
            checkpoint.save_tensors(run / STATE, {**state, **about, "losses": losses})
    return losses


def _restore(path: Path, parts: dict[str, Any], about: dict[str, Any]) -> list[float]:
    content = checkpoint.load_tensors(path)
    for name, value in about.items():
        if content.get(name) != value:
            raise CheckpointError(f"{path} was trained with other {name}: restore what it was, or delete the folder")
    try:
        for name, part in parts.items():
            part.load_state_dict(content[name])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit: {error}") from error
    return content["losses"]


def _observe(rounded: nn.Module) -> None:
    """Ranges move; normalisation that could not be folded keeps its trained statistics."""
    rounded.eval()
    for module in rounded.modules():
        if isinstance(module, Activation):
            module.train()


def freeze(rounded: nn.Module) -> nn.Module:
    """Makes every range a constant: the form that is exported."""
    for module in rounded.modules():
        if isinstance(module, Activation):
            module.freeze()
    return rounded.eval().cpu()


def to_onnx(rounded: nn.Module) -> onnx.ModelProto:
    """QDQ at opset 13: every engine met so far reads it alike. Weights are stored as int8."""
    return fold(onnx_file.trace(rounded, 13))


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replaces every ``QuantizeLinear`` of a constant by the int8 that it gives, and drops what nothing reads then."""
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    kept = []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:
            # The exporter stores equal constants once.
            values[node.output[0]] = values[node.input[0]]
            graph.initializer.append(numpy_helper.from_array(values[node.input[0]], node.output[0]))
            continue
        if node.op_type != "QuantizeLinear" or any(name not in values for name in node.input):
            kept.append(node)
            continue
        weight, scale, zero = (values[name] for name in node.input)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        shape = [1] * weight.ndim
        shape[axis] = -1
        wide = np.rint(weight / scale.reshape(shape if scale.ndim else [1])) + zero.reshape(shape if zero.ndim else [1])
        rounded = np.clip(wide, LOW, HIGH).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(rounded, node.output[0]))
    read = {name for node in kept for name in node.input} | {output.name for output in graph.output}
    kept = [node for node in kept if node.op_type != "Constant" or node.output[0] in read]
    stored = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(stored)
    return onnx_file.strip(model)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train qat``."""
    parser = subparsers.add_parser("qat", help="train on with int8 rounding, to the features it gave in f32")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint or a run folder")
    parser.add_argument("--crops", type=Path, required=True, help="aligned crops, labels are not used")
    parser.add_argument("--config", type=Path, help="a TOML file with a section [qat] [default: the checkpoint's own]")
    for name, kind in (("steps", int), ("batch", int), ("rate", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind, help=f"[default: qat.{name}, else {getattr(Qat(), name)}]")
    parser.add_argument("--resume", action="store_true", help="go on where RUN/qat was last saved")
    parser.add_argument("--out", type=Path, help="[default: RUN/export/BACKBONE-qat.onnx]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    model, whole = checkpoint.load_model(options.checkpoint)
    source = config.load(options.config) if options.config else whole
    given = {name: getattr(options, name) for name in ("steps", "batch", "rate", "seed")}
    given = {name: value for name, value in given.items() if value is not None}
    wanted = dataclasses.replace(config.section(source, "qat", Qat), **given)
    whole = dataclasses.replace(whole, foreign={**whole.foreign, "qat": dataclasses.asdict(wanted)})
    folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    run = folder / "qat"
    if (run / STATE).is_file() and not options.resume:
        raise UsageError(f"{run} holds a run: --resume goes on with it; delete or rename it to begin anew")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plain = reparameterise(model).to(device)
    rounded = prepare(plain)
    faces = crops.Crops(options.crops)
    torch.manual_seed(wanted.seed)
    with lock.alone(run):
        journal.describe(run, whole, World(0, 1, device), [])
        losses = train(rounded, plain, faces, wanted, run, options.resume)
        journal.curves(run)
    path = options.out or folder / "export" / f"{whole.model.backbone}-qat.onnx"
    size = onnx_file.save(to_onnx(freeze(rounded)), path)
    section = dataclasses.replace(export.section_of(whole), name=path.stem)
    export.card(path, section, whole.model.dimension, f"{whole.model.backbone}, int8 by quantisation-aware training")
    tenth = max(len(losses) // 10, 1)
    first, last = np.mean(losses[:tenth]), np.mean(losses[-tenth:])
    print(
        f"{path}: {size / 1e6:.2f} MB; 1 - cosine to f32 {first:.5f} -> {last:.5f}"
        f" over {wanted.steps} steps; now run `arcdoor-train verify`"
    )
    return 0
