"""The loop of a run: steps, lines of metrics, checkpoints and the export, whatever it is that learns."""

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from arcdoor_train import allocator, backbones, checkpoint, config, data, journal, lock, macs
from arcdoor_train.errors import DivergedError, UsageError
from arcdoor_train.optimiser import rate
from arcdoor_train.trainer import EMPTY, Trainer
from arcdoor_train.verification import Verifier
from arcdoor_train.world import World, join, kernels, leave


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
        of = {"": "", "run": ", and its centres of", "means": ", and the means of its features of"}[
            trainer.config.head.init
        ]
        centres = f"{of} {trainer.taken} identities" if of else ""
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
    allocator.keep_freed(world.device)
    verifier = Verifier(trainer, book, per_epoch, total) if whole.verification.sets else None
    try:
        if verifier and not trainer.step:
            clock.aside(verifier.look)
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
            if verifier and verifier.due():
                clock.aside(verifier.look)
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

    def aside(self, do: Callable[[], None]) -> None:
        """``do``, in time that counts as none of the training's."""
        began = time.monotonic()
        do()
        self.since += time.monotonic() - began

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
