"""What drawn pictures are worth, by judges that took no part: cosines to photos, how often a picture passes for its
person, and how far pictures lie from photos as a whole; after each look and at the end, beside each other."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import config, scores
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import attacked, distances, judges, photos, section, steering, target
from arcdoor_train.inversion.folder import Folder

FMRS = (1e-3, 1e-4)
_ROUNDS = 1000


@dataclass(frozen=True)
class Rate:
    """How often pictures match at the threshold of one FMR among photos: a share and its 95 % interval over people."""

    fmr: float
    threshold: float
    #: With the photo that the template was made of, and with other photos of the person: the wider of a bootstrap's
    #: interval and Wilson's.
    source: tuple[float, float, float] | None
    own: tuple[float, float, float] | None
    #: With photos of others.
    strangers: float
    #: Photos of one person with each other: as often as a picture could match at best.
    photos: float


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
    source: tuple[float, float, float] | None
    own: tuple[float, float, float] | None
    rates: tuple[Rate, ...]
    #: From the photos; and that of as many photos from the others. None of fewer than three pictures.
    frechet: float | None
    frechet_photos: float | None
    kernel: float | None
    kernel_photos: float | None


#: A judge's features of photos by the hashes of both: several runs are measured against the same ones.
Known = dict[tuple[str, str], np.ndarray]


def measure(run: Path, most: int, known: Known | None = None) -> list[Figures]:
    """All figures of a finished run. ``known`` keeps what the next one may need. Raises ``DataError`` where it has no
    judge, no photo or no picture."""
    whole, folder = config.load(run / "config.toml"), Folder(run)
    wanted = config.section(whole, "invert", section.Invert)
    if whole.run.threads:
        torch.set_num_threads(whole.run.threads)
    network = attacked.load(wanted.model, torch.device("cpu"))
    aim = target.find(wanted.target, network, whole.run.seed)
    steered = steering.of(wanted, len(aim.names), network.device)
    aim = steered.spread(aim) if steered else aim
    if len(folder.drawn()) < len(aim.names):
        raise DataError(f"{run} is not finished: go on with --resume")
    known = {} if known is None else known
    asked = judges.gather(wanted.judges, network, whole.run.threads or 1)
    if not asked:
        raise DataError(f"{run} has no [[invert.judges]]: the attacked network cannot judge itself")
    real = photos.gather(aim, most)
    images = [real.read(name) for name in real.names]
    digest, found = hashlib.sha256(np.stack(images).tobytes()).hexdigest(), []
    for judge in asked:
        key = (judge.digest, digest)
        if key not in known:
            known[key] = judge(images).astype(np.float32)
        rows = known[key]
        for look in (*(look for look in wanted.looks if look < wanted.steps), 0):
            pictures = np.stack(folder.pictures(look))
            pictures = steered.aligned_pixels(pictures) if steered else pictures
            about = (run.name, look or wanted.steps, wanted.prior, judge.name, len(pictures), len(images))
            cosine = float(target.likeness(aim, network, pictures).mean())
            found.append(Figures(*about, cosine, **_compared(judge(pictures).astype(np.float32), rows, real)))
    return found


def _compared(drawn: np.ndarray, rows: np.ndarray, real: photos.Photos) -> dict:
    """Of unit-length features of the pictures and of the photos."""
    table = drawn @ rows.T
    same = real.drawn[:, None] == real.people[None]
    source = np.arange(len(rows))[None] == real.source[:, None]
    pairs = {"source": source, "own": same & ~source}
    answer = {name: _mean(table, pairs[name], real.drawn) for name in pairs}
    rates = []
    for point in scores.all_pairs(rows, real.people, FMRS):
        hits = {name: _share(table, pairs[name], real.drawn, point) for name in pairs}
        strangers = float((table[~same] >= point.threshold).mean())
        rates.append(Rate(point.fmr, point.threshold, **hits, strangers=strangers, photos=point.tmr))
    return {**answer, "rates": tuple(rates), **_apart(drawn, rows)}


def _mean(table: np.ndarray, pairs: np.ndarray, people: np.ndarray) -> tuple[float, float, float] | None:
    """The mean over people of their pairs' mean cosines; of one person the interval is all there is."""
    some = pairs.any(axis=1)
    if not some.any():
        return None
    each = np.where(pairs, table, 0).sum(axis=1)[some] / pairs.sum(axis=1)[some]
    _, person = np.unique(people[some], return_inverse=True)
    each = np.bincount(person, each) / np.bincount(person)
    if len(each) < 2:
        return float(each[0]), -1.0, 1.0
    rng = np.random.default_rng(1)
    means = each[rng.integers(0, len(each), (_ROUNDS, len(each)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(each.mean()), float(low), float(high)


def _share(
    table: np.ndarray, pairs: np.ndarray, people: np.ndarray, point: scores.Operating
) -> tuple[float, float, float] | None:
    if not pairs.any():
        return None
    owner = np.broadcast_to(people[:, None], table.shape)[pairs]
    found = scores.operating(point.fmr, point.threshold, table[pairs], owner)
    # Of people who are all met, or none of whom is, the bootstrap has no width.
    _, person = np.unique(owner, return_inverse=True)
    low, high = scores.wilson(np.bincount(person, table[pairs] >= point.threshold) / np.bincount(person))
    return found.tmr, min(found.low, low), max(found.high, high)


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
        head += f"| {_interval(one.own, 1, 3)} | {_interval(one.source, 1, 3)} "
        tail = f"| {_pair(one.frechet, one.frechet_photos)} | {_pair(one.kernel, one.kernel_photos)} |"
        for rate in one.rates:
            shares = f"| {_interval(rate.own, 100, 1)} | {_interval(rate.source, 100, 1)} "
            shares += f"| {100 * rate.strangers:.2f} | {100 * rate.photos:.1f} "
            lines.append(f"{head}| {rate.fmr:.0e} {shares}{tail}")
        if not one.rates:
            lines.append(f"{head}| - | - | - | - | - {tail}")
    return "\n".join(lines)


def plain(found: list[Figures]) -> list[dict]:
    """For a JSON file."""
    return [asdict(one) for one in found]


def _interval(values: tuple[float, float, float] | None, times: float, digits: int) -> str:
    if values is None:
        return "-"
    share, low, high = (f"{times * value:.{digits}f}" for value in values)
    return f"{share} [{low}, {high}]"


def _pair(value: float | None, beside: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" + ("" if beside is None else f" ({beside:.3f})")
