"""Gradient inversion: the pixels are moved until the attacked network says the template of them."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch

from arcdoor_train.inversion import losses, picture
from arcdoor_train.leakage import quantiser, statistics
from arcdoor_train.leakage.section import Descent
from arcdoor_train.leakage.victim import Victim

#: Pictures that are moved at once: statistics are over these.
BATCH = 32


def drawn(
    victim: Victim,
    stored: np.ndarray,
    wanted: Descent,
    seed: int,
    tell: Callable[[int], None],
    start: torch.Tensor | None = None,
    known: statistics.Statistics | None = None,
    kind: str = "f32",
) -> torch.Tensor:
    """(n, 3, 112, 112) of ``stored`` templates (n, d) of that ``kind``: from noise, or from ``start``, with the
    statistics of public crops or without."""
    found = []
    for first in range(0, len(stored), BATCH):
        rows = torch.from_numpy(stored[first : first + BATCH]).to(victim.device)
        begun = None if start is None else start[first : first + BATCH]
        found.append(_batch(victim, rows, wanted, (seed, first), tell, begun, known, kind))
    return torch.cat(found)


def _batch(
    victim: Victim, rows: torch.Tensor, wanted: Descent, place: tuple[int, ...], tell: Callable[[int], None],
    begun: torch.Tensor | None, known: statistics.Statistics | None, kind: str,
) -> torch.Tensor:  # fmt: skip
    steps, lr = (wanted.steps, wanted.lr) if begun is None else (wanted.refined, wanted.refined_lr)
    sides = wanted.sides if begun is None else (112,)
    here = picture.noise(len(rows), sides[0], place) if begun is None else begun
    pixels, optimiser = _moved(picture.enlarged(here.to(victim.device), sides[0]), lr)
    for step in range(steps):
        side = sides[min(int(step * len(sides) / (0.6 * steps)), len(sides) - 1)]
        if pixels.shape[-1] != side:
            pixels, optimiser = _moved(picture.enlarged(pixels.detach(), side), lr)
        optimiser.param_groups[0]["lr"] = lr * 0.5 * (1 + np.cos(np.pi * step / steps))
        whole = picture.enlarged(pixels)
        listening = statistics.heard(known.shipped) if known else nullcontext()
        with listening as ear:
            seen = victim.answers(picture.varied(whole, 0.5, 2, (*place, step)))
        apart = (quantiser.softened(seen, kind) - rows).square().sum(1).mean() * rows.shape[1]
        loss = apart + wanted.variation * losses.variation(whole)
        if known:
            loss = loss + wanted.prior * known.distance(ear.maps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            pixels.clamp_(picture.LOWEST, picture.HIGHEST)
        tell(1)
    return picture.enlarged(pixels.detach())


def _moved(pixels: torch.Tensor, lr: float) -> tuple[torch.Tensor, torch.optim.Optimizer]:
    pixels = pixels.detach().clone().requires_grad_(True)
    return pixels, torch.optim.Adam([pixels], lr)


def steps(people: int, wanted: Descent, refined: bool = False) -> int:
    """How many ``tell`` hears of."""
    return -(-people // BATCH) * (wanted.refined if refined else wanted.steps)
