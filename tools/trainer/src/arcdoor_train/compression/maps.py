"""How far the student's maps are from the teacher's: in principal directions of the teacher's, by an adapter for each
map that is trained beside the student and dropped."""

from collections.abc import Sequence

import torch
from torch import nn

from arcdoor_train.backbones.chain import Chain, Shape
from arcdoor_train.compression.least_squares import LeastSquares
from arcdoor_train.compression.moments import Moments
from arcdoor_train.compression.section import Compress
from arcdoor_train.compression.statistics import BATCH, rows
from arcdoor_train.errors import ConfigError

#: Crops that directions and adapters are fitted to, at most.
CROPS = 160


def taps(shape: Shape, sides: Sequence[int]) -> list[int]:
    """For each side the last layer that makes a map of it. Raises ``ConfigError`` where none does."""
    found = []
    made = shape.sides()
    for side in sides:
        if side not in made:
            raise ConfigError(f"compress.maps: the teacher makes no map of side {side}; it makes {sorted(set(made))}")
        found.append(len(made) - 1 - made[::-1].index(side))
    return found


def between(teacher: Chain, student: Chain, section: Compress, crops: torch.Tensor | None = None) -> "MapLoss":
    """The loss that ``section`` names; fitted to ``crops``, which a loss that is then loaded does without."""
    loss = MapLoss(teacher, student, taps(teacher.shape, section.maps), section.directions)
    if crops is not None:
        loss.fit(teacher, student, crops)
    return loss


class MapLoss(nn.Module):
    """The sum over maps of the mean square error, as a share of the directions' mean variance."""

    def __init__(self, teacher: Chain, student: Chain, of: Sequence[int], directions: Sequence[int]) -> None:
        super().__init__()
        widths = [(student.shape.layers[tap].outputs, teacher.shape.layers[tap].outputs) for tap in of]
        counts = [min(count, theirs) for count, (_, theirs) in zip(directions, widths, strict=True)]
        self.of = list(of)
        self.adapters = nn.ModuleList(nn.Conv2d(mine, k, 1) for k, (mine, _) in zip(counts, widths, strict=True))
        #: The teacher's map to its directions, each divided by the root of their mean variance.
        self.directions = nn.ModuleList(nn.Conv2d(theirs, k, 1) for k, (_, theirs) in zip(counts, widths, strict=True))
        self.directions.requires_grad_(False)

    @torch.no_grad()
    def fit(self, teacher: Chain, student: Chain, crops: torch.Tensor) -> None:
        """Directions from the teacher's maps of ``crops``, adapters by least squares."""
        found = [
            (teacher.maps(batch, self.of)[1], student.maps(batch, self.of)[1]) for batch in crops[:CROPS].split(BATCH)
        ]
        for n, (adapter, directions) in enumerate(zip(self.adapters, self.directions, strict=True)):
            spread, fit = Moments(), LeastSquares()
            for theirs, _ in found:
                spread.add(rows(theirs[n]).double())
            values, vectors = torch.linalg.eigh(spread.covariance)
            count = len(directions.weight)
            scale = values.flip(0)[:count].mean().clamp_min(1e-12).rsqrt()
            _set(directions, scale * vectors.flip(1)[:, :count].T, spread.mean)
            for theirs, mine in found:
                fit.add(rows(mine[n]), rows(directions(theirs[n])))
            weight, bias = fit.solve()
            adapter.weight.data, adapter.bias.data = weight.float()[:, :, None, None], bias.float()

    def forward(self, theirs: list[torch.Tensor], mine: list[torch.Tensor]) -> torch.Tensor:
        parts = zip(self.adapters, self.directions, theirs, mine, strict=True)
        errors = [(adapter(b) - directions(a)).square().mean() for adapter, directions, a, b in parts]
        return torch.stack(errors).sum() if errors else torch.zeros(())


def _set(directions: nn.Conv2d, weight: torch.Tensor, mean: torch.Tensor) -> None:
    directions.weight.data = weight.float()[:, :, None, None]
    directions.bias.data = (-weight @ mean).float()
