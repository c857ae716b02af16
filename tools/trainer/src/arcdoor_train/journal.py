"""What a run writes about itself: configuration, environment, metrics, curves, skipped images."""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy
import torch

from arcdoor_train import checkpoint, config, figure
from arcdoor_train.errors import DiskError, UsageError
from arcdoor_train.world import World

#: What the names of ``[verification]``'s figures begin with, among the metrics.
VERIFIED = "verify/"


def describe(run: Path, whole: config.Config, world: World, identities: list[str]) -> None:
    """``config.toml``, ``environment.json`` and, where labels are used, ``identities.txt`` (line n is label n)."""
    environment = {
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processes": world.size,
        "device": torch.cuda.get_device_name() if world.device.type == "cuda" else platform.processor() or "cpu",
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    checkpoint.write_file(run / "config.toml", lambda file: file.write(config.to_toml(whole).encode()))
    checkpoint.write_file(run / "environment.json", lambda file: file.write(json.dumps(environment, indent=2).encode()))
    listed = "".join(f"{name}\n" for name in identities)
    if listed:
        checkpoint.write_file(run / "identities.txt", lambda file: file.write(listed.encode()))


def board() -> type:
    """TensorBoard's own writer. Raises ``UsageError`` where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("run.tensorboard needs TensorBoard: pip install tensorboard, or leave it out") from error
    return SummaryWriter


class Journal:
    """``metrics.jsonl`` and ``skipped.tsv``, appended, and TensorBoard's events where they are wanted; lines past the
    step that a run resumes from are dropped."""

    def __init__(self, run: Path, step: int, tensorboard: bool = False) -> None:
        self.run = run
        self.metrics = run / "metrics.jsonl"
        kept = [line for line in read(run) if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        checkpoint.write_file(self.metrics, lambda file: file.write(text.encode()))
        self.board = board()(run / "tensorboard", purge_step=step + 1) if tensorboard else None

    def add(self, line: dict[str, Any]) -> None:
        """One line of metrics."""
        self._append(self.metrics, json.dumps(line) + "\n")
        if self.board:
            for name, value in line.items():
                if name != "step" and value is not None:
                    self.board.add_scalar(name, value, line["step"])
            self.board.flush()

    def skip(self, skipped: list[tuple[str, str]]) -> None:
        """Images that could not be read, with the reason."""
        rows = "".join(f"{key}\t{' '.join(reason.split())}\n" for key, reason in skipped)
        if rows:
            self._append(self.run / "skipped.tsv", rows)

    def _append(self, path: Path, text: str) -> None:
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise DiskError(f"cannot write {path}: {error}; the last checkpoint is whole") from error


def read(run: Path) -> list[dict[str, Any]]:
    """The metrics of a run; a last line that a crash cut short is left out."""
    path = run / "metrics.jsonl"
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def curves(run: Path) -> None:
    """``curves.png``: loss and learning rate over the epochs, and where the metrics tell them, the gradient's norm and
    the share of the steps in which it was clipped, and what ``[verification]`` found. Without matplotlib a line says
    that none was drawn."""
    lines = read(run)
    panels = [(("loss", "linear"), ("lr", "log"))]
    if any("gradient_norm" in line for line in lines):
        panels.append((("gradient_norm", "log"), ("clipped", "linear")))
    judged = sorted({name for line in lines for name in line if name.startswith(VERIFIED)})
    high = len(panels) + bool(judged)
    try:
        drawn = figure.new(8.0, 4.5 * high)
    except UsageError as error:
        print(f"no curves.png: {error}", file=sys.stderr)
        return
    places = drawn.subplots(high, squeeze=False)[:, 0]
    for panel, (left, right) in zip(places[: len(panels)], panels, strict=True):
        _curve(panel, lines, *left, "tab:blue")
        _curve(panel.twinx(), lines, *right, "tab:orange")
        panel.set_xlabel("epoch")
    for name in judged:
        told = [line for line in lines if name in line]
        places[-1].plot([line["epoch"] for line in told], [line[name] for line in told], label=name[len(VERIFIED) :])
    if judged:
        places[-1].set_xlabel("epoch")
        places[-1].legend()
    figure.save_png(drawn, run / "curves.png")


def _curve(axes: Any, lines: list[dict[str, Any]], name: str, scale: str, colour: str) -> None:
    told = [line for line in lines if line.get(name) is not None]
    axes.plot([line["epoch"] for line in told], [line[name] for line in told], color=colour, alpha=0.7)
    axes.set_ylabel(name.replace("_", " "), color=colour)
    axes.set_yscale(scale)
