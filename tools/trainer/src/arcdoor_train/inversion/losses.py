"""What a picture is asked to be besides alike to its target: smooth, and of moderate values."""

import torch

#: Under the square roots: an even picture has a finite gradient.
_LEAST = 1e-12


def variation(pictures: torch.Tensor) -> torch.Tensor:
    """Total variation of (n, 3, h, w): the length of all differences between neighbours, right and below; the mean
    over pictures."""
    right = (pictures[..., 1:] - pictures[..., :-1]).square().flatten(1).sum(1)
    below = (pictures[..., 1:, :] - pictures[..., :-1, :]).square().flatten(1).sum(1)
    return ((right + _LEAST).sqrt() + (below + _LEAST).sqrt()).mean()


def energy(pictures: torch.Tensor) -> torch.Tensor:
    """The L2 length of (n, 3, h, w); the mean over pictures."""
    return (pictures.square().flatten(1).sum(1) + _LEAST).sqrt().mean()
