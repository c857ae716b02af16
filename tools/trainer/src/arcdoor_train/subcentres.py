"""Noisy identities to clean ones by sub-centres. Every image votes for the nearest of its identity's K centres; the
most voted is dominant; images farther than 75 degrees from it go, emptied identities go, the rest is numbered anew."""

from dataclasses import dataclass

import numpy as np

from arcdoor_train.errors import DataError

#: Values that a step holds of the centres: 64 MB of float32.
_STEP_VALUES = 1 << 24


@dataclass(frozen=True)
class Cleaned:
    """Which images stay, and as whom."""

    #: (n,) whether an image stays.
    keep: np.ndarray
    #: (n,) whether it has a feature.
    seen: np.ndarray
    #: (n,) new labels, 0..identities without gaps; -1 for images that go.
    labels: np.ndarray
    #: (classes,) the number of the dominant centre; -1 where an identity has no image.
    dominant: np.ndarray
    #: (n,) cosine to the dominant centre of the image's identity; -1 where the feature is no number.
    cosines: np.ndarray
    #: (n,) the number of the nearest centre, and the cosine to it.
    nearest: np.ndarray
    nearest_cosines: np.ndarray

    @property
    def in_dominant(self) -> np.ndarray:
        """(n,) whether an image belongs to the dominant sub-class, by the labels that it came with."""
        return self.cosines >= self.nearest_cosines


def clean(features: np.ndarray, labels: np.ndarray, centres: np.ndarray, degrees: float = 75.0) -> Cleaned:
    """``features`` (n, d), which may be mapped, ``labels`` (n,) in 0..classes, ``centres`` (classes, K, d); lengths do
    not matter. An image whose feature holds no number goes. It takes 4 K + 40 bytes an image, and the centres once
    more."""
    classes, count, dimension = centres.shape
    if not 0 < degrees < 180 or len(labels) != len(features) or features.shape[1] != dimension:
        raise DataError(f"features {features.shape}, centres {centres.shape}, {degrees} degrees do not fit together")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(f"labels {labels.min()}..{labels.max()}; the head knows 0..{classes - 1}")
    cosines = to_centres(features, labels, centres)
    seen = np.isfinite(cosines[:, 0])
    cosines[~seen] = -1.0
    nearest = cosines.argmax(axis=1).astype(np.int16)
    votes = np.bincount(labels[seen] * count + nearest[seen], minlength=classes * count).reshape(classes, count)
    dominant = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    own = cosines[np.arange(len(labels)), np.maximum(dominant[labels], 0)]
    keep = seen & (own > np.cos(np.radians(degrees)))
    left, numbers = np.unique(labels[keep], return_inverse=True)
    fresh = np.full(len(labels), -1)
    fresh[keep] = numbers
    assert len(left) <= classes
    return Cleaned(keep, seen, fresh, dominant, own, nearest, cosines.max(axis=1, initial=-1.0))


def to_centres(features: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, K) float32 cosines of each image to its identity's centres, NaN where its feature holds no number; in steps
    that hold 64 MB of centres and as much of features."""
    _, count, dimension = centres.shape
    lengths = np.linalg.norm(centres, axis=2, keepdims=True)
    rows = np.divide(centres, np.maximum(lengths, 1e-12), dtype=np.float32, casting="same_kind")
    cosines = np.empty((len(features), count), np.float32)
    step = max(_STEP_VALUES // (count * dimension), 1)
    for start in range(0, len(features), step):
        part = slice(start, start + step)
        mine = np.asarray(features[part], np.float32)
        lengths = np.maximum(np.linalg.norm(mine, axis=1), 1e-12)
        cosines[part] = np.einsum("nd,nkd->nk", mine, rows[labels[part]]) / lengths[:, None]
    return cosines
