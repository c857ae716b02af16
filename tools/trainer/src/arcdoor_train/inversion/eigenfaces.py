"""What faces look like that look one way: their mean, where steered pictures begin, and what they differ in most
(eigenfaces), along which they are drawn. Each face is bent first so that its points lie where they are asked to: then
every sum of them looks as asked."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import checkpoint, config, crops
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import pose, warp

#: Rows of a mean and of an eigenface.
ROWS = 56
#: Crops that a mean is made of, and the fewest of a set: of so many it shows nobody any more.
_MEAN, _FEWEST = 60, 40
#: Crops that eigenfaces are made of, and how many of these are kept.
_FACES, _KEPT = 400, 200
#: Crops that are looked at, at most, evenly spaced: few look 30 degrees aside.
_LOOKED_AT = 40_000


@dataclass(frozen=True)
class Eigenfaces:
    """Of each pose that is asked for."""

    #: (poses, 3, ROWS, ROWS).
    means: torch.Tensor
    #: (poses, kept, 3 * ROWS * ROWS), each as long as the deviation along it.
    deviations: torch.Tensor


def gather(path: str, network: nn.Module, asked: np.ndarray, named: str, keep: Path | None) -> Eigenfaces:
    """For each pose of ``asked`` (poses, 5, 2), of those aligned crops of ``path`` and their mirror images that look
    most nearly so by the points that ``network`` finds. ``keep`` is a file where these points lie for the next time;
    ``named`` says of which network they are. Raises ``DataError``."""
    faces = crops.Crops(config.expand(path))
    names = faces.spread(_LOOKED_AT)
    if len(names) < _FEWEST:
        raise DataError(
            f"{faces.path} holds {len(names)} crops, whose mean may show somebody; {_FEWEST} are the fewest"
        )
    key = hashlib.sha256(repr((names, named)).encode()).hexdigest()
    marks = _kept(keep, key) if keep else None
    if marks is None:
        marks = np.concatenate([_points(network, part) for part in faces.batches(names)])
        if keep:
            file = io.BytesIO()
            np.savez(file, key=np.array(key), marks=marks)
            checkpoint.write_file(keep, lambda out: out.write(file.getvalue()))
    each = [_of(faces, names, marks, one) for one in asked]
    means, deviations = (np.stack(part).astype(np.float32) for part in zip(*each, strict=True))
    return Eigenfaces(torch.from_numpy(means), torch.from_numpy(deviations))


def _kept(path: Path, key: str) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["marks"] if str(file["key"]) == key else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}; remove it, and it is made anew") from error


def _points(network: nn.Module, part: np.ndarray) -> np.ndarray:
    """(n, 5, 2) pixels: those of the picture and of its mirror image, whose mean favours no side."""
    seen = torch.from_numpy(part).to(next(network.buffers()).device)
    with torch.no_grad():
        found = [network(one).double().cpu().numpy() * SIDE - 0.5 for one in (seen, seen.flip(3))]
    return (found[0] + pose.mirrored(found[1], SIDE)) / 2


def _of(faces: crops.Crops, names: list[str], marks: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviations of one pose."""
    both = np.concatenate([marks, pose.mirrored(marks, SIDE)])
    rows = _nearest(np.nan_to_num(pose.measured(both), nan=180.0), pose.measured(asked[None])[0])
    bent = np.empty((len(rows), 3, ROWS, ROWS))
    for place, row in enumerate(rows):
        one = crops.to_input(faces.read(names[row % len(names)])[None])
        one = torch.from_numpy(np.ascontiguousarray(one[..., ::-1]) if row >= len(names) else one)
        grid = warp.affine_grid(asked, both[row])[None]
        bent[place] = functional.adaptive_avg_pool2d(warp.warped(one, grid), ROWS)[0].numpy()
    flat = (bent - bent.mean(axis=0)).reshape(len(rows), -1)
    _, lengths, directions = np.linalg.svd(flat, full_matrices=False)
    kept = min(_KEPT, len(rows) // 2)
    directions = directions[:kept]
    # Which of the two signs a direction has is left to chance by the decomposition.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    return bent[:_MEAN].mean(axis=0), directions * np.sign(largest) * lengths[:kept, None] / np.sqrt(len(rows))


def _nearest(angles: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Rows of (2 n, 2), the nearest first. A yaw counts twice a pitch: landmarks tell less of that."""
    off = np.hypot(angles[:, 0] - asked[0], 0.5 * (angles[:, 1] - asked[1]))
    return np.argsort(off, kind="stable")[: min(_FACES, len(off) // 2)]
