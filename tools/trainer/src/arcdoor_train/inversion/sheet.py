"""Pictures of a run on one sheet, each with its cosines; marked, as each of them is."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from arcdoor_train.inversion import marked
from arcdoor_train.inversion.folder import Drawn

#: Pictures a row, their side in pixels, the height of a line of text, and the pictures of a sheet at most.
WIDE, SIDE, TEXT, MOST = 8, 168, 13, 64
#: Of a sheet of bad cases: so many of the worst, and for scale of the best, at most.
WORST, BEST = 24, 8


def write(path: Path, pictures: list[np.ndarray], drawn: list[Drawn], notes: list[list[str]]) -> None:
    """``MOST`` of the pictures, evenly spaced; ``notes``: as many lines beneath each. Raises ``DiskError``."""
    chosen = np.linspace(0, len(drawn) - 1, min(len(drawn), MOST)).astype(int)
    _save(path, {"": chosen}, pictures, drawn, notes)


def bad_cases(path: Path, pictures: list[np.ndarray], drawn: list[Drawn], notes: list[list[str]]) -> None:
    """Those that judges find least alike to their people, and the best for scale. A picture is in one place alone.
    Raises ``DiskError``."""
    order = np.argsort([np.mean(list(one.judges.values())) for one in drawn], kind="stable")
    best = min(BEST, len(order) // 2)
    parts = {"The worst by the judges' mean": order[: min(WORST, len(order) - best)]}
    parts |= {"The best, for scale": order[::-1][:best]} if best else {}
    _save(path, parts, pictures, drawn, notes)


def _save(
    path: Path, parts: dict[str, np.ndarray], pictures: list[np.ndarray], drawn: list[Drawn], notes: list[list[str]]
) -> None:
    """A row of pictures after the other, part by part beneath its title."""
    lines = 1 + max(len(one.judges) for one in drawn) + max(map(len, notes))
    high = SIDE + TEXT * lines
    tall = sum(-(-len(chosen) // WIDE) * high + (TEXT + 2 if title else 0) for title, chosen in parts.items())
    page = Image.new("RGB", (WIDE * SIDE, TEXT + 2 + tall), "white")
    draw, top = ImageDraw.Draw(page), TEXT + 2
    draw.text((2, 0), f"{marked.MARK}. Cosines by the attacked network, and by judges that took no part", fill="black")
    for title, chosen in parts.items():
        if title:
            draw.text((2, top), title, fill="black")
            top += TEXT + 2
        for n, number in enumerate(chosen):
            place = (n % WIDE * SIDE, top + n // WIDE * high)
            _put(page, place, pictures[number], drawn[number], notes[number])
        top += -(-len(chosen) // WIDE) * high
    marked.save(path, page)


def _put(page: Image.Image, place: tuple[int, int], picture: np.ndarray, drawn: Drawn, notes: list[str]) -> None:
    left, top = place
    page.paste(marked.marked(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR), place)
    told = {"attacked": drawn.cosine, **drawn.judges}
    for line, text in enumerate([*(f"{name[:20]} {cosine:.3f}" for name, cosine in told.items()), *notes]):
        ImageDraw.Draw(page).text((left + 2, top + SIDE + line * TEXT), text, fill="black")
