"""What ``clean`` says of its work: noise by identity, angles before and after, and where noise was planted, how much of
it was found."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, data, figure, sheets
from arcdoor_train.errors import UsageError
from arcdoor_train.subcentres import Cleaned

#: Limits that the report counts beside the wanted one, in degrees.
LIMITS = (60, 65, 70, 75, 80, 85)
_SHEET_SEED = 1


def write(
    folder: Path, faces: data.Dataset, done: Cleaned, strangers: float, options: argparse.Namespace
) -> dict[str, Any]:
    """``report.json``, whose content it gives, ``identities.csv``, ``angles.*``, and the sheets that were asked for."""
    noisy = faces.moved if options.planted else None
    answer = figures(faces.labels, done, options.degrees, noisy) | {"strangers_cosine": strangers}
    _identities(folder / "identities.csv", faces, done)
    figure.histograms(folder / "angles", "angle to the nearest centre, and to the dominant one", angles(done, noisy))
    if options.sheets:
        for name, wanted in (("kept", done.keep), ("dropped", ~done.keep)):
            numbers = np.flatnonzero(wanted)
            some = np.random.default_rng(_SHEET_SEED).permutation(numbers)[: options.sheets]
            sheets.write(folder / f"{name}.png", faces, {f"{name}: {len(some)} of {len(numbers)}": np.sort(some)})
    if options.identity:
        answer["identity"] = _of_one(folder, faces, done, faces.identities.index(options.identity), noisy)
    checkpoint.write_file(folder / "report.json", lambda file: file.write(json.dumps(answer, indent=2).encode()))
    return answer


def figures(labels: np.ndarray, done: Cleaned, degrees: float, noisy: np.ndarray | None) -> dict[str, Any]:
    """Counts, and shares of all images: by sub-class, and where ``noisy`` (n,) tells the truth, the paper's four."""
    seen = done.seen
    answer: dict[str, Any] = {
        "images": len(labels), "unreadable": int((~seen).sum()), "kept": int(done.keep.sum()), "degrees": degrees,
        "identities_before": len(done.dominant), "identities": int(done.labels.max(initial=-1)) + 1,
        "dominant": float(np.mean(done.in_dominant[seen])),
        "by_degrees": [_at(labels, done, limit, noisy) for limit in LIMITS],
    }  # fmt: skip
    if noisy is not None:
        clean, noise, inside = seen & ~noisy, seen & noisy, done.in_dominant
        answer["planted"] = {
            "dominant_clean": _share(inside & clean, seen), "dominant_noisy": _share(inside & noise, seen),
            "non_dominant_clean": _share(~inside & clean, seen), "non_dominant_noisy": _share(~inside & noise, seen),
            "clean_in_dominant": _share(inside & clean, clean),
            "noise_dropped": _share(noise & ~done.keep, noise), "clean_dropped": _share(clean & ~done.keep, clean),
            "noise_in_kept": _share(noise & done.keep, done.keep),
        }  # fmt: skip
    return answer


def _at(labels: np.ndarray, done: Cleaned, limit: float, noisy: np.ndarray | None) -> dict[str, Any]:
    keep = done.seen & (done.cosines > np.cos(np.radians(limit)))
    row: dict[str, Any] = {"degrees": limit, "kept": int(keep.sum()), "identities": len(np.unique(labels[keep]))}
    if noisy is not None:
        row |= {"noise_in_kept": _share(keep & noisy, keep), "clean_dropped": _share(~keep & ~noisy, ~noisy)}
    return row


def angles(done: Cleaned, noisy: np.ndarray | None) -> dict[str, np.ndarray]:
    """Histograms before the non-dominant centres are dropped (each image to its nearest centre) and after (to the
    dominant one), of the sub-classes and, where ``noisy`` tells the truth, of clean and noisy images."""
    seen, inside = done.seen, done.in_dominant
    groups = {"dominant": seen & inside, "non_dominant": seen & ~inside}
    if noisy is not None:
        groups |= {"clean": seen & ~noisy, "noisy": seen & noisy}
    found = {f"{name}_before": figure.histogram(done.nearest_cosines[group]) for name, group in groups.items()}
    return found | {f"{name}_after": figure.histogram(done.cosines[group]) for name, group in groups.items()}


def _share(some: np.ndarray, whole: np.ndarray) -> float | None:
    count = int(whole.sum())
    return int(some.sum()) / count if count else None


def _identities(path: Path, faces: data.Dataset, done: Cleaned) -> None:
    """The share of an identity's images that goes, the noisiest first."""
    classes = len(done.dominant)
    images, kept, inside = (
        np.bincount(faces.labels[some], minlength=classes)
        for some in (np.ones(len(faces), bool), done.keep, done.seen & done.in_dominant)
    )
    share = 1 - kept / np.maximum(images, 1)
    order = np.argsort(-share, kind="stable")
    columns = {
        "identity": [faces.identities[n] for n in order], "images": images[order], "dominant": inside[order],
        "kept": kept[order], "dropped_share": share[order],
    }  # fmt: skip
    figure.table(path, columns)


def _of_one(folder: Path, faces: data.Dataset, done: Cleaned, label: int, noisy: np.ndarray | None) -> dict[str, Any]:
    """A sheet of one identity, a row a sub-class, the dominant one first; what it shows."""
    mine = np.flatnonzero((faces.labels == label) & done.seen)
    sizes = np.bincount(done.nearest[mine])
    answer: dict[str, Any] = {"name": faces.identities[label], "sub_classes": sizes.tolist()}
    if noisy is not None:
        inside = done.nearest[mine] == done.dominant[label]
        answer["clean_in_dominant"] = _share(inside & ~noisy[mine], ~noisy[mine])
    rows = {}
    for number in sorted(range(len(sizes)), key=lambda n: (n != done.dominant[label], -sizes[n])):
        of_it = mine[done.nearest[mine] == number]
        dominant = ", dominant" if number == done.dominant[label] else ""
        shown = of_it[: sheets.WIDE]
        rows[f"sub-class {number}{dominant}: {len(shown)} of {len(of_it)} images"] = shown
    sheets.write(folder / "identity.png", faces, {text: numbers for text, numbers in rows.items() if len(numbers)})
    if noisy is not None:
        sub_classes(folder / "sub_classes", done, mine, noisy)
    return answer


def sub_classes(stem: Path, done: Cleaned, mine: np.ndarray, noisy: np.ndarray) -> float | None:
    """``STEM.*``: how many of one identity's images ``mine`` lie in each sub-class, clean and noisy, the largest first;
    and the share of its clean ones in the dominant, which it gives. No one's face. Without matplotlib the CSV alone."""
    count = int(done.nearest.max(initial=0)) + 1
    clean, wrong = (np.bincount(done.nearest[mine[some]], minlength=count) for some in (~noisy[mine], noisy[mine]))
    order = np.argsort(-(clean + wrong), kind="stable")
    inside = done.in_dominant[mine]
    share = _share(inside & ~noisy[mine], ~noisy[mine])
    columns = {"sub_class": order.tolist(), "clean": clean[order].tolist(), "noisy": wrong[order].tolist()}
    try:
        drawn = figure.new()
    except UsageError as error:
        figure.table(stem.with_suffix(".csv"), columns)
        print(f"no {stem.with_suffix('.png')}: {error}", file=sys.stderr)
        return share
    axes = drawn.subplots()
    places = np.arange(count)
    axes.bar(places, columns["clean"], label="clean", color="tab:blue")
    axes.bar(places, columns["noisy"], bottom=columns["clean"], label="noisy", color="tab:orange")
    told = "none is clean" if share is None else f"{100 * share:.1f} % of the clean images in the dominant one"
    axes.set(xlabel="sub-class, the largest first", ylabel="images", title=f"One identity by sub-class: {told}")
    axes.legend()
    figure.save(drawn, stem, columns)
    return share
