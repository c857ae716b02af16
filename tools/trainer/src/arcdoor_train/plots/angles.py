"""Angles of a run: of images to their class centres from the start of training to its end, and the paper's statistics
of class centres and features."""

from pathlib import Path

import numpy as np
from torch import nn

from arcdoor_train import checkpoint, config, crops, data, figure, heads, initial, overlap, subcentres, trained
from arcdoor_train.embedding import embed
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit


def _start(whole: config.Config, faces: data.Dataset) -> tuple[nn.Module, np.ndarray]:
    """Network and centres (classes, K, d) as the run began."""
    model = initial.network(whole).eval()
    head = heads.inner(initial.head(whole, model, faces)[0])
    weight = head.weight.detach().numpy()
    return model, weight.reshape(len(faces.identities), whole.head.centres, -1)


def draw_theta(folder: Path, run: Path, images: int) -> None:
    """``theta.*``: the angle of ``images`` images to their nearest own centre, at the start and at each checkpoint that
    the run kept (``run.keep``)."""
    steps = checkpoint.list_steps(run) or [checkpoint.resolve(run)]
    whole, faces, _ = trained.read(steps[-1])
    numbers = np.linspace(0, len(faces) - 1, min(images, len(faces))).astype(int)
    counts = {"start": _theta(faces, numbers, *_start(whole, faces))}
    for step in steps:
        centres = trained.centres(step, whole, len(faces.identities))
        counts[step.name] = _theta(faces, numbers, checkpoint.load_model(step)[0], centres)
    figure.histograms(folder / "theta", "angle of an image to its class centre", counts)


def _theta(faces: data.Dataset, numbers: np.ndarray, model: nn.Module, centres: np.ndarray) -> np.ndarray:
    found, labels = embed(model, faces, numbers)
    return figure.histogram(subcentres.to_centres(found, labels, centres).max(axis=1))


def of_features(found: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """The mean angle of a feature to its identity's centre (intra) and the mean over the centres of the least angle to
    another (inter), in degrees; and the centres. Raises ``DataError`` for fewer than two identities."""
    left, owners = np.unique(labels, return_inverse=True)
    if len(left) < 2:
        raise DataError("statistics of angles need two identities or more")
    middle = overlap.centres(found, owners, len(left))
    intra = figure.angles(np.sum(found * middle[owners], axis=1)).mean()
    return {"intra": float(intra), "inter": float(figure.angles(overlap.nearest(middle)).mean())}, middle


def statistics(run: Path, each: int) -> dict[str, float]:
    """``of_features`` of ``each`` images at most of every identity, and of the class centres W: the mean angle between
    W and the features' centre, the mean over W of the least angle to another identity's. Of K the one nearest to the
    features' centre."""
    _, faces, centres = trained.read(checkpoint.resolve(run))
    order = np.argsort(faces.labels, kind="stable")
    first = np.searchsorted(faces.labels[order], faces.labels[order])
    model, _ = checkpoint.load_model(run)
    found, labels = embed(model, faces, np.sort(order[np.arange(len(order)) - first < each]))
    answer, middle = of_features(found, labels)
    left = np.unique(labels)
    rows = unit(centres[left]).astype(np.float32)
    cosines = np.einsum("nkd,nd->nk", rows, middle)
    own = rows[np.arange(len(left)), cosines.argmax(axis=1)]
    between = {"W to centre": cosines.max(axis=1), "W inter": overlap.nearest(own)}
    return {**{name: float(figure.angles(values).mean()) for name, values in between.items()}, **answer}


def draw_statistics(folder: Path, run: Path, each: int, faces: crops.Crops | None) -> dict[str, float]:
    """``statistics.*``: of the run's own sets, and of crops by person where some are given."""
    answer = statistics(run, each)
    if faces is not None:
        from arcdoor_train import evaluate

        found, names, _ = evaluate.features(evaluate.Embedder(run), faces)
        more, _ = of_features(found.astype(np.float32), crops.owners(names))
        answer |= {f"{name}, crops": value for name, value in more.items()}
    drawn = figure.new()
    axes = drawn.subplots()
    axes.bar(list(answer), list(answer.values()))
    axes.set(ylabel="degrees", title="angles between class centres (W), features' centres and features")
    figure.save(drawn, folder / "statistics", {"what": list(answer), "degrees": list(answer.values())})
    return answer
