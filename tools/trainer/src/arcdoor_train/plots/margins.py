"""What a margin does to the logit of an image's own class, and where it puts the border between two classes. Computed
by the heads' own functions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import config, figure
from arcdoor_train.heads import margins

#: m1, m2, m3 of the paper's losses (arXiv 1801.07698 v4, its table on CASIA).
COMBINED = {
    "Norm-Softmax": (1.0, 0.0, 0.0), "SphereFace 1.35": (1.35, 0.0, 0.0), "ArcFace 0.5": (1.0, 0.5, 0.0),
    "CosFace 0.35": (1.0, 0.0, 0.35), "CM1 1, 0.3, 0.2": (1.0, 0.3, 0.2), "CM2 0.9, 0.4, 0.15": (0.9, 0.4, 0.15),
}  # fmt: skip


def targets() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """From the cosine to the own class to what the loss takes for it, before the scale."""
    head = config.Head()
    found: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        name: lambda cosine, m=m: margins.combined(cosine, *m) for name, m in COMBINED.items()
    }
    for quality in (-1.0, 0.0, 1.0):
        found[f"AdaFace, quality {quality:g}"] = lambda cosine, q=quality: margins.adaface(
            cosine, torch.full_like(cosine, q), head.ada_margin
        )
    for name, margin in (("short", head.mag_margin_low), ("long", head.mag_margin_high)):
        found[f"MagFace, {name} features"] = lambda cosine, m=margin: margins.magface(
            cosine, torch.full_like(cosine, m)
        )
    return found


def curves(degrees: np.ndarray) -> dict[str, np.ndarray]:
    """The target logit over the angle to the own class."""
    cosine = torch.from_numpy(np.cos(np.radians(degrees)))
    return {name: target(cosine).numpy() for name, target in targets().items()}


def borders(other: np.ndarray) -> dict[str, np.ndarray]:
    """Of two classes: the largest angle to the own one at which an image still counts as its, where the angle to the
    other one is ``other`` (degrees). NaN where there is none."""
    own = np.linspace(0.0, 180.0, 3601)
    cosine, found = torch.from_numpy(np.cos(np.radians(own))), {}
    for name, (m1, m2, m3) in COMBINED.items():
        target = margins.combined(cosine, m1, m2, m3).numpy()
        wanted = np.cos(np.radians(other))
        border = np.interp(-wanted, -target, own)
        # At 0 degrees the logit is largest; past it, none is left.
        found[name] = np.where(wanted > target[0] + 1e-9, np.nan, border)
    return found


def draw_curves(folder: Path) -> None:
    """``margins.*``."""
    degrees = np.arange(0.0, 180.5, 0.5)
    found, drawn = curves(degrees), figure.new()
    axes = drawn.subplots()
    for name, values in found.items():
        axes.plot(degrees, values, label=name, linestyle="-" if name in COMBINED else "--")
    axes.set(xlabel="angle to the own class in degrees", ylabel="target logit / s", title="target logits")
    axes.legend(fontsize="small")
    figure.save(drawn, folder / "margins", {"degrees": degrees, **found})


def draw_borders(folder: Path) -> None:
    """``borders.*``."""
    other = np.arange(0.0, 90.5, 0.5)
    found, drawn = borders(other), figure.new(11.0, 7.5)
    for axes, (name, own) in zip(drawn.subplots(2, 3).flat, found.items(), strict=True):
        axes.plot(own, other, color="tab:blue", label="class 1 wins left of it")
        axes.plot(other, own, color="tab:orange", label="class 2 wins below it")
        axes.set(xlim=(0, 90), ylim=(0, 90), aspect="equal", title=name)
        axes.set(xlabel="angle to class 1", ylabel="angle to class 2")
    drawn.axes[0].legend(fontsize="small")
    figure.save(drawn, folder / "borders", {"degrees_to_other": other, **found})
