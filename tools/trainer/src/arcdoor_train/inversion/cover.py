"""What may lie before a face, drawn over an aligned crop: as ``arcdoor-lab eval degraded`` draws it, from the same
numbers (``tools/lab/src/degrade/cover.rs`` and ``kinds.rs``), so that both speak of one mask."""

import numpy as np

from arcdoor_train.data.sets import SIDE

#: Of a crop as it is.
NOTHING = "nothing"
#: Centres of the eyes.
EYES = ((38.3, 51.7), (73.5, 51.5))
#: Corners of a mask, from the left ear over the nose to the right one, and back along the chin.
MASK = ((18.0, 66.0), (56.0, 60.0), (94.0, 66.0), (88.0, 96.0), (56.0, 112.0), (24.0, 96.0))
#: Half axes of a lens.
LENS = (15.0, 11.0)
#: Red, green and blue of each kind; left, top, width and height of those that are a rectangle.
COLOURS = {"sunglasses": (15, 15, 15), "mask": (215, 220, 220), "left half": (0, 0, 0), "lower half": (128, 128, 128)}
BLOCKS = {"left half": (0.0, 0.0, 56.0, 112.0), "lower half": (0.0, 56.0, 112.0, 56.0)}
KINDS = (NOTHING, *COLOURS)


def over(crop: np.ndarray, kind: str) -> np.ndarray:
    """(112, 112, 3) uint8 with one of ``KINDS`` over it."""
    if kind == NOTHING:
        return crop
    return np.where(_hidden(kind)[..., None], np.array(COLOURS[kind], np.uint8), crop)


def _hidden(kind: str) -> np.ndarray:
    """(112, 112) what of a crop is covered."""
    y, x = np.indices((SIDE, SIDE)).astype(float)
    if kind == "mask":
        return _within(MASK, x, y)
    if kind == "sunglasses":
        return _glasses(x, y)
    left, top, width, height = BLOCKS[kind]
    return (x >= left) & (x < left + width) & (y >= top) & (y < top + height)


def _glasses(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two lenses, a bridge, two bows."""
    between = (x >= EYES[0][0]) & (x < EYES[1][0])
    lenses = [((x - right) / LENS[0]) ** 2 + ((y - down) / LENS[1]) ** 2 <= 1 for right, down in EYES]
    bows = (np.abs(y - 48) <= 1.5) & ~between & (x >= 6) & (x < 106)
    return lenses[0] | lenses[1] | bows | ((np.abs(y - 50) <= 1.5) & between)


def _within(corners: tuple[tuple[float, float], ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether a ray from a place crosses an odd number of a polygon's edges."""
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
