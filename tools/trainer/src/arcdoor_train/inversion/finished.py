"""A run whose pictures are all drawn, made ready to be measured."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import config
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import attacked, judges, section, steering, target
from arcdoor_train.inversion.folder import Drawn, Folder


class Finished:
    """The run of a folder, with its network, target and judges."""

    def __init__(self, run: Path) -> None:
        """Raises ``DataError``, ``ConfigError``, also where pictures are left to draw."""
        self.path, self.folder, self.whole = run, Folder(run), config.load(run / "config.toml")
        self.section = config.section(self.whole, "invert", section.Invert)
        self.threads = self.whole.run.threads or 1
        if self.whole.run.threads:
            torch.set_num_threads(self.whole.run.threads)
        self.network = attacked.load(self.section.model, torch.device("cpu"))
        found = target.find(self.section.target, self.network, self.whole.run.seed)
        self.steering = steering.of(self.section, len(found.names), self.network.device, run / "points.npz")
        self.target = self.steering.spread(found) if self.steering else found
        if len(self.drawn) < len(self.target.names):
            raise DataError(f"{run} is not finished: go on with --resume")
        self.judges = judges.gather(self.section.judges, self.network, self.threads)

    @cached_property
    def drawn(self) -> list[Drawn]:
        """What the run says of each picture."""
        return self.folder.drawn()

    @property
    def looks(self) -> list[int]:
        """The steps after which pictures were kept, the last step's last."""
        return [*(look for look in self.section.looks if look < self.section.steps), self.section.steps]

    def pictures(self, steps: int) -> np.ndarray:
        """(n, 112, 112, 3) as they lie in files after so many of ``looks``."""
        return np.stack(self.folder.pictures(steps if steps < self.section.steps else 0))

    def shown(self, steps: int) -> np.ndarray:
        """The same as networks take them."""
        found = self.pictures(steps)
        return self.steering.aligned_pixels(found) if self.steering else found
