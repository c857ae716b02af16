"""Augmentation for doors: what a camera beside a door does to a face. Each works on (112, 112, 3) uint8."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from arcdoor_train.config import Augment

Random = np.random.Generator


def flip(image: np.ndarray, _random: Random) -> np.ndarray:
    """Left and right exchanged."""
    return image[:, ::-1]


def low_light(image: np.ndarray, random: Random) -> np.ndarray:
    """Fewer photons: exposure down to a twentieth with shot noise, then the camera's gain and a gamma."""
    exposure = random.uniform(0.05, 0.4)
    photons = random.poisson(image.astype(np.float32) * exposure)
    gain = random.uniform(0.4, 0.9) / exposure
    return _clip(255.0 * (np.clip(photons * gain, 0, 255) / 255.0) ** random.uniform(1.0, 1.6))


def motion_blur(image: np.ndarray, random: Random) -> np.ndarray:
    """A walk past the camera: the mean along a line of 3..11 pixels in any direction."""
    length, turn = random.uniform(3, 11), random.uniform(0, np.pi)
    steps = np.linspace(-length / 2, length / 2, int(np.ceil(length)) | 1)
    total = np.zeros(image.shape, np.float32)
    padded = np.pad(image, ((6, 6), (6, 6), (0, 0)), mode="edge")
    for step in steps:
        dx, dy = round(step * np.cos(turn)) + 6, round(step * np.sin(turn)) + 6
        total += padded[dy : dy + image.shape[0], dx : dx + image.shape[1]]
    return _clip(total / len(steps))


def noise(image: np.ndarray, random: Random) -> np.ndarray:
    """Read-out noise of the sensor, 3..16 grey levels."""
    return _clip(image + random.normal(0.0, random.uniform(3, 16), image.shape))


def jpeg(image: np.ndarray, random: Random) -> np.ndarray:
    """JPEG of quality 15..70."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=int(random.integers(15, 71)))
    return np.asarray(Image.open(buffer))


def down_scale(image: np.ndarray, random: Random) -> np.ndarray:
    """A face far away: to 24..80 pixels and back."""
    small = int(random.integers(24, 81))
    face = Image.fromarray(np.ascontiguousarray(image))
    face = face.resize((small, small), Image.Resampling.BOX)
    return np.asarray(face.resize(image.shape[1::-1], Image.Resampling.BILINEAR))


def occlusion(image: np.ndarray, random: Random) -> np.ndarray:
    """A mask, a scarf, a hand: one rectangle of one colour over 5 to 35 % of the crop."""
    side = image.shape[0]
    area, ratio = random.uniform(0.05, 0.35) * side * side, random.uniform(0.4, 2.5)
    height, width = min(int(np.sqrt(area * ratio)), side), min(int(np.sqrt(area / ratio)), side)
    top, left = random.integers(0, side - height + 1), random.integers(0, side - width + 1)
    covered = image.copy()
    covered[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return covered


def grey(image: np.ndarray, random: Random) -> np.ndarray:
    """Infrared-like: one channel, mostly the red one, in which skin is bright."""
    weights = np.array([random.uniform(0.6, 1.0), random.uniform(0.0, 0.4), random.uniform(0.0, 0.1)])
    mixed = _clip(image @ (weights / weights.sum()) * random.uniform(0.8, 1.3))
    return np.repeat(mixed[..., None], 3, 2)


def crop(image: np.ndarray, random: Random) -> np.ndarray:
    """A face cut off by the frame, as AdaFace does it: a rectangle of 20 to 100 % of the area and a ratio of sides of
    3:4 to 4:3 stays where it is, the rest is black."""
    side = image.shape[0]
    area, ratio = random.uniform(0.2, 1.0) * side * side, np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
    height, width = (min(max(round(np.sqrt(value)), 1), side) for value in (area / ratio, area * ratio))
    top, left = random.integers(0, side - height + 1), random.integers(0, side - width + 1)
    left_over = np.zeros_like(image)
    left_over[top : top + height, left : left + width] = image[top : top + height, left : left + width]
    return left_over


#: How AdaFace's ``rescale`` may make smaller and larger.
_FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BOX,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def rescale(image: np.ndarray, random: Random) -> np.ndarray:
    """Fewer pixels, as AdaFace does it: to 20 to 100 % of the side and back, each way by a filter drawn.
    (Pillow's filters average what they make smaller; those of OpenCV, which AdaFace uses, do not, but one.)"""
    small = max(int(random.uniform(0.2, 1.0) * image.shape[0]), 1)
    down, up = (_FILTERS[n] for n in random.integers(0, len(_FILTERS), 2))
    face = Image.fromarray(np.ascontiguousarray(image)).resize((small, small), down)
    return np.asarray(face.resize(image.shape[1::-1], up))


def photometric(image: np.ndarray, random: Random) -> np.ndarray:
    """Brightness, contrast and saturation, each by 0.5 to 1.5, in an order drawn, as AdaFace does it."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    face = Image.fromarray(np.ascontiguousarray(image))
    for n in random.permutation(len(enhancers)):
        face = enhancers[n](face).enhance(random.uniform(0.5, 1.5))
    return np.asarray(face)


#: In the order of the light's way: scene, optics, sensor, file.
STEPS: tuple[tuple[str, Callable[[np.ndarray, Random], np.ndarray]], ...] = (
    ("flip", flip),
    ("occlusion", occlusion),
    ("motion_blur", motion_blur),
    ("down_scale", down_scale),
    ("grey", grey),
    ("low_light", low_light),
    ("noise", noise),
    ("jpeg", jpeg),
)
#: AdaFace's, after those. One that is not wanted takes no chance up, so that configurations without it draw as before.
MORE_STEPS: tuple[tuple[str, Callable[[np.ndarray, Random], np.ndarray]], ...] = (
    ("crop", crop),
    ("rescale", rescale),
    ("photometric", photometric),
)


def augment(image: np.ndarray, shares: Augment, random: Random) -> np.ndarray:
    """Each step with its share of chance. The same generator state gives the same image."""
    for name, step in STEPS:
        if random.random() < getattr(shares, name):
            image = step(image, random)
    for name, step in MORE_STEPS:
        share = getattr(shares, name)
        if share and random.random() < share:
            image = step(image, random)
    return image


def _clip(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)
