"""``verify``: several forms of one network (f32, int8, QAT) against PyTorch or the first of them. For each: what
onnxruntime (unfused) computes, what the device's engine computes, how long it takes, and what the form costs."""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, crops, device, evaluate, export, onnx_file
from arcdoor_train.errors import DataError, TrainError
from arcdoor_train.feature_file import unit

#: Device against onnxruntime on the same file, unit-length features: largest difference, least cosine.
FLOAT = (onnx_file.TOLERANCE, 0.99999)
#: Where activations are rounded, a value on the edge of two levels may fall to either side.
ROUNDED = (2e-2, 0.999)
#: Against the f32 reference: below this cosine on any crop, int8 has broken something.
INT8_LEAST_COSINE = 0.95
#: Device time, over that of the first file, below which a form counts as faster.
FASTER = 0.95


@dataclass(frozen=True)
class Row:
    """One form."""

    file: str
    bytes: int
    rounds_activations: bool
    #: Against the reference, unit-length features, by onnxruntime unfused.
    reference_difference: float
    reference_least_cosine: float
    onnxruntime_ms: float
    device: device.Parity | None
    #: Where the device runs the file on its plan: what tract, the fallback, would take.
    tract_ms: float | None
    #: TMR at FMR 1e-3 and 1e-4 over all pairs of the evaluation crops; accuracy at the threshold chosen elsewhere.
    evaluation: dict[str, Any] | None
    problems: tuple[str, ...]


def verify(
    files: list[Path],
    images: np.ndarray,
    reference: np.ndarray | None = None,
    lab: Path | None = None,
    judge: Any = None,
) -> list[Row]:
    """``files`` with the f32 form first; ``reference`` (n, d) are PyTorch's features of ``images``, by default the
    first file's. ``judge`` is called with a file and gives its evaluation."""
    inputs = crops.to_input(images)
    base = None if reference is None else unit(reference)
    rows = []
    for path in files:
        rounds = _rounds_activations(path)
        runner = onnx_file.session(path)
        found = onnx_file.run(runner, [inputs[start : start + 64] for start in range(0, len(inputs), 64)])
        mine = unit(found)
        base = mine if base is None else base
        if mine.shape != base.shape:
            raise DataError(f"{path}: {mine.shape[1]} values, the reference has {base.shape[1]}")
        difference, cosine = float(np.abs(mine - base).max()), float((mine * base).sum(axis=1).min())
        problems = []
        floats = not rounds and not _has_int8(path)
        if floats and (difference > FLOAT[0] or cosine < FLOAT[1]):
            problems.append(f"differs from the reference by {difference:.1e}")
        if cosine < INT8_LEAST_COSINE:
            problems.append(f"cosine {cosine:.3f} to the reference")
        checked = tract_ms = None
        if lab is not None:
            checked = device.parity(lab, path, images, found, *(ROUNDED if rounds else FLOAT))
            if checked.engine != "tract":
                tract_ms = device.parity(lab, path, images, found, engine="tract").median_ms
            if not checked.passed:
                problems.append(f"the device differs from onnxruntime by {checked.max_difference:.1e}")
        rows.append(
            Row(
                path.name, path.stat().st_size, rounds, difference, cosine, _latency(runner, inputs[:1]),
                checked, tract_ms, judge(path) if judge else None, tuple(problems),
            )
        )  # fmt: skip
    return rows


def _has_int8(path: Path) -> bool:
    return any(node.op_type == "DequantizeLinear" for node in onnx_file.load(path).graph.node)


def _rounds_activations(path: Path) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in onnx_file.load(path).graph.node)


def _latency(runner: Any, crop: np.ndarray, rounds: int = 30) -> float:
    """Median milliseconds of one embedding, one thread."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        onnx_file.run(runner, [crop])
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def table(rows: list[Row]) -> str:
    """Markdown: what each form costs, and whether it makes the device faster or only the file smaller."""
    lines = [
        "| form | MB | cosine to the reference, least | device against onnxruntime | engine | ms | against the first "
        "| ms by tract | accuracy | TMR at FMR 1e-3 | 1e-4 | makes |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    first = rows[0]
    for row in rows:
        checked, base = row.device, first.device
        ratio = checked.median_ms / base.median_ms if checked and base else None
        cells = [
            row.file,
            f"{row.bytes / 1e6:.3f}",
            f"{row.reference_least_cosine:.5f}",
            f"{checked.max_difference:.1e}" if checked else "not checked",
            checked.engine if checked else "-",
            f"{checked.median_ms:.2f}" if checked else "-",
            f"{ratio:.2f}" if ratio else "-",
            _by_tract(row),
            *_accuracy(row.evaluation),
            "the reference" if row is first else _makes(row.bytes / first.bytes, ratio),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_tract(row: Row) -> str:
    if row.tract_ms is not None:
        return f"{row.tract_ms:.2f}"
    return f"{row.device.median_ms:.2f}" if row.device else "-"


def _accuracy(evaluation: dict[str, Any] | None) -> list[str]:
    if evaluation is None:
        return ["-"] * 3
    rates = {row["fmr"]: f"{100 * row['tmr']:.2f}" for row in evaluation.get("all_pairs", [])}
    share = f"{100 * evaluation['accuracy']:.2f}" if "accuracy" in evaluation else "-"
    return [share, rates.get(1e-3, "-"), rates.get(1e-4, "-")]


def _makes(size: float, time_ratio: float | None) -> str:
    small = "the file smaller" if size < 0.95 else ""
    fast = "the device faster" if time_ratio is not None and time_ratio < FASTER else ""
    if time_ratio is not None and time_ratio > 1 / FASTER:
        small = f"{small}, the device slower" if small else "the device slower"
    return " and ".join(part for part in (fast, small) if part) or "no difference"


def notes(rows: list[Row]) -> str:
    """What the table's reader must know about the engines, or nothing."""
    fallen = [row.file for row in rows if row.device and row.device.engine == "tract"]
    if not fallen or len(fallen) == len(rows):
        return ""
    return (
        f"{', '.join(fallen)}: the plan does not run int8 as it lies in these files, so that the device falls back to "
        "tract, which computes it in float. A form of int8 weights alone stays so in a pack, which runs on the plan."
    )


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train verify``."""
    parser = subparsers.add_parser("verify", help="forms of one network against each other, here and on the device")
    parser.add_argument("onnx", type=Path, nargs="+", help="exported files, the f32 form first")
    parser.add_argument("--checkpoint", type=Path, help="the trained network as reference [default: the first file]")
    parser.add_argument("--crops", type=Path, required=True, help="real aligned crops: a folder or .zip")
    parser.add_argument("--count", type=int, default=500, help="crops to compare on, spread over the set")
    parser.add_argument("--eval-crops", type=Path, help="crops by identity to say what each form costs in accuracy")
    parser.add_argument("--pairs", type=Path, help="pairs of the evaluation crops to report on")
    parser.add_argument("--choose", type=Path, help="pairs to choose the threshold on")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--keep", type=Path, help="write crops/, filelist.txt, features.bin for `arcdoor-lab parity`")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    faces = crops.Crops(options.crops)
    images = np.stack([faces.read(name) for name in faces.spread(options.count)])
    reference = None
    if options.checkpoint:
        model, _ = checkpoint.load_model(options.checkpoint)
        reference = export.embed(model.eval(), crops.to_input(images))
    if options.keep:
        inputs = crops.to_input(images)
        parts = [inputs[start : start + 64] for start in range(0, len(inputs), 64)]
        first = onnx_file.run(onnx_file.session(options.onnx[0]), parts) if reference is None else reference
        device.keep(options.keep, images, first)
    judge = None
    if options.eval_crops:
        judged = crops.Crops(options.eval_crops)

        def judge(path: Path) -> dict[str, Any]:
            return evaluate.on_crops(evaluate.Embedder(path), judged, options.pairs, options.choose)

    lab = device.find()
    rows = verify(options.onnx, images, reference, lab, judge)
    print(f"{len(images)} crops of {options.crops}; onnxruntime without fusions")
    print(table(rows))
    if text := notes(rows):
        print(text)
    if lab is None:
        print(device.ABSENT)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    problems = [f"{row.file}: {problem}" for row in rows for problem in row.problems]
    if problems:
        raise TrainError("; ".join(problems))
    return 0
