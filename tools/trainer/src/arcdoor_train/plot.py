"""``plot``: the paper's figures, of what was trained here. Each is a PNG and an SVG with its data beside it as CSV."""

import argparse
import json
from pathlib import Path
from typing import Any

from arcdoor_train import config, crops, data, figure
from arcdoor_train.checkpoint import make
from arcdoor_train.errors import UsageError
from arcdoor_train.plots import angles, margins, pairs, steer, toy


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train plot``."""
    parser = subparsers.add_parser("plot", help="the paper's figures: PNG, SVG and CSV")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="FIGURE")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--out", type=Path, default=Path("plots"), help="the folder of the figures [plots]")
    for name, text in (
        ("margins", "the target logit over the angle, of every margin"),
        ("borders", "the border between two classes, of every combined margin"),
        ("toy", "eight identities in two dimensions: Norm-Softmax against ArcFace"),
        ("theta", "angles of images to their class centres, from the start of a run to its end"),
        ("statistics", "angles between class centres, features' centres and features of a run"),
        ("pairs", "angles of genuine and impostor comparisons"),
        ("steer", "which way drawn faces look that were asked to look aside"),
    ):
        kind = kinds.add_parser(name, help=text, description=text, parents=[shared])
        _ADD.get(name, lambda _: None)(kind)
        kind.set_defaults(run=_run)


def _toy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="a TOML file with [data]; without, faces are drawn")
    parser.add_argument("--images", type=int, default=64, help="of each identity at most")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--scale", type=float, default=16.0, help="head.scale of both losses")


def _theta(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", type=Path, help="a run; run.keep says how many checkpoints it keeps")
    parser.add_argument("--images", type=int, default=2000)


def _statistics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", type=Path, help="a run or a checkpoint")
    parser.add_argument("--each", type=int, default=20, help="images of each identity at most")
    parser.add_argument("--crops", type=Path, help="crops in a folder for each person, who were not trained on")


def _pairs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="an .onnx file, a pack, a checkpoint, or a run folder")
    parser.add_argument("--crops", type=Path, required=True, help="crops: a folder or .zip")
    parser.add_argument("--pairs", type=Path, help="LFW's list; without, every crop against every other")


def _steer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("figures", type=Path, help="what invert --measure RUN --json wrote of one steered run")


_ADD = {"toy": _toy, "theta": _theta, "statistics": _statistics, "pairs": _pairs, "steer": _steer}


def _run(options: argparse.Namespace) -> int:
    if min(getattr(options, name, 1) for name in ("images", "epochs", "each", "scale")) <= 0:
        raise UsageError("--images, --epochs, --each and --scale are above 0")
    figure.new()  # without matplotlib nothing is computed, either
    make(options.out)
    for line in _draw(options):
        print(line)
    print(f"{options.out / options.kind}.png, .svg, .csv")
    return 0


def _draw(options: argparse.Namespace) -> list[str]:
    out = options.out
    if options.kind == "margins":
        margins.draw_curves(out)
    elif options.kind == "borders":
        margins.draw_borders(out)
    elif options.kind == "toy":
        faces = _faces(options.config) if options.config else data.open_drawn(toy.IDENTITIES, options.images, 1)
        return toy.draw(out, faces, options.images, options.epochs, options.scale)
    elif options.kind == "theta":
        angles.draw_theta(out, options.run_folder, options.images)
    elif options.kind == "statistics":
        faces = crops.Crops(options.crops) if options.crops else None
        return [json.dumps(angles.draw_statistics(out, options.run_folder, options.each, faces))]
    elif options.kind == "steer":
        steer.draw(out, options.figures)
    else:
        return [json.dumps(pairs.draw(out, options.model, crops.Crops(options.crops), options.pairs))]
    return []


def _faces(path: Path) -> data.Dataset:
    whole = config.load(path)
    return data.gather(whole.data, whole.run.seed)[0]
