"""A sealed gallery: what lies open in its file, and the same attack on what does not."""

import numpy as np

from arcdoor_train.feature_file import unit
from arcdoor_train.leakage import decoder
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.plain import pictures
from arcdoor_train.leakage.scene import SEALED, Scene
from arcdoor_train.leakage.share import mean

DECODER = "decoder on the ciphertext"
ITSELF = "the ciphertext itself, as a template"


def look(scene: Scene) -> Found:
    """A ciphertext of XChaCha20-Poly1305 cannot be told from chance without its key: chance is what is attacked."""
    rng = np.random.default_rng(scene.chance(SEALED))
    bytes_ = rng.integers(-128, 128, scene.templates.shape).astype(np.float32)
    rows, everybody = unit(bytes_).astype(np.float32), np.arange(scene.people.count)
    drawn = decoder.drawn(scene.decoder, rows)
    attacks = (
        Attack(ITSELF, tuple(scene.door.rows(rows, everybody)), mean(scene.door.cosines(rows, everybody))),
        pictures(scene, DECODER, drawn, everybody),
    )
    facts = {
        "seen without the key": "how many subjects, templates and impostor templates there are, their numbers, and the "
        "length of each name; a template's record is as long as its dimension says (docs/threats.md)",
        "attacked": "random bytes in place of the ciphertext: a seal that can be told from chance would be a break of "
        "XChaCha20, which is not looked for here",
        "with the key": "is the section of plain templates; with the key file, the default, the key lies on the same "
        "card",
    }
    return Found("sealed", attacks, facts=facts)
