"""``distil``: a student learns from labels (its head's loss) and from an ensemble of teachers. The paper's recipe is
ArcFace + 1.0 * L2 on features + 0.1 * KL on class similarities; angular and relational forms are additions."""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import backbones, checkpoint, config, crops, data, heads
from arcdoor_train import teachers as teaching
from arcdoor_train.errors import ConfigError, DataError, DivergedError, UsageError


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
        head = getattr(self.head, "head", self.head)
        if hasattr(head, "cosines"):
            return head.cosines(found)
        return functional.linear(functional.normalize(found), functional.normalize(head.weight))

    def total(self, terms: dict[str, torch.Tensor]) -> torch.Tensor:
        """The weighted sum."""
        return sum(getattr(self.section, name) * term for name, term in terms.items())


class Pool(torch.utils.data.Dataset):
    """Crops for training: (input, whether it is the mirror image, its number, its label)."""

    def __init__(self, faces: data.Dataset, seed: int) -> None:
        self.faces, self.seed, self.epoch = faces, seed, 0

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int, int, int] | None:
        try:
            crop = self.faces.read(number)
        except DataError:
            return None
        flip = int(np.random.default_rng((self.seed, self.epoch, number)).random() < 0.5)
        crop = crop[:, ::-1] if flip else crop
        return crops.to_input(crop[None])[0], flip, number, int(self.faces.labels[number])


def collate(items: list[Any]) -> tuple[torch.Tensor, ...]:
    """A batch without the crops that did not decode."""
    good = [item for item in items if item is not None]
    if not good:
        return (torch.empty(0),) * 4
    inputs, flips, numbers, labels = zip(*good, strict=True)
    return torch.from_numpy(np.stack(inputs)), torch.tensor(flips), torch.tensor(numbers), torch.tensor(labels)


def run(whole: config.Config, resume: bool = False) -> nn.Module:
    """Distils the student of ``whole`` and gives it. Goes on after the last whole epoch with ``resume``."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("distil trains in one process (on one GPU): start it without torchrun")
    section = config.section(whole, "distil", Distil)
    folder = Path(config.expand(whole.run.folder))
    folder.mkdir(parents=True, exist_ok=True)
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    device = "cuda" if whole.run.device != "cpu" and torch.cuda.is_available() else "cpu"
    faces, notes = data.gather(whole.data, whole.run.seed)
    for note in notes:
        print(note)
    pool, classes = Pool(faces, whole.run.seed), len(faces.identities)
    target = _targets(section, faces, max(whole.run.threads, 1))
    torch.manual_seed(whole.run.seed)
    student = backbones.build(whole.model.backbone, whole.model.dimension, whole.model.dropout).to(device)
    head = heads.build(whole.head, whole.model.dimension, classes, whole.run.seed)
    wanted = torch.from_numpy(teaching.class_centres(target[0], faces.labels, classes))
    loss = Loss(section, whole.model.dimension, wanted, head).to(device)
    weights = [*student.parameters(), *loss.parameters()]
    optim = whole.optim
    optimiser = torch.optim.SGD(weights, optim.lr, optim.momentum, weight_decay=optim.weight_decay)
    start = _restore(folder, student, loss, optimiser) if resume else 0
    for epoch in range(start, optim.epochs):
        for group in optimiser.param_groups:
            group["lr"] = _rate(optim, epoch)
        _epoch(epoch, whole, pool, target, student, loss, optimiser, folder, device)
        _keep(folder, whole, student, loss, optimiser, epoch + 1)
    return student.eval().cpu()


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


def _epoch(epoch, whole, pool, target, student, loss, optimiser, folder, device) -> None:
    from tqdm import tqdm

    pool.epoch = epoch
    order = torch.Generator().manual_seed(whole.run.seed * 1_000_003 + epoch)
    loader = torch.utils.data.DataLoader(
        pool, whole.optim.batch, shuffle=True, generator=order, collate_fn=collate,
        drop_last=len(pool) > whole.optim.batch,
        num_workers=whole.data.workers, timeout=whole.data.timeout_s if whole.data.workers else 0,
    )  # fmt: skip
    student.train()
    sums: dict[str, float] = {}
    steps = bad = lost = 0
    began = time.monotonic()
    bar = tqdm(loader, unit="step", desc=f"epoch {epoch}", disable=not sys.stderr.isatty())
    for inputs, flips, numbers, labels in bar:
        lost += whole.optim.batch - len(inputs)
        if len(inputs) < 2:
            continue
        wanted = torch.from_numpy(np.asarray(target[flips.numpy(), numbers.numpy()])).to(device)
        terms = loss(student(inputs.to(device)), wanted, labels.to(device))
        total = loss.total(terms)
        optimiser.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(
            [p for g in optimiser.param_groups for p in g["params"]], whole.optim.clip or 1e9
        )
        if not torch.isfinite(norm) or not torch.isfinite(total):
            bad += 1
            if bad >= whole.optim.max_bad_steps:
                raise DivergedError(f"{bad} steps whose loss is no number: lower optim.lr; the last epoch is kept")
            continue
        bad = 0
        optimiser.step()
        steps += 1
        for name, term in [*terms.items(), ("total", total)]:
            sums[name] = sums.get(name, 0.0) + float(term.detach())
    line = {"epoch": epoch, **{name: value / max(steps, 1) for name, value in sums.items()},
            "images_per_s": steps * whole.optim.batch / (time.monotonic() - began)}  # fmt: skip
    print(json.dumps(line), flush=True)
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _keep(folder: Path, whole: config.Config, student: nn.Module, loss: nn.Module, optimiser: Any, epoch: int) -> None:
    """The model last: what is resumed from is never newer than what can be used."""
    state = {
        "loss": loss.state_dict(),
        "optimiser": optimiser.state_dict(),
        "epoch": epoch,
        "model": student.state_dict(),
    }
    checkpoint.save_tensors(folder / "distil-state.pt", state)
    checkpoint.save_model(folder / "model.pt", student, whole)


def _restore(folder: Path, student: nn.Module, loss: nn.Module, optimiser: Any) -> int:
    path = folder / "distil-state.pt"
    if not path.is_file():
        return 0
    state = checkpoint.load_tensors(path)
    student.load_state_dict(state["model"])
    loss.load_state_dict(state["loss"])
    optimiser.load_state_dict(state["optimiser"])
    return state["epoch"]


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train distil``."""
    parser = subparsers.add_parser("distil", help="a student learns from labels and an ensemble of teachers")
    parser.add_argument("--config", type=Path, required=True, help="a TOML file with a section [distil]")
    parser.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from arcdoor_train import export

    whole = config.load(options.config)
    student = run(whole, options.resume)
    faces, _ = data.gather(whole.data, whole.run.seed)
    pictures = []
    for number in np.linspace(0, len(faces) - 1, min(64, len(faces))).astype(int):
        try:
            pictures.append(faces.read(int(number)))
        except DataError:
            continue
    export.finish(Path(config.expand(whole.run.folder)), student, whole, np.stack(pictures))
    return 0
