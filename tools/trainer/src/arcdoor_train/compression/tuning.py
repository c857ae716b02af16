"""The tuning of a smaller network to its teacher, which answers live: on the same picture, augmented alike. A ``Tuner``
is driven by ``train``'s own loop, so that progress, resuming, the run's folder and the export are the same."""

import copy
import dataclasses
import hashlib
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import checkpoint, config, data, evaluate
from arcdoor_train import train as training
from arcdoor_train.backbones.chain import CHAIN, Chain
from arcdoor_train.compression import maps, reader, start
from arcdoor_train.compression.section import Compress
from arcdoor_train.errors import CheckpointError, ConfigError, TrainError, UsageError
from arcdoor_train.world import World

#: Above this rate every weight changes by more than it is in a few steps.
MOST = 0.02


class Tuner:
    """What ``train.drive`` drives in place of a ``Trainer``."""

    def __init__(self, whole: config.Config, world: World, source: data.Dataset) -> None:
        if world.size > 1:
            raise UsageError("compress tunes in one process (on one GPU): start it without torchrun")
        _refuse(whole)
        self.section = config.section(whole, "compress", Compress)
        path, preprocess = evaluate.located(config.expand(self.section.teacher.path), self.section.teacher.preprocess())
        self.teacher = reader.read(path, preprocess)
        self.of_teacher = hashlib.sha256(path.read_bytes()).hexdigest()
        model = config.Model(backbone=CHAIN, dimension=self.teacher.shape.dimension)
        foreign = {**whole.foreign, "compress": dataclasses.asdict(self.section)}
        self.config = dataclasses.replace(whole, model=model, foreign=foreign)
        self.world, self.source, self.run = world, source, config.expand(whole.run.folder)
        self.step, self.bad, self.bad_in_a_row, self.skipped = 0, 0, 0, 0
        self.window = dict(training.EMPTY)
        self.steps = max(len(source) // whole.optim.batch, 1) * whole.optim.epochs
        self._build()

    def _build(self) -> None:
        """The student, from a checkpoint's shape or anew; then what it is tuned by."""
        section, seed = self.section, self.config.run.seed
        known = checkpoint.list_steps(self.run)
        begun = known[-1] if known else section.start and checkpoint.resolve(config.expand(section.start))
        crops = None if known else start.calibration(self.source, section, seed)
        self.student = _loaded(begun) if begun else start.make(self.teacher, section, self.config, crops)
        self._fits()
        of = maps.taps(self.teacher.shape, section.maps)
        self.maps = maps.MapLoss(self.teacher, self.student, of, section.directions)
        if crops is not None:
            self.maps.fit(self.teacher, self.student, crops)
        memory = torch.channels_last if self.config.optim.channels_last else torch.contiguous_format
        for module in (self.teacher, self.student, self.maps):
            module.to(self.world.device, memory_format=memory)
        self.student.requires_grad_(True)
        self.maps.adapters.requires_grad_(True)
        #: What is saved and exported.
        self.backbone = copy.deepcopy(self.student).requires_grad_(False)
        optim = self.config.optim
        self.trained = [*self.student.parameters(), *self.maps.adapters.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.trained, optim.lr, betas=self.section.betas, weight_decay=optim.weight_decay
        )

    def _fits(self) -> None:
        """A start of another teacher, or wider than this one, has other maps."""
        mine, theirs = self.student.shape, self.teacher.shape
        layers = zip(mine.layers, theirs.layers, strict=False)
        like = all((a.kernel, a.stride, a.depthwise) == (b.kernel, b.stride, b.depthwise) for a, b in layers)
        if not like or len(mine.layers) < len(theirs.layers) or mine.dimension != theirs.dimension:
            raise ConfigError("compress.start is of another teacher: its layers are not those of compress.teacher")

    def batches(self) -> data.Batches:
        """The rest of the run's batches; labels come along and are not looked at."""
        whole = self.config
        return data.Batches(
            self.source, whole.data, whole.run.seed, whole.optim.batch, whole.optim.epochs, start=self.step
        )

    def train_step(self, images: torch.Tensor, _labels: torch.Tensor, lr: float) -> float:
        """One step; its loss, or NaN where it was not taken."""
        optim = self.config.optim
        pixels = training.normalise(images, self.world.device, optim.channels_last)
        with torch.no_grad(), self._half(optim.precision == "bf16" or self.section.half_teacher):
            wanted, theirs = self.teacher.maps(pixels, self.maps.of)
        with self._half(optim.precision == "bf16"):
            found, mine = self.student.maps(pixels, self.maps.of)
        floats = ([part.float() for part in parts] for parts in (theirs, mine))
        loss, cosine, apart = self._loss(wanted.float(), found.float(), self.maps(*floats))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.trained, optim.clip or math.inf))
        if not (math.isfinite(norm) and math.isfinite(loss.item())):
            return math.nan
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        self._average()
        counted = {"norm": norm, "clipped": float(bool(optim.clip) and norm > optim.clip)}
        for name, value in {**counted, "cosine": cosine.item(), "maps": apart.item()}.items():
            self.window[name] = self.window.get(name, 0.0) + value
        return loss.item()

    def _half(self, wanted: bool) -> torch.autocast:
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=wanted)

    def _loss(self, wanted: torch.Tensor, found: torch.Tensor, apart: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The whole, and what it is of: the mean cosine and the maps' error."""
        section = self.section
        cosine = functional.cosine_similarity(found, wanted).mean()
        square = (found - wanted).square().mean() / wanted.square().mean()
        share = self.step / max(self.steps, 1)
        weight = section.map_weight + (section.map_weight_end - section.map_weight) * share
        return 1 - cosine + section.embedding * square + weight * apart, cosine.detach(), apart.detach()

    @torch.no_grad()
    def _average(self) -> None:
        """Early weights are forgotten sooner, so that the start does not stay in the mean."""
        keep = min(self.section.ema, (1 + self.step) / (10 + self.step)) if self.section.ema else 0.0
        for mean, now in zip(self.backbone.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    def save(self) -> Path:
        """A checkpoint of now. On an error nothing is left of it."""
        part = checkpoint.begin(self.run, self.step)
        state = {
            "step": self.step, "bad": self.bad, "bad_in_a_row": self.bad_in_a_row, "skipped": self.skipped,
            "window": dict(self.window), "optimiser": self.optimiser.state_dict(),
            "student": self.student.state_dict(), "maps": self.maps.state_dict(),
        }  # fmt: skip
        try:
            about = {"data": self.source.fingerprint, "teacher": self.of_teacher, "step": self.step}
            checkpoint.save_model(part / "model.pt", self.backbone, self.config, **about)
            checkpoint.save_tensors(part / "state.pt", state)
        except TrainError:
            checkpoint.abandon(part)
            raise
        return checkpoint.finish(part, self.config.run.keep)

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint. Raises ``CheckpointError`` where it belongs to another run."""
        folder = checkpoint.resolve(path)
        content = checkpoint.load_tensors(folder / "model.pt")
        training.compare(content, self.config, self.source, folder, ("compress",), training.FREE | {"table"})
        if content.get("teacher") != self.of_teacher:
            raise CheckpointError(f"{folder} was tuned to another teacher than compress.teacher is now")
        state = checkpoint.load_tensors(folder / "state.pt")
        try:
            self.backbone.load_state_dict(content["model"])
            self.student.load_state_dict(state["student"])
            self.maps.load_state_dict(state["maps"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.window = dict(state["window"])
            self.step, self.bad, self.bad_in_a_row = state["step"], state["bad"], state["bad_in_a_row"]
            self.skipped = state["skipped"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{folder} does not fit: {error}") from error


def _loaded(folder: Path) -> Chain:
    model, _ = checkpoint.load_model(folder)
    if not isinstance(model, Chain):
        raise CheckpointError(f"{folder} is of no network that compress made: its layers cannot be compared")
    return model


def _refuse(whole: config.Config) -> None:
    """Values that are not heeded."""
    if whole.model != config.Model():
        raise ConfigError("[model]: compress takes it from the teacher; leave it out")
    if whole.data.per_identity:
        raise ConfigError("data.per_identity: compress knows no labels and draws its images at random; leave it out")
    given = whole.optim
    names = ("micro_batch", "batch_norm", "momentum", "decay_norms", "compress", "compile")
    config.refuse_unheeded(given, names, "compress")
    if given.precision == "fp16":
        raise ConfigError("optim.precision = 'fp16': compress knows fp32 and bf16")
    if given.lr > MOST:
        raise ConfigError(f"optim.lr = {given.lr}: AdamW moves a weight by about that in a step; choose some 1e-3")
