"""``qat``: quantisation-aware training. The re-parameterised network is trained on with its weights and activations
rounded to int8, to give the features that it gave in f32 (no labels are needed), and exported as QDQ."""

import argparse
import copy
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from arcdoor_train import checkpoint, crops, export, onnx_file
from arcdoor_train.backbones import reparameterise
from arcdoor_train.errors import DataError, DivergedError

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


def train(
    rounded: nn.Module, plain: nn.Module, faces: crops.Crops, steps: int, batch: int, rate: float, seed: int
) -> list[float]:
    """Trains ``rounded`` to give the features of ``plain``; the losses, 1 - cosine, step by step."""
    rng = np.random.default_rng(seed)
    device = next(plain.parameters()).device
    optimiser = torch.optim.Adam(rounded.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    _observe(rounded)
    losses: list[float] = []
    from tqdm import tqdm

    for _ in tqdm(range(steps), unit="step", disable=not sys.stderr.isatty()):
        names = [faces.names[i] for i in rng.integers(0, len(faces), batch)]
        inputs = torch.from_numpy(crops.to_input(np.stack([faces.read(name) for name in names]))).to(device)
        inputs = inputs.flip(3) if rng.random() < 0.5 else inputs
        with torch.no_grad():
            wanted = plain(inputs)
        loss = (1 - nn.functional.cosine_similarity(rounded(inputs), wanted)).mean()
        if not torch.isfinite(loss):
            raise DivergedError("the loss is no number: lower --rate")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


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
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="[default: RUN/export/BACKBONE-qat.onnx]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.steps < 1:
        raise DataError("--steps is at least 1: the ranges of the activations come from training")
    model, config = checkpoint.load_model(options.checkpoint)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    plain = reparameterise(model).to(device)
    rounded = prepare(plain)
    faces = crops.Crops(options.crops)
    torch.manual_seed(options.seed)
    losses = train(rounded, plain, faces, options.steps, options.batch, options.rate, options.seed)
    folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    path = options.out or folder / "export" / f"{config.model.backbone}-qat.onnx"
    size = onnx_file.save(to_onnx(freeze(rounded)), path)
    section = dataclasses.replace(export.section_of(config), name=path.stem)
    export.card(path, section, config.model.dimension, f"{config.model.backbone}, int8 by quantisation-aware training")
    tenth = max(len(losses) // 10, 1)
    first, last = np.mean(losses[:tenth]), np.mean(losses[-tenth:])
    print(
        f"{path}: {size / 1e6:.2f} MB; 1 - cosine to f32 {first:.5f} -> {last:.5f}"
        f" over {options.steps} steps; now run `arcdoor-train verify`"
    )
    return 0
