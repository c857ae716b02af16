"""``burst``: several students of one teacher tuned at once, for a time in place of a number of epochs: what a GPU lent
for minutes is good for. Each batch is augmented and shown to the teacher once, and to every student.

Every so often each student is looked at, and saved where it is nearer to the teacher than it ever was, on crops that it
is not tuned on; so what there is counts whenever the burst ends. Of ``[optim]`` it heeds what each student learns by:
``lr``, ``weight_decay``, ``clip``, ``max_bad_steps``. Batch, schedule, precision and memory format are the burst's own.
"""

import argparse
import dataclasses
import json
import math
import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arcdoor_train import checkpoint, config, data, evaluate
from arcdoor_train.backbones.chain import Chain
from arcdoor_train.checkpoint import make
from arcdoor_train.compression import maps, parcels, reader, start
from arcdoor_train.compression.pupil import Pupil
from arcdoor_train.compression.section import Compress, described
from arcdoor_train.compression.tuning import refuse
from arcdoor_train.data.sets import Chosen, Kept
from arcdoor_train.errors import ConfigError, DataError, UsageError
from arcdoor_train.loop import on_term
from arcdoor_train.trainer import normalise

#: Share of the time in which the rate rises.
WARM_UP = 0.05
#: Seconds kept for the last saving and the table.
CLOSING = 12.0
#: More than any time allows.
EPOCHS = 100_000
#: Megabytes of decoded crops that are kept.
KEPT_MB = 3000
#: Steps of each memory format before one is chosen.
TRIED = 3
#: Seconds of the first step that leave no time to try formats.
TOO_LONG = 5.0
#: Where the looks at the students are kept, a line each.
LOOKS = "burst.jsonl"


@dataclass(frozen=True)
class Plan:
    """How a burst is spent."""

    #: Until it ends.
    seconds: float = 420.0
    batch: int = 128
    #: The highest rate of each configuration, by its name.
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    #: Crops that are watched: taken out of what is tuned on.
    watch: int = 1024
    #: Seconds between two looks at them.
    every: float = 20.0
    #: Ends earlier after so many steps; 0 does not.
    steps: int = 0
    #: Processes that decode and augment: more than enough, since every student takes the same batch, and few enough for
    #: the 64 MB of shared memory that a container may have.
    workers: int = 4

    def __post_init__(self) -> None:
        _check(0 < self.seconds < math.inf, f"{self.seconds:.0f} s are left: give --seconds, or an --until to come")
        _check(self.batch >= 1, f"--batch {self.batch}: at least 1")
        most = config.MOST_ADAMW
        for name, rate in self.rates.items():
            _check(0 < rate <= most, f"--rate {name}={rate}: above 0, and at most {most}; choose some 1e-3")
        _check(self.watch >= 1, f"--watch {self.watch}: at least 1 crop, by which the best is known")
        _check(0 <= self.every < math.inf, f"--every {self.every}: seconds, at least 0")
        _check(self.steps >= 0, f"--steps {self.steps}: 0 leaves it to the time")
        _check(self.workers >= 0, f"--workers {self.workers}: 0 decodes in the process that tunes")


class Student:
    """A pupil with its name, its configuration, and the best that was seen of it."""

    def __init__(self, name: str, whole: config.Config, begun: Chain, teacher: Chain, inputs: torch.Tensor) -> None:
        self.name = name
        section = config.section(whole, "compress", Compress)
        self.config = described(whole, section, begun.shape.dimension)
        self.pupil = Pupil(begun, maps.between(teacher, begun, section, inputs), section, whole.optim)
        self.began = self.best = -math.inf
        self.at, self.steps, self.seen, self.bad = 0.0, 0, 0, 0
        self.ended = ""

    def look(self, inputs: torch.Tensor, wanted: torch.Tensor, out: Path, now: float) -> float:
        """The mean cosine on the watched crops; the mean of the weights is saved if it is the best so far."""
        self.pupil.mean.eval()
        with torch.no_grad():
            found = torch.cat([self.pupil.mean(part) for part in inputs.split(256)])
        cosine = torch.cosine_similarity(found, wanted).mean().item()
        if self.began == -math.inf:
            self.began = cosine
        if cosine > self.best:
            checkpoint.save_model(out / f"{self.name}.pt", self.pupil.mean, self.config, step=self.steps)
            self.best, self.at = cosine, now
        return cosine


class Burst:
    """Everything on its device, and the clock."""

    def __init__(self, configs: list[Path], folder: Path, out: Path, plan: Plan, began: float) -> None:
        self.plan, self.out, self.began = plan, out, began
        if (out / LOOKS).exists():
            raise UsageError(f"{out} holds a burst, whose networks this one would overwrite: name another --out")
        wholes = {path.stem: config.load(path) for path in configs}
        if unknown := plan.rates.keys() - wholes.keys():
            raise ConfigError(f"--rate names {min(unknown)}, which is none of {', '.join(wholes)}")
        for whole in wholes.values():
            refuse(whole)
        make(out)
        found, files = parcels.unpack(folder)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        first = next(iter(wholes.values()))
        seed = first.run.seed
        # What lists and counts leave out was left out when it was packed.
        self.data = dataclasses.replace(
            first.data,
            sets=tuple(config.Set(str(path)) for path in found),
            list="", held_out="", min_images=1, workers=plan.workers, timeout_s=60.0,
        )  # fmt: skip
        whole, _ = data.gather(self.data, seed)
        order = np.random.default_rng([seed, len(whole)]).permutation(len(whole))
        if len(order) <= plan.watch + plan.batch:
            raise DataError(f"{len(order)} crops are too few to watch {plan.watch} of them")
        left = order[plan.watch :]
        chosen = Chosen([whole], [left])
        self.source = data.Dataset(chosen, whole.labels[left], whole.identities, chosen.fetch)
        self.source.kept, self.seed = Kept(len(left), KEPT_MB), seed
        watched = start.inputs_of(whole, order[: plan.watch], plan.watch)
        self.teacher = teacher = reader.read(*evaluate.located(files / "teacher" / "teacher.onnx"))
        self.students = [
            Student(name, given, start.loaded(files / "start" / f"{name}.pt", teacher), teacher, watched)
            for name, given in wholes.items()
        ]
        self.memory = torch.channels_last
        torch.backends.cudnn.benchmark = True
        self._move()
        self.inputs = watched.to(self.device)
        with torch.no_grad():
            self.wanted = torch.cat([self.teacher(part) for part in self.inputs.split(256)])

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def run(self) -> None:
        """Tunes until the time is over. Whatever ends it, the best of each student lies in the folder."""
        stop: list[int] = []
        previous = on_term(stop)
        try:
            self._loop(stop)
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)

    def _loop(self, stop: list[int]) -> None:
        self.look()
        looked = first = self.passed
        end = self.plan.seconds - CLOSING
        batches = data.Batches(self.source, self.data, self.seed, self.plan.batch, epochs=EPOCHS)
        for step, (images, _, _) in enumerate(batches):
            if step == 0:
                self._choose(images)
                first = self.passed
            share = (self.passed - first) / (end - first) if end > first else 1.0
            share = max(share, step / self.plan.steps) if self.plan.steps else share
            if share >= 1 or stop or not self._step(images, share):
                break
            if self.passed - looked >= self.plan.every:
                self.look()
                looked = self.passed

    def look(self) -> None:
        """Looks at every student, saves those that are better, and says where they are."""
        looks = [student.look(self.inputs, self.wanted, self.out, self.passed) for student in self.students]
        cosines = dict(zip((student.name for student in self.students), looks, strict=True))
        line = {"seconds": round(self.passed, 1), "seen": [student.seen for student in self.students], **cosines}
        with open(self.out / LOOKS, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def table(self) -> str:
        """What became of each student."""
        where = torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU"
        seen = sum(student.seen for student in self.students)
        lines = [
            f"{where}, torch {torch.__version__}, {str(self.memory).removeprefix('torch.')}: {self.passed:.0f} s, "
            f"{seen} crops seen in all, of {len(self.source)}",
            "",
            "| network | MMAC | M parameters | MB | crops seen | cosine at the start | best | at second | ended |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for student in self.students:
            shape, path = student.pupil.mean.shape, self.out / f"{student.name}.pt"
            saved = [f"{path.stat().st_size / 1e6:.1f}"] if path.is_file() else ["-"]
            saved += [f"{student.seen}", _cosine(student.began), _cosine(student.best), f"{student.at:.0f}"]
            lines.append(
                f"| {student.name} | {shape.macs() / 1e6:.1f} | {shape.parameters() / 1e6:.2f} "
                f"| {' | '.join(saved)} | {student.ended or 'in time'} |"
            )
        return "\n".join(lines)

    def broke(self, error: Exception) -> None:
        """Notes of every student that was still tuned what ended it."""
        said = " ".join(f"{error or type(error).__name__}".replace("|", "/").split())
        for student in self.students:
            student.ended = student.ended or f"broke: {said[:60]}"

    def _move(self) -> None:
        self.teacher.to(self.device, memory_format=self.memory)
        for student in self.students:
            for module in (student.pupil.student, student.pupil.mean, student.pupil.maps):
                module.to(self.device, memory_format=self.memory)

    def _rate(self, student: Student, share: float) -> float:
        """By the clock, where ``optimiser.rate`` counts epochs; the cosine begins with the warm-up, not after it."""
        highest = self.plan.rates.get(student.name, student.config.optim.lr)
        rise = min(share / WARM_UP, 1.0)
        return highest * max(rise, 1e-3) * 0.5 * (1 + math.cos(math.pi * share))

    def _step(self, images: torch.Tensor, share: float) -> bool:
        """One batch for all students; False where none is left."""
        pixels = normalise(images, self.device, self.memory == torch.channels_last)
        left = [student for student in self.students if not student.ended]
        if not left:
            return False
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            wanted, theirs = self.teacher.maps(pixels, left[0].pupil.maps.of)
        for student in left:
            try:
                rate = self._rate(student, share)
                done = student.pupil.learn(pixels, wanted, theirs, student.steps, share, rate, half=True)
            except torch.OutOfMemoryError as error:
                student.ended = f"out of memory: {str(error)[:60]}"
                continue
            student.seen += len(images)
            student.steps += not math.isnan(done.loss)
            student.bad = student.bad + 1 if math.isnan(done.loss) else 0
            if student.bad >= student.config.optim.max_bad_steps:
                student.ended = "its loss was no number"
        return True

    def _choose(self, images: torch.Tensor) -> None:
        """The memory format in which a step takes least: depthwise layers on a GPU are slow in one or the other,
        depending on the library's version. Nothing is learnt meanwhile."""
        took: dict[torch.memory_format, float] = {}
        for memory in (torch.channels_last, torch.contiguous_format):
            self.memory = memory
            self._move()
            began = self._now()
            self._dry(images)
            if self._now() - began > TOO_LONG:
                break
            began = self._now()
            for _ in range(TRIED):
                self._dry(images)
            took[memory] = self._now() - began
        self.memory = min(took, key=took.get, default=torch.channels_last)
        self._move()
        print({str(memory): round(seconds / TRIED, 4) for memory, seconds in took.items()}, "s a step", flush=True)

    def _dry(self, images: torch.Tensor) -> None:
        pixels = normalise(images, self.device, self.memory == torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                self.teacher(pixels)
            for student in self.students:
                student.pupil.student(pixels).float().square().mean().backward()
                student.pupil.optimiser.zero_grad(set_to_none=True)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.monotonic()


def _cosine(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)


def run(configs: list[Path], folder: Path, out: Path, plan: Plan, began: float) -> str:
    """A whole burst; its table, which also lies in ``out``. What breaks on the way is printed, and what was saved
    before counts. Raises ``TrainError`` where nothing could begin."""
    burst = Burst(configs, folder, out, plan, began)
    # Minutes on a lent machine do not come back: whatever breaks, what there is is looked at, and the table is made.
    for part in (burst.run, burst.look):
        try:
            part()
        except Exception as error:
            traceback.print_exc()
            burst.broke(error)
    found = burst.table()
    checkpoint.write_file(out / "table.md", lambda file: file.write(f"{found}\n".encode()))
    return found


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train burst``."""
    parser = subparsers.add_parser("burst", help="several students of one teacher, for a time: a GPU lent for minutes")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    usual = Plan()
    packing = verbs.add_parser("pack", help="crops, teacher and starts into parcels for another machine")
    packing.add_argument("--config", dest="configs", type=Path, nargs="+", required=True)
    packing.add_argument("--start", dest="starts", type=Path, nargs="+", required=True, help="a run or checkpoint each")
    packing.add_argument("--parcels", type=Path, required=True, help="the folder; parcels in it are replaced")
    packing.add_argument("--most", type=int, default=parcels.MOST_BYTES, help="bytes of a parcel")
    packing.set_defaults(run=_pack)
    tuning = verbs.add_parser("run", help="tune from the parcels; the best of each network into --out")
    tuning.add_argument("--config", dest="configs", type=Path, nargs="+", required=True)
    tuning.add_argument("--parcels", type=Path, required=True)
    tuning.add_argument("--out", type=Path, required=True)
    tuning.add_argument("--seconds", type=float, default=usual.seconds, help="until the end, from now")
    tuning.add_argument("--until", type=float, help="UNIX time of the end, in place of --seconds")
    tuning.add_argument("--batch", type=int, default=usual.batch)
    tuning.add_argument("--rate", dest="rates", nargs="+", default=[], metavar="NAME=RATE", help="highest rates")
    tuning.add_argument("--watch", type=int, default=usual.watch, help="crops to judge on, which are not tuned on")
    tuning.add_argument("--every", type=float, default=usual.every, help="seconds between two looks")
    tuning.add_argument("--steps", type=int, default=0, help="end after so many [default: by the time alone]")
    tuning.add_argument("--workers", type=int, default=usual.workers, help="processes that decode and augment")
    tuning.set_defaults(run=_run)


def _pack(options: argparse.Namespace) -> int:
    for path in parcels.pack(options.configs, options.starts, options.parcels, options.most):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _run(options: argparse.Namespace) -> int:
    began = time.monotonic()
    try:
        rates = {name: float(rate) for name, _, rate in (text.partition("=") for text in options.rates)}
    except ValueError as error:
        raise ConfigError(f"--rate {options.rates}: NAME=RATE, such as doornet-l=2e-4") from error
    seconds = options.until - time.time() if options.until is not None else options.seconds
    plan = Plan(seconds, options.batch, rates, options.watch, options.every, options.steps, options.workers)
    print(run(options.configs, options.parcels, options.out, plan, began))
    return 0
