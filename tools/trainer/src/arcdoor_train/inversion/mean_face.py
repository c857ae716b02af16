"""What the mean of many faces looks like that look one way: where steered pictures begin."""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
from torch import nn

from arcdoor_train import checkpoint, config, crops
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import pose

#: Crops that a mean is made of, and the fewest: of so many it shows nobody any more.
_NEAREST, _FEWEST = 80, 40
#: Crops that are looked at, at most, evenly spaced.
_LOOKED_AT = 20_000


def gather(
    path: str, network: nn.Module, poses: list[tuple[float, float]], named: str, keep: Path | None
) -> torch.Tensor:
    """(poses, 3, 112, 112): of the aligned crops of ``path`` and their mirror images the mean of those whose points, as
    ``network`` finds them, look nearest to each pose. ``keep`` is a file where it lies for the next time; ``named``
    says of which network it is. Raises ``DataError``."""
    key = hashlib.sha256(repr((path, poses, named, _NEAREST, _LOOKED_AT)).encode()).hexdigest()
    found = _kept(keep, key) if keep else None
    if found is None:
        found = _means(crops.Crops(config.expand(path)), network, poses)
        if keep:
            file = io.BytesIO()
            np.savez(file, key=np.array(key), faces=found)
            checkpoint.write_file(keep, lambda out: out.write(file.getvalue()))
    return torch.from_numpy(found)


def _kept(path: Path, key: str) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["faces"] if str(file["key"]) == key else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}; remove it, and it is made anew") from error


def _means(faces: crops.Crops, network: nn.Module, poses: list[tuple[float, float]]) -> np.ndarray:
    names = faces.spread(_LOOKED_AT)
    if len(names) < _FEWEST:
        raise DataError(
            f"{faces.path} holds {len(names)} crops, whose mean may show somebody; {_FEWEST} are the fewest"
        )
    marks = []
    with torch.no_grad():
        for part in faces.batches(names):
            pixels = torch.from_numpy(part).to(next(network.buffers()).device)
            marks.append(network(pixels).double().cpu().numpy() * SIDE)
    angles = pose.measured(np.concatenate(marks))
    angles = np.nan_to_num(np.concatenate([angles, angles * (-1, 1)]), nan=180.0)
    answer = [_mean(faces, names, _nearest(angles, pose.measured(pose.seen(*asked)[None])[0])) for asked in poses]
    return np.stack(answer).astype(np.float32)


def _nearest(angles: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Rows of (2 n, 2). A yaw counts twice a pitch: landmarks tell less of that."""
    off = np.hypot(angles[:, 0] - asked[0], 0.5 * (angles[:, 1] - asked[1]))
    return np.argsort(off, kind="stable")[: min(_NEAREST, len(off) // 2)]


def _mean(faces: crops.Crops, names: list[str], rows: np.ndarray) -> np.ndarray:
    total = np.zeros((3, SIDE, SIDE))
    for row in np.sort(rows):
        one = crops.to_input(faces.read(names[row % len(names)])[None])[0]
        total += one[..., ::-1] if row >= len(names) else one
    return total / len(rows)
