"""Mean and covariance from sums over batches."""

import torch


class Moments:
    """Of rows; the products are made in the rows' own precision, the sums in float64."""

    def __init__(self) -> None:
        self.count, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, x: torch.Tensor) -> None:
        """(rows, channels)."""
        self.count += len(x)
        self._sum = self._sum + x.sum(0).double()
        self._squares = self._squares + (x.T @ x).double()

    @property
    def mean(self) -> torch.Tensor:
        return self._sum / self.count

    @property
    def covariance(self) -> torch.Tensor:
        return self._squares / self.count - self.mean[:, None] * self.mean
