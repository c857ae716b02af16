"""``bench``: images a second of the training step, and the share of the time that it waits for data."""

import argparse
import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from arcdoor_train import allocator, config, data
from arcdoor_train.backbones.chain import CHAIN
from arcdoor_train.errors import UsageError
from arcdoor_train.loop import Clock
from arcdoor_train.trainer import Trainer
from arcdoor_train.world import join, kernels, leave

PRECISIONS = ("fp32", "bf16", "fp16")
#: Steps before the clock starts: kernels are chosen and memory is taken in the first ones.
WARM_STEPS = 2


@dataclass(frozen=True)
class Row:
    """One network at one precision."""

    backbone: str
    precision: str
    steps: int
    images_per_s: float
    #: Of the wall time, while the next batch was not ready.
    waiting: float
    #: CPU milliseconds of this process for an image; another program on the machine does not change it much.
    cpu_ms: float


def measure(whole: config.Config, seconds: float) -> Row:
    """Trains for ``seconds`` after the warm-up, three steps at least, and keeps nothing."""
    world = join(whole)
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    kernels(whole.run, world.device)
    try:
        source, _ = data.gather(whole.data, whole.run.seed)
        # More epochs than any measurement lasts; their order is drawn when it is reached.
        endless = dataclasses.replace(whole, optim=dataclasses.replace(whole.optim, epochs=1_000_000))
        trainer = Trainer(endless, world, source)
        allocator.keep_freed(world.device)
        batches = iter(trainer.batches())
        steps, began, cpu, clock = -WARM_STEPS, 0.0, 0.0, Clock(whole.optim.batch)
        while steps < 3 or time.monotonic() - began < seconds:
            if steps == 0:
                began, cpu, clock = time.monotonic(), time.process_time(), Clock(whole.optim.batch)
            images, labels, _ = clock.waiting(lambda: next(batches))
            trainer.train_step(images, labels, whole.optim.lr)
            clock.steps += 1
            steps += 1
        cpu_ms = (time.process_time() - cpu) * 1e3 / (steps * trainer.share)
        return Row(whole.model.backbone, whole.optim.precision, steps, *clock.read(), cpu_ms)
    finally:
        leave(world)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train bench``."""
    parser = subparsers.add_parser("bench", help="images/s of the training step, and the share of waiting for data")
    parser.add_argument("--config", required=True, type=Path, help="data, head, workers; [model] and batch are varied")
    parser.add_argument("--backbones", nargs="+", default=["iresnet50", "mobilefacenet", "dense-m"], metavar="NAME")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=PRECISIONS)
    parser.add_argument("--batch", type=int, default=32, help="images of a step")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.batch < 2 or options.seconds <= 0:
        raise UsageError("--batch is at least 2, --seconds above 0")
    base = config.load(options.config)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"batch {options.batch}, {base.data.workers} workers, {base.run.threads or 'all'} threads; load {load}")
    print("| backbone | precision | images/s | waiting for data | CPU ms an image | steps |\n|---|---|---|---|---|---|")
    for backbone in options.backbones:
        for precision in options.precisions:
            whole = dataclasses.replace(
                base,
                # Speed hangs on no weights, and another backbone's would not fit; a chain's layers are those of init.
                model=dataclasses.replace(
                    base.model, backbone=backbone, init=base.model.init if backbone == CHAIN else ""
                ),
                head=dataclasses.replace(base.head, init=""),
                optim=dataclasses.replace(base.optim, batch=options.batch, micro_batch=0, precision=precision),
            )
            row = measure(whole, options.seconds)
            print(
                f"| {row.backbone} | {row.precision} | {row.images_per_s:.1f} | {row.waiting:.1%} | {row.cpu_ms:.1f} "
                f"| {row.steps} |",
                flush=True,
            )
    return 0
