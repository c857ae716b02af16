"""A learned decoder: from a template to a picture, trained on crops that are at hand."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from arcdoor_train import crops
from arcdoor_train.errors import DivergedError
from arcdoor_train.inversion import picture
from arcdoor_train.leakage.section import Decoding
from arcdoor_train.leakage.victim import PASS, Victim


class Decoder(nn.Module):
    """A linear layer to a map of 4 x 4, then transposed convolutions that double it until it is a picture."""

    def __init__(self, dimension: int, side: int, width: int) -> None:
        super().__init__()
        doublings = int(math.log2(side // 4))
        channels = [min(width * 2 ** (doublings - n), 256) for n in range(doublings + 1)]
        self.start, self.first = nn.Linear(dimension, channels[0] * 16), channels[0]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.BatchNorm2d(before), nn.LeakyReLU(0.2), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        layers += [nn.BatchNorm2d(channels[-1]), nn.LeakyReLU(0.2), nn.Conv2d(channels[-1], 3, 3, padding=1)]
        self.rest = nn.Sequential(*layers)

    def forward(self, templates: torch.Tensor) -> torch.Tensor:
        """(n, 3, side, side) within a picture's values, of templates (n, d) of length 1."""
        begun = self.start(templates * templates.shape[1] ** 0.5).reshape(len(templates), self.first, 4, 4)
        return picture.HIGHEST * torch.tanh(self.rest(begun))


@dataclass(frozen=True)
class Lessons:
    """What a decoder learns from: templates (n, d) and small pictures (n, 3, side, side)."""

    templates: np.ndarray
    pictures: np.ndarray


def lessons(images: np.ndarray, templates: np.ndarray, side: int) -> Lessons:
    """Of crops (n, 112, 112, 3) and their templates."""
    small = [np.array(Image.fromarray(one).resize((side, side), Image.Resampling.BOX)) for one in images]
    return Lessons(templates, crops.to_input(np.stack(small)))


def taught(
    victim: Victim,
    wanted: Decoding,
    given: Lessons,
    seed: int,
    tell: Callable[[int], None],
    start: dict[str, torch.Tensor] | None = None,
    stored: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
) -> Decoder:
    """A decoder of templates as ``stored`` leaves them; from ``start``, one is adapted in fewer passes. The loss: the
    mean distance of pixels, and, in some steps, how far the attacked network finds a picture from the crop's template.
    ``tell`` hears of each step. Raises ``DivergedError``."""
    torch.manual_seed(seed)
    model = Decoder(given.templates.shape[1], wanted.side, wanted.width).to(victim.device)
    if start is not None:
        model.load_state_dict(start)
    passes = wanted.epochs if start is None else wanted.adapted
    entered, true = torch.from_numpy(stored(given.templates)), torch.from_numpy(given.templates)
    pictures, steps = torch.from_numpy(given.pictures), total(len(true), wanted, passes)
    optimiser = torch.optim.Adam(model.parameters(), wanted.lr if start is None else wanted.lr / 2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng, step = np.random.default_rng(seed), 0
    model.train()
    for _ in range(passes):
        order = rng.permutation(len(true))
        for chosen in np.array_split(order, -(-len(order) // wanted.batch)):
            rows = [values[chosen].to(victim.device) for values in (entered, true, pictures)]
            loss = _loss(model, victim, wanted, rows, step % wanted.ask_every == wanted.ask_every - 1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            falling.step()
            step += 1
            tell(1)
    if not math.isfinite(float(loss.detach())):
        raise DivergedError("the decoder's loss is no number: lower leak.decoder.lr")
    return model.eval()


def total(count: int, wanted: Decoding, passes: int) -> int:
    """Steps of so many passes over ``count`` crops."""
    return passes * -(-count // wanted.batch)


def _loss(model: Decoder, victim: Victim, wanted: Decoding, rows: list[torch.Tensor], ask: bool) -> torch.Tensor:
    entered, true, pictures = rows
    made = model(entered)
    loss = (made - pictures).abs().mean()
    if ask and wanted.weight:
        seen = victim.answers(picture.enlarged(made[: wanted.ask]))
        loss = loss + wanted.weight * (1 - functional.cosine_similarity(seen, true[: wanted.ask])).mean()
    return loss


def drawn(model: Decoder, templates: np.ndarray) -> torch.Tensor:
    """(n, 3, side, side) of templates (n, d)."""
    device = next(model.parameters()).device
    with torch.no_grad():
        parts = torch.from_numpy(templates.astype(np.float32)).split(PASS)
        return torch.cat([model(part.to(device)) for part in parts])
