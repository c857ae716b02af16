"""A whole run of ``invert``: batch by batch of the targets, start by start, to pictures and a sheet."""

import dataclasses
import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from arcdoor_train import allocator, config, journal
from arcdoor_train.errors import CheckpointError, ConfigError, DivergedError
from arcdoor_train.inversion import attacked, judges, picture, section, sheet, steering, target
from arcdoor_train.inversion.drawing import Drawing, Place
from arcdoor_train.inversion.folder import Drawn, Folder
from arcdoor_train.inversion.prior import Prior
from arcdoor_train.loop import on_term
from arcdoor_train.world import join, kernels


def drive(whole: config.Config, may: str, resume: bool = False, quiet: bool = False) -> Path:
    """The run's folder. ``may`` says by what right. Raises ``TrainError``."""
    section.refuse(whole)
    world = join(whole)
    if world.size > 1:
        raise ConfigError("invert runs in one process: give each GPU classes of its own")
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    kernels(whole.run, world.device)
    folder = Folder(config.expand(whole.run.folder))
    with folder.alone():
        run = Run(whole, folder, world.device)
        folder.begin(run.about(), may, resume)
        journal.describe(folder.path, run.whole, world, [])
        allocator.keep_freed(world.device)
        run.draw(quiet)
        run.judge()
    return folder.path


class Run:
    """What is drawn of what, and how far it is."""

    def __init__(self, whole: config.Config, folder: Folder, device: torch.device) -> None:
        self.section = config.section(whole, "invert", section.Invert)
        self.whole = dataclasses.replace(whole, foreign={"invert": dataclasses.asdict(self.section)})
        self.folder = folder
        self.attacked = attacked.load(self.section.model, device)
        self.target = target.find(self.section.target, self.attacked, whole.run.seed)
        people = len(self.target.names)
        self.steering = steering.of(self.section, people, device, folder.path / "points.npz")
        if self.steering:
            self.target = self.steering.spread(self.target)
        self.judges = judges.gather(self.section.judges, self.attacked, whole.run.threads or 1)
        self.prior = Prior(self.attacked.network, self.section.prior_flat) if self.section.prior else None
        self.batches = -(-len(self.target.names) // self.section.batch)

    def about(self) -> dict[str, Any]:
        """All that the pictures depend on."""
        settings = config.to_table(self.whole)["invert"]
        settings = {name: value for name, value in settings.items() if name not in ("model", "target", "judges")}
        steer = settings.pop("steer", None)
        if steer:
            settings["steer"] = {name: steer[name] for name in steer if name not in ("landmarks", "measured_by")}
            settings["steer"] |= {"begin": self.steering.begin(), "network": self.steering.digest}
        whom = {"network": self.attacked.digest, "target": self.target.digest()}
        return {"settings": settings, "seed": self.whole.run.seed, **whom}

    def draw(self, quiet: bool) -> None:
        """The rest of the pictures."""
        drawn, state = self.folder.drawn(), self.folder.state()
        done = len(drawn) // self.section.batch if len(drawn) < len(self.target.names) else self.batches
        if state and state["batch"] < done:
            state = None  # it ended before what was in work could be forgotten
        each = self.section.steps * self.section.restarts
        begun = state["start"] * self.section.steps + state["step"] if state else 0
        bar = tqdm(total=self.batches * each, initial=done * each + begun, unit="step", disable=quiet, mininterval=1.0)
        book = journal.Journal(self.folder.path, done * each + begun, self.whole.run.tensorboard)
        stop: list[int] = []
        previous = on_term(stop)
        try:
            for batch in range(done, self.batches):
                drawn += self._batch(batch, state, _Watch(bar, book, stop, self.whole.run))
                self.folder.tell(drawn)
                self.folder.forget()
                state = None
        finally:
            bar.close()
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)

    def _batch(self, batch: int, state: dict[str, Any] | None, watch: "_Watch") -> list[Drawn]:
        best = _Best.of(state) if state else _Best()
        for start in range(state["start"] if state else 0, self.section.restarts):
            drawing = Drawing(
                self.section,
                self.attacked,
                self.target,
                self.prior,
                self.whole.run.seed,
                Place(batch, start),
                self.steering,
            )
            if state:
                _go_on(drawing, state)
                state = None
            self._start(drawing, best, watch)
            found = picture.pixels(drawing.whole())
            first = drawing.chosen.start
            shown = self.steering.aligned_pixels(found, first) if self.steering else found
            best.offer(found, target.likeness(self.target, self.attacked, shown, first))
            if self.prior:
                self.prior.take()
        names = self.target.names[drawing.chosen]
        files = self.folder.keep(drawing.chosen.start, best.pictures)
        return [Drawn(*one) for one in zip(files, names, best.cosines.tolist(), strict=True)]

    def _start(self, drawing: Drawing, best: "_Best", watch: "_Watch") -> None:
        """One start to its last step."""
        section = self.section
        before = (drawing.place.batch * section.restarts + drawing.place.start) * section.steps
        while drawing.step < section.steps:
            terms = drawing.advance()
            watch.bar.update()
            if drawing.step % watch.run.log_every == 0 or drawing.step == section.steps:
                self._log(watch, before + drawing.step, terms)
            if drawing.place.start == 0 and drawing.step in section.looks:
                self.folder.keep(drawing.chosen.start, picture.pixels(drawing.whole()), drawing.step)
            if watch.due(drawing.step):
                self.folder.save(drawing.state() | best.state())
                watch.saved()
            if watch.stop:
                raise KeyboardInterrupt

    @staticmethod
    def _log(watch: "_Watch", step: int, terms: dict[str, torch.Tensor]) -> None:
        values = {name: term.item() for name, term in terms.items()}
        if not all(map(math.isfinite, values.values())):
            raise DivergedError("a loss is no number: lower invert.lr, or the weight of invert.prior")
        watch.book.add({"step": step, **values})
        shown = ", ".join(
            f"{name} {values[name]:.3g}" for name in ("identity", "prior", "landmarks", "cosine") if name in values
        )
        watch.bar.set_postfix_str(shown)

    def judge(self) -> None:
        """Writes what each judge says of each picture, and the sheet. Without photos to compare with, or without
        judges, there is the attacked network's word alone, and a line says so."""
        drawn, pictures = self.folder.drawn(), self.folder.pictures()
        shown = list(self.steering.aligned_pixels(np.stack(pictures))) if self.steering else pictures
        real = target.photos(self.target) if self.judges else None
        if real is None:
            print(
                "note: no judge has a photo to compare with: cosines are the attacked network's alone", file=sys.stderr
            )
        else:
            for judge in self.judges:
                found = judge.likeness(shown, [real[name] for name in self.target.names])
                for one, cosine in zip(drawn, found.tolist(), strict=True):
                    if math.isfinite(cosine):
                        one.judges[judge.name] = cosine
            self.folder.tell(drawn)
        notes = [self.steering.note(number) if self.steering else [] for number in range(len(drawn))]
        sheet.write(self.folder.path / "sheet.png", pictures, drawn, notes)


class _Best:
    """Of each target the picture of the start that the attacked network likes best."""

    def __init__(self, pictures: np.ndarray | None = None, cosines: np.ndarray | None = None) -> None:
        self.pictures, self.cosines = pictures, cosines

    def offer(self, pictures: np.ndarray, cosines: np.ndarray) -> None:
        if self.pictures is None:
            self.pictures, self.cosines = pictures.copy(), cosines.copy()
            return
        better = cosines > self.cosines
        self.pictures[better], self.cosines[better] = pictures[better], cosines[better]

    def state(self) -> dict[str, Any]:
        if self.pictures is None:
            return {"best": None}
        return {"best": {"pictures": torch.from_numpy(self.pictures), "cosines": torch.from_numpy(self.cosines)}}

    @classmethod
    def of(cls, state: dict[str, Any]) -> "_Best":
        best = state.get("best")
        return cls(best["pictures"].numpy(), best["cosines"].numpy()) if best else cls()


class _Watch:
    """What a run shows and when it saves."""

    def __init__(self, bar: tqdm, book: journal.Journal, stop: list[int], run: config.Run) -> None:
        self.bar, self.book, self.stop, self.run = bar, book, stop, run
        self.saved()

    def saved(self) -> None:
        self._since = time.monotonic()

    def due(self, step: int) -> bool:
        by_step = self.run.checkpoint_steps and step % self.run.checkpoint_steps == 0
        late = time.monotonic() - self._since >= self.run.checkpoint_minutes * 60
        return bool(by_step or late or self.stop)


def _go_on(drawing: Drawing, state: dict[str, Any]) -> None:
    try:
        drawing.load(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"state.pt is damaged: {error!r}; remove it, and the batch is drawn anew") from error
