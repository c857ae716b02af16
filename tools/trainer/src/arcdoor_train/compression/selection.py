"""Which channels stay: one after the other that which best says what the others would have."""

import torch

from arcdoor_train.compression.statistics import root

#: Ridge, as a share of the mean variance: channels that hardly differ are not divided by their difference.
RIDGE = 1e-4
#: A channel whose variance is explained to this share is not chosen any more.
SPENT = 1e-6


def order(covariance: torch.Tensor, importance: torch.Tensor, count: int) -> tuple[list[int], list[float]]:
    """The first ``count`` channels, best first, and what error is left after each: of all channels' linear prediction
    from those chosen, weighed by ``importance``. Greedy (orthogonal matching), closed form, float64."""
    weighed = root(importance)
    left = covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    shared = covariance @ weighed
    rest = float((shared * weighed).sum())
    start = left.diagonal().clone()
    chosen: list[int] = []
    errors: list[float] = []
    open_ = torch.ones(len(covariance), dtype=torch.bool)
    for _ in range(count):
        variance = left.diagonal()
        gain = shared.square().sum(1) / variance.clamp_min(1e-300)
        gain[variance < SPENT * start] = 0.0
        gain[~open_] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        open_[best] = False
        rest -= float(gain[best])
        errors.append(max(rest, 0.0))
        column, row, size = left[:, best].clone(), shared[best].clone(), float(variance[best])
        if gain[best] > 0:
            shared.addr_(column, row, alpha=-1 / size)
            left.addr_(column, column, alpha=-1 / size)
    return chosen, errors
