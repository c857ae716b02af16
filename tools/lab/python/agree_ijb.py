"""`arcdoor-lab eval ijbc` and `ijb-1n` beside insightface's ijb_11.py and ijb_1n.py, on generated templates.

    pip install scikit-learn pandas matplotlib prettytable
    python3 tools/lab/python/agree_ijb.py --lab target/release/arcdoor-lab --scripts DIR

DIR holds the two scripts (recognition/_evaluation_/ijb of insightface), which are run as they are: what they import for
images and plots alone is replaced by nothing, features come from a file, and the table's digits are not rounded.
Prints both sides' figures; ends with 1 where they differ by more than 1e-6.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import types

import numpy as np

SUBJECTS, VALUES, TEMPLATES = 300, 128, 5


def generate(folder):
    """Media, templates, pairs and galleries in the form of IJB-C; features of an image and its mirror side by side."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(SUBJECTS, VALUES))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    meta = folder / "IJBC/meta"
    meta.mkdir(parents=True)
    images, features, owner, medium = [], [], {}, 0
    for subject in range(SUBJECTS):
        for _ in range(TEMPLATES):
            template = len(owner) + 1
            owner[template] = subject
            for _ in range(random.integers(1, 4)):
                medium += 1
                for _ in range(random.integers(1, 4)):
                    draw = [0.12 * (0.22 * VALUES**0.5 * centres[subject] + random.normal(size=VALUES)) for _ in "ab"]
                    features.append(np.concatenate(draw) * random.uniform(5, 20))
                    images.append((template, medium))
    np.save(folder / "features.npy", np.array(features, dtype=np.float32))
    lines = {
        "face_tid_mid.txt": [f"{i}.jpg {t} {m}" for i, (t, m) in enumerate(images)],
        "name_5pts_score.txt": [f"{i}.jpg {'1.0 ' * 10}{random.uniform(0.5, 1):.6f}" for i in range(len(images))],
        "template_pair_label.txt": [
            f"{a} {b} {int(owner[a] == owner[b])}"
            for a in owner
            for b in owner
            if a < b and (owner[a] == owner[b] or random.random() < 0.6)
        ],
    }
    first = [t for t in owner if t % TEMPLATES == 1]
    parts = {"gallery_G1": first[: SUBJECTS // 2], "gallery_G2": first[SUBJECTS // 2 :]}
    parts["probe_mixed"] = [t for t in owner if t % TEMPLATES != 1]
    for name, templates in parts.items():
        lines[f"1N_{name}.csv"] = ["TEMPLATE_ID,SUBJECT_ID"] + [f"{t},{owner[t]}" for t in templates]
    for name, text in lines.items():
        (meta / f"ijbc_{name}").write_text("\n".join(text) + "\n")


def theirs(script, folder):
    """What a script prints, run in `folder`."""
    features = np.load(folder / "features.npy")

    class Embedding:
        def __init__(self, *_):
            self.next = -1

        def get(self, *_):
            self.next += 1
            return features[self.next]

    def module(name, **fields):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(fields)

    module("cv2", imread=lambda name: None)
    module("embedding", Embedding=Embedding)
    module("menpo")
    module("menpo.visualize", print_progress=None)
    module("menpo.visualize.viewmatplotlib", sample_colours_from_colourmap=lambda count, _: [(0, 0, 0)] * count)
    # Removed from numpy 1.24; the scripts are older.
    np.int = int
    text = script.read_text().replace("'%.2f' % (tpr[min_index] * 100)", "'%.12f' % tpr[min_index]")
    out, before, argv = io.StringIO(), os.getcwd(), sys.argv
    os.chdir(folder)
    sys.argv = [str(script), "--target", "IJBC"]
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(text, str(script), "exec"), {"__name__": "__main__"})
    finally:
        os.chdir(before)
        sys.argv = argv
    return out.getvalue()


def ours(lab, command, folder):
    out = folder / command[0]
    common = ["--features", folder / "features.npy", "--meta", folder / "IJBC/meta", "--flip", "--generated", "--out", out]
    subprocess.run([lab, "eval", *command, *common], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((out / "report.json").read_text())["tables"][0]["rows"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lab", required=True, type=pathlib.Path)
    parser.add_argument("--scripts", required=True, type=pathlib.Path)
    args = parser.parse_args()
    lab = args.lab.resolve()
    worst = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        generate(folder)
        printed = theirs((args.scripts / "ijb_11.py").resolve(), folder)
        row = next(line for line in printed.splitlines() if "insightface-IJBC" in line)
        found = [float(value) for value in re.findall(r"\d\.\d{12}", row)]
        for (far, tar, _), value in zip(ours(lab, ["ijbc"], folder), found, strict=True):
            print(f"1:1 FAR {far:>5}  ours {tar}  theirs {value:.8f}")
            worst = max(worst, abs(float(tar) - value))
        printed = theirs((args.scripts / "ijb_1n.py").resolve(), folder)
        found = [[float(value)] for value in re.findall(r"top\d+ = (\S+)", printed)]
        found += [[float(a), float(b)] for a, b in re.findall(r"pr = (\S+) th = (\S+)", printed)]
        for (name, *values), value in zip(ours(lab, ["ijb-1n", "--target", "ijbc"], folder), found, strict=True):
            print(f"1:N {name:<9}  ours {' '.join(values)}  theirs {value}")
            worst = max(worst, *(abs(float(a) - b) for a, b in zip(values, value)))
    print(f"largest difference {worst:.1e}")
    sys.exit(worst > 1e-6)


main()
