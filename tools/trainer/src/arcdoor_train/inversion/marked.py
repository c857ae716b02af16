"""A picture in a file, marked: enlarged, a strip with a sentence drawn over it, and the sentence among the file's
texts. The pixels of the picture itself lie unharmed in the middle of each block, so that it can be judged as it is."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from arcdoor_train import checkpoint
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import DataError

MARK = "drawn from an embedding: shows nobody"
#: Pixels of a file, each way, for one of the picture; and rows of the strip.
TIMES, STRIP = 3, 16
#: The name of the file's text.
KEY = "Comment"


def marked(picture: np.ndarray) -> Image.Image:
    """(112, 112, 3) uint8 to 336 rows with the strip at the bottom."""
    large = Image.fromarray(picture.repeat(TIMES, axis=0).repeat(TIMES, axis=1))
    draw = ImageDraw.Draw(large)
    draw.rectangle((0, large.height - STRIP, large.width, large.height), fill="black")
    draw.text((large.width // 2, large.height - STRIP // 2), MARK, fill="white", anchor="mm")
    found = np.array(large)
    found[TIMES // 2 :: TIMES, TIMES // 2 :: TIMES] = picture
    return Image.fromarray(found)


def write(path: Path, picture: np.ndarray) -> None:
    """A PNG. Raises ``DiskError``."""
    save(path, marked(picture))


def save(path: Path, image: Image.Image) -> None:
    """Any image that shows such pictures, with the sentence among its texts. Raises ``DiskError``."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text(KEY, MARK)
    checkpoint.write_file(path, lambda file: image.save(file, "PNG", pnginfo=texts))


def read(path: Path) -> np.ndarray:
    """The picture that ``write`` was given. Raises ``DataError`` for another file."""
    try:
        with Image.open(path) as image:
            own, found = image.info.get(KEY) == MARK, np.array(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not own or found.shape != (TIMES * SIDE, TIMES * SIDE, 3):
        raise DataError(f"{path} is no picture that invert wrote")
    return np.ascontiguousarray(found[TIMES // 2 :: TIMES, TIMES // 2 :: TIMES])
