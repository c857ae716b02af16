"""Whose is whose in two galleries under different keys: a rotation leaves cosines between templates as they are, so two
tables of cosines are laid on each other."""

import numpy as np


def assigned(gain: np.ndarray) -> np.ndarray:
    """(n,) the column of each row, each once, of the largest sum of ``gain`` (n, n): the Hungarian method with
    potentials (Jonker and Volgenant, Computing 38, 1987)."""
    cost, count = -np.asarray(gain, np.float64), len(gain)
    above, beside = np.zeros(count + 1), np.zeros(count + 1)
    owner = np.zeros(count + 1, int)
    for row in range(1, count + 1):
        owner[0], column = row, 0
        least, from_, used = np.full(count + 1, np.inf), np.zeros(count + 1, int), np.zeros(count + 1, bool)
        while True:
            used[column] = True
            free = np.flatnonzero(~used[1:]) + 1
            slack = cost[owner[column] - 1, free - 1] - above[owner[column]] - beside[free]
            better = slack < least[free]
            least[free[better]], from_[free[better]] = slack[better], column
            nearest = free[np.argmin(least[free])]
            step = least[nearest]
            above[owner[used]] += step
            beside[used] -= step
            least[~used] -= step
            column = nearest
            if owner[column] == 0:
                break
        while column:
            owner[column], column = owner[from_[column]], from_[column]
    answer = np.empty(count, int)
    answer[owner[1:] - 1] = np.arange(count)
    return answer


def matched(first: np.ndarray, second: np.ndarray, seeds: int = 0, rounds: int = 30) -> np.ndarray:
    """(n,) whom each of ``first`` is in ``second``, two tables of cosines (n, n); the first ``seeds`` people are known
    to be each other. The fast approximate quadratic assignment (Vogelstein and others, PLoS ONE 10, 2015), from rows of
    cosines sorted, and from nothing; the better of both."""
    starts = [_alike(first, second, seeds), np.full(first.shape, 1 / len(first))]
    found = [_from(first, second, start, seeds, rounds) for start in starts]
    return max(found, key=lambda order: _agreement(first, second, order))


def _agreement(first: np.ndarray, second: np.ndarray, order: np.ndarray) -> float:
    return float((first * second[np.ix_(order, order)]).sum())


def _alike(first: np.ndarray, second: np.ndarray, seeds: int) -> np.ndarray:
    """(n, n) by assignment on the sorted cosines to all, and the cosines to those who are known."""
    one, two = np.sort(_closed(first), axis=1), np.sort(_closed(second), axis=1)
    apart = ((one[:, None] - two[None]) ** 2).mean(axis=2)
    if seeds:
        known = ((first[:, None, :seeds] - second[None, :, :seeds]) ** 2).sum(axis=2)
        apart = apart + known
    return _fixed(-apart, seeds)


def _closed(table: np.ndarray) -> np.ndarray:
    """With everybody's cosine to themselves as it must be."""
    table = table.copy()
    np.fill_diagonal(table, 1.0)
    return table


def _fixed(gain: np.ndarray, seeds: int) -> np.ndarray:
    """The permutation matrix of the best assignment, with those known where they are."""
    answer = np.zeros(gain.shape)
    answer[np.arange(seeds), np.arange(seeds)] = 1
    rest = np.arange(seeds, len(gain))
    if len(rest):
        answer[rest, rest[assigned(gain[seeds:, seeds:])]] = 1
    return answer


def _from(first: np.ndarray, second: np.ndarray, start: np.ndarray, seeds: int, rounds: int) -> np.ndarray:
    """Frank and Wolfe's steps to a permutation."""
    here = start.copy()
    here[:seeds], here[:, :seeds] = 0, 0
    here[np.arange(seeds), np.arange(seeds)] = 1
    for _ in range(rounds):
        gradient = 2 * first @ here @ second
        move = _fixed(gradient, seeds) - here
        bend, slope = float((first @ move @ second * move).sum()), float((gradient * move).sum())
        step = 1.0 if bend >= 0 or -slope / (2 * bend) > 1 else max(-slope / (2 * bend), 0.0)
        here = here + step * move
        if np.abs(step * move).max() < 1e-6:
            break
    return np.argmax(_fixed(here, seeds), axis=1)
