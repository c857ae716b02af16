"""``eval``: verification accuracy of an ONNX file or a checkpoint. On photos cropped by ``arcdoor-lab crop``: pairs
(threshold chosen on one list, accuracy reported on another; or folds), and every crop against every other. On
insightface's ``.bin`` sets: ten folds."""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arcdoor_train import bin_file, checkpoint, crops, onnx_file, scores
from arcdoor_train.errors import DataError, UsageError
from arcdoor_train.feature_file import unit

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def located(path: Path, preprocess: crops.Preprocess | None = None) -> tuple[Path, crops.Preprocess]:
    """The embedder's file where ``path`` is a pack, and what it takes: ``preprocess``, or what its card says."""
    manifest = path.with_suffix(".toml")
    if (path / "pack.toml").is_file():
        manifest = path / "pack.toml"
        path = path / tomllib.loads(manifest.read_text(encoding="utf-8"))["embedder"]["file"]
    if preprocess is None and path.suffix == ".onnx" and manifest.is_file():
        preprocess = crops.Preprocess.of(manifest)
    return path, preprocess or crops.Preprocess()


class Embedder:
    """An ONNX file (onnxruntime, unfused), a pack's embedder, or a checkpoint (PyTorch): our networks' inputs to
    unit-length features. What an ONNX file takes is read from its card, ``MODEL.toml``, where it has one."""

    def __init__(self, path: Path, threads: int = 1, preprocess: crops.Preprocess | None = None) -> None:
        self._session = self._model = None
        path, self._preprocess = located(path, preprocess)
        if path.suffix == ".onnx":
            self._session = onnx_file.session(path, threads)
        else:
            self._model, _ = checkpoint.load_model(path)
            self._model = self._model.to("cuda" if torch.cuda.is_available() else "cpu")

    def __call__(self, batches: Iterable[np.ndarray]) -> np.ndarray:
        if self._session is not None:
            return unit(onnx_file.run(self._session, (self._preprocess.apply(batch) for batch in batches)))
        device = next(self._model.parameters()).device
        with torch.no_grad():
            found = [self._model(torch.from_numpy(batch).to(device)).float().cpu().numpy() for batch in batches]
        return unit(np.concatenate(found))


def features(embedder: Embedder, faces: crops.Crops, flip: bool = False) -> tuple[np.ndarray, list[str], list[str]]:
    """Features, the names they belong to, and the names that do not decode. ``flip`` sums a crop's feature and its
    mirror image's."""
    names, bad, parts, batch = [], [], [], []

    def flush() -> None:
        if batch:
            inputs = crops.to_input(np.stack(batch))
            found = embedder([inputs])
            parts.append(unit(found + embedder([np.ascontiguousarray(inputs[..., ::-1])])) if flip else found)
            batch.clear()

    bar = _progress(len(faces))
    for name in faces.names:
        try:
            batch.append(faces.read(name))
            names.append(name)
        except DataError:
            bad.append(name)
        bar.update(1)
        if len(batch) == 64:
            flush()
    flush()
    bar.close()
    if not parts:
        raise DataError(f"not one crop of {faces.path} decodes")
    return np.concatenate(parts), names, bad


def _progress(total: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit="crop", disable=not sys.stderr.isatty())


def read_pairs(path: Path, names: list[str]) -> Pairs:
    """LFW's lists: a heading (``count`` or ``folds count``), then ``NAME I J`` or ``NAME I OTHER J``. Gives the
    indices into ``names`` (-1 for a crop that is missing), the flags, and each pair's fold."""
    index = {Path(name).stem: number for number, name in enumerate(names)}
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not lines or not all(field.isdigit() for field in lines[0]):
        raise DataError(f"{path} has no heading with the number of pairs")
    each = int(lines[0][-1]) if len(lines[0]) == 2 else 0
    first, second, same, fold = [], [], [], []
    for number, fields in enumerate(lines[1:], start=2):
        if len(fields) not in (3, 4) or not fields[1].isdigit() or not fields[-1].isdigit():
            raise DataError(f"{path}, line {number}: NAME I J or NAME I OTHER J is wanted")
        other = fields[0] if len(fields) == 3 else fields[2]
        first.append(index.get(f"{fields[0]}_{int(fields[1]):04}", -1))
        second.append(index.get(f"{other}_{int(fields[-1]):04}", -1))
        same.append(len(fields) == 3)
        fold.append((number - 2) // (2 * each) if each else 0)
    return np.array(first), np.array(second), np.array(same), np.array(fold)


def pair_scores(found: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Cosines; -2 (never accepted, always counted) where a pair lacks a crop."""
    first, second = pairs[0], pairs[1]
    cosines = np.sum(found[first] * found[second], axis=1)
    return np.where((first < 0) | (second < 0), -2.0, cosines)


def on_crops(
    embedder: Embedder,
    faces: crops.Crops,
    pairs: Path | None,
    choose: Path | None,
    flip: bool = False,
    each_pair: bool = False,
) -> dict[str, Any]:
    """Everything that ``eval`` says of a folder of crops; ``each_pair`` adds ``pair_scores``: both names (null
    for a crop that is missing), whether they are one person, the score."""
    found, names, bad = features(embedder, faces, flip)
    answer: dict[str, Any] = {"crops": len(names), "unreadable": bad}
    if pairs is not None:
        listed = read_pairs(pairs, names)
        cosines, same = pair_scores(found, listed), listed[2]
        answer["pairs"] = len(same)
        answer["pairs_without_crop"] = int((cosines == -2).sum())
        if each_pair:
            stems = [Path(name).stem for name in names]
            answer["pair_scores"] = [
                [stems[a] if a >= 0 else None, stems[b] if b >= 0 else None, bool(one), float(score)]
                for a, b, one, score in zip(listed[0], listed[1], same, cosines, strict=True)
            ]
        if choose is not None:
            chosen = read_pairs(choose, names)
            threshold = scores.best_threshold(pair_scores(found, chosen), chosen[2])
            right = (cosines >= threshold) == same
            answer |= {"threshold": threshold, "accuracy": float(right.mean()), "interval": scores.wilson(right)}
        elif len(np.unique(listed[3])) > 1:
            shares = scores.folds(cosines, same, listed[3])
            answer |= {"accuracy": float(shares.mean()), "deviation": float(shares.std())}
        else:
            raise UsageError("these pairs have no folds: give --choose, a list to choose the threshold on")
    people = crops.owners(names)
    if people.max() > 0:
        answer["all_pairs"] = [asdict(row) for row in scores.all_pairs(found, people)]
    return answer


def on_bin(embedder: Embedder, path: Path, flip: bool = False) -> dict[str, Any]:
    """Ten folds over insightface's pairs, in their order."""
    images, flags = bin_file.read(path)
    parts = []
    for start in range(0, len(images), 64):
        part = images[start : start + 64]
        decoded = [crops.decode(content, f"image {start + n}") for n, content in enumerate(part)]
        inputs = crops.to_input(np.stack(decoded))
        found = embedder([inputs])
        parts.append(unit(found + embedder([np.ascontiguousarray(inputs[..., ::-1])])) if flip else found)
    found, same = np.concatenate(parts), np.array(flags)
    cosines = np.sum(found[0::2] * found[1::2], axis=1)
    groups = np.arange(len(same)) * 10 // len(same)
    shares = scores.folds(cosines, same, groups)
    return {"pairs": len(same), "accuracy": float(shares.mean()), "deviation": float(shares.std())}


def describe(answer: dict[str, Any]) -> str:
    """The answer as lines for people."""
    lines = []
    if answer.get("unreadable"):
        lines.append(f"{len(answer['unreadable'])} crops do not decode: {', '.join(answer['unreadable'][:10])}")
    if "accuracy" in answer:
        share = f"accuracy {100 * answer['accuracy']:.2f} %"
        if "interval" in answer:
            low, high = answer["interval"]
            share += f" [{100 * low:.2f}, {100 * high:.2f}], threshold {answer['threshold']:.3f} chosen elsewhere"
        else:
            share += f" +- {100 * answer['deviation']:.2f} over folds"
        lines.append(f"{answer['pairs']} pairs: {share}; {answer.get('pairs_without_crop', 0)} lack a crop")
    for row in answer.get("all_pairs", []):
        rate = scores.Operating(**row)
        lines.append(f"all pairs, FMR {rate.fmr:.0e}: TMR {rate} (threshold {rate.threshold:.3f})")
    return "\n".join(lines)


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train eval``."""
    parser = subparsers.add_parser("eval", help="verification accuracy of an ONNX file or a checkpoint")
    parser.add_argument("model", type=Path, help="an .onnx file, a pack, a checkpoint, or a run folder")
    parser.add_argument("--crops", type=Path, help="crops by `arcdoor-lab crop`: a folder or .zip")
    parser.add_argument("--pairs", type=Path, help="LFW's list to report on, such as pairsDevTest.txt")
    parser.add_argument("--choose", type=Path, help="the list to choose the threshold on, such as pairsDevTrain.txt")
    parser.add_argument("--bin", type=Path, help="an insightface .bin in place of --crops")
    parser.add_argument("--flip", action="store_true", help="sum the features of a crop and its mirror image")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures and each pair's score here")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if (options.crops is None) == (options.bin is None):
        raise UsageError("give either --crops or --bin")
    embedder = Embedder(options.model, options.threads)
    if options.bin is not None:
        answer = on_bin(embedder, options.bin, options.flip)
    else:
        faces, each_pair = crops.Crops(options.crops), options.json is not None
        answer = on_crops(embedder, faces, options.pairs, options.choose, options.flip, each_pair)
    print(describe(answer))
    if options.json:
        options.json.write_text(json.dumps(answer, indent=2) + "\n")
    return 0
