"""``distil``: a student learns from labels (its head's loss) and from an ensemble of teachers, which answer live on
the same augmented images. The paper's recipe is ArcFace + 1.0 * L2 on features + 0.1 * KL on class similarities;
angular and relational forms are additions. A ``Distiller`` is a ``Trainer`` and is driven by the same loop."""

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import checkpoint, config, data, heads
from arcdoor_train import teachers as teaching
from arcdoor_train.data.batches import ByIdentity
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import CheckpointError, ConfigError, DataError
from arcdoor_train.loop import drive
from arcdoor_train.resume import FREE
from arcdoor_train.train import add_arguments, configured
from arcdoor_train.trainer import Net, Trainer, normalise
from arcdoor_train.world import World

#: Photos of an identity whose mean is the teachers' centre of it, at most.
CENTRE_IMAGES = 16
#: Images of one pass of the teachers while centres are made.
_PASS = 64
#: The forms of distillation, by the names of their weights.
FORMS = ("features", "similarity", "angular", "relational")


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
    #: The teachers answer in bf16 whatever ``optim.precision`` is.
    half_teacher: bool = False

    def __post_init__(self) -> None:
        weights = (self.labels, *(getattr(self, form) for form in FORMS))
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

    def __init__(self, section: Distil, dimension: int, wanted: torch.Tensor, head: nn.Module, size: int) -> None:
        """``wanted`` (classes, d): the teachers' class centres, zeros for classes that the similarity leaves out; none
        where it has no weight. ``size``: the dimension of the teachers' features."""
        super().__init__()
        self.section, self.head = section, head
        self.names = ("labels",) * bool(section.labels) + tuple(form for form in FORMS if getattr(section, form))
        self.register_buffer("wanted", wanted)
        self.map = nn.Identity() if size == dimension else nn.Linear(dimension, size, bias=False)

    def forward(
        self, found: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The weighted sum, and each term of ``names``, unweighted and without a gradient."""
        terms = self.terms(found, labels, teacher)
        total = sum(getattr(self.section, name) * term for name, term in terms.items())
        return total, torch.stack([terms[name].detach().float() for name in self.names])

    def terms(self, found: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each term that has a weight, unweighted; in float32 whatever autocast says."""
        section, terms = self.section, {}
        with torch.autocast(found.device.type, enabled=False):
            found = found.float()
            mapped = functional.normalize(self.map(found))
            if section.labels:
                terms["labels"] = self.head(found, labels)
            if section.features:
                terms["features"] = l2(mapped, teacher)
            if section.similarity:
                several = self.wanted.any(dim=1)
                theirs = teacher @ self.wanted[several].T
                terms["similarity"] = similarity(self._cosines(found)[:, several], theirs, section.temperature)
            if section.angular:
                terms["angular"] = angular(mapped, teacher)
            if section.relational:
                terms["relational"] = relational(functional.normalize(found), teacher)
        return terms

    def _cosines(self, found: torch.Tensor) -> torch.Tensor:
        """(N, classes) cosines to the head's centres; a plain softmax's weights stand for them."""
        head = heads.inner(self.head)
        if hasattr(head, "cosines"):
            return head.cosines(found)
        return functional.linear(functional.normalize(found), functional.normalize(head.weight))


class Taught(Net):
    """A student and all that it is taught by."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor, teacher: torch.Tensor) -> tuple:
        embeddings = self._sparing(images) if self.recompute else self.backbone(images)
        return self.head(embeddings, labels, teacher)


class Distiller(Trainer):
    """One process of a run."""

    SECTIONS = ("distil",)
    #: A run may be given more epochs.
    FREE = FREE | {"epochs"}

    def __init__(self, whole: config.Config, world: World, source: data.Dataset) -> None:
        if "distil" not in whole.foreign:
            raise ConfigError("there is no section [distil]: it names the teachers")
        self.section = config.section(whole, "distil", Distil)
        refuse(whole, self.section)
        half = self.section.half_teacher or whole.optim.precision == "bf16"
        self.teachers = teaching.Ensemble(self.section.teachers, world.device, half, whole.run.threads or 1)
        super().__init__(whole, world, source)

    def _net(self, backbone: nn.Module, head: nn.Module | None) -> nn.Module:
        size = self._answers(torch.zeros((2, SIDE, SIDE, 3), dtype=torch.uint8)).shape[1]
        wanted = torch.zeros((len(self.source.identities) if self.section.similarity else 0, size))
        if self.section.similarity and not checkpoint.list_steps(self.run):
            wanted = self._centres(wanted)
        loss = Loss(self.section, self.config.model.dimension, wanted, head, size)
        return Taught(backbone, loss, self.config.optim.recompute)

    def _answers(self, images: torch.Tensor) -> torch.Tensor:
        return self.teachers(normalise(images, self.world.device, self.config.optim.channels_last))

    def _centres(self, sums: torch.Tensor) -> torch.Tensor:
        """The teachers' centres of identities with several photos: the mean of one alone would be that photo's feature,
        to which it is as like as nothing else can be. Each process asks for its share."""
        people, sums = ByIdentity(self.source), sums.to(self.world.device)
        several = [mine for mine in (people[label] for label in range(len(people))) if len(mine) > 1]
        if len(several) < 2:
            raise DataError(
                "distil.similarity wants the teachers' centres of two identities with several photos at least; set it "
                "to 0"
            )
        spread = (mine[np.linspace(0, len(mine) - 1, min(len(mine), CENTRE_IMAGES)).astype(int)] for mine in several)
        numbers = np.concatenate(list(spread))[self.world.rank :: self.world.size]
        for start in range(0, len(numbers), _PASS):
            images, labels = [], []
            for number in numbers[start : start + _PASS]:
                try:
                    images.append(self.source.read(number))
                    labels.append(int(self.source.labels[number]))
                except DataError:
                    continue  # the loop counts it when its turn comes
            if images:
                found = self._answers(torch.from_numpy(np.stack(images)))
                sums.index_add_(0, torch.tensor(labels, device=sums.device), found)
        return functional.normalize(self.world.sum(sums))

    def train_step(self, images: torch.Tensor, labels: torch.Tensor, lr: float) -> float:
        """One step of the optimiser, see ``Trainer``; the terms go into the window."""
        names = self.head.names
        self.told = torch.zeros(len(names), device=self.world.device)
        loss = super().train_step(images, labels, lr)
        if math.isfinite(loss):
            means = self.world.sum(self.told) / (self.world.size * (self.share // self.micro))
            for name, mean in zip(names, means.tolist(), strict=True):
                self.window[name] = self.window.get(name, 0.0) + mean
        return loss

    def _asked(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        total, terms = self.runner(pixels, labels, self.teachers(pixels))
        self.told += terms
        return total

    def _more(self) -> dict[str, Any]:
        own = {name: tensor for name, tensor in self.head.state_dict().items() if not name.startswith("head.")}
        return {"teachers": self.teachers.digest, "loss": own}

    def _load_more(self, state: dict[str, Any]) -> None:
        if state["teachers"] != self.teachers.digest:
            raise CheckpointError("the run was begun with other teachers than distil.teachers are now")
        self.head.load_state_dict(state["loss"], strict=False)


def refuse(whole: config.Config, section: Distil) -> None:
    """Raises ``ConfigError`` for values that distillation does not heed."""
    if whole.head.sharded or whole.head.sample < 1.0:
        raise ConfigError(
            "head.sharded, head.sample: distil compares with every class on every process; leave them out"
        )
    if section.similarity and whole.head.kind in config.METRIC:
        raise ConfigError(f"distil.similarity wants class centres, which head.kind = {whole.head.kind!r} has none of")


def run(whole: config.Config, resume: bool = False, quiet: bool = False) -> Path:
    """A whole run in this process (one of torchrun's, or the only one); its folder. Raises ``TrainError``."""
    return drive(whole, Distiller, resume, quiet)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train distil``."""
    parser = subparsers.add_parser("distil", help="a student learns from labels and an ensemble of teachers")
    add_arguments(parser, "a TOML file with a section [distil]")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    done = run(configured(options), options.resume, options.quiet)
    if os.environ.get("RANK", "0") == "0":
        print(f"done: {done}")
    return 0
