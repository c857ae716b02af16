"""Eight identities in two dimensions: what a margin does to features, for the eye. A small network is trained on them
with Norm-Softmax and with ArcFace, alike but for the margin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import backbones, config, data, figure, heads
from arcdoor_train.errors import DataError
from arcdoor_train.trainer import normalise

IDENTITIES, DIMENSION = 8, 2
LOSSES = {"Norm-Softmax": {"kind": "norm-softmax"}, "ArcFace 0.5": {"kind": "margin", "m2": 0.5}}


@dataclass(frozen=True)
class Learnt:
    """What one loss made of the images."""

    #: (n, 2) of unit length.
    features: np.ndarray
    #: (8, 2) of unit length.
    centres: np.ndarray

    def spread(self, labels: np.ndarray) -> float:
        """The mean angle of an image to its class centre, in degrees."""
        return float(figure.angles(np.sum(self.features * self.centres[labels], axis=1)).mean())

    def right(self, labels: np.ndarray) -> float:
        """The share of the images whose nearest class centre is their own."""
        return float(np.mean((self.features @ self.centres.T).argmax(axis=1) == labels))


def choose(faces: data.Dataset, each: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images (n, 112, 112, 3) of the eight identities with the most, as many of each, ``each`` at most; their labels
    0..7; the identities' names. Raises ``DataError`` where there are too few."""
    counts = np.bincount(faces.labels, minlength=len(faces.identities))
    largest = np.argsort(-counts, kind="stable")[:IDENTITIES]
    each = min(each, int(counts[largest].min()))
    if len(largest) < IDENTITIES or each < 2:
        raise DataError(f"eight identities of two or more images are needed; these sets have {len(counts)}")
    images = [list(faces.readable(np.flatnonzero(faces.labels == who)[:each])) for who in largest]
    labels = np.repeat(np.arange(IDENTITIES), [len(some) for some in images])
    names = [faces.identities[who] for who in largest]
    if not all(images):
        raise DataError(f"not one image of {names[images.index([])]} can be read")
    return np.concatenate(images), labels, names


def learn(images: np.ndarray, labels: np.ndarray, head: config.Head, epochs: int, seed: int = 1) -> Learnt:
    """Trains ``dense-xs`` on the images as they are."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    net, loss = backbones.build("dense-xs", DIMENSION), heads.build(head, DIMENSION, IDENTITIES, seed)
    parameters = [*net.parameters(), *loss.parameters()]
    batch = min(64, len(images))
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.AdamW(parameters, 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    owners = torch.from_numpy(labels)
    for _ in range(epochs):
        order = random.permutation(len(images))
        for start in range(0, len(order) - batch + 1, batch):
            some = order[start : start + batch]
            optimiser.zero_grad()
            loss(net(_inputs(images[some])), owners[some]).backward()
            optimiser.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(_inputs(images[at : at + 64])) for at in range(0, len(images), 64)])
        unit = torch.nn.functional.normalize
        return Learnt(unit(found).numpy(), unit(loss.weight).numpy())


def _inputs(images: np.ndarray) -> torch.Tensor:
    return normalise(torch.from_numpy(images), torch.device("cpu"), False)


def draw(folder: Path, faces: data.Dataset, each: int, epochs: int, scale: float) -> list[str]:
    """``toy.*``; lines that say what it shows."""
    images, labels, names = choose(faces, each)
    drawn, said = figure.new(10.0, 5.5), []
    columns: dict[str, list] = {name: [] for name in ("loss", "identity", "what", "x", "y")}
    for axes, (name, settings) in zip(drawn.subplots(1, 2), LOSSES.items(), strict=True):
        found = learn(images, labels, config.Head(scale=scale, **settings), epochs)
        for who in range(IDENTITIES):
            mine, (x, y) = found.features[labels == who], found.centres[who]
            # Points of one length hide each other: each image has a radius of its own, by its place.
            radii = np.linspace(0.7, 1.0, len(mine))
            axes.plot(mine[:, 0] * radii, mine[:, 1] * radii, ".", markersize=3, color=f"C{who}", label=names[who])
            axes.plot([0, x], [0, y], color=f"C{who}")
            columns["loss"] += [name] * (len(mine) + 1)
            columns["identity"] += [names[who]] * (len(mine) + 1)
            columns["what"] += ["image"] * len(mine) + ["centre"]
            columns["x"] += [*mine[:, 0].tolist(), float(x)]
            columns["y"] += [*mine[:, 1].tolist(), float(y)]
        axes.set(title=f"{name}: {len(images) / IDENTITIES:.0f} images of each", aspect="equal")
        said.append(
            f"{name}: {100 * found.right(labels):.1f} % of {len(images)} images nearest to their own of {IDENTITIES} "
            f"centres, {found.spread(labels):.1f} degrees from it on average"
        )
    drawn.axes[0].legend(fontsize="x-small")
    figure.save(drawn, folder / "toy", columns)
    return said
