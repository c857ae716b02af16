"""Which way steered pictures look, by a network that took no part, beside which way they were asked to; and what it
costs: how much less alike they are than the frontal ones of the same run."""

from dataclasses import asdict, dataclass

import numpy as np

from arcdoor_train import config, scores
from arcdoor_train.errors import DataError
from arcdoor_train.inversion import finder, intervals, picture, pose, steering, target, warp
from arcdoor_train.inversion.finished import Finished
from arcdoor_train.inversion.intervals import Interval, told

#: By the device's own measure, and by a fit of the five points in space.
MEASURES = {"device": pose.measured, "fit": pose.fitted}


@dataclass(frozen=True)
class Turned:
    """How far off faces look, by one measure, in degrees. A picture without a face is off by infinitely many: it stays
    in the denominator."""

    measure: str
    #: The median of those with a face: where they look.
    reached_yaw: Interval
    reached_pitch: Interval
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
    #: Medians of those with a face, as ``steer.scale`` and ``steer.place`` ask for them.
    scale: Interval
    right: Interval
    down: Interval
    turned: tuple[Turned, ...]
    alike: tuple[Alike, ...]


@dataclass(frozen=True)
class _Look:
    """All pictures of a run at one time."""

    steps: int
    #: By measure (n, 2) angles; NaN where no face was found.
    angles: dict[str, np.ndarray]
    #: (n, 3) how large faces are, and how far right and down they lie.
    lie: np.ndarray
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
        lie = np.array([_lie(one, *steered.pose_of(number)) for number, one in enumerate(marks)])
        cosines = {judge.name: judge.likeness(shown, real) for judge in run.judges if real}
        looks.append(_Look(steps, angles, lie, cosines))
    return [one for look in looks for one in _each(run.path.name, look, steered)]


def _lie(marks: np.ndarray, yaw: float, pitch: float) -> tuple[float, float, float]:
    """Scale, right and down of (5, 2), against a face that looks so and lies as aligned ones do."""
    level = pose.seen(yaw, pitch)
    to = warp.Similarity.between(level, marks)
    return abs(complex(to.a, to.b)), *(marks.mean(axis=0) - level.mean(axis=0))


def _begun(run: Finished) -> np.ndarray:
    """What the run's pictures began as."""
    steered, wanted = run.steering, run.section
    whole, found = steered.people * len(steered.poses), []
    for batch, first in enumerate(range(0, whole, wanted.batch)):
        chosen = slice(first, min(first + wanted.batch, whole))
        pixels = steered.start(chosen, wanted.sides[0], (run.whole.run.seed, batch, 0)).to(steered.device)
        found.append(picture.pixels(steered.whole(pixels, steered.weights(chosen), chosen)))
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
        reached = [intervals.median(found[..., axis]) for axis in (0, 1)]
        errors = [
            value
            for axis in (0, 1)
            for value in (intervals.median(off[..., axis]), intervals.quantile(off[..., axis], 0.9))
        ]
        turned.append(Turned(name, *reached, *errors))
    seen = np.isfinite(chosen(look.angles["device"], numbers)[..., 0]).mean(axis=0)
    alike = []
    for name, cosines in look.cosines.items():
        whole, own = chosen(cosines, numbers).mean(axis=0), None
        others = [number for number in numbers if number != level]
        if level is not None and others:
            own = intervals.share(chosen(cosines, others).mean(axis=0), chosen(cosines, [level])[0])
        alike.append(Alike(name, intervals.mean(whole), own))
    lie = chosen(look.lie, numbers)
    lie = [intervals.median(lie[..., part]) for part in range(3)]
    low, high = scores.wilson(seen)
    return Reached(
        run,
        look.steps,
        *asked,
        len(numbers) * people,
        (float(seen.mean()), low, high),
        *lie,
        tuple(turned),
        tuple(alike),
    )


def table(found: list[Reached]) -> str:
    """For people: a row for each run, look and pose; each angle by both measures."""
    names = [one.judge for one in found[0].alike]
    heads = [text for name in names for text in (f"{name}", "as a share of the frontal")]
    lines = [
        "| run | steps | asked yaw, pitch | pictures | a face is found % | scale | right, down | reached yaw "
        "| reached pitch | yaw off, median | 90 % | pitch off, median | 90 % |"
        f"{''.join(f' {head} |' for head in heads)}",
        "|" + "---|" * (13 + len(heads)),
    ]
    for one in found:
        asked = "all within 30" if one.yaw is None else f"{one.yaw:+g}, {one.pitch:+g}"
        cells = [one.run, one.steps or "start", asked, one.pictures, told(one.seen, 100, 0)]
        cells += [f"{one.scale[0]:.2f}", f"{one.right[0]:+.1f}, {one.down[0]:+.1f}"]
        for name in ("reached_yaw", "reached_pitch"):
            cells.append(
                " / ".join("-" if one.yaw is None else f"{getattr(each, name)[0]:+.1f}" for each in one.turned)
            )
        for name in ("yaw_error", "pitch_error"):
            cells.append(" / ".join(told(getattr(each, name), 1, 1) for each in one.turned))
            cells.append(" / ".join(f"{getattr(each, f'{name}_90'):.1f}" for each in one.turned))
        for each in one.alike:
            cells += [told(each.cosine, 1, 3), told(each.share, 1, 2)]
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
