"""How far the pictures of one set lie from those of another as a whole, by an embedder's features. The paper's FID is
on Inception's features: these are not comparable with it."""

import numpy as np


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets (n, d) of features. With fewer pictures than dimensions
    it is larger than it would be with many: compare it with that of as many photos."""
    means = first.mean(axis=0) - second.mean(axis=0)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return float(means @ means + np.trace(one) + np.trace(two) - 2 * shared)


def kernel(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy with KID's polynomial kernel (x . y / d + 1)^3, of unit-length
    features that are made sqrt(d) long: (cosine + 1)^3. About 0, below it too, where both sets are of one kind."""

    def own(rows: np.ndarray) -> float:
        values = (rows @ rows.T + 1) ** 3
        return (values.sum() - np.trace(values)) / (len(rows) * (len(rows) - 1))

    return float(own(first) + own(second) - 2 * ((first @ second.T + 1) ** 3).mean())
