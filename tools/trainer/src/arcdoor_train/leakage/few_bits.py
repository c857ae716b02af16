"""Templates of fewer bits: what they cost in accuracy, and how much less they give away once the attack knows of it."""

import numpy as np

from arcdoor_train.leakage import decoder, descent, photos, quantiser
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.plain import pictures
from arcdoor_train.leakage.scene import DESCENT, Scene
from arcdoor_train.leakage.share import Figure, over_people, share
from arcdoor_train.scores import FMRS

#: At which the price is told.
RATES = FMRS[:2]


def itself(kind: str) -> str:
    """The attack that uses a stored template as it is."""
    return f"{kind}: the template itself"


def unadapted(kind: str) -> str:
    """The decoder of plain templates."""
    return f"{kind}: decoder, not adapted"


def adapted(kind: str) -> str:
    """The decoder after it saw such templates."""
    return f"{kind}: decoder, adapted"


def refined(kind: str) -> str:
    """And its picture moved by gradient, through the rounding."""
    return f"{kind}: adapted decoder, refined by gradient"


def price(kind: str, fmr: float) -> str:
    """True matches of such templates, stored, with live ones."""
    return f"{kind}: TAR at FMR {fmr:.0e}".replace("e-0", "e-")


def cost(kind: str, fmr: float) -> str:
    """What is lost of f32's."""
    return f"{kind}: change of TAR at FMR {fmr:.0e}".replace("e-0", "e-")


def look(scene: Scene) -> Found:
    """Each kind after the other."""
    attacks, everybody, some = [], np.arange(scene.people.count), scene.some
    for kind in quantiser.LEVELS:
        rows = quantiser.stored(scene.templates, kind)
        attacks.append(Attack(itself(kind), tuple(scene.door.rows(rows, everybody))))
        attacks.append(pictures(scene, unadapted(kind), decoder.drawn(scene.decoder, rows), everybody))
        made = decoder.drawn(scene.decoding(kind), rows)
        attacks.append(pictures(scene, adapted(kind), made, everybody))
        wanted = scene.section.gradient
        tell = scene.progress(refined(kind), descent.steps(len(some), wanted, refined=True))
        drawn = descent.drawn(scene.victim, rows[some], wanted, scene.chance(DESCENT), tell, made[some], kind=kind)
        attacks.append(pictures(scene, refined(kind), drawn, some))
    facts = {
        "bits of a template": ", ".join(
            f"{kind} {quantiser.bits(kind, scene.pack.dimension)}" for kind in quantiser.KINDS
        ),
        "price": "stored templates have few bits, live ones are f32; the door's scores; thresholds taken for each kind",
    }
    return Found("few_bits", tuple(attacks), _prices(scene), facts)


def _prices(scene: Scene) -> dict[str, Figure]:
    """On all photos of the gallery's set, people with one photo among them."""
    images, people = photos.everybody(scene.section.gallery)
    live = scene.victim(images)
    same = people[:, None] == people[None]
    genuine = same & ~np.eye(len(people), dtype=bool)
    owners = np.broadcast_to(people[:, None], same.shape)[genuine]
    found, plain = {}, {}
    for kind in quantiser.KINDS:
        table = scene.pack.scores(live, quantiser.stored(live, kind))
        strangers = table[~same]
        for fmr in (rate for rate in RATES if rate * len(strangers) >= 1):
            hits = table[genuine] >= _threshold(strangers, fmr)
            found[price(kind, fmr)] = share(hits, owners)
            if kind == "f32":
                plain[fmr] = hits
            else:
                found[cost(kind, fmr)] = _change(plain[fmr], hits, owners)
    return found


def _threshold(strangers: np.ndarray, fmr: float) -> float:
    """The least score above the highest that is refused."""
    allowed = int(fmr * len(strangers))
    highest = np.partition(strangers, len(strangers) - 1 - allowed)[len(strangers) - 1 - allowed]
    return float(np.nextafter(highest, np.inf))


def _change(before: np.ndarray, after: np.ndarray, owners: np.ndarray) -> Figure:
    _, person = np.unique(owners, return_inverse=True)
    totals = np.bincount(person)
    moved = np.bincount(person, after.astype(float) - before.astype(float))
    return over_people(len(totals), lambda rows: float(moved[rows].sum() / totals[rows].sum()), (-1.0, 1.0))
