"""Which way faces look that were asked to look aside, and how alike they stay."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import figure
from arcdoor_train.errors import DataError

#: Degrees off, and the share of the frontal pictures' cosine, that are aimed at.
AIM, ALIKE = 10.0, 0.8


def draw(folder: Path, told: Path) -> None:
    """``steer.*`` of what ``invert --measure --json`` told of one steered run: asked and reached yaw by the device's
    measure, and each judge's share. Raises ``DataError``."""
    rows, photos = _read(told)
    steps = sorted({row["steps"] for row in rows})
    curves = {one: _curve(rows, one) for one in (steps[0], steps[-1])}
    drawn = figure.new(10.0, 4.2)
    looks, alike = drawn.subplots(1, 2)
    _looks(looks, curves)
    _alike(alike, curves[steps[-1]], photos)
    columns = {"steps": [], "asked_yaw": [], "reached_yaw": [], "low": [], "high": [], "yaw_off": []}
    for one, found in curves.items():
        for row in found:
            device = _device(row)
            cells = (one, row["yaw"], *device["reached_yaw"], device["yaw_error"][0])
            for name, value in zip(columns, cells, strict=True):
                columns[name].append(value)
    figure.save(drawn, folder / "steer", columns)


def _read(told: Path) -> tuple[list[dict], list[dict]]:
    """Figures of poses, and of real photos."""
    try:
        found = json.loads(told.read_text(encoding="utf-8"))
        rows = [one for one in found if "turned" in one and "steps" in one and one["yaw"] is not None]
        photos = [one for one in found if "ahead" in one]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"cannot read {told}: {error!r}; invert --measure RUN --json writes it") from error
    if len({one["run"] for one in rows}) != 1:
        raise DataError(f"{told} tells of {len({one['run'] for one in rows})} steered runs: measure one alone")
    return rows, photos


def _curve(rows: list[dict], steps: int) -> list[dict]:
    """By yaw, at the pitch nearest to none."""
    pitch = min((row["pitch"] for row in rows), key=abs)
    return sorted((row for row in rows if row["steps"] == steps and row["pitch"] == pitch), key=lambda row: row["yaw"])


def _device(row: dict) -> dict:
    return next(one for one in row["turned"] if one["measure"] == "device")


def _looks(axes: Any, curves: dict[int, list[dict]]) -> None:
    ends = np.array([min(row["yaw"] for row in next(iter(curves.values()))) - 5, 0.0])
    ends[1] = max(row["yaw"] for row in next(iter(curves.values()))) + 5
    axes.fill_between(ends, ends - AIM, ends + AIM, color="0.92", label=f"within {AIM:g} degrees")
    axes.plot(ends, ends, color="0.6", linewidth=1)
    for steps, found in curves.items():
        _bars(axes, found, [_device(row)["reached_yaw"] for row in found], f"{steps} steps" if steps else "begun as")
    axes.set(xlabel="asked yaw in degrees", ylabel="reached yaw, median", title="by a network that took no part")
    axes.legend()


def _alike(axes: Any, found: list[dict], photos: list[dict]) -> None:
    axes.axhline(ALIKE, color="0.6", linewidth=1)
    for number, judge in enumerate(one["judge"] for one in found[0]["alike"]):
        shares = [next(one["share"] for one in row["alike"] if one["judge"] == judge) for row in found]
        there = [(row, share) for row, share in zip(found, shares, strict=True) if share]
        if there:
            _bars(axes, *map(list, zip(*there, strict=True)), judge, color=f"C{number + 2}")
        own = [one for one in photos if one["judge"] == judge and one["share"]]
        both = [(sign * one["yaw"], one["share"][0]) for one in own for sign in (-1, 1)]
        if both:
            axes.scatter(*zip(*both, strict=True), marker="x", color=f"C{number + 2}", label=f"{judge}, real photos")
    axes.set(xlabel="asked yaw in degrees", ylabel="cosine, as a share of the frontal pictures'", title="by two judges")
    axes.legend(loc="lower center", fontsize="small")


def _bars(axes: Any, found: list[dict], values: list[list[float]], label: str, **more: Any) -> None:
    """Values with their intervals; what no face was found in is left out."""
    yaws, values = np.array([row["yaw"] for row in found]), np.array(values, float)
    below, above = values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]
    axes.errorbar(yaws, values[:, 0], [below, above], marker="o", markersize=4, capsize=3, label=label, **more)
