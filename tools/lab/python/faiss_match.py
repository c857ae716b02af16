"""faiss-cpu beside `arcdoor-lab bench match`: exact search, one query at a time.

Usage: python faiss_match.py ROWS DIMENSION PRECISION REPEATS, PRECISION being f32 or int8.
Prints one JSON line: engine, threads, median_ms, min_ms.
"""

import json
import statistics
import sys
import time

import faiss
import numpy as np

CANDIDATES = 5


def main():
    rows, dimension, repeats = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
    precision = sys.argv[3]
    faiss.omp_set_num_threads(1)
    random = np.random.default_rng(1)
    templates = random.random((rows, dimension), dtype=np.float32)
    templates -= 0.5
    templates /= np.sqrt(np.einsum("ij,ij->i", templates, templates))[:, None]
    if precision == "f32":
        engine = "faiss IndexFlatIP"
        index = faiss.IndexFlatIP(dimension)
    else:
        engine = "faiss IndexScalarQuantizer 8bit"
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        index = faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)
        templates *= 127 / np.abs(templates[:1000]).max()
        np.clip(np.rint(templates, out=templates), -127, 127, out=templates)
    probes = templates[: repeats + 2].copy()
    index.add(templates)
    del templates
    times_ms = []
    for probe in probes:
        start = time.perf_counter()
        index.search(probe[None], CANDIDATES)
        times_ms.append((time.perf_counter() - start) * 1e3)
    times_ms = times_ms[2:]
    row = {
        "engine": f"{engine} {faiss.__version__}",
        "threads": 1,
        "median_ms": statistics.median(times_ms),
        "min_ms": min(times_ms),
    }
    print(json.dumps(row))


main()
