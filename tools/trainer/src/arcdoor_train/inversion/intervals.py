"""95 % intervals over people: figures of people who are drawn anew, with replacement."""

import numpy as np

_ROUNDS = 1000
#: A figure, and its interval's ends.
Interval = tuple[float, float, float]


def _drawn(count: int) -> np.ndarray:
    """(rounds, count) people."""
    return np.random.default_rng(1).integers(0, count, (_ROUNDS, count))


def quantile(values: np.ndarray, share: float) -> float:
    """The value that ``share`` of all do not exceed: no mean of two, of which one may be infinite. NaN of none."""
    return float(np.quantile(values.reshape(-1), share, method="inverted_cdf")) if values.size else float("nan")


def median(values: np.ndarray) -> Interval:
    """Of (poses, people), NaN left out."""

    def of(some: np.ndarray) -> float:
        return quantile(some[~np.isnan(some)], 0.5)

    rounds = np.array([of(values[:, people]) for people in _drawn(values.shape[1])])
    rounds = rounds[~np.isnan(rounds)]
    return of(values), quantile(rounds, 0.025), quantile(rounds, 0.975)


def mean(each: np.ndarray) -> Interval:
    """Of (people,)."""
    low, high = np.quantile(each[_drawn(len(each))].mean(axis=1), [0.025, 0.975])
    return float(each.mean()), float(low), float(high)


def share(each: np.ndarray, whole: np.ndarray) -> Interval | None:
    """Of two means over the same people (people,), the one as a share of the other; None where that is not above 0."""
    drawn = _drawn(len(each))
    below = whole[drawn].mean(axis=1)
    if whole.mean() <= 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        rounds = np.where(below > 0, each[drawn].mean(axis=1) / below, np.inf)
    return float(each.mean() / whole.mean()), quantile(rounds, 0.025), quantile(rounds, 0.975)


def told(values: Interval | None, times: float = 1, digits: int = 3) -> str:
    """For people."""
    if values is None:
        return "-"
    value, low, high = (f"{times * each:.{digits}f}" for each in values)
    return f"{value} [{low}, {high}]"
