"""``distil``: a student learns from labels (its head's loss) and from an ensemble of teachers. The paper's recipe is
ArcFace + 1.0 * L2 on features + 0.1 * KL on class similarities; angular and relational forms are additions."""

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import BatchSampler, RandomSampler
from tqdm import tqdm

from arcdoor_train import checkpoint, config, crops, data, heads, initial, journal, lock, overlap
from arcdoor_train import teachers as teaching
from arcdoor_train.errors import CheckpointError, ConfigError, DataError, DivergedError, UsageError
from arcdoor_train.loop import Clock, on_term
from arcdoor_train.optimiser import optimiser
from arcdoor_train.resume import FREE, compare
from arcdoor_train.world import World, kernels

#: What a run goes on from.
STATE = "distil-state.pt"


@dataclass(frozen=True)
class Distil:
    """The section ``[distil]``."""

    teachers: tuple[teaching.Teacher, ...] = ()
    #: Weights of the head's loss and of the four forms of distillation; 0 leaves one out.
    labels: float = 1.0
    features: float = 1.0
    similarity: float = 0.1
    angular: float = 0.0
    relational: float = 0.0
    #: Scale of the cosines whose softmax the similarity term compares.
    temperature: float = 64.0
    #: Where teachers' features are kept; ``$NAME`` is taken from the environment.
    cache: str = "teacher-features"

    def __post_init__(self) -> None:
        weights = (self.labels, self.features, self.similarity, self.angular, self.relational)
        if not self.teachers or min(weights) < 0 or not any(weights[1:]):
            raise ConfigError("[distil] wants at least one of [[distil.teachers]] and a weight above 0 for a form")


def l2(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """mean_i |s_i - t_i|^2 of unit-length features: 2 - 2 cos."""
    return (student - teacher).square().sum(dim=1).mean()


def similarity(student: torch.Tensor, teacher: torch.Tensor, scale: float) -> torch.Tensor:
    """mean_i KL(p_i || q_i) over classes: p the softmax of the teacher's scaled cosines to the class centres
    (n, classes), q that of the student's to its own."""
    target = functional.log_softmax(scale * teacher, dim=1)
    mine = functional.log_softmax(scale * student, dim=1)
    return functional.kl_div(mine, target, reduction="batchmean", log_target=True)


def angular(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """mean_i (1 - s_i . t_i)^2 (VarGFaceNet, arXiv 1910.04985)."""
    return (1 - (student * teacher).sum(dim=1)).square().mean()


def relational(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """mean over i != j of (s_i . s_j - t_i . t_j)^2: the relations within a batch, whatever the two dimensions
    (after Park et al., RKD, CVPR 2019)."""
    count = len(student)
    if count < 2:
        return student.sum() * 0
    off = (student @ student.T - teacher @ teacher.T).square()
    return (off.sum() - off.diagonal().sum()) / (count * (count - 1))


class Loss(nn.Module):
    """All terms. Where student and ensemble differ in dimension, a linear map that is not exported takes the
    student's feature to the ensemble's space for the terms that compare features."""

    def __init__(self, section: Distil, dimension: int, wanted: torch.Tensor, head: nn.Module) -> None:
        super().__init__()
        self.section, self.head = section, head
        self.register_buffer("wanted", wanted)
        same = wanted.shape[1] == dimension
        self.map = nn.Identity() if same else nn.Linear(dimension, wanted.shape[1], bias=False)

    def forward(self, found: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each term that has a weight, unweighted."""
        section = self.section
        mine = functional.normalize(found)
        mapped = functional.normalize(self.map(found))
        terms: dict[str, torch.Tensor] = {}
        if section.labels:
            terms["labels"] = self.head(found, labels)
        if section.features:
            terms["features"] = l2(mapped, teacher)
        if section.similarity:
            own = self._cosines(found)
            terms["similarity"] = similarity(own, teacher @ self.wanted.T, section.temperature)
        if section.angular:
            terms["angular"] = angular(mapped, teacher)
        if section.relational:
            terms["relational"] = relational(mine, teacher)
        return terms

    def _cosines(self, found: torch.Tensor) -> torch.Tensor:
        """(N, classes) cosines to the head's centres; a plain softmax's weights stand for them."""
        head = heads.inner(self.head)
        if hasattr(head, "cosines"):
            return head.cosines(found)
        return functional.linear(functional.normalize(found), functional.normalize(head.weight))

    def end_step(self, keep: bool) -> None:
        """After backward: what the head keeps of a step's features, where the step is kept."""
        head = heads.inner(self.head)
        if isinstance(head, heads.AngularHead):
            head.end_step(keep)

    def total(self, terms: dict[str, torch.Tensor]) -> torch.Tensor:
        """The weighted sum."""
        return sum(getattr(self.section, name) * term for name, term in terms.items())


class Pool(torch.utils.data.Dataset):
    """Crops for training: (input, whether it is the mirror image, its number, its label); (key, reason) of one that
    cannot be read. What is drawn by chance is drawn from (seed, epoch, number)."""

    def __init__(self, faces: data.Dataset, seed: int, flip: float = 0.5) -> None:
        self.faces, self.seed, self.share, self.epoch = faces, seed, flip, 0

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int, int, int] | tuple[str, str]:
        try:
            crop = self.faces.read(number)
        except DataError as error:
            return self.faces.keys[number], str(error)
        flip = int(np.random.default_rng((self.seed, self.epoch, number)).random() < self.share)
        crop = crop[:, ::-1] if flip else crop
        return crops.to_input(crop[None])[0], flip, number, int(self.faces.labels[number])


def collate(items: list[Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, list[tuple[str, str]]]:
    """A batch without the crops that cannot be read, and which these are."""
    good, skipped = [item for item in items if len(item) == 4], [item for item in items if len(item) == 2]
    if not good:
        return (*(torch.empty(0),) * 4, skipped)
    inputs, flips, numbers, labels = zip(*good, strict=True)
    return torch.from_numpy(np.stack(inputs)), torch.tensor(flips), torch.tensor(numbers), torch.tensor(labels), skipped


class _After(BatchSampler):
    """An epoch's batches without the first ``start``."""

    def __init__(self, order: RandomSampler, batch: int, start: int, *, drop_last: bool) -> None:
        super().__init__(order, batch, drop_last)
        self.start = start

    def __iter__(self) -> Iterator[list[int]]:
        return itertools.islice(super().__iter__(), self.start, None)


@dataclass
class Progress:
    """How far a run is; saved with the weights."""

    step: int = 0
    #: Steps that were not taken, in all and since the last that was; crops that could not be read.
    bad: int = 0
    bad_in_a_row: int = 0
    skipped: int = 0
    #: Steps taken in this epoch, and each term summed over them.
    taken: int = 0
    sums: dict[str, float] = field(default_factory=dict)


class Trainee:
    """A student on its way: what a checkpoint holds."""

    def __init__(self, whole: config.Config) -> None:
        self.whole = whole
        self.section = config.section(whole, "distil", Distil)
        _refuse(whole)
        self.folder = config.expand(whole.run.folder)
        device = "cuda" if whole.run.device != "cpu" and torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        kernels(whole.run, self.device)
        self.faces, self.notes = data.gather(whole.data, whole.run.seed)
        self.pool = Pool(self.faces, whole.run.seed, whole.data.augment.flip)
        self.per_epoch = max(len(self.faces) // whole.optim.batch, 1)
        self.progress = Progress()

    def build(self) -> None:
        """Student, loss and optimiser; the teachers' features are computed first, where no cache has them."""
        whole, classes = self.whole, len(self.faces.identities)
        self.target = _targets(self.section, self.faces, max(whole.run.threads, 1))
        own = self.folder / "model.pt"
        goes_on = own.is_file() and (self.folder / STATE).is_file()
        self.student = initial.network(whole, own if goes_on else None).to(self.device)
        head, _ = initial.head(whole, self.student, self.faces, goes_on)
        # What stands for the teachers' class centres, where only their features are at hand.
        wanted = torch.from_numpy(overlap.centres(self.target[0], self.faces.labels, classes))
        self.loss = Loss(self.section, whole.model.dimension, wanted, head).to(self.device)
        self.optimiser = optimiser(whole.optim, self.student, self.loss)

    def batches(self) -> torch.utils.data.DataLoader:
        """What is left of the epoch, in an order drawn from (seed, epoch)."""
        whole, (epoch, start) = self.whole, divmod(self.progress.step, self.per_epoch)
        self.pool.epoch = epoch
        order = torch.Generator().manual_seed(whole.run.seed * 1_000_003 + epoch)
        places = _After(
            RandomSampler(self.pool, generator=order), whole.optim.batch, start,
            drop_last=len(self.pool) > whole.optim.batch,
        )  # fmt: skip
        workers = whole.data.workers
        return torch.utils.data.DataLoader(
            self.pool, batch_sampler=places, generator=order, collate_fn=collate,
            num_workers=workers, timeout=whole.data.timeout_s if workers else 0,
        )  # fmt: skip

    def train_step(
        self, inputs: torch.Tensor, flips: torch.Tensor, numbers: torch.Tensor, labels: torch.Tensor
    ) -> None:
        """One step of the optimiser, where loss and gradients are numbers; else nothing changes and it is counted."""
        optim, progress = self.whole.optim, self.progress
        rate = _rate(optim, progress.step // self.per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # Drop-out by place, so that a resumed run draws the same.
        torch.manual_seed(self.whole.run.seed * 1_000_003 + progress.step)
        self.student.train()
        buffers = [buffer.clone() for buffer in self.student.buffers()]
        wanted = torch.from_numpy(np.asarray(self.target[flips.numpy(), numbers.numpy()])).to(self.device)
        terms = self.loss(self.student(inputs.to(self.device)), wanted, labels.to(self.device))
        total = self.loss.total(terms)
        self.optimiser.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.student.parameters(), optim.clip or 1e9)
        rest = nn.utils.get_total_norm([weight.grad for weight in self.loss.parameters() if weight.grad is not None])
        good = bool(torch.isfinite(norm + rest + total.detach()))
        self.loss.end_step(good)
        if not good:
            with torch.no_grad():
                for buffer, before in zip(self.student.buffers(), buffers, strict=True):
                    buffer.copy_(before)
            progress.bad += 1
            progress.bad_in_a_row += 1
            if progress.bad_in_a_row >= optim.max_bad_steps:
                raise DivergedError(
                    f"loss or gradient was no number in {progress.bad_in_a_row} steps in a row: lower optim.lr; "
                    "the last checkpoint is whole"
                )
            return
        progress.bad_in_a_row = 0
        self.optimiser.step()
        progress.taken += 1
        for name, term in [*terms.items(), ("total", total)]:
            progress.sums[name] = progress.sums.get(name, 0.0) + float(term.detach())

    def save(self) -> None:
        """``model.pt`` last: what is resumed from is never older than what can be used."""
        state = {
            "loss": self.loss.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
            "model": self.student.state_dict(),
            "config": config.to_table(self.whole),
            "data": self.faces.fingerprint,
        }
        checkpoint.save_tensors(self.folder / STATE, state)
        checkpoint.save_model(self.folder / "model.pt", self.student, self.whole)

    def load(self) -> None:
        """Goes on from the run's folder. Raises ``CheckpointError`` for another configuration or other images; a run
        may be given more epochs."""
        path = self.folder / STATE
        content = checkpoint.load_tensors(path)
        try:
            compare(content, self.whole, self.faces, path, ("distil",), FREE | {"epochs", "cache"})
            self.student.load_state_dict(content["model"])
            self.loss.load_state_dict(content["loss"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.progress = Progress(**content["progress"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} does not fit: {error}") from error


def run(whole: config.Config, resume: bool = False) -> nn.Module:
    """Distils the student of ``whole`` and gives it. With ``resume`` it goes on where the run was last saved, bit for
    bit. Raises ``TrainError``."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("distil trains in one process (on one GPU): start it without torchrun")
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    with lock.alone(config.expand(whole.run.folder)):
        return _run_alone(whole, resume)


def _run_alone(whole: config.Config, resume: bool) -> nn.Module:
    if whole.run.tensorboard:
        journal.board()
    trainee = Trainee(whole)
    there = (trainee.folder / STATE).is_file()
    if there and not resume:
        raise UsageError(f"{trainee.folder} holds a run: --resume goes on with it; another run.folder begins anew")
    for note in trainee.notes:
        print(f"note: {note}", file=sys.stderr)
    trainee.build()
    if there:
        trainee.load()
    journal.describe(trainee.folder, whole, World(0, 1, trainee.device), trainee.faces.identities)
    _loop(trainee)
    journal.curves(trainee.folder)
    return trainee.student.eval().cpu()


def _refuse(whole: config.Config) -> None:
    """Values that this loop would not heed."""
    plain = config.Augment(flip=whole.data.augment.flip)
    if whole.data.augment != plain:
        raise ConfigError("data.augment: distil knows flip alone; teachers' features are kept of crops as they are")
    if whole.data.per_identity:
        raise ConfigError("data.per_identity, triplets and tuplets: distil draws its images at random; leave them out")
    if whole.head.init == "run":
        raise ConfigError("head.init = 'run': distil draws its centres, or begins with 'means'")
    names = ("micro_batch", "batch_norm", "warmup_epochs", "precision", "compress", "compile", "recompute")
    config.refuse_unheeded(whole.optim, names, "distil")


def _targets(section: Distil, faces: data.Dataset, threads: int) -> np.ndarray:
    """(2, n, d) of the ensemble; rows of zeros where a crop does not decode."""
    cache, of_set = config.expand(section.cache), teaching.set_hash(faces)
    found = [teaching.features(teacher, faces, cache, of_set, threads) for teacher in section.teachers]
    return found[0] if len(found) == 1 else teaching.ensemble(found)


def _rate(optim: config.Optim, epoch: int) -> float:
    if optim.schedule == "steps":
        return optim.lr * 0.1 ** sum(epoch >= milestone for milestone in optim.milestones)
    left = 1 - epoch / optim.epochs
    return optim.lr * (left**2 if optim.schedule == "poly" else 0.5 * (1 - np.cos(np.pi * left)))


def _loop(trainee: Trainee) -> None:
    whole, progress = trainee.whole, trainee.progress
    total = trainee.per_epoch * whole.optim.epochs
    book = journal.Journal(trainee.folder, progress.step, whole.run.tensorboard)
    stop: list[int] = []
    previous = on_term(stop)
    bar = tqdm(total=total, initial=progress.step, unit="step", disable=not sys.stderr.isatty(), mininterval=1.0)
    clock = Clock(whole.optim.batch)
    try:
        while progress.step < total:
            for *batch, skipped in trainee.batches():
                book.skip(skipped)
                progress.skipped += len(skipped)
                # BatchNorm needs two.
                if len(batch[0]) > 1:
                    trainee.train_step(*batch)
                progress.step += 1
                clock.steps += 1
                bar.update()
                ends = progress.step % trainee.per_epoch == 0
                if ends:
                    _log(trainee, book, clock, bar)
                if ends or stop or clock.due(whole.run, progress.step):
                    trainee.save()
                    clock.saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
    except RuntimeError as error:
        raise data.explain(error) or error from error
    finally:
        bar.close()
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def _log(trainee: Trainee, book: journal.Journal, clock: Clock, bar: tqdm) -> None:
    """An epoch's line: terms without their weights, their weighted sum as ``total`` and as ``loss``."""
    progress = trainee.progress
    epoch = progress.step // trainee.per_epoch - 1
    terms = {name: value / max(progress.taken, 1) for name, value in progress.sums.items()}
    counts = {"bad_steps": progress.bad, "skipped": progress.skipped}
    speed, _ = clock.read()
    line = {"step": progress.step, "epoch": epoch, "loss": terms.get("total"), "lr": _rate(trainee.whole.optim, epoch)}
    line |= {**terms, **counts, "images_per_s": round(speed, 1)}
    progress.taken, progress.sums = 0, {}
    book.add(line)
    bar.clear()
    print(json.dumps(line), flush=True)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train distil``."""
    parser = subparsers.add_parser("distil", help="a student learns from labels and an ensemble of teachers")
    parser.add_argument("--config", type=Path, required=True, help="a TOML file with a section [distil]")
    parser.add_argument("--resume", action="store_true", help="go on where the run was last saved")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from arcdoor_train import export

    whole = config.load(options.config)
    student = run(whole, options.resume)
    faces, _ = data.gather(whole.data, whole.run.seed)
    images = list(faces.readable(np.linspace(0, len(faces) - 1, min(64, len(faces))).astype(int)))
    export.finish(Path(config.expand(whole.run.folder)), student, whole, np.stack(images))
    return 0
