"""Aligned crops outside training: what verification, calibration, distillation and evaluation read."""

import os
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from arcdoor_train.data.sets import ALIGNMENT, SIDE, decode
from arcdoor_train.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg")


class Crops:
    """The images of a folder or a zip file, by name in bytewise order. Corrupt ones are met when they are read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        try:
            if self.path.is_dir():
                found = (
                    (Path(folder) / name).relative_to(self.path).as_posix()
                    for folder, _, names in os.walk(self.path)
                    for name in names
                )
            else:
                self._zip = zipfile.ZipFile(self.path)
                found = iter(self._zip.namelist())
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is neither a folder nor a zip file: {error}") from error
        self.names = sorted((name for name in found if name.lower().endswith(ENDINGS)), key=os.fsencode)
        if not self.names:
            raise DataError(f"no image (PNG, JPEG) in {path}")

    def __len__(self) -> int:
        return len(self.names)

    def bytes(self, name: str) -> bytes:
        """The encoded image."""
        if self._zip is not None:
            return self._zip.read(name)
        return (self.path / name).read_bytes()

    def read(self, name: str) -> np.ndarray:
        """(112, 112, 3) uint8, RGB. Raises ``DataError`` where it does not decode or has another size."""
        return decode(self.bytes(name), name)

    def spread(self, count: int, names: list[str] | None = None) -> list[str]:
        """At most ``count`` names, evenly spaced over the set, or over ``names`` of it."""
        names = self.names if names is None else names
        count = min(count, len(names))
        return [names[i * len(names) // count] for i in range(count)]

    def listed(self, path: Path) -> list[str]:
        """The names that a file has, one a line. Raises ``DataError`` where the set does not have them all."""
        try:
            found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read {path}: {error}") from error
        missing = set(found) - set(self.names)
        if missing or not found:
            raise DataError(
                f"{path} lists {len(missing)} of {len(found)} images that {self.path} does not have: another set?"
            )
        return found

    def batches(self, names: list[str], size: int = 64) -> Iterator[np.ndarray]:
        """Network inputs (n, 3, 112, 112) in the order of ``names``."""
        for start in range(0, len(names), size):
            yield to_input(np.stack([self.read(name) for name in names[start : start + size]]))


def owners(names: list[str]) -> np.ndarray:
    """For each name the number of its folder, in order of the folders' names."""
    return np.unique([name.rpartition("/")[0] for name in names], return_inverse=True)[1]


#: Planes of a network's input by the ``channel_order`` of a manifest.
PLANES = {"rgb": 3, "bgr": 3, "grey": 1}
#: Of red, green and blue in a grey plane (ITU-R BT.601), as on the device.
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Preprocess:
    """What a network takes, as a manifest says it: ``(value - mean) * scale`` for 0..255, plane by plane."""

    #: One number for each plane; nothing means those of our own networks.
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    #: One of ``PLANES``.
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        planes = PLANES.get(self.channel_order)
        if planes is None:
            raise DataError(f"channel_order = {self.channel_order!r}: {', '.join(PLANES)}")
        object.__setattr__(self, "mean", self.mean or (127.5,) * planes)
        object.__setattr__(self, "scale", self.scale or (0.0078125,) * planes)
        if len(self.mean) != planes or len(self.scale) != planes or 0.0 in self.scale:
            raise DataError(f"mean {self.mean}, scale {self.scale}: {planes} numbers each, scale not 0")

    def apply(self, inputs: np.ndarray) -> np.ndarray:
        """From our own networks' input, (n, 3, side, side), to this network's, (n, planes, side, side)."""
        if self == Preprocess():
            return inputs
        values = inputs * np.float32(128) + np.float32(127.5)
        if self.channel_order == "bgr":
            values = values[:, ::-1]
        elif self.channel_order == "grey":
            values = np.tensordot(values, np.array(GREY, np.float32), (1, 0))[:, None]
        mean, scale = (np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in (self.mean, self.scale))
        return np.ascontiguousarray((values - mean) * scale, dtype=np.float32)

    @classmethod
    def of(cls, manifest: Path) -> "Preprocess":
        """That of the embedder in a card or a ``pack.toml``."""
        try:
            table = tomllib.loads(manifest.read_text(encoding="utf-8"))["embedder"]["preprocess"]
            alignment = table.get("alignment", ALIGNMENT)
            found = cls(tuple(table["mean"]), tuple(table["scale"]), table["channel_order"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{manifest} says of no embedder what it takes: {error!r}") from error
        if alignment != ALIGNMENT:
            raise DataError(f"{manifest} takes faces aligned as {alignment!r}; crops are {ALIGNMENT!r}")
        return found

    def manifest(self) -> list[str]:
        """The lines of ``[embedder.preprocess]`` in a card or a ``pack.toml``."""
        return [
            f"width = {SIDE}",
            f"height = {SIDE}",
            'layout = "nchw"',
            f'channel_order = "{self.channel_order}"',
            f"mean = {list(map(float, self.mean))}",
            f"scale = {list(map(float, self.scale))}",
            f'alignment = "{ALIGNMENT}"',
        ]


def to_input(crops: np.ndarray) -> np.ndarray:
    """(n, side, side, 3) uint8 to (n, 3, side, side) float32: (value - 127.5) / 128."""
    values = (crops.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 128)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def random(count: int, seed: int = 0) -> np.ndarray:
    """Coloured noise of several grains, (count, 112, 112, 3) uint8: better than nothing where no faces are at hand."""
    rng = np.random.default_rng(seed)
    total = np.zeros((count, SIDE, SIDE, 3))
    for grain in (4, 14, 56):
        noise = rng.normal(0, 40, (count, grain, grain, 3))
        total += noise.repeat(SIDE // grain, axis=1).repeat(SIDE // grain, axis=2)
    return np.clip(total + 127.5, 0, 255).astype(np.uint8)


def save(folder: Path, crops: np.ndarray) -> list[str]:
    """Writes crops as PNG (lossless: every engine then reads the same pixels); their names in order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:05}.png" for number in range(len(crops))]
    for name, crop in zip(names, crops, strict=True):
        Image.fromarray(crop).save(folder / name, compress_level=1)
    return names
