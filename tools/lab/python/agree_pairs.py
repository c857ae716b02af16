"""Whether `arcdoor-lab eval lfw` agrees with scikit-learn's `roc_curve` and with insightface's `verification.py`.

    python3 agree_pairs.py --lab arcdoor-lab [--insightface verification.py] [--seeds 3]

Features are generated: a `.bin` of 6,000 pairs and a row for each image. Needs numpy and scikit-learn (and scipy, which
it brings); without them it says so and ends with 77. `verification.py` is insightface's
`recognition/arcface_torch/eval/verification.py`, fetched by whoever compares; mxnet and torch are not needed for what is
run of it. Ends with 1 where a figure differs by more than 1e-6.
"""

import argparse
import importlib.util
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import tempfile
import types
from unittest import mock

SKIPPED = 77
FOLDS, EACH, DIMENSION = 10, 300, 64
TOLERANCE = 1e-6


def packages():
    """numpy, scikit-learn, and their versions."""
    try:
        import numpy as np
        import scipy
        import sklearn
        import sklearn.metrics
    except ImportError as error:
        print(f"skipped: {error}; `pip install scikit-learn` brings what is needed")
        sys.exit(SKIPPED)
    print(f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}")
    return np, sklearn


def generated(np, seed: int):
    """Features of 6,000 pairs as a network of middling quality has them, and whether each pair is of one person."""
    random = np.random.default_rng(seed)
    same = np.tile(np.repeat([True, False], EACH), FOLDS)
    first = random.standard_normal((len(same), DIMENSION))
    other = np.where(same[:, None], first, random.standard_normal(first.shape))
    noisy = lambda of: of + random.uniform(0.6, 1.5, (len(same), 1)) * random.standard_normal(of.shape)
    features = np.empty((2 * len(same), DIMENSION), np.float32)
    features[0::2], features[1::2] = noisy(first), noisy(other)
    return features, same


def ours(lab: str, np, features, same, folder: pathlib.Path) -> tuple[dict, list]:
    """The report of the lab on these features, and its scores."""
    images = [struct.pack("<I", image) for image in range(len(features))]
    (folder / "set.bin").write_bytes(pickle.dumps((images, [bool(flag) for flag in same]), protocol=4))
    header = np.array([len(features), DIMENSION, 4 * DIMENSION, 5], "<i4")
    (folder / "features").write_bytes(header.tobytes() + features.astype("<f4").tobytes())
    command = [lab, "eval", "lfw", "--bin", folder / "set.bin", "--rows", folder / "features", "--generated"]
    subprocess.run([*command, "--out", folder / "out"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([lab, "report", "verify", folder / "out/report.json"], check=True, stdout=subprocess.DEVNULL)
    rows = (folder / "out/pairs.csv").read_text().splitlines()[1:]
    return json.loads((folder / "out/report.json").read_text()), [float(row.split(",")[4]) for row in rows]


def interpolated_equal_error(np, fpr, tpr) -> float:
    """Where the straight lines between the points of a ROC meet the line of equal errors."""
    missed = 1 - tpr
    after = int(np.argmax(fpr >= missed))
    before = after - 1
    part = (missed[before] - fpr[before]) / (fpr[after] - fpr[before] + missed[before] - missed[after])
    return float(fpr[before] + part * (fpr[after] - fpr[before]))


class Differences:
    """What was compared, and what differs."""

    def __init__(self) -> None:
        self.largest, self.count, self.wrong = 0.0, 0, 0

    def compare(self, what: str, found: float, expected: float) -> None:
        difference = abs(found - expected)
        self.largest, self.count = max(self.largest, difference), self.count + 1
        if not difference <= TOLERANCE:
            self.wrong += 1
            print(f"DIFFERS {what}: ours {found!r}, theirs {expected!r}")


def against_scikit_learn(np, sklearn, report: dict, scores: list, same, differences: Differences) -> None:
    fpr, tpr, thresholds = sklearn.metrics.roc_curve(same, scores, drop_intermediate=False)
    for far, at in report["tar_at_far"].items():
        place = np.searchsorted(fpr, float(far), side="right") - 1
        if at["value"] is None:
            assert float(far) * EACH * FOLDS < 1, f"no number at {far}, which the impostors support"
            continue
        differences.compare(f"TAR at {far}", at["value"], float(tpr[place]))
        differences.compare(f"FAR at its threshold, {far}", at["far"]["value"], float(fpr[place]))
    equal = interpolated_equal_error(np, fpr, tpr)
    differences.compare("equal error rate", report["eer"]["value"], equal)


def load_insightface(path: pathlib.Path) -> types.ModuleType:
    """Their module; what it imports for reading images and running networks is put aside."""
    absent = {name: mock.MagicMock() for name in ("mxnet", "torch")}
    absent["torch"].no_grad = lambda: lambda function: function
    spec = importlib.util.spec_from_file_location("verification", path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, absent):
        spec.loader.exec_module(module)
    return module


def against_insightface(np, theirs, report: dict, features, scores: list, same, differences: Differences) -> None:
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    distances = np.sum(np.square(unit[0::2] - unit[1::2]), 1)
    differences.compare("scores as squared distances", float(np.max(np.abs(2 - 2 * np.array(scores) - distances))), 0.0)
    # Thresholds between each two neighbouring distances, from the least on: what their search would find without its grid.
    ordered = np.unique(distances)
    between = np.concatenate([[ordered[0] / 2], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    accuracies = []
    for fold in range(FOLDS):
        own = np.arange(len(same)) // (2 * EACH) == fold
        # As their calculate_accuracy says for each threshold, in one pass.
        order = np.argsort(distances[~own])
        right = np.concatenate([[np.sum(~same[~own])], np.sum(~same[~own]) + np.cumsum(np.where(same[~own][order], 1, -1))])
        cuts = np.concatenate([[-1.0], distances[~own][order]])
        middle = (cuts[np.argmax(right)] + cuts[np.argmax(right) + 1]) / 2 if np.argmax(right) + 1 < len(cuts) else 5.0
        _, _, accuracy = theirs.calculate_accuracy(middle, distances[own], same[own])
        accuracies.append(accuracy)
    differences.compare("accuracy, exact thresholds, percent", report["accuracy_mean"], 100 * float(np.mean(accuracies)))
    differences.compare("its deviation, percent", report["accuracy_sd"], 100 * float(np.std(accuracies)))
    tpr, fpr, _ = theirs.calculate_roc(between[:: len(between) // 50], unit[0::2], unit[1::2], same, nrof_folds=FOLDS)
    for at, threshold in enumerate(between[:: len(between) // 50]):
        score = (2 - threshold) / 2
        accepted = np.array(scores) > score
        differences.compare("their TPR", float(np.mean(accepted[same])), float(tpr[at]))
        differences.compare("their FPR", float(np.mean(accepted[~same])), float(fpr[at]))
    # As they call it: thresholds on a grid, of distances for the accuracy and ten times finer for the rate.
    _, _, accuracy = theirs.calculate_roc(np.arange(0, 4, 0.01), unit[0::2], unit[1::2], same, nrof_folds=FOLDS)
    print(
        f"  accuracy: ours {report['accuracy_mean']:.4f} +- {report['accuracy_sd']:.4f} %, theirs "
        f"{100 * np.mean(accuracy):.4f} +- {100 * np.std(accuracy):.4f} % on their grid of 0.01"
    )
    at = report["tar_at_far"]["1e-3"]
    print(f"  TAR at 1e-3: ours {at['value']:.5f} at {at['far']['value']:.2e}, theirs {their_rate(np, theirs, unit, same)}")


def their_rate(np, theirs, unit, same) -> str:
    """Their TAR at 1e-3: interpolated between thresholds of which many accept the same share."""
    try:
        rate, deviation, far = theirs.calculate_val(
            np.arange(0, 4, 0.001), unit[0::2], unit[1::2], same, 1e-3, nrof_folds=FOLDS
        )
    except ValueError as error:
        return f"none: calculate_val ends with '{error}'"
    return f"{rate:.5f} +- {deviation:.5f} at {far:.2e}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Our verification figures beside scikit-learn's and insightface's.")
    parser.add_argument("--lab", required=True, metavar="PROGRAM")
    parser.add_argument("--insightface", type=pathlib.Path, metavar="verification.py")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    np, sklearn = packages()
    theirs = load_insightface(args.insightface) if args.insightface else None
    differences = Differences()
    for seed in range(args.seeds):
        features, same = generated(np, seed)
        with tempfile.TemporaryDirectory() as folder:
            report, scores = ours(args.lab, np, features, same, pathlib.Path(folder))
        against_scikit_learn(np, sklearn, report, scores, same, differences)
        if theirs:
            against_insightface(np, theirs, report, features, scores, same, differences)
    print(f"{differences.count} figures compared, largest difference {differences.largest:.2e}, {differences.wrong} differ")
    return 1 if differences.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
