"""Two galleries of the same people under different keys: whether it shows that they are the same."""

import numpy as np

from arcdoor_train.leakage import linkage, matching, rotation
from arcdoor_train.leakage.found import Found
from arcdoor_train.leakage.scene import KEY, LINKED, OTHER_KEY, Scene
from arcdoor_train.leakage.share import Figure, share

ONE_KEY = "D_sys, one key, other photos"
SAME, OTHER = "D_sys, two keys, the same templates", "D_sys, two keys, other photos"
RENEWED = "a template under the new key matches its old form at the door's threshold"
GRAM, GRAM_OTHER = "people linked by Gram matrices, the same templates", "people linked by Gram matrices, other photos"
CHANCE = ", by chance"


def seeded(count: int) -> str:
    """With people whom the thief knows in both galleries."""
    return f"{GRAM_OTHER}, {count} people known in both"


def look(scene: Scene) -> Found:
    """Scores of each template with each, then all at once."""
    first, again = scene.templates, scene.door.real[scene.people.second]
    one = rotation.applied(rotation.drawn(scene.pack.dimension, scene.chance(KEY)), first)
    two, two_other = (
        rotation.applied(rotation.drawn(scene.pack.dimension, scene.chance(OTHER_KEY)), rows) for rows in (first, again)
    )
    figures: dict[str, Figure] = {}
    for name, (a, b) in {ONE_KEY: (first, again), SAME: (one, two), OTHER: (one, two_other)}.items():
        table = a @ b.T
        figures[name], figures[name + CHANCE] = linkage.figure(table), linkage.chance(table, scene.chance(LINKED))
    met = np.sum(one * two, axis=1) >= scene.pack.threshold(1e-4)
    figures[RENEWED] = share(met, np.arange(len(met)))
    figures |= _gram(scene, one, two, two_other)
    return Found("linked", figures=figures, facts={"people": str(scene.people.count)})


def _gram(scene: Scene, one: np.ndarray, two: np.ndarray, two_other: np.ndarray) -> dict[str, Figure]:
    count = len(one)
    # Nobody's place among the others says who they are: one gallery is in another order.
    order = np.random.default_rng(scene.chance(LINKED, 1)).permutation(count)
    tables = [rows @ rows.T for rows in (one, two[order], two_other[order])]
    truth = np.argsort(order)
    found = {}
    for name, table in ((GRAM, tables[1]), (GRAM_OTHER, tables[2])):
        tell = scene.progress(name, 1)
        found[name] = share(matching.matched(tables[0], table) == truth, np.arange(count))
        tell(1)
    found[GRAM + CHANCE] = Figure(1 / count, 0.0, 1.0 / count, count)
    seeds = min(scene.section.seeds, count // 2)
    if seeds:
        # Those who are known stand first in both.
        places = np.concatenate([truth[:seeds], np.flatnonzero(order >= seeds)])
        met = places[matching.matched(tables[0], tables[2][np.ix_(places, places)], seeds)] == truth
        found[seeded(seeds)] = share(met[seeds:], np.arange(count - seeds))
    return found
