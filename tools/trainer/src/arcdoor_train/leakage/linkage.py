"""Whether templates of two galleries can be told to be one person's by a score."""

import numpy as np

from arcdoor_train.leakage.share import ROUNDS, Figure


def d_sys(mated: np.ndarray, others: np.ndarray) -> float:
    """The global linkability of scores of one person and of two, 0..1 (Gomez-Barrero, Galbally, Rathgeb and Busch, IEEE
    TIFS 13, 2018): the mean over mated scores s of 2 p / (1 + p) - 1 where the likelihood ratio p(s) of mated to other
    ones is above 1, with both thought equally likely. Densities are histograms with a tenth as many bins as mated
    scores, 100 at most, as the authors' program has them."""
    bins = int(np.clip(len(mated) // 10, 2, 100))
    low, high = min(mated.min(), others.min()), max(mated.max(), others.max())
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    one = np.histogram(mated, edges)[0] / len(mated)
    other = np.histogram(others, edges)[0] / len(others)
    total = one + other
    local = np.where(total > 0, (one - other) / np.where(total > 0, total, 1), 0)
    return float((one * np.maximum(local, 0)).sum())


def figure(table: np.ndarray) -> Figure:
    """Of pairwise scores (n, n) of n people in two galleries, mated ones on the diagonal; bootstrap over people."""
    count = len(table)
    off = ~np.eye(count, dtype=bool)
    value = d_sys(np.diag(table), table[off])
    rng, found = np.random.default_rng(1), []
    for _ in range(ROUNDS // 5):
        rows = rng.integers(0, count, count)
        part = table[np.ix_(rows, rows)]
        found.append(d_sys(table[rows, rows], part[rows[:, None] != rows[None]]))
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(value, min(float(low), value), max(float(high), value), count)


def chance(table: np.ndarray, seed: int) -> Figure:
    """What the measure says of the same scores where each person is paired with somebody else, drawn anew each time:
    its estimate has a bias above 0. The interval holds 95 of 100 draws."""
    count, rng, found = len(table), np.random.default_rng(seed), []
    for _ in range(ROUNDS // 5):
        other = _nobody_stays(count, rng)
        mask = np.ones((count, count), bool)
        mask[np.arange(count), other] = False
        np.fill_diagonal(mask, False)
        found.append(d_sys(table[np.arange(count), other], table[mask]))
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(float(np.mean(found)), float(low), float(high), count)


def _nobody_stays(count: int, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(count)
    answer = np.empty(count, int)
    answer[order] = np.roll(order, 1)
    return answer
