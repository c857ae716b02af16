"""What OpenVINO's Open Model Zoo says of its two face networks, around them: BGR, 0..255, which the files scale
themselves (documents of face-reidentification-retail-0095 and landmarks-regression-retail-0009)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import ir_file
from arcdoor_train.errors import DataError
from arcdoor_train.feature_file import unit

ENDING = ".xml"
#: The zoo's reference points for re-identification are ArcFace's in the crop of 96 columns that lies in the middle of
#: ours, stretched to the network's square.
_COLUMNS = slice(8, 104)


def _bgr(x: torch.Tensor) -> torch.Tensor:
    """From our own networks' input."""
    return x.flip(1) * 128.0 + 127.5


class Embedder(nn.Module):
    """A network that names faces, such as face-reidentification-retail-0095: our own networks' input,
    (n, 3, 112, 112), to (n, d)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = _of_colour(path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cut = x[..., _COLUMNS]
        return self.network(functional.interpolate(_bgr(cut), self.network.takes[1:], mode="bilinear")).flatten(1)


class Judging:
    """``Embedder`` as ``evaluate.Embedder`` is used."""

    def __init__(self, path: Path) -> None:
        self._network = Embedder(path).eval()

    def __call__(self, batches: Iterable[np.ndarray]) -> np.ndarray:
        """Unit-length features (n, d) of our own networks' inputs."""
        with torch.no_grad():
            return unit(np.concatenate([self._network(torch.from_numpy(batch)).numpy() for batch in batches]))


class Marks(nn.Module):
    """A network that finds five points in a face's square, such as landmarks-regression-retail-0009: pixels as our own
    networks take them, (n, 3, rows, columns) of the square, to (n, 5, 2) shares of its width and height from the upper
    left corner: left eye, right eye (as they are seen), nose's tip, left and right corner of the mouth."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = _of_colour(path)
        with torch.no_grad():
            found = self.network(torch.zeros(1, *self.network.takes)).numel()
        if found != 10:
            raise DataError(f"{path} gives {found} numbers for a face; one that finds five points gives ten. Name it")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that it takes."""
        return self.network.takes[1:]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.interpolate(x, self.size, mode="bilinear") if x.shape[2:] != self.size else x
        return self.network(_bgr(x)).reshape(len(x), 5, 2)


def _of_colour(path: Path) -> ir_file.Network:
    found = ir_file.read(path)
    if found.takes[0] != 3:
        raise DataError(f"{path} takes {found.takes[0]} planes; a network of colour pictures has three")
    return found
