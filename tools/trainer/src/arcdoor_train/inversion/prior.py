"""What the weights tell of the training's pictures: the running means and deviations that BatchNorm keeps of what it
takes. Pictures that have the same ones look more like those."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcdoor_train.errors import DataError

#: Under the square root, so that a channel without any deviation has a finite gradient.
_LEAST = 1e-8


class Prior:
    """sum over BatchNorms of |mean~ - mean|^2 + |deviation~ - deviation|^2, vectors over channels: of what each takes
    in a batch, from what it remembers. It listens while the network computes; ``take`` gives the sum since the last
    call. Without ``flat`` BatchNorms that take rows and no maps are left out."""

    def __init__(self, network: nn.Module, flat: bool = True) -> None:
        self.flat, self._terms = flat, []
        self.norms = [
            norm for norm in network.modules() if isinstance(norm, _BatchNorm) and norm.running_mean is not None
        ]
        if not self.norms or (not flat and all(isinstance(norm, nn.BatchNorm1d) for norm in self.norms)):
            raise DataError(
                "this network has no BatchNorm: in packs, exports and what compress makes it is folded into the "
                "convolutions. Name the run or the file as it was published, or set invert.prior = 0"
            )
        self._hooks = [norm.register_forward_pre_hook(self._listen) for norm in self.norms]

    def _listen(self, norm: _BatchNorm, given: tuple[torch.Tensor, ...]) -> None:
        x = given[0]
        if x.dim() == 2 and not self.flat:
            return
        axes = [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(x, axes, correction=0)
        deviation = (variance + _LEAST).sqrt()
        self._terms.append(
            (mean - norm.running_mean).square().sum() + (deviation - norm.running_var.sqrt()).square().sum()
        )

    def take(self) -> torch.Tensor:
        """What was heard."""
        total, self._terms = torch.stack(self._terms).sum(), []
        return total

    def end(self) -> None:
        """Listens no more."""
        for hook in self._hooks:
            hook.remove()
