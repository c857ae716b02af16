"""Sheets of thumbnails: faces as they are, so that a person may judge. Nothing makes one unless it is asked for."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from arcdoor_train import checkpoint, data
from arcdoor_train.errors import DataError

#: Thumbnails a row, their side in pixels, and the height of a row's text.
WIDE, SIDE, TEXT = 16, 56, 14
#: A sheet has no more thumbnails.
MOST = 4096


def write(path: Path, faces: data.Dataset, groups: dict[str, np.ndarray]) -> None:
    """Images of ``faces`` by their numbers, a text before each group. Raises ``DataError`` for more than ``MOST``,
    ``DiskError`` where the file cannot be written."""
    if sum(map(len, groups.values())) > MOST:
        raise DataError(f"a sheet shows {MOST} images at most")
    rows = [-(-len(numbers) // WIDE) for numbers in groups.values()]
    sheet = Image.new("RGB", (WIDE * SIDE, sum(rows) * SIDE + len(rows) * TEXT + 1), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for (text, numbers), high in zip(groups.items(), rows, strict=True):
        draw.text((2, top), text, fill="black")
        top += TEXT
        for n, number in enumerate(numbers):
            sheet.paste(_thumbnail(faces, int(number)), (n % WIDE * SIDE, top + n // WIDE * SIDE))
        top += high * SIDE
    checkpoint.write_file(path, lambda file: sheet.save(file, "PNG"))


def _thumbnail(faces: data.Dataset, number: int) -> Image.Image:
    try:
        return Image.fromarray(faces.read(number)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    except DataError:
        return Image.new("RGB", (SIDE, SIDE), "grey")
