"""Angles of genuine and impostor comparisons."""

from pathlib import Path

import numpy as np

from arcdoor_train import crops, evaluate, figure
from arcdoor_train.errors import DataError


def of_list(found: np.ndarray, names: list[str], path: Path) -> dict[str, np.ndarray]:
    """Histograms over a list of pairs, as LFW's; pairs that lack a crop are left out."""
    pairs = evaluate.read_pairs(path, names)
    cosines, same = evaluate.pair_scores(found, pairs), pairs[2]
    there = cosines > -2
    return {
        "genuine": figure.histogram(cosines[there & same]), "impostor": figure.histogram(cosines[there & ~same])
    }  # fmt: skip


def of_all(found: np.ndarray, people: np.ndarray) -> dict[str, np.ndarray]:
    """Histograms over all pairs of features (n, d) of ``people`` (n,)."""
    counts = {name: np.zeros(len(figure.EDGES) - 1, np.int64) for name in ("genuine", "impostor")}
    for first in range(len(found) - 1):
        cosines, same = found[first + 1 :] @ found[first], people[first + 1 :] == people[first]
        counts["genuine"] += figure.histogram(cosines[same])
        counts["impostor"] += figure.histogram(cosines[~same])
    return counts


def draw(folder: Path, model: Path, faces: crops.Crops, pairs: Path | None) -> dict[str, int]:
    """``pairs.*``; how many comparisons of each kind."""
    found, names, _ = evaluate.features(evaluate.Embedder(model), faces)
    counts = of_all(found, crops.owners(names)) if pairs is None else of_list(found, names, pairs)
    if not all(count.sum() for count in counts.values()):
        raise DataError("there is no genuine or no impostor pair: crops lie in a folder for each person, or --pairs")
    figure.histograms(folder / "pairs", "angle between two images", counts)
    return {name: int(count.sum()) for name, count in counts.items()}
