"""Networks that take no part, and say how alike pictures are to photos of whom they are drawn."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from arcdoor_train import crops, evaluate, omz
from arcdoor_train.errors import ConfigError
from arcdoor_train.inversion.attacked import Attacked
from arcdoor_train.teachers import Teacher, digest

_PASS = 64


class Judge:
    """One of ``[[invert.judges]]``."""

    def __init__(self, wanted: Teacher, threads: int) -> None:
        path, preprocess = wanted.located()
        self.name, self.digest = _short(path), digest(path)
        known = path.suffix == omz.ENDING
        self._embedder = omz.Judging(path) if known else evaluate.Embedder(path, threads, preprocess)

    def __call__(self, pictures: Iterable[np.ndarray]) -> np.ndarray:
        """Unit-length features (n, d) of (112, 112, 3) uint8."""
        pictures = list(pictures)
        parts = (np.stack(pictures[start : start + _PASS]) for start in range(0, len(pictures), _PASS))
        return np.concatenate([self._embedder([crops.to_input(part)]) for part in parts])

    def likeness(self, pictures: list[np.ndarray], photos: list[list[np.ndarray]]) -> np.ndarray:
        """(n,) mean cosine of each picture to the photos of its person; NaN where there is none."""
        found = self(pictures)
        answer = np.full(len(pictures), np.nan)
        for row, own in enumerate(photos):
            if own:
                answer[row] = float((self(own) @ found[row]).mean())
        return answer


def _short(path: Path) -> str:
    """Of a checkpoint the run's name: all are called ``model.pt``."""
    if path.suffix in (".onnx", omz.ENDING):
        return path.stem
    return path.parents[2].name if path.parent.parent.name == "checkpoints" else path.parent.name


def gather(wanted: tuple[Teacher, ...], attacked: Attacked, threads: int) -> list[Judge]:
    """Raises ``ConfigError`` where one is the attacked network itself, or named twice."""
    found = [Judge(one, threads) for one in wanted]
    known = [judge.digest for judge in found]
    if attacked.digest in known:
        raise ConfigError("[[invert.judges]]: one is the attacked network itself; a judge takes no part")
    if len(set(known)) < len(known):
        raise ConfigError("[[invert.judges]] names one network twice")
    for number, judge in enumerate(found):
        if judge.name in [other.name for other in found[:number]]:
            judge.name += f" {number + 1}"
    return found
