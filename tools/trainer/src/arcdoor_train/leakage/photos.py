"""Photos of the people whose templates are stolen, and crops of nobody in particular."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train import config, crops
from arcdoor_train.errors import DataError
from arcdoor_train.leakage.section import People


@dataclass(frozen=True)
class Photos:
    """Photos of ``count`` people; the first of each is that of which a template was made."""

    #: (n, 112, 112, 3) uint8.
    images: np.ndarray
    #: (n,) whose each is, 0..count - 1.
    people: np.ndarray
    #: (count,) the photo of each that its template was made of, and (count,) the next one.
    source: np.ndarray
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """People."""
        return len(self.source)

    @property
    def second(self) -> np.ndarray:
        """(count,) another photo of each."""
        return self.source + 1


def everybody(wanted: People) -> tuple[np.ndarray, np.ndarray]:
    """All photos of the set's people, those with one photo too, and (n,) whose each is."""
    faces = crops.Crops(config.expand(wanted.crops))
    names = [name for names in _each(faces, wanted).values() for name in names]
    return np.stack([faces.read(name) for name in names]), crops.owners(names)


def _each(faces: crops.Crops, wanted: People) -> dict[str, list[str]]:
    named = _named(config.expand(wanted.listed)) if wanted.listed else None
    each: dict[str, list[str]] = {}
    for name in faces.names:
        folder = name.rpartition("/")[0]
        if folder and (named is None or folder.rpartition("/")[2] in named):
            each.setdefault(folder, []).append(name)
    return each


def of_people(wanted: People) -> Photos:
    """Raises ``DataError`` where nobody has two photos."""
    faces = crops.Crops(config.expand(wanted.crops))
    each = _each(faces, wanted)
    some = sorted(person for person, names in each.items() if len(names) > 1)
    if not some:
        raise DataError(f"{wanted.crops} has two photos of nobody{' that is listed' if wanted.listed else ''}")
    count = min(wanted.most or len(some), len(some))
    chosen = [some[n * len(some) // count] for n in range(count)]
    names = [name for person in chosen for name in _spread(each[person], wanted.photos)]
    people = np.unique([name.rpartition("/")[0] for name in names], return_inverse=True)[1]
    source = np.searchsorted(people, np.arange(count))
    return Photos(np.stack([faces.read(name) for name in names]), people, source, tuple(names))


def _spread(names: list[str], count: int) -> list[str]:
    count = min(count, len(names))
    return [names[n * len(names) // count] for n in range(count)]


def _named(path: Path) -> set[str]:
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return {field for line in lines for field in line if not field.isdigit()}


def public(wanted: tuple[str, ...], most: int, seed: int) -> np.ndarray:
    """``most`` crops of folders or zip files, drawn by the seed; those that cannot be read are passed over. Raises
    ``DataError``."""
    sets = [crops.Crops(config.expand(path)) for path in wanted]
    every = [(faces, name) for faces in sets for name in faces.names]
    found = []
    for number in np.random.default_rng(seed).permutation(len(every)):
        if len(found) == most:
            break
        faces, name = every[number]
        with contextlib.suppress(DataError):
            found.append(faces.read(name))
    if not found:
        raise DataError(f"not one crop of {', '.join(wanted)} can be read")
    return np.stack(found)


def listed(path: str, names: str, most: int) -> np.ndarray:
    """The crops of ``path`` that the file ``names`` lists, evenly spaced. Raises ``DataError``."""
    faces = crops.Crops(config.expand(path))
    wanted = faces.listed(config.expand(names))
    return np.stack([faces.read(name) for name in _spread(wanted, most or len(wanted))])
