"""``export``: a checkpoint to the ONNX file that the device runs, with the card that ``arcdoor-lab pack build``
takes. Refuses what breaks its size's budget, and what onnxruntime or the device computes otherwise."""

import argparse
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from arcdoor_train import config as configuration
from arcdoor_train import crops, device, macs, onnx_file
from arcdoor_train.backbones import reparameterise
from arcdoor_train.backbones.chain import CHAIN
from arcdoor_train.backbones.dense import DENSE
from arcdoor_train.errors import BudgetError, DataError, TrainError

#: The limits of LFR's light track. What a network is made of is for `arcdoor-lab gate` to judge, which reads the same.
LIGHT_TRACK = Path(__file__).with_name("light_track.toml")
_LIMITS = tomllib.loads(LIGHT_TRACK.read_text(encoding="utf-8"))
#: A door's model keeps the track's size, whatever the budget of MACs.
MAX_BYTES: int = _LIMITS["file"]["below_bytes"]
LIGHT_FLOPS: int = _LIMITS["flops"]["at_most"]


@dataclass(frozen=True)
class Export:
    """The section ``[export]``."""

    #: ``train`` ends with an export.
    at_end: bool = True
    opset: int = 17
    #: ``size``: the dense network's own budget. ``light``: LFR's light track. ``none``: a teacher that no board runs.
    budget: str = "size"
    #: For the card, and so for the pack's manifest.
    name: str = ""
    licence: str = "LicenseRef-unreleased"
    training_data: str = ""

    def __post_init__(self) -> None:
        if self.budget not in ("size", "light", "none"):
            raise DataError(f"export.budget = {self.budget!r}: size, light or none")


@dataclass(frozen=True)
class Exported:
    """One exported file."""

    path: Path
    bytes: int
    cost: macs.Cost
    #: Largest difference between onnxruntime (unfused) and PyTorch, unit-length features.
    difference: float

    def __str__(self) -> str:
        return f"{self.path}: {self.cost}; {self.bytes / 1e6:.2f} MB; differs from PyTorch by {self.difference:.1e}"


def check_budget(backbone: str, budget: str, cost: macs.Cost, size: int) -> None:
    """Raises ``BudgetError`` for what the size or the track does not allow. Backbones without a size of their own
    are held to the light track unless the budget is ``none``."""
    if budget == "none":
        return
    if size >= MAX_BYTES:
        raise BudgetError(f"the file has {size} bytes; a door's model stays below {MAX_BYTES} (export.budget)")
    if cost.flops > LIGHT_FLOPS:
        raise BudgetError(
            f"{cost.flops / 1e9:.2f} GFLOPs by LFR's counting; the light track allows {LIGHT_FLOPS / 1e9:.2f}"
        )
    allowed = DENSE[backbone].budget if budget == "size" and backbone in DENSE else LIGHT_FLOPS / 2
    if cost.macs > allowed:
        raise BudgetError(f"{backbone}: {cost.macs / 1e9:.3f} GMAC; its budget is {allowed / 1e9:.3f}")


def export(model: nn.Module, backbone: str, path: Path, opset: int = 17, budget: str = "size") -> Exported:
    """Re-parameterises a trained network, checks its budget, writes it, and compares onnxruntime with the network
    as it was trained, at batch 1 and 3. Nothing is left at ``path`` where a check fails."""
    trained = model.eval().cpu()
    plain = reparameterise(trained)
    cost = macs.count(plain)
    graph = onnx_file.trace(plain, opset)
    check_budget(backbone, budget, cost, graph.ByteSize())
    inputs = crops.to_input(crops.random(4))
    difference = onnx_file.differs(graph, [inputs[:1], inputs[1:]], embed(trained, inputs))
    if not difference <= onnx_file.TOLERANCE:
        raise TrainError(f"onnxruntime differs from PyTorch by {difference:.1e}; at most {onnx_file.TOLERANCE} passes")
    size = onnx_file.save(graph, path)
    return Exported(path, size, cost, difference)


def embed(model: nn.Module, inputs: np.ndarray, size: int = 64) -> np.ndarray:
    """PyTorch's embeddings of network inputs."""
    with torch.no_grad():
        parts = [model(torch.from_numpy(inputs[i : i + size])).numpy() for i in range(0, len(inputs), size)]
    return np.concatenate(parts)


def card(path: Path, section: Export, dimension: int, note: str, takes: crops.Preprocess | None = None) -> Path:
    """Writes ``MODEL.toml`` beside ``MODEL.onnx``: what `arcdoor-lab pack build --embedder` takes. ``takes`` is what
    the network takes; without it, what the trainer's own networks do."""
    name = section.name or path.stem
    text = json.dumps  # a JSON string is a TOML string, but for DEL, which no name here holds
    lines = [
        f"name = {text(name)}",
        f"description = {text(f'{name}: an embedder trained with arcdoor-train')}",
        "",
        "[embedder]",
        f"source_file = {text(path.name)}",
        f"source_sha256 = {text(hashlib.sha256(path.read_bytes()).hexdigest())}",
        f"file = {text(path.name)}",
        f'outputs = ["{onnx_file.OUTPUT}"]',
        f"dimension = {dimension}",
        f"licence = {text(section.licence)}",
        f"source = {text(note)}",
        f"training_data = {text(section.training_data or 'not said: set export.training_data')}",
        "",
        "[embedder.preprocess]",
        *(takes or crops.Preprocess()).manifest(),
    ]
    place = path.with_suffix(".toml")
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def section_of(config: configuration.Config) -> Export:
    """The section ``[export]``."""
    return configuration.section(config, "export", Export)


def _origin(config: configuration.Config) -> str:
    """Where the weights come from, for the card."""
    if config.model.init:
        return f"{config.model.backbone}, trained with arcdoor-train, begun with the weights of {config.model.init}"
    if config.model.backbone == CHAIN:
        teacher = Path(config.foreign["compress"]["teacher"]["path"]).name
        return f"made of {teacher} by arcdoor-train compress: channels removed, layers refit to its answers"
    return f"{config.model.backbone}, trained with arcdoor-train"


def finish(
    run_dir: Path, model: nn.Module, config: configuration.Config, images: np.ndarray | None = None
) -> dict[str, Any]:
    """The end of a run: exports ``model`` to ``run_dir/export``, checks it on the device's engine with ``images``
    (n, 112, 112, 3; noise where there are none), and writes ``export.json``. Raises ``TrainError`` where the export
    does not compute what was trained. Where arcdoor-lab is not built, ``device`` is None and a line says so."""
    section = section_of(config)
    path = Path(run_dir) / "export" / f"{section.name or config.model.backbone}.onnx"
    done = export(model, config.model.backbone, path, section.opset, section.budget)
    card(path, section, config.model.dimension, _origin(config))
    print(done)
    answer: dict[str, Any] = {
        "file": path.name, "bytes": done.bytes, "macs": done.cost.macs, "flops": done.cost.flops,
        "parameters": done.cost.parameters, "onnxruntime_difference": done.difference, "device": None,
    }  # fmt: skip
    lab = device.find()
    if lab is None:
        print(device.ABSENT)
    else:
        faces = crops.random(16) if images is None else images
        reference = embed(model.eval().cpu(), crops.to_input(faces))
        found = device.parity(lab, path, faces, reference)
        print(
            f"device ({found.engine}): {found.crops} crops, largest difference {found.max_difference:.1e}, "
            f"least cosine {found.least_cosine:.7f}, {found.median_ms:.2f} ms"
        )
        if not found.passed:
            raise TrainError(f"the device's engine differs: {found.max_difference:.1e}; the export is not usable")
        answer["device"] = vars(found)
    (path.parent / "export.json").write_text(json.dumps(answer, indent=2) + "\n")
    return answer


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train export``."""
    parser = subparsers.add_parser("export", help="a checkpoint to ONNX, checked, with the card for its pack")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint file or a run folder")
    parser.add_argument("--out", type=Path, help="folder to write to [default: the checkpoint's]")
    parser.add_argument("--crops", type=Path, help="aligned crops to check on: a folder or .zip [default: noise]")
    parser.add_argument("--count", type=int, default=500, help="crops to check on")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from arcdoor_train import checkpoint

    model, config = checkpoint.load_model(options.checkpoint)
    folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
    images = None
    if options.crops:
        faces = crops.Crops(options.crops)
        images = np.stack([faces.read(name) for name in faces.spread(options.count)])
    finish(options.out or folder, model, config, images)
    return 0


def card_like(source: Path, path: Path, note: str) -> None:
    """The card of ``source``, where it has one, for the file ``path`` that was made of it."""
    old = source.with_suffix(".toml")
    if not old.is_file():
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    fresh = {
        "name": path.stem, "description": f"{path.stem}: an embedder trained with arcdoor-train",
        "source_file": path.name, "source_sha256": digest, "file": path.name,
    }  # fmt: skip
    lines = []
    for line in old.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" = ")
        if key == "source":
            lines.append(f"source = {json.dumps(json.loads(value) + '; ' + note)}")
        else:
            lines.append(f"{key} = {json.dumps(fresh[key])}" if key in fresh else line)
    path.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
