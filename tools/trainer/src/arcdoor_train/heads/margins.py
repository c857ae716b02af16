"""Margins: from the cosine of an image to its own class to the logit of that class, before the scale.

theta = arccos(cosine). Where a margin would leave [0, pi], the target goes on falling with the angle.
"""

import math

import torch

#: arccos' gradient is infinite at +-1: the cosines are kept this far away (float32 has 1.2e-7 there).
EDGE = 1e-6


def angle(cosine: torch.Tensor) -> torch.Tensor:
    """arccos in radians, with a finite gradient everywhere. At the very ends the value is off by at most 1.5e-3."""
    return torch.arccos(cosine.clamp(-1.0 + EDGE, 1.0 - EDGE))


def combined(cosine: torch.Tensor, m1: float, m2: float, m3: float) -> torch.Tensor:
    """cos(m1 * theta + m2) - m3, and monotonic past pi.

    For m1 = 1 the part past pi - m2 is cos(theta) - m2 * sin(m2), the usual guard. For another m1 (SphereFace) it
    is SphereFace's own extension, (-1)^k cos(phi) - 2k on [k pi, (k + 1) pi], for phi = m1 * theta + m2.
    """
    if m1 == 1.0:
        if m2 == 0.0:
            return cosine - m3
        # cos(theta + m2) without arccos: exact at the ends too, where only the square root's gradient is bounded.
        sine = torch.sqrt((1.0 - cosine * cosine).clamp_min(EDGE * EDGE))
        moved = cosine * math.cos(m2) - sine * math.sin(m2)
        return torch.where(cosine > math.cos(math.pi - m2), moved, cosine - m2 * math.sin(m2)) - m3
    phi = m1 * angle(cosine) + m2
    turns = torch.floor(phi.detach() / math.pi)
    sign = 1.0 - 2.0 * (turns % 2.0)
    return sign * torch.cos(phi) - 2.0 * turns - m3


def adaface(cosine: torch.Tensor, quality: torch.Tensor, margin: float) -> torch.Tensor:
    """AdaFace (arXiv 2204.00964): cos(theta + g_angle) - g_add with g_angle = -m * quality, g_add = m * quality + m,
    for ``quality``, the normalised feature norm in -1..1. theta + g_angle is clipped to [0, pi]."""
    moved = (angle(cosine) - margin * quality).clamp(EDGE, math.pi - EDGE)
    return torch.cos(moved) - (margin * quality + margin)


def magface(cosine: torch.Tensor, margin: torch.Tensor) -> torch.Tensor:
    """MagFace (arXiv 2103.06627): cos(theta + m(a)) for a margin that grows with the feature's norm; past pi - m it
    is cos(theta) - m * sin(m)."""
    sine = torch.sqrt((1.0 - cosine * cosine).clamp_min(EDGE * EDGE))
    moved = cosine * torch.cos(margin) - sine * torch.sin(margin)
    return torch.where(cosine > torch.cos(math.pi - margin), moved, cosine - margin * torch.sin(margin))
