"""All pictures of a run on one sheet, each with its cosines; marked, as each of them is."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from arcdoor_train.inversion import marked
from arcdoor_train.inversion.folder import Drawn

#: Pictures a row, their side in pixels, the height of a line of text, and the pictures of a sheet at most.
WIDE, SIDE, TEXT, MOST = 8, 168, 13, 64


def write(
    path: Path, pictures: list[np.ndarray], drawn: list[Drawn], asked: list[tuple[float, float]] | None = None
) -> None:
    """``MOST`` of the pictures, evenly spaced; ``asked``: yaw and pitch of each. Raises ``DiskError``."""
    chosen = np.linspace(0, len(drawn) - 1, min(len(drawn), MOST)).astype(int)
    high = SIDE + TEXT * (1 + max(len(one.judges) for one in drawn) + bool(asked))
    size = (WIDE * SIDE, TEXT + 2 + -(-len(chosen) // WIDE) * high)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    draw.text((2, 0), f"{marked.MARK}. Cosines by the attacked network, and by judges that took no part", fill="black")
    for n, number in enumerate(chosen):
        left, top = n % WIDE * SIDE, TEXT + 2 + n // WIDE * high
        image = marked.marked(pictures[number])
        page.paste(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), (left, top))
        told = {"attacked": drawn[number].cosine, **drawn[number].judges}
        lines = [f"{name[:20]} {cosine:.3f}" for name, cosine in told.items()]
        if asked:
            lines.append(f"asked: yaw {asked[number][0]:+g}, pitch {asked[number][1]:+g}")
        for line, text in enumerate(lines):
            draw.text((left + 2, top + SIDE + line * TEXT), text, fill="black")
    marked.save(path, page)
