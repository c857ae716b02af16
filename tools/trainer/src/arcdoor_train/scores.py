"""Genuine and impostor scores to accuracy and error rates, with intervals."""

from dataclasses import dataclass

import numpy as np

FMRS = (1e-3, 1e-4, 1e-5, 1e-6)
ROUNDS = 1000


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The threshold that decides most pairs right (a score at or above it counts as one person), half-way between
    two scores."""
    order = np.argsort(-scores, kind="stable")
    ordered, flags = scores[order], same[order]
    # Accepting the first k pairs: right are the genuine among them and the impostors behind them.
    right = np.concatenate([[0], np.cumsum(np.where(flags, 1, -1))])
    cut = np.concatenate([[True], ordered[:-1] > ordered[1:], [True]])
    best = int(np.argmax(np.where(cut, right, np.iinfo(np.int64).min)))
    if best == 0:
        return float(np.inf)
    below = ordered[best] if best < len(ordered) else -1.0
    return float((ordered[best - 1] + below) / 2)


def accuracy(scores: np.ndarray, same: np.ndarray, threshold: float) -> float:
    """The share of pairs decided right."""
    return float(np.mean((scores >= threshold) == same))


def folds(scores: np.ndarray, same: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The accuracy on each fold at the threshold chosen on the others (LFW's protocol)."""
    found = []
    for fold in np.unique(groups):
        inside = groups == fold
        found.append(accuracy(scores[inside], same[inside], best_threshold(scores[~inside], same[~inside])))
    return np.array(found)


@dataclass(frozen=True)
class Operating:
    """Genuine comparisons that match (TMR = 1 - FNMR) at one false match rate (FMR). The 95 % interval is over people,
    with the threshold held."""

    fmr: float
    threshold: float
    tmr: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.tmr:.2f} % [{100 * self.low:.2f}, {100 * self.high:.2f}]"


def all_pairs(features: np.ndarray, people: np.ndarray, fmrs: tuple[float, ...] = FMRS) -> list[Operating]:
    """Every crop against every other: ``features`` (n, d) of unit length, ``people`` (n,). A rate that the impostors
    do not reach (fewer than 1 / rate pairs) is left out; so are all where nobody has two crops."""
    scores, owner, others = _each_pair(features, people)
    return [operating(*point, scores, owner) for point in _thresholds(others, fmrs)] if len(scores) else []


def thresholds(features: np.ndarray, people: np.ndarray, fmrs: tuple[float, ...] = FMRS) -> list[tuple[float, float]]:
    """The same rates and their thresholds, which impostors alone give: nobody need have two crops."""
    return _thresholds(_each_pair(features, people)[2], fmrs)


def _each_pair(features: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Genuine scores, whose each is, and impostor scores."""
    features = features.astype(np.float32)
    count = len(features)
    genuine, owners, impostors = [], [], []
    for first in range(count - 1):
        scores = features[first + 1 :] @ features[first]
        same = people[first + 1 :] == people[first]
        genuine.append(scores[same])
        owners.append(np.full(int(same.sum()), people[first]))
        impostors.append(scores[~same])
    return np.concatenate(genuine), np.concatenate(owners), np.concatenate(impostors)


def _thresholds(others: np.ndarray, fmrs: tuple[float, ...]) -> list[tuple[float, float]]:
    if not len(others):
        return []
    reached = [fmr for fmr in fmrs if fmr * len(others) >= 1]
    keep = min(len(others), int(max(reached, default=0) * len(others)) + 1)
    highest = -np.sort(-np.partition(others, len(others) - keep)[len(others) - keep :])
    # The least score above the highest that is refused: a pair is accepted where its score is at or above it.
    least = np.nextafter(highest, np.float32(np.inf))
    return [(fmr, float(least[int(fmr * len(others))])) for fmr in reached]


def operating(fmr: float, threshold: float, genuine: np.ndarray, owner: np.ndarray) -> Operating:
    """The share of the scores ``genuine`` (n,) at or above the threshold; ``owner`` (n,) says whose each is, for the
    interval."""
    _, groups = np.unique(owner, return_inverse=True)
    totals = np.bincount(groups)
    hits = np.bincount(groups, weights=genuine >= threshold, minlength=len(totals))
    rng = np.random.default_rng(1)
    shares = np.empty(ROUNDS)
    for n in range(ROUNDS):
        drawn = rng.integers(0, len(totals), len(totals))
        shares[n] = hits[drawn].sum() / totals[drawn].sum()
    low, high = np.quantile(shares, [0.025, 0.975])
    return Operating(fmr, threshold, float(hits.sum() / totals.sum()), float(low), float(high))


def wilson(right: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a share of independent trials (Wilson, JASA 22, 1927)."""
    n, z = len(right), 1.959964
    share = float(np.mean(right))
    centre, spread = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)
