"""``clean``: noisy identities to clean ones by a run with K sub-centres, see ``subcentres``. Train again from scratch
with K = 1 on what is left. Beside the list lies a folder that says what went."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import checkpoint, clean_report, feature_map, lock, sheets, subcentres, trained
from arcdoor_train.data import lists
from arcdoor_train.data.sets import by_name
from arcdoor_train.errors import UsageError

#: Images of strangers are not as alike on average after any training that went well: there it is near 0.
COLLAPSED = 0.9


def add_parser(subparsers: Any) -> None:
    """``arcdoor-train clean``."""
    parser = subparsers.add_parser("clean", help="drop the images of noisy identities, by a run with K sub-centres")
    parser.add_argument("run_folder", type=Path, help="a run or a checkpoint, trained with head.centres = 3, 5 or 10")
    parser.add_argument("--degrees", type=float, default=75.0, help="an image farther from its dominant centre goes")
    feature_map.add_arguments(parser)
    parser.add_argument("--planted", action="store_true", help="the run's data.list is of `plant`: say what was found")
    parser.add_argument("--sheets", type=int, default=0, metavar="N", help="also show N images kept and N dropped")
    parser.add_argument("--identity", metavar="NAME", help="also show one identity's images by sub-class")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if not 0 <= options.sheets <= sheets.MOST or not 0 < options.degrees < 180:
        raise UsageError(f"--sheets is 0 to {sheets.MOST}, --degrees between 0 and 180")
    report, features = feature_map.places(options)
    folder = checkpoint.resolve(options.run_folder)
    whole, faces, centres = trained.read(folder)
    by_name(faces)
    if options.planted and faces.moved is None:
        raise UsageError("--planted: the run was trained without data.list, so that nothing was planted")
    if options.identity and options.identity not in faces.identities:
        raise UsageError(f"--identity {options.identity}: no identity of the run; its identities.txt names them")
    print(feature_map.needs(len(faces), centres.shape[2], *centres.shape[:2], features), flush=True)
    with lock.alone(report):
        job = feature_map.Job(whole.data, whole.run.seed, folder / "model.pt", options.threads)
        found = feature_map.compute(features, job, faces, centres.shape[2], options.processes).features
        done = subcentres.clean(found, faces.labels, centres, options.degrees)
        names = [faces.identities[label] for label in np.unique(faces.labels[done.keep])]
        text = lists.lines(faces.origin, faces.keys, done.labels, done.cosines, names)
        checkpoint.write_file(options.out, lambda file: file.writelines(text))
        alike = strangers(found, faces.labels)
        if alike > COLLAPSED:
            print(
                f"note: images of different identities have a cosine of {alike:.2f} on average: the run did not learn "
                "to tell people apart, and the list says nothing of noise; see `plot theta`",
                file=sys.stderr,
            )
        answer = clean_report.write(report, faces, done, alike, options)
    print(json.dumps(answer))
    return 0


def strangers(features: np.ndarray, labels: np.ndarray) -> float:
    """The mean cosine of 1,000 pairs of images of different identities, drawn at random; 0 where there is none."""
    first, second = np.random.default_rng(1).integers(0, len(labels), (2, 1000))
    cosines = np.sum(features[first] * features[second], axis=1)[labels[first] != labels[second]]
    cosines = cosines[np.isfinite(cosines)]
    return float(cosines.mean()) if len(cosines) else 0.0
