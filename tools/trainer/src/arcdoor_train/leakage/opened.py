"""An opened gallery without the key of its rotation: rotated templates, then with pairs of a template that the thief
computes and its stored form."""

import numpy as np

from arcdoor_train.leakage import decoder, rotation
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.plain import pictures
from arcdoor_train.leakage.scene import KEY, Scene
from arcdoor_train.leakage.share import Figure, mean

NONE = "no pairs"
GUESSED = "no pairs, statistics of public templates"
#: What a pair holds beside the stored template: the template of the very photo, or of another one of the person.
SAME, OTHER = "the photo enrolled", "another photo"


def pairs(count: int, kind: str) -> str:
    """The name of a way."""
    return f"{count} {'pair' if count == 1 else 'pairs'} of {kind}"


def itself(way: str) -> str:
    """The attack that uses a recovered template as it is."""
    return f"{way}: the template itself"


def decoded(way: str) -> str:
    """The attack that draws a picture of a recovered template."""
    return f"{way}: decoder"


def look(scene: Scene) -> Found:
    """Every way to templates, their cosines to the true ones, and what is made of them."""
    attacks, figures = [], {}
    everybody = np.arange(scene.people.count)
    for way, rows in _recovered(scene).items():
        cosine = mean(scene.door.cosines(rows, everybody))
        figures[f"cosine of recovered templates, {way}"] = cosine
        attacks.append(Attack(itself(way), tuple(scene.door.rows(rows, everybody)), cosine))
        attacks.append(pictures(scene, decoded(way), decoder.drawn(scene.decoder, rows), everybody))
    return Found("opened", tuple(attacks), figures, _facts(scene))


def _recovered(scene: Scene) -> dict[str, np.ndarray]:
    key = rotation.drawn(scene.pack.dimension, scene.chance(KEY))
    stored = rotation.applied(key, scene.templates)
    known, others = scene.known, scene.known_templates
    enrolled, another = others[known.source], others[known.second]
    of_known = rotation.applied(key, enrolled)
    answer = {
        NONE: stored,
        GUESSED: rotation.guessed(np.concatenate([stored, of_known]), scene.public[1])[: len(stored)],
    }
    for kind, have in ((SAME, enrolled), (OTHER, another)):
        for count in scene.section.pairs:
            if count <= len(have):
                answer[pairs(count, kind)] = rotation.undone(stored, have[:count], of_known[:count])
    return answer


def _facts(scene: Scene) -> dict[str, str]:
    left = [str(count) for count in scene.section.pairs if count > scene.known.count]
    facts = {"pairs are of": f"{scene.known.count} other people of the gallery"}
    return facts | ({"not measured": f"{', '.join(left)} pairs: too few people"} if left else {})


def enough(found: Found, counts: tuple[int, ...], kind: str) -> tuple[int, Figure] | None:
    """The fewest pairs whose recovered templates pass for another photo beyond chance, and how often they do."""
    for count in sorted(counts):
        attack = found.attack(itself(pairs(count, kind)))
        if attack and attack.above_chance:
            return count, attack.door().type_two
    return None
