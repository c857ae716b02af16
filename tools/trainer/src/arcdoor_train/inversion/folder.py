"""What a run of ``invert`` leaves in its folder, and what it goes on from.

``about.json`` says what is drawn of what, ``consent.txt`` by what right; ``pictures/00000.png`` and a line of
``pictures.jsonl`` for each target; ``steps/STEP/`` the pictures as they were at a look; ``state.pt`` the batch in
work."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, lock
from arcdoor_train.errors import CheckpointError, DataError, DiskError, UsageError
from arcdoor_train.inversion import marked


@dataclass
class Drawn:
    """A finished picture."""

    file: str
    #: Whom of.
    of: str
    #: To the target, by the attacked network, of the picture as the file holds it.
    cosine: float
    #: Mean cosine to the person's photos by each judge; nothing where there are no photos.
    judges: dict[str, float] = field(default_factory=dict)


class Folder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, about: dict[str, Any], may: str, resume: bool) -> None:
        """Writes what is drawn and by what right, or finds that a run goes on with the same. Raises ``UsageError``,
        ``CheckpointError``."""
        told = self.path / "about.json"
        if told.is_file():
            if not resume:
                raise UsageError(f"{self.path} holds a run: --resume goes on with it; another run.folder begins anew")
            old = _json(told)
            changed = [name for name in about if old.get(name) != about[name]]
            if changed:
                raise CheckpointError(
                    f"{self.path} was begun with another {', '.join(changed)}: restore it, or name another run.folder"
                )
        checkpoint.make(self.path / "pictures")
        checkpoint.write_file(told, lambda file: file.write((json.dumps(about, indent=1) + "\n").encode()))
        self._consent(may)

    def _consent(self, may: str) -> None:
        told = self.path / "consent.txt"
        lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
        if may not in lines:
            text = "".join(f"{line}\n" for line in [*lines, may])
            checkpoint.write_file(told, lambda file: file.write(text.encode()))

    def drawn(self) -> list[Drawn]:
        """The finished pictures, in the target's order. Raises ``DataError``."""
        path = self.path / "pictures.jsonl"
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            return [Drawn(**json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} is damaged: {error}; draw anew in another run.folder") from error

    def tell(self, drawn: list[Drawn]) -> None:
        """All lines of the finished pictures."""
        text = "".join(json.dumps(asdict(one)) + "\n" for one in drawn)
        checkpoint.write_file(self.path / "pictures.jsonl", lambda file: file.write(text.encode()))

    def keep(self, first: int, pictures: np.ndarray, look: int = 0) -> list[str]:
        """Writes pictures (n, 112, 112, 3), the targets' ``first`` and on, as finished ones or as they are at the step
        ``look``; the files' names."""
        place = self.path / "steps" / f"{look:06}" if look else self.path / "pictures"
        checkpoint.make(place)
        names = [f"{first + n:05}.png" for n in range(len(pictures))]
        for name, one in zip(names, pictures, strict=True):
            marked.write(place / name, one)
        return names

    def pictures(self, look: int = 0) -> list[np.ndarray]:
        """What ``keep`` was given of every target. Raises ``DataError``."""
        place = self.path / "steps" / f"{look:06}" if look else self.path / "pictures"
        return [marked.read(place / one.file) for one in self.drawn()]

    def save(self, state: dict[str, Any]) -> None:
        """The batch in work. Raises ``DiskError``."""
        checkpoint.save_tensors(self.path / "state.pt", state)

    def state(self) -> dict[str, Any] | None:
        """What ``save`` was given last; None where no batch is in work. Raises ``CheckpointError``."""
        path = self.path / "state.pt"
        return checkpoint.load_tensors(path) if path.is_file() else None

    def forget(self) -> None:
        """No batch is in work. Raises ``DiskError``."""
        try:
            (self.path / "state.pt").unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"cannot remove {self.path / 'state.pt'}: {error}") from error

    def alone(self) -> Any:
        """Holds the folder, see ``lock``."""
        return lock.alone(self.path)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; begin in another run.folder") from error
    return found if isinstance(found, dict) else {}
