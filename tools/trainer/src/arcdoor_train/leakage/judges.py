"""Who says whether a drawn picture passes for a photo: the door itself, and networks that took no part."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arcdoor_train import config, scores
from arcdoor_train.errors import ConfigError
from arcdoor_train.inversion.judges import Judge as Network
from arcdoor_train.leakage import pack
from arcdoor_train.leakage.photos import Photos
from arcdoor_train.leakage.section import Leak, Other
from arcdoor_train.leakage.share import Figure, share
from arcdoor_train.leakage.victim import Victim

#: At which thresholds of networks that took no part are taken, on the photos.
FMRS = (1e-3, 1e-4)
#: What the attacked network is called among the judges.
DOOR = "the door"


@dataclass(frozen=True)
class Success:
    """How often what a thief made of templates passes, by one judge at one threshold."""

    judge: str
    #: What the threshold is, in words, and its score.
    at: str
    threshold: float
    #: For the photo that the template was made of, and for other photos of the person.
    type_one: Figure
    type_two: Figure
    #: For photos of others, the same people's.
    strangers: float
    #: Photos of the same people for other photos of theirs: as often as a perfect picture could.
    photos: float


class Judge:
    """Compares features with those of the photos."""

    def __init__(
        self,
        name: str,
        features: Callable[[np.ndarray], np.ndarray],
        compare: Callable[[np.ndarray, np.ndarray], np.ndarray],
        thresholds: dict[str, float],
        real: np.ndarray,
        photos: Photos,
    ) -> None:
        """``real`` (n, d): the features of the photos."""
        self.name, self.features, self.thresholds = name, features, thresholds
        self._compare, self.real, self._photos = compare, real, photos
        self._own = self._shares(real[photos.source], np.arange(photos.count))

    def rows(self, found: np.ndarray, people: np.ndarray) -> list[Success]:
        """Of features (n, d), or of templates that are used as they are."""
        answer = []
        for at, (one, two, strangers) in self._shares(found, people).items():
            photos = self._own[at][1].value
            answer.append(Success(self.name, at, self.thresholds[at], one, two, strangers, photos))
        return answer

    def cosines(self, found: np.ndarray, people: np.ndarray) -> np.ndarray:
        """(n,) to the photo that each template was made of."""
        return np.sum(found * self.real[self._photos.source[people]], axis=1)

    def _shares(self, found: np.ndarray, people: np.ndarray) -> dict[str, tuple[Figure, Figure, float]]:
        table, whose = self._compare(found, self.real), self._photos.people
        source = np.arange(len(whose))[None] == self._photos.source[people][:, None]
        same = whose[None] == people[:, None]
        owners = np.broadcast_to(people[:, None], table.shape)
        answer = {}
        for at, threshold in self.thresholds.items():
            hits = table >= threshold
            one, two = (share(hits[pairs], owners[pairs]) for pairs in (source, same & ~source))
            answer[at] = one, two, float(hits[~same].mean())
        return answer


def door(victim: Victim, own: pack.Pack, section: Leak, photos: Photos) -> Judge:
    """The attacked network, with the door's own scores and thresholds: of one comparison, and of its gallery."""
    fmr = pack.fmr_for_fpir(section.fpir, section.templates)
    words = f"FPIR {100 * section.fpir:g} % at {section.templates:,} templates"
    thresholds = {"FMR 1e-4": own.threshold(1e-4), words: own.threshold(fmr)}
    return Judge(DOOR, victim, own.scores, thresholds, victim(photos.images), photos)


def others(
    section: Leak, victim_digest: str, photos: Photos, more: np.ndarray, more_people: np.ndarray, threads: int
) -> tuple[list[Judge], list[str], dict[str, str]]:
    """Networks that took no part; notes for the report; and the files' hashes. ``more`` images are of other people, for
    the thresholds. Raises ``ConfigError``, ``DataError``."""
    found, notes, digests = [], [], {}
    for wanted in section.judges:
        if wanted.optional and not at_hand(wanted):
            notes.append(f"{wanted.path} is not at hand: it did not judge")
            continue
        network = Network(wanted, threads)
        if network.digest == victim_digest:
            raise ConfigError("[[leak.judges]]: one is the attacked network itself; a judge takes no part")
        real, strangers = (network(images).astype(np.float32) for images in (photos.images, more))
        every = np.concatenate([real, strangers])
        whose = np.concatenate([photos.people, more_people + photos.count])
        points = scores.all_pairs(every, whose, FMRS)
        thresholds = {f"FMR {point.fmr:.0e}".replace("e-0", "e-"): point.threshold for point in points}
        if not thresholds:
            notes.append(f"{network.name}: too few photos for a threshold at FMR 1e-3; it did not judge")
            continue
        judge = Judge(network.name, _lighter(network), lambda a, b: a @ b.T, thresholds, real, photos)
        found.append(judge)
        notes += [f"{network.name}: {wanted.note}"] if wanted.note else []
        digests[network.name] = network.digest
    return found, notes, digests


def _lighter(network: Network) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pictures: network(pictures).astype(np.float32)


def at_hand(wanted: Other) -> bool:
    """Whether its file is there."""
    try:
        return config.expand(wanted.path).exists()
    except ConfigError:
        return False
