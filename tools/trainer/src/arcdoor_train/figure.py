"""Figures as PNG and SVG with their data beside them as CSV: who wants another form of them draws it of that."""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint
from arcdoor_train.errors import UsageError

#: Edges of the histograms of angles, in degrees.
EDGES = np.arange(0, 181, 2)


def new(wide: float = 8.0, high: float = 4.5) -> Any:
    """An empty figure of so many inches. Raises ``UsageError`` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("figures need matplotlib: pip install matplotlib") from error
    return Figure(figsize=(wide, high), layout="constrained")


def save(figure: Any, stem: Path, columns: dict[str, Sequence]) -> None:
    """``STEM.png``, ``STEM.svg``, and of ``columns``, all of one length, ``STEM.csv``. Raises ``DiskError``."""
    import matplotlib

    table(stem.with_suffix(".csv"), columns)
    save_png(figure, stem.with_suffix(".png"))
    # The same data gives the same file.
    with matplotlib.rc_context({"svg.hashsalt": "arcdoor"}):
        checkpoint.write_file(
            stem.with_suffix(".svg"), lambda file: figure.savefig(file, format="svg", metadata={"Date": None})
        )


def save_png(figure: Any, path: Path) -> None:
    """``figure`` alone. Raises ``DiskError``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    checkpoint.write_file(path, lambda file: FigureCanvasAgg(figure).print_png(file))


def table(path: Path, columns: dict[str, Sequence], delimiter: str = ",") -> None:
    """``columns``, all of one length, as text. Raises ``DiskError``."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_short, column) for column in columns.values()), strict=True))
    checkpoint.write_file(path, lambda file: file.write(text.getvalue().encode()))


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else value


def angles(cosines: np.ndarray) -> np.ndarray:
    """Degrees."""
    return np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))


def histogram(cosines: np.ndarray) -> np.ndarray:
    """How many angles lie in each of ``EDGES``' bins."""
    return np.histogram(angles(cosines), EDGES)[0]


def histograms(stem: Path, title: str, counts: dict[str, np.ndarray]) -> None:
    """Histograms of angles over each other: of what, and the counts in ``EDGES``' bins. Without matplotlib the CSV
    alone, and a line that says so."""
    columns = {"from_degrees": EDGES[:-1].tolist(), **{name: count.tolist() for name, count in counts.items()}}
    try:
        drawn = new()
    except UsageError as error:
        table(stem.with_suffix(".csv"), columns)
        print(f"no {stem.with_suffix('.png')}: {error}", file=sys.stderr)
        return
    axes = drawn.subplots()
    for name, count in counts.items():
        axes.stairs(count / max(int(count.sum()), 1), EDGES, label=f"{name} ({count.sum()})", linewidth=1.5)
    axes.set(xlabel="angle in degrees", ylabel="share", title=title)
    axes.legend()
    save(drawn, stem, columns)
