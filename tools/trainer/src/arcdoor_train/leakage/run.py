"""A whole report: section by section, each kept when it is finished, so that one that was broken off goes on."""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from tqdm import tqdm

from arcdoor_train import checkpoint, config, teachers
from arcdoor_train.errors import CheckpointError, ConfigError
from arcdoor_train.inversion.folder import Folder
from arcdoor_train.leakage import few_bits, judges, linked, opened, pack, plain, report, sealed, weights
from arcdoor_train.leakage.found import Found
from arcdoor_train.leakage.scene import Scene
from arcdoor_train.leakage.section import Leak, refuse
from arcdoor_train.world import join, kernels

#: In the report's order.
SECTIONS: dict[str, Callable[[Scene], Found]] = {
    "weights": weights.look,
    "templates": plain.look,
    "sealed": sealed.look,
    "opened": opened.look,
    "few_bits": few_bits.look,
    "linked": linked.look,
}


def drive(
    own: pack.Pack, whole: config.Config, may: str, only: tuple[str, ...] = (), *,
    resume: bool = False, quiet: bool = False, keep: bool = False,
) -> Path:  # fmt: skip
    """The report's folder. ``may`` says by what right; ``keep``: drawn pictures stay, marked. Raises ``TrainError``."""
    refuse(whole)
    world = join(whole)
    if world.size > 1:
        raise ConfigError("leak runs in one process")
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    kernels(whole.run, world.device)
    section = config.section(whole, "leak", Leak)
    path = config.expand(whole.run.folder)
    folder = Folder(path)
    with folder.alone():
        scene = Scene(own, section, whole.run, world.device, keep)
        about = _about(scene)
        folder.begin(about, may, resume)
        _empty(path / "pictures")
        wanted = [name for name in SECTIONS if not only or name in only]
        for name in wanted:
            if not _path(path, name).is_file():
                with _Bar(scene, quiet):
                    _keep(path, SECTIONS[name](scene))
        found = {name: _read(_path(path, name)) for name in SECTIONS if _path(path, name).is_file()}
        report.write(path, _told(scene, about), found, section.pairs)
        if len(found) == len(SECTIONS):
            scene.tidy()
    return path


class _Bar:
    """Progress of what a section does, one thing after the other."""

    def __init__(self, scene: Scene, quiet: bool) -> None:
        self.scene, self.quiet, self.bar = scene, quiet, None

    def __enter__(self) -> None:
        self.scene.progress = self._next

    def _next(self, what: str, total: int) -> Callable[[int], None]:
        if self.bar is not None:
            self.bar.close()
        self.bar = tqdm(total=total, desc=what, unit="step", disable=self.quiet, mininterval=1.0)
        return self.bar.update

    def __exit__(self, *_error: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _about(scene: Scene) -> dict[str, Any]:
    """All that the figures depend on."""
    settings = json.loads(json.dumps(dataclasses.asdict(scene.section)))
    found = {
        "embedder": scene.pack.digest,
        "manifest": scene.pack.manifest,
        "gallery": _hash(scene.people.images),
        "known": _hash(scene.known.images),
        "crops": _hash(scene.public_images),
    }
    for other in scene.section.judges:
        if judges.at_hand(other):
            found[other.path] = teachers.digest(other.located()[0])
    for name in (scene.section.members.members, scene.section.members.outsiders) if scene.section.members else ():
        found[name] = _digest(config.expand(name))
    return {"pack": scene.pack.name, "settings": settings, "seed": scene.seed, "digests": found}


def _digest(path: Path) -> str:
    try:
        return teachers.digest(path)
    except OSError as error:
        raise ConfigError(f"leak.members: cannot read {path}: {error}") from error


def _told(scene: Scene, about: dict[str, Any]) -> dict[str, Any]:
    """For the report: what its reader must know beside."""
    return {
        **about,
        "signed": scene.pack.signed,
        "people": scene.people.count,
        "known": scene.known.count,
        "crops": len(scene.public_images),
        "notes": scene.notes,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }


def _hash(images: np.ndarray) -> str:
    return hashlib.sha256(images.tobytes()).hexdigest()


def _empty(place: Path) -> None:
    """Removes a folder that holds nothing."""
    if place.is_dir() and not any(place.iterdir()):
        place.rmdir()


def _path(folder: Path, name: str) -> Path:
    return folder / "sections" / f"{name}.json"


def _keep(folder: Path, found: Found) -> None:
    path, text = _path(folder, found.section), json.dumps(found.table(), indent=1) + "\n"
    checkpoint.make(path.parent)
    checkpoint.write_file(path, lambda file: file.write(text.encode()))


def _read(path: Path) -> Found:
    try:
        return Found.of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}; remove it, and --resume makes it anew") from error
