"""Plain templates and the model: what a thief has who opened the gallery with its key."""

import numpy as np

from arcdoor_train.leakage import decoder, descent, statistics
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.scene import DESCENT, Scene
from arcdoor_train.leakage.share import mean

TEMPLATE = "the template itself, put before the matcher"
DECODER = "decoder"
REFINED = "decoder, refined by gradient"
NOISE = "gradient from noise"
ESTIMATED = "gradient with statistics re-estimated from public crops"
SHIPPED = "gradient with the file's own BatchNorm statistics"


def look(scene: Scene) -> Found:
    """All attacks; those by gradient on some people."""
    everybody = np.arange(scene.people.count)
    made = decoder.drawn(scene.decoder, scene.templates)
    attacks = [
        Attack(TEMPLATE, tuple(scene.door.rows(scene.templates, everybody)), mean(np.ones(len(everybody)))),
        pictures(scene, DECODER, made, everybody),
    ]
    some, wanted = scene.some, scene.section.gradient
    ways = {NOISE: (None, None), ESTIMATED: (None, scene.statistics), REFINED: (made[some], None)}
    shipped = statistics.shipped(scene.victim)
    if shipped:
        ways[SHIPPED] = (None, shipped)
    for name, (start, known) in ways.items():
        tell = scene.progress(name, descent.steps(len(some), wanted, start is not None))
        drawn = descent.drawn(scene.victim, scene.templates[some], wanted, scene.chance(DESCENT), tell, start, known)
        attacks.append(pictures(scene, name, drawn, some))
    return Found("templates", tuple(attacks))


def pictures(scene: Scene, name: str, drawn: object, people: np.ndarray) -> Attack:
    """What all judges say of drawn pictures."""
    success, cosines = scene.judged(name, drawn, people)
    return Attack(name, tuple(success), mean(cosines))
