"""One batch of pictures while it is drawn, from one start: a step of it, and what it goes on from."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from arcdoor_train.inversion import losses, picture
from arcdoor_train.inversion.attacked import Attacked
from arcdoor_train.inversion.prior import Prior
from arcdoor_train.inversion.section import Invert
from arcdoor_train.inversion.steering import Steering
from arcdoor_train.inversion.target import Target


@dataclass(frozen=True)
class Place:
    """Which batch of the target, and which of its starts."""

    batch: int
    start: int


class Drawing:
    """Adam on the pixels."""

    def __init__(
        self,
        section: Invert,
        attacked: Attacked,
        target: Target,
        prior: Prior | None,
        seed: int,
        place: Place,
        steering: Steering | None = None,
    ) -> None:
        self.section, self.attacked, self.target, self.prior = section, attacked, target, prior
        self.place, self.step, self.steering = place, 0, steering
        self.chosen = slice(place.batch * section.batch, min((place.batch + 1) * section.batch, len(target.names)))
        self._from = (seed, place.batch, place.start)
        #: How much of each eigenface lies behind the pixels; None where nothing does.
        self.weights = steering.weights(self.chosen) if steering else None
        if steering:
            self._take(steering.start(self.chosen, section.sides[0], self._from))
        else:
            self._take(picture.noise(self.chosen.stop - self.chosen.start, section.sides[0], self._from))

    def _take(self, pictures: torch.Tensor) -> None:
        self.pictures = pictures.to(self.attacked.device).requires_grad_(True)
        moved = [{"params": [self.pictures], "rate": self.section.lr}]
        if self.weights is not None:
            moved.append({"params": [self.weights.requires_grad_(True)], "rate": self.section.steer.rate})
        self.optimiser = torch.optim.Adam(moved)

    def whole(self) -> torch.Tensor:
        """(n, 3, 112, 112) the pictures as they are now."""
        if self.steering:
            return self.steering.whole(self.pictures, self.weights, self.chosen)
        return picture.enlarged(self.pictures)

    def advance(self) -> dict[str, torch.Tensor]:
        """One step; each term before it, unweighted, and ``cosine``, the mean of those to the targets."""
        section, side = self.section, self.section.side(self.step)
        if side != self.pictures.shape[-1]:
            self._take(picture.enlarged(self.pictures.detach(), side))
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * self._share()
        whole = self.whole()
        aligned = self.steering.aligned(whole, self.chosen) if self.steering else whole
        shown = picture.varied(aligned, section.flip, section.jitter, (*self._from, self.step))
        embeddings = self.attacked.network(shown)
        terms = {"identity": self.target.loss(embeddings, self.chosen)}
        if self.prior:
            terms["prior"] = self.prior.take()
        terms |= {"variation": losses.variation(whole), "energy": losses.energy(whole)}
        total = sum(getattr(section, name) * term for name, term in terms.items())
        if self.steering:
            terms["landmarks"] = self.steering.loss(whole, self.chosen, (*self._from, self.step))
            total = total + section.steer.weight * terms["landmarks"]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        with torch.no_grad():
            # What no file of 8 bits can hold is no picture.
            self.pictures.clamp_(picture.LOWEST, picture.HIGHEST)
            terms["cosine"] = self.target.cosines(embeddings, self.chosen).mean()
        self.step += 1
        return {name: term.detach() for name, term in terms.items()}

    def _share(self) -> float:
        """Of the rates, in this step."""
        if self.section.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * self.step / self.section.steps))

    def state(self) -> dict[str, Any]:
        """All that ``load`` needs."""
        return {
            "batch": self.place.batch,
            "start": self.place.start,
            "step": self.step,
            "pictures": self.pictures.detach().cpu().clone(),
            "weights": None if self.weights is None else self.weights.detach().cpu().clone(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Takes what ``state`` gave of the same place. Raises ``KeyError``, ``ValueError``."""
        if self.weights is not None:
            self.weights = state["weights"].to(self.attacked.device)
        self._take(state["pictures"].clone())
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
