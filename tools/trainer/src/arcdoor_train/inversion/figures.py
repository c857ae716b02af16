"""What drawn pictures are worth, by judges that took no part: cosines to photos, how often a picture passes for its
person, and how far pictures lie from photos as a whole; after each look and at the end, beside each other."""

from dataclasses import asdict, dataclass

import numpy as np

from arcdoor_train.inversion import distances, target
from arcdoor_train.inversion.comparison import Bench, Rate
from arcdoor_train.inversion.intervals import Interval, told


@dataclass(frozen=True)
class Figures:
    """One judge's word on the pictures of one run as they are after so many steps."""

    run: str
    steps: int
    prior: float
    judge: str
    pictures: int
    photos: int
    #: To the targets, by the attacked network.
    attacked: float
    #: Of pictures to photos of their people, by the judge: a mean and its 95 % interval over people.
    source: Interval | None
    own: Interval | None
    rates: tuple[Rate, ...]
    #: From the photos; and that of as many photos from the others. None of fewer than three pictures.
    frechet: float | None
    frechet_photos: float | None
    kernel: float | None
    kernel_photos: float | None


def measure(bench: Bench) -> list[Figures]:
    """All figures of a finished run."""
    run, found = bench.run, []
    for judge in run.judges:
        rows = bench.features(judge, bench.images)
        for look in run.looks:
            pictures, compared = run.shown(look), bench.comparison(judge, look)
            cosine = float(target.likeness(run.target, run.network, pictures).mean())
            about = (run.path.name, look, run.section.prior, judge.name, len(pictures), len(rows), cosine)
            own = (compared.cosine("source"), compared.cosine("own"), compared.rates())
            found.append(Figures(*about, *own, **_apart(bench.features(judge, pictures), rows)))
    return found


def _apart(drawn: np.ndarray, rows: np.ndarray) -> dict[str, float | None]:
    order = np.random.default_rng(1).permutation(len(rows))
    some, rest = rows[order[: len(drawn)]], rows[order[len(drawn) :]]
    answer = {}
    for name, distance in (("frechet", distances.frechet), ("kernel", distances.kernel)):
        answer[name] = distance(drawn, rows) if len(drawn) > 2 else None
        answer[f"{name}_photos"] = distance(some, rest) if len(drawn) > 2 and len(rest) > 2 else None
    return answer


def table(found: list[Figures]) -> str:
    """For people: a row for each judge, run and number of steps."""
    lines = [
        "| run | prior | steps | judge | attacked | cosine to own photos | to the template's photo | FMR | matches own "
        "photos % | the template's % | strangers % | photos among themselves % | Frechet (photos) | kernel (photos) |",
        "|" + "---|" * 14,
    ]
    for one in found:
        head = f"| {one.run} | {one.prior:g} | {one.steps} | {one.judge} | {one.attacked:.3f} "
        head += f"| {told(one.own)} | {told(one.source)} "
        tail = f"| {_pair(one.frechet, one.frechet_photos)} | {_pair(one.kernel, one.kernel_photos)} |"
        for rate in one.rates:
            shares = f"| {told(rate.own, 100, 1)} | {told(rate.source, 100, 1)} "
            best = "-" if rate.photos is None else f"{100 * rate.photos:.1f}"
            shares += f"| {100 * rate.strangers:.2f} | {best} "
            lines.append(f"{head}| {rate.fmr:.0e} {shares}{tail}")
        if not one.rates:
            lines.append(f"{head}| - | - | - | - | - {tail}")
    return "\n".join(lines)


def plain(found: list) -> list[dict]:
    """For a JSON file."""
    return [asdict(one) for one in found]


def _pair(value: float | None, beside: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" + ("" if beside is None else f" ({beside:.3f})")
