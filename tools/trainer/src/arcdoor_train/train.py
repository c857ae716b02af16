"""``train``: the loop, from a configuration to checkpoints and an export.

Everything drawn by chance is drawn from (seed, step or epoch, place), never from a stream that runs on: so a run goes
on from a checkpoint as if it had not stopped.
"""

import argparse
import contextlib
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint as recomputed
from tqdm import tqdm

from arcdoor_train import backbones, checkpoint, config, data, heads, initial, journal, lock, macs
from arcdoor_train.batchnorm import StepStatistics
from arcdoor_train.errors import (
    CheckpointError,
    ConfigError,
    DiskError,
    DivergedError,
    TrainError,
    UsageError,
)
from arcdoor_train.partial import ShardedHead
from arcdoor_train.world import World, join, kernels, leave

#: Between two lines of metrics: the losses' sum, the steps taken, the sum of the backbone's gradient norms before they
#: were clipped, the steps that were.
EMPTY = {"loss": 0.0, "steps": 0, "norm": 0.0, "clipped": 0}


class Net(nn.Module):
    """Backbone and whole head as one module, so that DDP joins the gradients of both."""

    def __init__(self, backbone: nn.Module, head: nn.Module | None, recompute: bool = False) -> None:
        super().__init__()
        self.backbone, self.head, self.recompute = backbone, head, recompute
        if recompute and not isinstance(backbone, nn.Sequential):
            raise ConfigError("optim.recompute: this backbone has no blocks whose maps could be computed anew")

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        embeddings = self._sparing(images) if self.recompute else self.backbone(images)
        return embeddings if self.head is None else self.head(embeddings, labels)

    def _sparing(self, x: torch.Tensor) -> torch.Tensor:
        """The backbone, of whose blocks only what they take is kept for the backward pass."""
        for layer in self.backbone:
            block = next(layer.children(), None) is not None
            x = recomputed(layer, x, use_reentrant=False) if block else layer(x)
        return x


def rate(optim: config.Optim, progress: float) -> float:
    """The learning rate after ``progress`` epochs."""
    if progress < optim.warmup_epochs:
        return optim.lr * max(progress / optim.warmup_epochs, 1e-3)
    if optim.schedule == "steps":
        return optim.lr * 0.1 ** sum(progress >= milestone for milestone in optim.milestones)
    share = (progress - optim.warmup_epochs) / max(optim.epochs - optim.warmup_epochs, 1e-9)
    if optim.schedule == "poly":
        return optim.lr * (1.0 - share) ** 2
    return optim.lr * 0.5 * (1.0 + math.cos(math.pi * share))


def groups(optim: config.Optim, *modules: nn.Module) -> list[dict[str, Any]]:
    """What is trained, for the optimiser; BatchNorm's own apart where it must not decay."""
    trained = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    if optim.decay_norms:
        return [{"params": trained}]
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, _BatchNorm)]
    own = {id(parameter) for layer in layers for parameter in layer.parameters()}
    return [
        {"params": [parameter for parameter in trained if id(parameter) not in own]},
        {"params": [parameter for parameter in trained if id(parameter) in own], "weight_decay": 0.0},
    ]


def optimiser(optim: config.Optim, *modules: nn.Module) -> torch.optim.Optimizer:
    """What trains these, in the groups of ``groups``."""
    parts = groups(optim, *modules)
    if optim.kind == "adamw":
        return torch.optim.AdamW(parts, optim.lr, weight_decay=optim.weight_decay)
    return torch.optim.SGD(parts, optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay)


def normalise(images: torch.Tensor, device: torch.device, channels_last: bool) -> torch.Tensor:
    """(n, 112, 112, 3) uint8 to (n, 3, 112, 112) float32, (value - 127.5) / 128."""
    moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2).float().sub_(127.5).div_(128.0)
    return moved.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


class Trainer:
    """One process of a run."""

    def __init__(self, whole: config.Config, world: World, source: data.Dataset) -> None:
        self.config, self.world, self.source = whole, world, source
        self.run = config.expand(whole.run.folder)
        optim = whole.optim
        if optim.batch % world.size:
            raise ConfigError(f"optim.batch = {optim.batch} cannot be divided among {world.size} processes")
        self.share = optim.batch // world.size
        self.micro = optim.micro_batch or self.share
        if self.share % self.micro:
            raise ConfigError(
                f"a process's share of {self.share} images is no multiple of optim.micro_batch = {optim.micro_batch}: "
                f"use at most {optim.batch // self.micro} processes"
            )
        each = whole.data.per_identity
        if each and (self.micro % each or self.micro < 2 * each):
            raise ConfigError(
                f"data.per_identity = {each}: a process's {self.micro} images hold no whole number of identities with "
                "that many images, two at least; set optim.micro_batch"
            )
        self.step, self.bad, self.bad_in_a_row, self.skipped = 0, 0, 0, 0
        self.window = dict(EMPTY)
        self._build()

    def _build(self) -> None:
        whole, world = self.config, self.world
        begun = checkpoint.list_steps(self.run)
        backbone = initial.network(whole, begun[-1] if begun else None)
        classes, dimension, seed = len(self.source.identities), whole.model.dimension, whole.run.seed
        self.sharded: ShardedHead | None = None
        head = None
        if whole.head.sharded or whole.head.sample < 1.0:
            if world.size > 1 and not whole.head.sharded:
                raise ConfigError("head.sample < 1 on several processes needs head.sharded = true")
            self.sharded = ShardedHead(whole.head, dimension, classes, seed, world).to(world.device)
        else:
            head = heads.build(whole.head, dimension, classes, seed)
        self.taken = 0
        if whole.head.init and not begun:
            self.taken = self._take_centres(head)
        net = Net(backbone, head, whole.optim.recompute).to(world.device)
        if whole.optim.channels_last:
            net = net.to(memory_format=torch.channels_last)
        sync = whole.optim.batch_norm == "sync"
        if sync and world.device.type != "cuda":
            raise ConfigError("optim.batch_norm = 'sync' works on GPUs only; 'micro' works everywhere")
        if sync:
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        self.net, self.backbone, self.head = net, net.backbone, net.head
        self.statistics = None if sync else StepStatistics(backbone, world)
        optim = whole.optim
        self.optimiser = optimiser(optim, net)
        self.scaler = torch.amp.GradScaler(world.device.type, init_scale=4096.0, enabled=optim.precision == "fp16")
        self.runner = self._joined(torch.compile(net) if optim.compile else net)

    def _take_centres(self, head: nn.Module | None) -> int:
        identities = self.source.identities
        if self.sharded:
            mine = identities[self.sharded.start : self.sharded.stop]
            taken = initial.centres(self.config, mine, {"weight": self.sharded.weight})
            return int(self.world.sum(torch.tensor(taken, device=self.world.device)))
        return initial.centres(self.config, identities, dict(getattr(head, "head", head).named_parameters()))

    def _joined(self, net: nn.Module) -> nn.Module:
        if self.world.size == 1:
            return net
        ids = [self.world.device.index] if self.world.device.type == "cuda" else None
        # Looking for unused parameters keeps DDP from regrouping its buckets after the first step: a run that
        # resumes adds its gradients in the same order as one that never stopped.
        joined = DistributedDataParallel(net, ids, broadcast_buffers=False, find_unused_parameters=True)
        if self.config.optim.compress:
            from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

            joined.register_comm_hook(None, bf16_compress_hook)
        return joined

    def batches(self) -> data.Batches:
        """The rest of the run's batches, this process's share."""
        whole, world = self.config, self.world
        return data.Batches(
            self.source, whole.data, whole.run.seed, whole.optim.batch, whole.optim.epochs,
            start=self.step, part=world.rank, parts=world.size, micro=self.micro,
        )  # fmt: skip

    def train_step(self, images: torch.Tensor, labels: torch.Tensor, lr: float) -> float:
        """One step of the optimiser; the mean loss over all processes, or NaN where the step was not taken."""
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        labels = labels.to(self.world.device, non_blocking=True)
        if self.statistics:
            self.statistics.begin()
        if self.sharded:
            self.sharded.begin(self.world.gather(labels), self.step)
        total = torch.zeros((), dtype=torch.float64, device=self.world.device)
        parts = self.share // self.micro
        for part in range(parts):
            chosen = slice(part * self.micro, (part + 1) * self.micro)
            # Drop-out by place: the same for any number of processes.
            place = self.step * (self.config.optim.batch // self.micro) + self.world.rank * parts + part
            torch.manual_seed(self.config.run.seed * 1_000_003 + place)
            loss = self._forward(images[chosen], labels[chosen], last=part == parts - 1)
            total += loss.double() / parts
        return self._take(total, lr)

    def _forward(self, images: torch.Tensor, labels: torch.Tensor, *, last: bool) -> torch.Tensor:
        """One micro-batch, forward and backward; DDP joins the gradients in the last one."""
        optim = self.config.optim
        pixels = normalise(images, self.world.device, optim.channels_last)
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(optim.precision)
        if isinstance(self.runner, DistributedDataParallel):
            self.runner.require_backward_grad_sync = last
        with torch.autocast(self.world.device.type, dtype=dtype, enabled=dtype is not None):
            result = self.runner(pixels, labels)
        if self.statistics:
            self.statistics.add()
        loss = self.sharded(result, labels) if self.sharded else result
        self.scaler.scale(loss / (self.share // self.micro)).backward()
        return loss.detach()

    def _take(self, total: torch.Tensor, lr: float) -> float:
        """Updates the weights if loss and gradients are numbers on every process; else leaves all as it was."""
        optim = self.config.optim
        scale = self.scaler.get_scale()
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimiser)
        norm, rest = self._square_norm(self.backbone), self._square_norm(self.head)
        if self.sharded:
            rest = rest + self.sharded.square_norm()
        loss = self.world.sum(total) / self.world.size
        norm = norm.sqrt().item()
        good = all(math.isfinite(value) for value in (norm, rest.item(), loss.item()))
        if self.statistics:
            self.statistics.end(good)
        self._end_head(good)
        if self.scaler.is_enabled():
            self.scaler.update()
        if not good:
            return math.nan
        self._clip(norm)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        if self.sharded:
            self.sharded.update(lr, optim.momentum, optim.weight_decay, 1.0 / scale)
        return loss.item()

    def _square_norm(self, module: nn.Module | None) -> torch.Tensor:
        gradients = [parameter.grad for parameter in module.parameters()] if module else []
        gradients = [gradient for gradient in gradients if gradient is not None]
        if not gradients:
            return torch.zeros((), dtype=torch.double, device=self.world.device)
        return torch.stack(torch._foreach_norm(gradients)).double().square().sum()

    def _clip(self, norm: float) -> None:
        """Shortens the backbone's gradient to ``optim.clip``, and notes what it was. The head's stays as it is: a large
        scale makes it the longer one, and clipped together, the loss would set the backbone's rate."""
        clip = self.config.optim.clip
        self.window["norm"] += norm
        if not clip or norm <= clip:
            return
        self.window["clipped"] += 1
        gradients = [parameter.grad for parameter in self.backbone.parameters() if parameter.grad is not None]
        torch._foreach_mul_(gradients, clip / (norm + 1e-6))

    def _end_head(self, good: bool) -> None:
        rule = self.sharded.rule if self.sharded else self._inner_head()
        if isinstance(rule, heads.AngularHead):
            # A sharded head has met all processes' images.
            rule.end_step(good, *([] if self.sharded else [self.world.sum]))

    def save(self) -> Path:
        """A checkpoint of now; every process writes its shard. On an error nothing is left of it."""
        part = checkpoint.begin(self.run, self.step) if self.world.first else None
        self.world.barrier()
        part = self.run / "checkpoints" / f"step-{self.step:08}.part"
        failure: TrainError | None = None
        try:
            self._write(part)
        except TrainError as error:
            failure = error
        failed = self.world.sum(torch.tensor([float(failure is not None)], device=self.world.device))
        if failed.item():
            if self.world.first:
                checkpoint.abandon(part)
            raise failure or TrainError("another process could not write its part of the checkpoint")
        if self.world.first:
            checkpoint.finish(part, self.config.run.keep)
        self.world.barrier()
        return part.with_suffix("")

    def _write(self, part: Path) -> None:
        rank, size = (self.world.rank, self.world.size) if self.sharded else (0, 1)
        if self.world.first or self.sharded:
            checkpoint.save_tensors(part / f"head-{rank}-of-{size}.pt", self._head_state())
        if not self.world.first:
            return
        checkpoint.save_model(
            part / "model.pt", self.backbone, self.config,
            identities=len(self.source.identities), data=self.source.fingerprint, step=self.step,
        )  # fmt: skip
        state = {
            "step": self.step,
            "bad": self.bad,
            "bad_in_a_row": self.bad_in_a_row,
            "skipped": self.skipped,
            "window": dict(self.window),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        checkpoint.save_tensors(part / "state.pt", state)

    def _head_state(self) -> dict[str, Any]:
        if self.sharded:
            rows = {"weight": self.sharded.weight, "momentum": self.sharded.momentum}
            whole = _kept_buffers(self.sharded.rule)
            return {"classes": self.sharded.stop - self.sharded.start, "rows": rows, "whole": whole}
        inner = self._inner_head()
        return {
            "classes": len(self.source.identities),
            "rows": {name: parameter.detach() for name, parameter in inner.named_parameters()},
            "whole": _kept_buffers(inner),
        }

    def _inner_head(self) -> nn.Module:
        return getattr(self.head, "head", self.head)

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint. Raises ``CheckpointError`` where it belongs to another configuration or data."""
        folder = checkpoint.resolve(path)
        content = checkpoint.load_tensors(folder / "model.pt")
        compare(content, self.config, self.source, folder)
        state = checkpoint.load_tensors(folder / "state.pt")
        if isinstance(state.get("window"), list):
            raise CheckpointError(
                f"{folder} is of an earlier trainer, which clipped the gradients of backbone and head together: the "
                "run would not go on as it began; name another run.folder"
            )
        try:
            self.backbone.load_state_dict(content["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scaler.load_state_dict(state["scaler"])
            self._load_head(folder)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{folder} does not fit: {error}") from error
        self.step, self.bad, self.bad_in_a_row = state["step"], state["bad"], state["bad_in_a_row"]
        self.skipped, self.window = state["skipped"], dict(state["window"])

    def _load_head(self, folder: Path) -> None:
        if self.sharded:
            found = checkpoint.read_head(folder, self.sharded.start, self.sharded.stop)
            self.sharded.weight.copy_(found["weight"])
            self.sharded.momentum.copy_(found["momentum"])
            inner = self.sharded.rule
        else:
            found = checkpoint.read_head(folder, 0, len(self.source.identities))
            inner = self._inner_head()
            for name, parameter in inner.named_parameters():
                parameter.data.copy_(found[name])
        for name, buffer in _kept_buffers(inner).items():
            buffer.copy_(found[f"whole.{name}"])


def _kept_buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    kept = module.state_dict().keys()
    return {name: buffer for name, buffer in module.named_buffers() if name in kept}


#: What a resumed run may change: none of it changes what is computed. Which images there are, the data's hash says.
FREE = frozenset({"workers", "keep_mb", "timeout_s", "compile", "recompute", "max_bad_steps", "sets", "held_out"})


def compare(
    content: dict[str, Any],
    whole: config.Config,
    source: data.Dataset,
    folder: Path,
    more: tuple[str, ...] = (),
    free: frozenset[str] = FREE,
) -> None:
    """That what ``folder`` holds was trained with this configuration, ``more`` sections included, on these images.
    Values of the names in ``free`` may differ. Raises ``CheckpointError``."""
    try:
        # Keys that are newer than the checkpoint have their defaults.
        old, new = config.to_table(config.from_table(content["config"])), config.to_table(whole)
    except ConfigError as error:
        raise CheckpointError(f"{folder} does not fit this trainer: {error}") from error
    changed = [
        f"{section}.{key}"
        for section in ("model", "head", "data", "optim", *more)
        for key, value in new[section].items()
        if key not in free and old.get(section, {}).get(key) != value
    ]
    changed += ["run.seed"] if old["run"]["seed"] != new["run"]["seed"] else []
    if changed:
        raise CheckpointError(
            f"{folder} was trained with another configuration: {', '.join(changed)} differ; restore them, or name "
            "another run.folder"
        )
    if content["data"] != source.fingerprint:
        raise CheckpointError(f"{folder} was trained on other images than data names now; the order would not go on")


def train(whole: config.Config, resume: bool = False, quiet: bool = False) -> Path:
    """A whole run in this process (one of torchrun's, or the only one); the run's folder. Raises ``TrainError``."""
    return drive(whole, Trainer, resume, quiet)


def drive(
    whole: config.Config, build: Callable[[config.Config, World, data.Dataset], Any], resume: bool, quiet: bool,
    learn: bool = True,
) -> Path:  # fmt: skip
    """A run of what ``build(whole, world, source)`` makes: a ``Trainer``, or what has its attributes and methods.
    Without ``learn`` it is exported as it was built."""
    world = join(whole)
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    kernels(whole.run, world.device)
    run = config.expand(whole.run.folder)
    try:
        with lock.alone(run) if world.first else contextlib.nullcontext():
            return _driven(whole, world, build, resume, quiet, learn)
    finally:
        leave(world)


def _driven(
    whole: config.Config, world: World, build: Callable[..., Any], resume: bool, quiet: bool, learn: bool
) -> Path:
    run = config.expand(whole.run.folder)
    if checkpoint.list_steps(run) and not resume:
        raise UsageError(f"{run} has checkpoints: --resume goes on with it; another run.folder begins anew")
    if whole.run.tensorboard:
        journal.board()
    source, notes = data.gather(whole.data, whole.run.seed)
    trainer = build(whole, world, source)
    if checkpoint.list_steps(run):
        trainer.load(run)
    if world.first:
        _announce(trainer, notes, quiet)
        journal.describe(run, trainer.config, world, source.identities)
    if learn:
        _loop(trainer, quiet)
    if world.first:
        if learn:
            journal.curves(run)
        _export(trainer)
    world.barrier()
    return run


def make(run: Path) -> None:
    """The run's folder. Raises ``DiskError``."""
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"cannot make {run}: {error}") from error


def _announce(trainer: Trainer, notes: list[str], quiet: bool) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if quiet:
        return
    source = trainer.source
    cost = macs.count(backbones.reparameterise(trainer.backbone))
    print(f"{len(source)} images of {len(source.identities)} identities; {trainer.config.model.backbone}: {cost}")
    if trainer.step:
        print(f"going on from step {trainer.step}")
    elif trainer.config.model.init:
        centres = f", and the centres of {trainer.taken} identities" if trainer.config.head.init else ""
        print(f"begins with the network of {trainer.config.model.init}{centres}")


def _loop(trainer: Trainer, quiet: bool) -> None:
    whole, world = trainer.config, trainer.world
    batches = trainer.batches()
    per_epoch, total = batches.steps_per_epoch, batches.steps_per_epoch * whole.optim.epochs
    book = journal.Journal(trainer.run, trainer.step, whole.run.tensorboard) if world.first else None
    stop: list[int] = []
    previous = on_term(stop)
    bar = tqdm(total=total, initial=trainer.step, unit="step", disable=quiet or not world.first, mininterval=1.0)
    clock = Clock(whole.optim.batch)
    try:
        iterator = iter(batches)
        while trainer.step < total:
            images, labels, skipped = clock.waiting(lambda: next(iterator))
            loss = trainer.train_step(images, labels, rate(whole.optim, trainer.step / per_epoch))
            trainer.step += 1
            clock.steps += 1
            _count(trainer, loss, skipped, book)
            bar.update()
            if trainer.step % whole.run.log_every == 0 or trainer.step == total:
                _log(trainer, book, bar, clock, rate(whole.optim, (trainer.step - 1) / per_epoch), per_epoch)
            stopping = world.maximum(torch.tensor([float(bool(stop))], device=world.device)).item() > 0
            if stopping or _due(trainer, clock, per_epoch, total):
                trainer.save()
                clock.saved = time.monotonic()
            if stopping:
                raise KeyboardInterrupt
    except RuntimeError as error:
        raise data.explain(error) or error from error
    finally:
        bar.close()
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def on_term(stop: list[int]) -> Any:
    """Lets SIGTERM add to ``stop`` in place of ending the process; what it did before, or None off the main thread."""
    try:
        return signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
    except ValueError:
        return None  # not the main thread: nobody sends it signals


class Clock:
    """Where the time goes between two lines of metrics."""

    def __init__(self, batch: int) -> None:
        self.batch, self.steps, self.waited = batch, 0, 0.0
        self.since = self.saved = time.monotonic()

    def waiting(self, get: Any) -> Any:
        began = time.monotonic()
        result = get()
        self.waited += time.monotonic() - began
        return result

    def read(self) -> tuple[float, float]:
        """Images a second and the share of the time spent waiting for data, since the last reading."""
        now = time.monotonic()
        elapsed = max(now - self.since, 1e-9)
        answer = self.steps * self.batch / elapsed, self.waited / elapsed
        self.since, self.steps, self.waited = now, 0, 0.0
        return answer

    def due(self, wanted: config.Run, step: int) -> bool:
        """Whether this process's checkpoint is due between two epochs' ends."""
        by_step = wanted.checkpoint_steps and step % wanted.checkpoint_steps == 0
        return bool(by_step or time.monotonic() - self.saved >= wanted.checkpoint_minutes * 60)


def _count(trainer: Trainer, loss: float, skipped: list[tuple[str, str]], book: journal.Journal | None) -> None:
    world = trainer.world
    trainer.skipped += int(world.sum(torch.tensor([float(len(skipped))], device=world.device)).item())
    if book:
        book.skip(skipped)
    if math.isfinite(loss):
        trainer.bad_in_a_row = 0
        trainer.window["loss"] += loss
        trainer.window["steps"] += 1
        return
    trainer.bad += 1
    trainer.bad_in_a_row += 1
    if trainer.bad_in_a_row >= trainer.config.optim.max_bad_steps:
        raise DivergedError(
            f"loss or gradient was no number in {trainer.bad_in_a_row} steps in a row, the last step {trainer.step}: "
            "lower optim.lr, add optim.warmup_epochs, or use bf16 in place of fp16; the last checkpoint is whole"
        )


def _log(trainer: Trainer, book: Any, bar: tqdm, clock: Clock, lr: float, per_epoch: int) -> None:
    speed, wait = clock.read()
    window, trainer.window = trainer.window, dict(EMPTY)
    if book is None:
        return
    means = {name: total / window["steps"] if window["steps"] else None for name, total in window.items()}
    loss = means["loss"]
    line = {"step": trainer.step, "epoch": trainer.step / per_epoch, "loss": loss, "lr": lr}
    line |= {"gradient_norm": means["norm"], "clipped": means["clipped"]}
    line |= {name: mean for name, mean in means.items() if name not in EMPTY}
    line |= {"bad_steps": trainer.bad, "skipped": trainer.skipped}
    book.add({**line, "images_per_s": round(speed, 1), "wait": round(wait, 4)})
    shown = "nan" if loss is None else f"{loss:.3f}"
    bar.set_postfix_str(f"loss {shown}, {speed:.0f} images/s, {wait:.0%} waiting for data")


def _due(trainer: Trainer, clock: Clock, per_epoch: int, total: int) -> bool:
    world, due = trainer.world, clock.due(trainer.config.run, trainer.step)
    due = world.maximum(torch.tensor([float(due)], device=world.device)).item() > 0
    return due or trainer.step % per_epoch == 0 or trainer.step == total


def _export(trainer: Trainer) -> None:
    from arcdoor_train import export

    section = trainer.config.foreign.get("export")
    if section is None or not export.section_of(trainer.config).at_end:
        return
    images = list(trainer.source.readable(range(min(len(trainer.source), 64))))
    export.finish(trainer.run, trainer.backbone.cpu().eval(), trainer.config, np.stack(images) if images else None)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train train``."""
    parser = subparsers.add_parser("train", help="train a backbone and a head from a configuration")
    add_arguments(parser, "the TOML file, such as configs/smoke.toml")
    parser.set_defaults(run=_run)


def add_arguments(parser: argparse.ArgumentParser, file: str) -> None:
    """What a command takes that ``drive`` runs; ``file`` says what its configuration is. ``configured`` reads it."""
    parser.add_argument("--config", required=True, type=Path, help=file)
    parser.add_argument("--run", dest="folder", metavar="DIR", help="the run's folder, in place of the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest checkpoint, if it has one")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def configured(options: argparse.Namespace) -> config.Config:
    """The configuration of ``--config``, in the folder of ``--run``."""
    whole = config.load(options.config)
    if options.folder:
        whole = dataclasses.replace(whole, run=dataclasses.replace(whole.run, folder=options.folder))
    return whole


def _run(options: argparse.Namespace) -> int:
    run = train(configured(options), options.resume, options.quiet)
    if os.environ.get("RANK", "0") == "0":
        print(f"done: {run}")
    return 0
