"""numpy (OpenBLAS) and faiss on the task of `arcdoor-lab bench verify`: every left row against every right one, and
how often each score comes, in steps of 2^-18. One thread each.

Argument: a JSON file with left and right (raw f32, rows of `dimension` values of length 1), dimension, and least (the
score from which on faiss keeps its results: it has no histogram, and to keep all would be every score).

The first line on stdout names the engines; each line on stdin is answered by {engine: [CPU s, wall s, counted]},
counted being the scores at or above `least`.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import faiss
import numpy as np

STEPS = 1 << 18
LEFTS, RIGHTS = 1024, 4096


def bins(scores):
    return np.rint(scores * np.float32(STEPS)).astype(np.int32).ravel() + STEPS


def blas(left, right, least):
    counts = np.zeros(2 * STEPS + 65, dtype=np.int64)
    for a in range(0, len(left), LEFTS):
        for b in range(0, len(right), RIGHTS):
            scores = left[a : a + LEFTS] @ right[b : b + RIGHTS].T
            counts += np.bincount(bins(scores), minlength=len(counts))
    return int(counts[least + STEPS :].sum())


def flat(left, index, least):
    counts = np.zeros(2 * STEPS + 65, dtype=np.int64)
    for a in range(0, len(left), LEFTS):
        _, scores, _ = index.range_search(left[a : a + LEFTS], (least - 0.5) / STEPS)
        counts += np.bincount(bins(scores), minlength=len(counts))
    return int(counts[least + STEPS :].sum())


def main():
    with open(sys.argv[1]) as file:
        setting = json.load(file)
    left, right = (
        np.fromfile(setting[side], dtype="<f4").reshape(-1, setting["dimension"]) for side in ("left", "right")
    )
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(setting["dimension"])
    index.add(right)
    least = setting["least"]
    engines = {
        f"numpy {np.__version__}": lambda: blas(left, right, least),
        f"faiss {faiss.__version__}": lambda: flat(left, index, least),
    }
    print(json.dumps({"engines": list(engines)}), flush=True)
    for _ in sys.stdin:
        answer = {}
        for name, run in engines.items():
            cpu, wall = time.process_time(), time.perf_counter()
            counted = run()
            answer[name] = [time.process_time() - cpu, time.perf_counter() - wall, counted]
        print(json.dumps(answer), flush=True)


main()
