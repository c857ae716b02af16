"""The tuning of a smaller network to its teacher, which answers live: on the same image, augmented alike. A ``Tuner``
is driven by ``train``'s own loop, so that progress, resuming, the run's folder and the export are the same."""

import math
from pathlib import Path

import torch

from arcdoor_train import checkpoint, config, data, teachers
from arcdoor_train.compression import maps, reader, start
from arcdoor_train.compression.pupil import Pupil
from arcdoor_train.compression.section import Compress, described
from arcdoor_train.errors import CheckpointError, ConfigError, TrainError, UsageError
from arcdoor_train.resume import FREE, compare
from arcdoor_train.trainer import EMPTY, normalise
from arcdoor_train.world import World


class Tuner:
    """What ``loop.drive`` drives in place of a ``Trainer``."""

    def __init__(self, whole: config.Config, world: World, source: data.Dataset) -> None:
        if world.size > 1:
            raise UsageError("compress tunes in one process (on one GPU): start it without torchrun")
        refuse(whole)
        self.section = config.section(whole, "compress", Compress)
        path, preprocess = self.section.teacher.located()
        self.teacher = reader.read(path, preprocess)
        self.of_teacher = teachers.digest(path)
        self.config = described(whole, self.section, self.teacher.shape.dimension)
        self.world, self.source, self.run = world, source, config.expand(whole.run.folder)
        self.step, self.bad, self.bad_in_a_row, self.skipped = 0, 0, 0, 0
        self.window = dict(EMPTY)
        self.steps = max(len(source) // whole.optim.batch, 1) * whole.optim.epochs
        self._build()

    def _build(self) -> None:
        """The student, from a checkpoint's shape or anew; then what it is tuned by."""
        section, seed = self.section, self.config.run.seed
        known = checkpoint.list_steps(self.run)
        begun = known[-1] if known else section.start and config.expand(section.start)
        crops = None if known else start.calibration(self.source, section, seed)
        student = start.loaded(begun, self.teacher) if begun else start.make(self.teacher, section, self.config, crops)
        loss = maps.between(self.teacher, student, section, crops)
        memory = torch.channels_last if self.config.optim.channels_last else torch.contiguous_format
        for module in (self.teacher, student, loss):
            module.to(self.world.device, memory_format=memory)
        self.pupil = Pupil(student, loss, section, self.config.optim)
        self.backbone = self.pupil.mean

    def batches(self) -> data.Batches:
        """The rest of the run's batches; labels come along and are not looked at."""
        whole = self.config
        return data.Batches(
            self.source, whole.data, whole.run.seed, whole.optim.batch, whole.optim.epochs, start=self.step
        )

    def train_step(self, images: torch.Tensor, _labels: torch.Tensor, lr: float) -> float:
        """One step; its loss, or NaN where it was not taken."""
        optim = self.config.optim
        pixels = normalise(images, self.world.device, optim.channels_last)
        half = optim.precision == "bf16"
        teacher_half = half or self.section.half_teacher
        with teachers.asked(pixels.device, teacher_half):
            wanted, theirs = self.teacher.maps(pixels, self.pupil.maps.of)
        done = self.pupil.learn(pixels, wanted, theirs, self.step, self.step / max(self.steps, 1), lr, half)
        if math.isnan(done.loss):
            return math.nan
        counted = {"norm": done.norm, "clipped": float(done.norm > self.pupil.clip)}
        for name, value in {**counted, "cosine": done.cosine, "maps": done.apart}.items():
            self.window[name] = self.window.get(name, 0.0) + value
        return done.loss

    def save(self) -> Path:
        """A checkpoint of now. On an error nothing is left of it."""
        part = checkpoint.begin(self.run, self.step)
        state = {
            "step": self.step, "bad": self.bad, "bad_in_a_row": self.bad_in_a_row, "skipped": self.skipped,
            "window": dict(self.window), "optimiser": self.pupil.optimiser.state_dict(),
            "student": self.pupil.student.state_dict(), "maps": self.pupil.maps.state_dict(),
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
        compare(content, self.config, self.source, folder, ("compress",), FREE | {"table"})
        if content.get("teacher") != self.of_teacher:
            raise CheckpointError(f"{folder} was tuned to another teacher than compress.teacher is now")
        state = checkpoint.load_tensors(folder / "state.pt")
        try:
            self.backbone.load_state_dict(content["model"])
            self.pupil.student.load_state_dict(state["student"])
            self.pupil.maps.load_state_dict(state["maps"])
            self.pupil.optimiser.load_state_dict(state["optimiser"])
            self.window = dict(state["window"])
            self.step, self.bad, self.bad_in_a_row = state["step"], state["bad"], state["bad_in_a_row"]
            self.skipped = state["skipped"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{folder} does not fit: {error}") from error


def refuse(whole: config.Config) -> None:
    """Raises ``ConfigError`` for values that no tuning heeds, or that none survives."""
    if whole.model != config.Model():
        raise ConfigError("[model]: compress takes it from the teacher; leave it out")
    if whole.data.per_identity:
        raise ConfigError("data.per_identity: compress knows no labels and draws its images at random; leave it out")
    given = whole.optim
    names = ("kind", "recompute", "micro_batch", "batch_norm", "momentum", "decay_norms", "compress", "compile")
    config.refuse_unheeded(given, names, "compress")
    if given.precision == "fp16":
        raise ConfigError("optim.precision = 'fp16': compress knows fp32 and bf16")
    if given.lr > config.MOST_ADAMW:
        raise ConfigError(f"optim.lr = {given.lr}: AdamW moves a weight by about that in a step; choose some 1e-3")
