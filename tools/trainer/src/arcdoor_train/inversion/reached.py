"""Which way steered pictures look, by a network that took no part, beside which way they were asked to; and what it
costs: how much less alike they are than the frontal ones of the same run."""

from dataclasses import asdict, dataclass

import numpy as np

from arcdoor_train import config, scores
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import finder, picture, pose, steering, target
from arcdoor_train.inversion.comparison import Interval, told
from arcdoor_train.inversion.finished import Finished

_ROUNDS = 1000
#: By the device's own measure, and by a fit of the five points in space.
MEASURES = {"device": pose.measured, "fit": pose.fitted}


@dataclass(frozen=True)
class Turned:
    """How far off faces look, by one measure, in degrees. A picture without a face is off by infinitely many: it stays
    in the denominator."""

    measure: str
    #: The median of those with a face: where they look.
    reached_yaw: float
    reached_pitch: float
    yaw_error: Interval
    yaw_error_90: float
    pitch_error: Interval
    pitch_error_90: float


@dataclass(frozen=True)
class Alike:
    """One judge's word: the mean cosine of pictures to the photo that the template was made of, or to photos of the
    class; and that as a share of the frontal pictures'."""

    judge: str
    cosine: Interval
    share: Interval | None


@dataclass(frozen=True)
class Reached:
    """Of a run's pictures at one pose, or at all within 30 degrees (``yaw`` None), after so many steps; 0 steps are
    what they began as."""

    run: str
    steps: int
    yaw: float | None
    pitch: float | None
    pictures: int
    #: Where the measuring network finds a face.
    seen: Interval
    turned: tuple[Turned, ...]
    alike: tuple[Alike, ...]


@dataclass(frozen=True)
class _Look:
    """All pictures of a run at one time."""

    steps: int
    #: By measure (n, 2) angles; NaN where no face was found.
    angles: dict[str, np.ndarray]
    #: By judge (n,) cosines.
    cosines: dict[str, np.ndarray]


def measure(run: Finished) -> list[Reached]:
    """All figures of a finished run; nothing of one that was not steered. Raises ``DataError``."""
    steered, wanted = run.steering, run.section
    if not steered:
        return []
    if not wanted.steer.measured_by:
        raise DataError(
            f"{run.path}/config.toml has no steer.measured_by: name YuNet's ONNX file, which takes no part, there"
        )
    seer = finder.Finder(config.expand(wanted.steer.measured_by), run.threads)
    if seer.digest == steered.digest:
        raise DataError("steer.measured_by is the network that the points were drawn by: it would measure itself")
    photos = target.photos(run.target) if run.judges else None
    real = [photos[name] for name in run.target.names] if photos else []
    looks = []
    for steps in (0, *run.looks):
        pictures = run.pictures(steps) if steps else _begun(run)
        marks, shown = seer(pictures).marks, list(steered.aligned_pixels(pictures))
        angles = {name: rule(marks) for name, rule in MEASURES.items()}
        looks.append(_Look(steps, angles, {judge.name: judge.likeness(shown, real) for judge in run.judges if real}))
    return [one for look in looks for one in _each(run.path.name, look, steered)]


def _begun(run: Finished) -> np.ndarray:
    """What the run's pictures began as."""
    steered, wanted = run.steering, run.section
    whole, found = steered.people * len(steered.poses), []
    for batch, first in enumerate(range(0, whole, wanted.batch)):
        chosen = slice(first, min(first + wanted.batch, whole))
        found.append(picture.pixels(steered.start(chosen, wanted.sides[0], (run.whole.run.seed, batch, 0))))
    return np.concatenate(found)


def _each(run: str, look: _Look, steered: steering.Steering) -> list[Reached]:
    """A row for each pose, and one for all within 30 degrees."""
    poses = np.array(steered.poses)
    near = np.abs(poses).max(axis=1) <= 30
    groups = [(pose, [number]) for number, pose in enumerate(steered.poses)]
    if near.sum() > 1:
        groups.append(((None, None), np.flatnonzero(near).tolist()))
    level = steered.poses.index((0.0, 0.0)) if (0.0, 0.0) in steered.poses else None
    return [_row(run, look, steered, asked, numbers, level) for asked, numbers in groups]


def _row(
    run: str, look: _Look, steered: steering.Steering, asked: tuple, numbers: list[int], level: int | None
) -> Reached:
    people = steered.people

    def chosen(values: np.ndarray, which: list[int]) -> np.ndarray:
        """(poses, people, ...)."""
        return values.reshape(len(steered.poses), people, *values.shape[1:])[which]

    turned = []
    for name, angles in look.angles.items():
        found = chosen(angles, numbers)
        off = np.abs(found - np.array(steered.poses)[numbers][:, None])
        off = np.where(np.isnan(off), np.inf, off)
        reached = np.nanmedian(found, axis=(0, 1)) if np.isfinite(found).any() else (np.nan, np.nan)
        errors = [
            value for axis in (0, 1) for value in (_median(off[..., axis]), float(_quantile(off[..., axis], 0.9)))
        ]
        turned.append(Turned(name, *map(float, reached), *errors))
    seen = np.isfinite(chosen(look.angles["device"], numbers)[..., 0]).mean(axis=0)
    alike = []
    for name, cosines in look.cosines.items():
        whole, own = chosen(cosines, numbers).mean(axis=0), None
        others = [number for number in numbers if number != level]
        if level is not None and others:
            own = _share(chosen(cosines, others).mean(axis=0), chosen(cosines, [level])[0])
        alike.append(Alike(name, _mean(whole), own))
    low, high = scores.wilson(seen)
    return Reached(
        run, look.steps, *asked, len(numbers) * people, (float(seen.mean()), low, high), tuple(turned), tuple(alike)
    )


def _drawn(count: int) -> np.ndarray:
    """(rounds, count) people, drawn with replacement."""
    return np.random.default_rng(1).integers(0, count, (_ROUNDS, count))


def _quantile(off: np.ndarray, share: float) -> np.ndarray:
    """The value that ``share`` of all do not exceed: no mean of two, of which one may be infinite."""
    return np.quantile(off.reshape(-1), share, method="inverted_cdf")


def _median(off: np.ndarray) -> Interval:
    """Of (poses, people)."""
    rounds = [_quantile(off[:, people], 0.5) for people in _drawn(off.shape[1])]
    low, high = np.quantile(rounds, [0.025, 0.975], method="inverted_cdf")
    return float(_quantile(off, 0.5)), float(low), float(high)


def _mean(each: np.ndarray) -> Interval:
    low, high = np.quantile(each[_drawn(len(each))].mean(axis=1), [0.025, 0.975])
    return float(each.mean()), float(low), float(high)


def _share(each: np.ndarray, level: np.ndarray) -> Interval | None:
    """Of two means over the same people; None where the frontal pictures are alike to nobody."""
    drawn = _drawn(len(each))
    below = level[drawn].mean(axis=1)
    if level.mean() <= 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        rounds = np.where(below > 0, each[drawn].mean(axis=1) / below, np.inf)
    low, high = np.quantile(rounds, [0.025, 0.975], method="inverted_cdf")
    return float(each.mean() / level.mean()), float(low), float(high)


def table(found: list[Reached]) -> str:
    """For people: a row for each run, look and pose; each angle by both measures."""
    names = [one.judge for one in found[0].alike]
    heads = [text for name in names for text in (f"{name}", "as a share of the frontal")]
    lines = [
        "| run | steps | asked yaw, pitch | pictures | a face is found % | reached yaw | reached pitch "
        f"| yaw off, median | 90 % | pitch off, median | 90 % |{''.join(f' {head} |' for head in heads)}",
        "|" + "---|" * (11 + len(heads)),
    ]
    for one in found:
        asked = "all within 30" if one.yaw is None else f"{one.yaw:+g}, {one.pitch:+g}"
        cells = [one.run, one.steps or "start", asked, one.pictures, told(one.seen, 100, 0)]
        for name in ("reached_yaw", "reached_pitch"):
            cells.append(" / ".join("-" if one.yaw is None else f"{getattr(each, name):+.1f}" for each in one.turned))
        for name in ("yaw_error", "pitch_error"):
            cells.append(" / ".join(told(getattr(each, name), 1, 1) for each in one.turned))
            cells.append(" / ".join(f"{getattr(each, f'{name}_90'):.1f}" for each in one.turned))
        for each in one.alike:
            cells += [told(each.cosine, 1, 3), told(each.share, 1, 2) if each.share else "-"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def plain(found: list[Reached]) -> list[dict]:
    """For a JSON file; infinities as None."""

    def finite(value: object) -> object:
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [finite(item) for item in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return [finite(asdict(one)) for one in found]
