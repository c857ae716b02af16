"""The layer that makes the embedding, in float32 whatever autocast says: as bf16 it would have three digits."""

import torch
from torch import nn


class Linear(nn.Linear):
    """``nn.Linear``; so is the BatchNorm after it, which takes what it gives."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))
