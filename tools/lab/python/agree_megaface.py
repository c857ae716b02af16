"""`arcdoor-lab eval megaface` beside the definition of MegaFace's devkit, written out plainly in numpy, on generated features.

    python3 tools/lab/python/agree_megaface.py --lab target/release/arcdoor-lab

Kemelmacher-Shlizerman et al., The MegaFace Benchmark, CVPR 2016: of a person's photos each is put among the distractors
once, and every other one is its probe; rank k where fewer than k distractors are as near. The devkit itself is binaries
for one Linux of 2016. Ends with 1 where a figure differs.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

PEOPLE, PHOTOS, DISTRACTORS, VALUES = 40, 12, 6000, 96


def write(path, feature):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.array([len(feature), 1, 4, 5], dtype="<i4").tobytes() + feature.astype("<f4").tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lab", required=True, type=pathlib.Path)
    lab = parser.parse_args().lab.resolve()
    random = np.random.default_rng(5)
    centres = random.normal(size=(PEOPLE, VALUES))
    probes = 0.6 * np.repeat(centres, PHOTOS, axis=0) + random.normal(size=(PEOPLE * PHOTOS, VALUES))
    others = random.normal(size=(DISTRACTORS, VALUES))
    people = np.repeat(np.arange(PEOPLE), PHOTOS)
    names = [f"p{person}/{i}.png" for i, person in enumerate(people)]
    other_names = [f"{i % 10}/{i}@N/{i}.jpg" for i in range(DISTRACTORS)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name, feature in zip(names + other_names, [*probes, *others]):
            write(folder / ("probes" if name.startswith("p") else "others") / f"{name}_x.bin", feature)
        (folder / "probes.txt").write_text("\n".join(names))
        (folder / "others.txt").write_text("\n".join(other_names))
        command = [lab, "eval", "megaface", "--generated", "--ending", "_x.bin", "--out", folder / "out"]
        command += ["--probes", folder / "probes", "--probe-list", folder / "probes.txt"]
        command += ["--distractors", folder / "others", "--distractor-list", folder / "others.txt"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report = json.loads((folder / "out/report.json").read_text())
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (probes, others)]
    # Steps of 2^-18, as a score is there: what ties there, ties here.
    own, far = (np.rint((unit[0] @ side.T) * 2**18) for side in (unit[0], unit[1]))
    far.sort(axis=1)
    pairs = [(i, j) for i in range(len(people)) for j in range(len(people)) if i != j and people[i] == people[j]]
    ahead = np.array([DISTRACTORS - np.searchsorted(far[i], own[i, j], side="left") for i, j in pairs])
    different = 0
    for rank, rate in report["identification"][0]["rank"].items():
        theirs = float((ahead < int(rank)).mean())
        print(f"rank {rank:>3}  ours {rate['value']:.8f}  plain {theirs:.8f}")
        different += abs(rate["value"] - theirs) > 1e-6
    impostors = np.sort(far.ravel())[::-1]
    genuine = np.array([own[i, j] for i, j in pairs if i < j])
    for name, at in report["tar_at_far"].items():
        if at["value"] is None:
            continue
        accepted = int(float(name) * len(impostors))
        tar = float((genuine > impostors[accepted]).mean())
        print(f"TAR at FAR {name}  ours {at['value']:.8f}  plain {tar:.8f}")
        different += abs(at["value"] - tar) > 1e-6
    print(f"{different} figures differ")
    sys.exit(different > 0)


main()
