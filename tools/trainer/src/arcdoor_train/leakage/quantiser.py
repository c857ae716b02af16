"""Templates of fewer bits: what a gallery could store, and what an attack that knows it makes of it."""

import numpy as np
import torch
from torch.nn import functional

from arcdoor_train.feature_file import unit

#: Levels either side of 0 by kind; ``sign`` has none between -1 and 1.
LEVELS = {"int8": 127, "4 bits": 7, "sign": 1}
KINDS = ("f32", *LEVELS)
#: Of values of a unit-length template, times sqrt(d): what lies beyond is cut at the last level. 127 levels reach the
#: largest value, 7 lose less by a cut.
_REACH = {"int8": None, "4 bits": 2.5}


def bits(kind: str, dimension: int) -> int:
    """Of one template, a scale apart."""
    return dimension * {"f32": 32, "int8": 8, "4 bits": 4, "sign": 1}[kind]


def stored(templates: np.ndarray, kind: str) -> np.ndarray:
    """What is left of templates (n, d), of length 1."""
    if kind == "f32":
        return templates
    if kind == "sign":
        kept = np.where(templates >= 0, 1.0, -1.0)
    else:
        step = _step(np.abs(templates).max(axis=1, keepdims=True), templates.shape[1], kind)
        kept = np.clip(np.rint(templates / step), -LEVELS[kind], LEVELS[kind])
    return unit(kept).astype(np.float32)


def _step(largest: np.ndarray, dimension: int, kind: str) -> np.ndarray:
    reach = _REACH[kind]
    top = largest if reach is None else np.minimum(largest, reach / np.sqrt(dimension))
    return np.maximum(top, 1e-12) / LEVELS[kind]


def softened(embeddings: torch.Tensor, kind: str) -> torch.Tensor:
    """What a picture's embedding would be stored as, of length 1, with a gradient: rounded forwards and not backwards;
    signs as a steep slope."""
    whole = functional.normalize(embeddings)
    if kind == "f32":
        return whole
    if kind == "sign":
        return functional.normalize(torch.tanh(whole * 2 * whole.shape[1] ** 0.5))
    kept = torch.from_numpy(stored(whole.detach().cpu().numpy(), kind)).to(whole)
    return whole + (kept - whole).detach()
