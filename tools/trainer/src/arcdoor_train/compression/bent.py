"""A value of a graph as a bent line of a convolution's output, channel by channel: the one slope above 0, the other
below, and a shift. BatchNorm, ReLU, PReLU, and PReLU written as other operators are all such lines."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Bent:
    """``above * max(z, 0) + below * min(z, 0) + shift`` of the output ``z`` of the layer ``base`` (-1: the input)."""

    base: int
    above: np.ndarray
    below: np.ndarray
    shift: np.ndarray
    #: Whether the map was made one row of values.
    flat: bool = False

    @classmethod
    def line(cls, base: int, channels: int) -> "Bent":
        """The output itself."""
        return cls(base, np.ones(channels), np.ones(channels), np.zeros(channels))

    @property
    def whole(self) -> bool:
        """Whether it is the output itself."""
        return bool((self.above == 1).all() and (self.below == 1).all() and not self.shift.any())

    def affine(self, scale: np.ndarray, shift: np.ndarray) -> "Bent":
        """``scale * self + shift``."""
        return replace(self, above=scale * self.above, below=scale * self.below, shift=scale * self.shift + shift)

    def prelu(self, slope: np.ndarray) -> "Bent | None":
        """PReLU of it; ReLU has the slope 0. None where it was shifted: the bend is no longer at 0."""
        if self.shift.any():
            return None
        above = np.where(self.above > 0, self.above, slope * self.above)
        # z < 0: the value below * z is positive where ``below`` is not.
        below = np.where(self.below < 0, self.below, slope * self.below)
        return replace(self, above=above, below=below)

    def most(self, other: "Bent") -> "Bent | None":
        """The larger of both, value by value."""
        if other.base != self.base or self.shift.any() or other.shift.any():
            return None
        return replace(self, above=np.maximum(self.above, other.above), below=np.minimum(self.below, other.below))

    def plus(self, other: "Bent", sign: int = 1) -> "Bent | None":
        """The sum, or the difference; None of what other layers made."""
        if other.base != self.base:
            return None
        return replace(
            self, above=self.above + sign * other.above, below=self.below + sign * other.below,
            shift=self.shift + sign * other.shift,
        )  # fmt: skip
