"""The gallery's keyed rotation, and what undoes it without the key."""

import numpy as np

from arcdoor_train.feature_file import unit


def drawn(dimension: int, seed: int) -> np.ndarray:
    """An orthogonal matrix (d, d), Haar-distributed, as the gallery makes it of its key."""
    gaussian = np.random.default_rng(seed).normal(size=(dimension, dimension))
    q, r = np.linalg.qr(gaussian)
    return q * np.sign(np.diag(r))


def applied(rotation: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """(n, d) as a gallery with that rotation holds them."""
    return (templates @ rotation.T).astype(np.float32)


def undone(stored: np.ndarray, known: np.ndarray, of_known: np.ndarray) -> np.ndarray:
    """Templates (n, d) from ``stored`` ones, by orthogonal Procrustes (Schönemann, Psychometrika 31, 1966) on pairs of
    templates (k, d) and their stored forms. Of fewer pairs than numbers only the directions that the pairs span are
    turned back: nothing is known of the rest, and a guess there would add noise."""
    left, values, right = np.linalg.svd(of_known.T.astype(np.float64) @ known.astype(np.float64))
    rank = int((values > 1e-6 * max(values[0], 1e-12)).sum())
    return unit(stored @ (left[:, :rank] @ right[:rank])).astype(np.float32)


def guessed(stored: np.ndarray, public: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Templates from ``stored`` ones without any pair: the mean and the principal directions of stored templates are
    laid on those of public ones, each turned so that its skew agrees; then each is paired with its nearest public one
    and Procrustes repeated."""
    first, second = _frame(stored), _frame(public)
    found = stored @ first.T @ second
    for _ in range(rounds):
        near = public[np.argmax(unit(found) @ public.T, axis=1)]
        left, _, right = np.linalg.svd(stored.T.astype(np.float64) @ near)
        found = stored @ (left @ right)
    return unit(found).astype(np.float32)


def _frame(rows: np.ndarray) -> np.ndarray:
    """(d, d) principal directions, strongest first: the mean's, then those of what is left, by their skew."""
    rows = rows.astype(np.float64)
    mean = rows.mean(axis=0)
    mean /= max(np.linalg.norm(mean), 1e-12)
    rest = rows - np.outer(rows @ mean, mean)
    _, _, axes = np.linalg.svd(rest - rest.mean(axis=0), full_matrices=True)
    axes = axes[: rows.shape[1] - 1]
    skew = ((rest @ axes.T) ** 3).mean(axis=0)
    return np.concatenate([mean[None], axes * np.where(skew < 0, -1.0, 1.0)[:, None]])
