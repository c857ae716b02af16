"""Pictures while they are drawn: values of a network's input, from noise to 8 bits."""

import numpy as np
import torch
from torch.nn import functional

from arcdoor_train.data.sets import SIDE

#: What 0 and 255 are for our networks.
LOWEST, HIGHEST = -127.5 / 128, 127.5 / 128


def noise(count: int, side: int, place: tuple[int, ...]) -> torch.Tensor:
    """(count, 3, side, side) of N(0, 1), drawn by ``place`` alone."""
    return torch.randn(count, 3, side, side, generator=generator(place))


def generator(place: tuple[int, ...]) -> torch.Generator:
    """Chance that a place among seeds, batches and steps fixes, so that there is no stream to restore."""
    seed = np.random.SeedSequence(list(place)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


def enlarged(pictures: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    """Of ``side`` rows."""
    if pictures.shape[-1] == side:
        return pictures
    return functional.interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)


def varied(pictures: torch.Tensor, flip: float, jitter: int, place: tuple[int, ...]) -> torch.Tensor:
    """Each mirrored with the probability ``flip``, and rolled by up to ``jitter`` pixels each way: what is drawn must
    not hang on one pixel."""
    chance = generator(place)
    if flip:
        mirrored = torch.rand(len(pictures), 1, 1, 1, generator=chance).to(pictures.device) < flip
        pictures = torch.where(mirrored, pictures.flip(3), pictures)
    if jitter:
        moves = torch.randint(-jitter, jitter + 1, (len(pictures), 2), generator=chance).tolist()
        pictures = torch.stack([one.roll(tuple(move), (1, 2)) for one, move in zip(pictures, moves, strict=True)])
    return pictures


def pixels(pictures: torch.Tensor) -> np.ndarray:
    """(n, 112, 112, 3) uint8: as a file holds them."""
    values = enlarged(pictures.detach()).mul(128.0).add(127.5).round().clamp(0, 255)
    return np.ascontiguousarray(values.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
