"""Pictures turned, enlarged and moved by a similarity, through which they keep a gradient."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from arcdoor_train.data.sets import SIDE


@dataclass(frozen=True)
class Similarity:
    """x' = a x - b y + right, y' = b x + a y + down: turned, enlarged alike, moved; no mirror."""

    a: float
    b: float
    right: float
    down: float

    @classmethod
    def between(cls, first: np.ndarray, second: np.ndarray) -> "Similarity":
        """That takes (n, 2) nearest to another (n, 2) by least squares, as the device aligns."""
        one, other = first @ (1, 1j), second @ (1, 1j)
        p, q = one - one.mean(), other - other.mean()
        factor = (p.conj() @ q) / (p.conj() @ p).real
        move = other.mean() - factor * one.mean()
        return cls(factor.real, factor.imag, move.real, move.imag)

    def inverse(self) -> "Similarity":
        """Back again."""
        factor = 1 / complex(self.a, self.b)
        move = -factor * complex(self.right, self.down)
        return Similarity(factor.real, factor.imag, move.real, move.imag)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(n, 2)."""
        found = complex(self.a, self.b) * (points @ (1, 1j)) + complex(self.right, self.down)
        return np.stack([found.real, found.imag], axis=-1)

    def grid(self, rows: int = SIDE) -> torch.Tensor:
        """(rows, rows, 2): for each pixel of a picture of ``rows`` the place in another that it comes from, as
        ``grid_sample`` has places in one of ``SIDE`` rows."""
        lines = np.arange(rows, dtype=float)
        x, y = np.meshgrid(lines, lines)
        return _places(self.apply(np.stack([x, y], axis=-1).reshape(-1, 2))).reshape(rows, rows, 2)


def affine_grid(first: np.ndarray, second: np.ndarray) -> torch.Tensor:
    """``Similarity.grid`` of the affine map that takes (n, 2) nearest to another (n, 2) by least squares."""
    known = np.hstack([first, np.ones((len(first), 1))])
    factors = np.linalg.lstsq(known, second, rcond=None)[0]
    x, y = (line.ravel() for line in np.meshgrid(np.arange(SIDE, dtype=float), np.arange(SIDE, dtype=float)))
    return _places(np.stack([x, y, np.ones_like(x)], axis=1) @ factors).reshape(SIDE, SIDE, 2)


def _places(points: np.ndarray) -> torch.Tensor:
    """Pixels' numbers as places in -1..1; the edge of -1 is half a pixel before the first."""
    return torch.from_numpy(((2 * points + 1) / SIDE - 1).astype(np.float32))


def warped(pictures: torch.Tensor, grids: torch.Tensor) -> torch.Tensor:
    """(n, 3, rows, rows) of (n, 3, SIDE, SIDE) by ``grids`` (n, rows, rows, 2), bilinear; beyond the edge the edge goes
    on."""
    return functional.grid_sample(pictures, grids, mode="bilinear", padding_mode="border", align_corners=False)
