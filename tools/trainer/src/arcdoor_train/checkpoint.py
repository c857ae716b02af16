"""Checkpoints: folders that appear whole or not at all.

``RUN/checkpoints/step-00001234/`` holds ``model.pt`` (the backbone, its configuration, the identities' count),
``state.pt`` (optimiser, step, counters) and ``head-0-of-1.pt`` (class centres and their momentum; one file a shard).
Files are written beside their place, flushed to the disk, and the folder is renamed last.
"""

import contextlib
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arcdoor_train import backbones, config
from arcdoor_train.backbones.chain import Chain, Shape
from arcdoor_train.errors import CheckpointError, ConfigError, DiskError

FORMAT = "arcdoor-train 1"
_NAME = re.compile(r"step-(\d{8})")


def write_file(path: Path, write: Callable[[Any], None]) -> None:
    """Writes ``path`` whole or not at all: beside its place, flushed, then renamed. Raises ``DiskError``."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):  # a folder that is none holds no part, either
            part.unlink()
        raise DiskError(f"cannot write {path}: {error}; free space or name another folder") from error


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """``write_file`` for what ``load_tensors`` reads."""
    write_file(path, lambda file: torch.save({"format": FORMAT, **content}, file))


def load_tensors(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """A file of ``save_tensors``: tensors and plain values only, nothing in it is executed. Raises
    ``CheckpointError`` for a missing, damaged or foreign file."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = None if mmap else archive.testzip()
        if damaged:
            raise CheckpointError(f"{path} is damaged ({damaged}); take an older checkpoint")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {path}") from error
    # ValueError: names in the archive that are no text.
    except (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is no checkpoint or damaged: {error}; take an older one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not of the format {FORMAT!r}; it was not written by this trainer")
    return content


def list_steps(run: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    folder = run / "checkpoints"
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found)


def resolve(path: str | Path) -> Path:
    """The checkpoint folder that ``path`` means: itself, or the newest of a run folder."""
    path = Path(path)
    if (path / "model.pt").is_file():
        return path
    steps = list_steps(path)
    if not steps:
        raise CheckpointError(f"{path} is neither a checkpoint (model.pt) nor a run with one (checkpoints/step-*)")
    return steps[-1]


def model_file(path: str | Path) -> Path:
    """The ``model.pt`` that ``path`` means: itself, a checkpoint's, or that of a run's newest."""
    path = Path(path)
    return path if path.is_file() else resolve(path) / "model.pt"


def load_model(path: str | Path) -> tuple[nn.Module, config.Config]:
    """The trained backbone in ``eval`` mode and its configuration, from a run folder, a checkpoint folder, or a
    ``model.pt``. Raises ``CheckpointError``."""
    path = model_file(path)
    content = load_tensors(path)
    try:
        loaded = config.from_table(content["config"])
        if "shape" in content:
            model = Chain(Shape.of(content["shape"]))
        else:
            model = backbones.build(loaded.model.backbone, loaded.model.dimension, loaded.model.dropout)
        model.load_state_dict(content["model"])
    except (KeyError, ConfigError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit this trainer: {error}") from error
    return model.eval(), loaded


def save_model(path: Path, model: nn.Module, whole: config.Config, **more: Any) -> None:
    """Writes a ``model.pt`` that ``load_model`` reads: for training, distillation, QAT and compression alike."""
    shape = {"shape": model.shape.table()} if isinstance(model, Chain) else {}
    save_tensors(path, {"model": model.state_dict(), "config": config.to_table(whole), **shape, **more})


def make(folder: Path) -> None:
    """A folder. Raises ``DiskError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"cannot make {folder}: {error}") from error


def begin(run: Path, step: int) -> Path:
    """An empty folder to write a checkpoint into; ``finish`` makes it one."""
    part = run / "checkpoints" / f"step-{step:08}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    except OSError as error:
        raise DiskError(f"cannot make {part}: {error}") from error
    return part


def abandon(part: Path) -> None:
    """Drops what ``begin`` began."""
    shutil.rmtree(part, ignore_errors=True)


def finish(part: Path, keep: int) -> Path:
    """Makes the folder a checkpoint, then removes all but the newest ``keep``."""
    whole = part.with_suffix("")
    try:
        if whole.exists():
            shutil.rmtree(whole)
        os.rename(part, whole)
        descriptor = os.open(whole.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DiskError(f"cannot write {whole}: {error}") from error
    for old in list_steps(part.parents[1])[: -max(keep, 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return whole


def read_head(folder: Path, start: int, stop: int) -> dict[str, torch.Tensor]:
    """Rows ``start..stop`` (classes) of every tensor of the head, whatever number of shards wrote it. Tensors that
    are no rows of classes (running averages) are under ``"whole."``."""
    files = sorted(folder.glob("head-*-of-*.pt"), key=lambda path: int(path.name.split("-")[1]))
    if not files or len(files) != int(files[0].stem.split("-")[3]):
        raise CheckpointError(f"{folder} lacks shards of the head: {len(files)} found")
    rows: dict[str, list[torch.Tensor]] = {}
    whole: dict[str, torch.Tensor] = {}
    at = 0
    for file in files:
        content = load_tensors(file, mmap=True)
        count = content["classes"]
        low, high = max(start, at), min(stop, at + count)
        for name, tensor in content["rows"].items():
            per_class = tensor.shape[0] // max(count, 1)
            if low < high:
                rows.setdefault(name, []).append(tensor[(low - at) * per_class : (high - at) * per_class])
        whole = content["whole"]
        at += count
    if stop > at:
        raise CheckpointError(f"{folder} knows {at} identities, the data has {stop} or more: another data set?")
    joined = {name: torch.cat(parts) for name, parts in rows.items()}
    return joined | {f"whole.{name}": tensor for name, tensor in whole.items()}
