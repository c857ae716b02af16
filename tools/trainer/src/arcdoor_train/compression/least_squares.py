"""Least squares with a ridge, from sums over batches."""

import torch

from arcdoor_train.compression.moments import Moments
from arcdoor_train.compression.selection import RIDGE
from arcdoor_train.errors import DataError


class LeastSquares:
    """Fits y = weight @ x + bias. In float64: the sums are of numbers far from 0 that differ little."""

    def __init__(self) -> None:
        self.x, self._y, self._products = Moments(), 0.0, 0.0

    def add(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """(rows, inputs) and (rows, outputs)."""
        x, y = x.double(), y.double()
        self.x.add(x)
        self._y = self._y + y.sum(0)
        self._products = self._products + x.T @ y

    def solve(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The weight (outputs, inputs) and the bias (outputs), float64. Raises ``DataError`` where maps overflowed."""
        mean_x, mean_y, square = self.x.mean, self._y / self.x.count, self.x.covariance
        square += RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
        weight = torch.linalg.solve(square, self._products / self.x.count - mean_x[:, None] * mean_y)
        if not torch.isfinite(weight).all():
            raise DataError("a layer cannot be fitted: its maps hold values beyond 65504, half precision's largest")
        return weight.T, mean_y - weight.T @ mean_x
