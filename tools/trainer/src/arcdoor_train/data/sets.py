"""Sets of crops: which identities, which images, and how they were aligned."""

import dataclasses
import functools
import hashlib
import io
import itertools
import mmap
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from arcdoor_train import config
from arcdoor_train.data import drawn, lists, recordio, stores
from arcdoor_train.errors import DataError

#: The only alignment that the device makes: ArcFace's five points on 112x112.
ALIGNMENT = "arcface-112"
SIDE = 112
#: No image of a data set is larger, encoded.
MAX_IMAGE_BYTES = recordio.MAX_BYTES


class Kept:
    """Decoded images in memory that a process shares with those it forks: the first ``room`` of ``images``. Without a
    lock: two processes that want an image at once both decode it, to the same bytes."""

    def __init__(self, images: int, megabytes: int) -> None:
        size = SIDE * SIDE * 3
        self.room = min(images, megabytes * 1_000_000 // size)
        # Anonymous: /dev/shm is small in many containers. Pages are taken as they are written.
        flags, pixels = mmap.mmap(-1, max(self.room, 1)), mmap.mmap(-1, max(self.room, 1) * size)
        self._there = np.frombuffer(flags, np.uint8)
        self._pixels = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE, 3)

    def get(self, index: int) -> np.ndarray | None:
        """The image if it was put."""
        return self._pixels[index] if index < self.room and self._there[index] else None

    def put(self, index: int, image: np.ndarray) -> None:
        """Keeps an image if there is room for its index."""
        if index < self.room:
            self._pixels[index] = image
            self._there[index] = 1


@dataclass
class Dataset:
    """Images by index. ``labels`` are 0..identities-1; ``keys`` name an image to a person."""

    keys: Sequence[str]
    labels: np.ndarray
    identities: list[str]
    #: Index -> encoded bytes, or an image (112, 112, 3) uint8 where it was drawn.
    fetch: Callable[[int], bytes | np.ndarray]
    name: str = ""
    kept: Kept | None = None
    #: The sets that this one was gathered of, as they are on the disk.
    sources: tuple["Dataset", ...] = ()
    #: (n,) whether ``data.list`` gives the image another identity than its set does; None without a list.
    moved: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of which images, in which order, of which identities. Seconds for millions; computed once."""
        digest = hashlib.sha256()
        keys = iter(self.keys)
        for start in range(0, len(self), 65536):
            some = self.labels[start : start + 65536].tolist()
            digest.update("".join(f"{label} {next(keys)}\n" for label in some).encode())
        return digest.hexdigest()

    @functools.cached_property
    def origin(self) -> str:
        """A hash of the sets, whatever lists and limits leave of them. It stands in the head of a list made of them."""
        return hashlib.sha256("".join(f"{part.fingerprint}\n" for part in self.sources or (self,)).encode()).hexdigest()

    def read(self, index: int) -> np.ndarray:
        """The image: (112, 112, 3) uint8, RGB. Raises ``DataError`` for one that cannot be decoded or has another
        size."""
        image = self.kept.get(index) if self.kept else None
        if image is None:
            image = self._decoded(index)
            if self.kept:
                self.kept.put(index, image)
        return image

    def readable(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """The images of these numbers, but for those that cannot be read."""
        for number in numbers:
            try:
                image = self.read(int(number))
            except DataError:
                continue
            yield image

    def content(self, index: int) -> bytes | np.ndarray:
        """``fetch``. Raises ``DataError`` where it cannot."""
        try:
            return self.fetch(index)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self.keys[index]}: cannot be read: {error}") from error

    def _decoded(self, index: int) -> np.ndarray:
        content = self.content(index)
        return content if isinstance(content, np.ndarray) else decode(content, self.keys[index])


def decode(content: bytes, key: str) -> np.ndarray:
    """Encoded bytes to (112, 112, 3) uint8. Raises ``DataError``."""
    if len(content) > MAX_IMAGE_BYTES:
        raise DataError(f"{key}: {len(content)} bytes are no crop")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.size != (SIDE, SIDE):
                raise DataError(f"{key}: {image.size[0]}x{image.size[1]}, a crop has {SIDE}x{SIDE}")
            return np.asarray(image.convert("RGB"))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{key}: cannot be decoded: {error}") from error


def open(path: str | Path, alignment: str = "") -> Dataset:
    """One set. ``alignment`` declares what the set itself does not. Raises ``DataError``."""
    path = config.expand(str(path))
    if not path.exists():
        raise DataError(f"there is no data set {path}")
    store = stores.open_store(path)
    _check_alignment(path, store, alignment)
    if not store.keys:
        raise DataError(f"{path} holds no image in a folder of an identity (NAME/image.jpg)")
    return Dataset(store.keys, store.labels, store.identities, store.fetch, path.name)


def _check_alignment(path: Path, store: stores.Store, declared: str) -> None:
    text = store.declaration
    beside = path / "dataset.toml" if path.is_dir() else path.with_name(path.stem + ".dataset.toml")
    if text is None and beside.is_file():
        text = beside.read_text(encoding="utf-8")
    if text is not None:
        try:
            found = tomllib.loads(text).get("alignment", "")
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{path}: its dataset.toml is no TOML: {error}") from error
        if declared and declared != found:
            raise DataError(f"{path} says alignment = {found!r}, the configuration says {declared!r}")
        declared = found
    if not declared:
        raise DataError(
            f"{path} does not say how its crops were aligned. `arcdoor-lab crop` makes crops that do; for crops that "
            f'are aligned to the 112x112 ArcFace template already, write `alignment = "{ALIGNMENT}"` into {beside} '
            "or into the configuration's [[data.sets]]"
        )
    if declared != ALIGNMENT:
        raise DataError(
            f"{path} is aligned as {declared!r}; the device aligns as {ALIGNMENT!r}, and a model trained on anything "
            "else fails there: make the crops with `arcdoor-lab crop`"
        )


def open_drawn(identities: int, images: int, seed: int) -> Dataset:
    """A set that the trainer draws itself; see ``drawn``."""
    names = [f"drawn-{n:04}" for n in range(identities)]
    labels = np.repeat(np.arange(identities, dtype=np.int64), images)
    keys = [f"drawn/{names[label]}/{n % images}" for n, label in enumerate(labels)]
    faces = [drawn.face(seed, int(label), n % images) for n, label in enumerate(labels)]
    return Dataset(keys, labels, names, faces.__getitem__, "drawn")


class Chosen(Sequence):
    """Images of several sets, one after the other, as one: their keys, and by ``fetch`` their contents."""

    def __init__(self, sets: list[Dataset], chosen: list[Sequence[int]]) -> None:
        self._sets, self._chosen = sets, chosen
        self._ends = np.cumsum([len(part) for part in chosen])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _place(self, index: int) -> tuple[Dataset, int]:
        which = int(np.searchsorted(self._ends, index, side="right"))
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._sets[which], int(self._chosen[which][index - int(self._ends[which])])

    def __getitem__(self, index: int) -> str:
        part, n = self._place(index)
        return part.keys[n]

    def __iter__(self) -> Iterator[str]:
        for part, chosen in zip(self._sets, self._chosen, strict=True):
            yield from part.keys if isinstance(chosen, range) else (part.keys[n] for n in chosen)

    def fetch(self, index: int) -> bytes | np.ndarray:
        """The image, as ``Dataset.fetch``."""
        part, n = self._place(index)
        return part.fetch(n)


def gather(wanted: config.Data, seed: int) -> tuple[Dataset, list[str]]:
    """All sets of a configuration as one, identities of different sets apart, and notes on what was left out.
    Raises ``DataError`` where fewer than two identities remain."""
    sources = [open(item.path, item.alignment) for item in wanted.sets]
    sets = [_as_wanted(part, item) for part, item in zip(sources, wanted.sets, strict=True)]
    if wanted.drawn.identities:
        sources.append(open_drawn(wanted.drawn.identities, wanted.drawn.images, seed))
        sets.append(sources[-1])
    if not sets:
        raise DataError("no data: name [[data.sets]] or draw some by [data.drawn]")
    notes = [
        f"{item.list} keeps {len(part)} of {len(source)} images, {len(part.identities)} identities"
        for source, part, item in zip(sources, sets, wanted.sets, strict=False)
        if item.list
    ]
    names: list[str] = []
    labels: list[np.ndarray] = []
    chosen: list[Sequence[int]] = []
    owners = [part.labels for part in sets]
    if wanted.held_out:
        owners = _unheld(sets, config.expand(wanted.held_out), notes)
    for part, owner in zip(sets, owners, strict=True):
        counts = np.bincount(owner, minlength=len(part.identities) + 1)[:-1]
        kept = np.flatnonzero(counts >= max(wanted.min_images, 1))
        # -1 for those that are left out, and for nobody.
        number = np.full(len(counts) + 1, -1)
        number[kept] = len(names) + np.arange(len(kept))
        if len(kept) < len(counts):
            notes.append(f"{part.name}: {len(counts) - len(kept)} of {len(counts)} identities have too few images")
        if len(kept) < len(counts) or owner is not part.labels:
            chosen.append(np.flatnonzero(number[owner] >= 0))
            labels.append(number[owner[chosen[-1]]])
        else:
            chosen.append(range(len(part)))
            labels.append(number[part.labels] if names else part.labels)
        names += [f"{part.name}/{part.identities[old]}" for old in kept]
    if len(names) < 2:
        raise DataError(f"{len(names)} identities are left; a loss between classes needs at least 2")
    one = Chosen(sets, chosen)
    whole = Dataset(one, labels[0] if len(labels) == 1 else np.concatenate(labels), names, one.fetch)
    whole.sources = tuple(sources)
    if wanted.list:
        whole = listed(whole, config.expand(wanted.list))
        notes.append(f"{wanted.list} keeps {len(whole)} of {len(one)} images, {len(whole.identities)} identities")
    if wanted.keep_mb:
        whole.kept = Kept(len(whole), wanted.keep_mb)
    return whole, notes


def _unheld(sets: list[Dataset], path: Path, notes: list[str]) -> list[np.ndarray]:
    """For each set the labels of its images; one past the last, nobody's, where ``data.held_out`` names the image.
    Raises ``DataError`` where it names an image of no set."""
    try:
        held = {line for line in path.read_text(encoding="utf-8").splitlines() if line}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read data.held_out = {path}: {error}") from error
    missing, owners = set(held), []
    for part in sets:
        out = np.fromiter((key in held for key in part.keys), dtype=bool, count=len(part))
        owners.append(np.where(out, len(part.identities), part.labels))
        missing.difference_update(part.keys)
    if missing:
        raise DataError(f"{path} names {min(missing)}, which is not among the images of data.sets")
    notes.append(f"{path} holds {len(held)} images out")
    return owners


def own_name(identity: str) -> str:
    """An identity's name in its own set: ``gather`` puts the set's before it."""
    return identity.partition("/")[2]


class _Named(Sequence):
    """Keys with a set's name before them."""

    def __init__(self, name: str, keys: Sequence[str]) -> None:
        self._name, self._keys = name, keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> str:
        return f"{self._name}/{self._keys[index]}"


def _as_wanted(part: Dataset, item: config.Set) -> Dataset:
    """A set with the names and of the images that its ``[[data.sets]]`` wants."""
    found = dataclasses.replace(part, sources=(part,))
    if item.identities:
        path = config.expand(item.identities)
        try:
            found.identities = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read identities = {path}: {error}") from error
        if len(found.identities) != len(part.identities):
            raise DataError(
                f"{path} has {len(found.identities)} lines, {part.name} has {len(part.identities)} identities: line n "
                "is the id string of label n"
            )
    if item.list:
        found = _listed_alone(found, config.expand(item.list))
    if item.name:
        found = dataclasses.replace(found, keys=_Named(item.name, found.keys), name=item.name)
    return found


def _listed_alone(part: Dataset, path: Path) -> Dataset:
    """``listed`` of one set: the list's names of identities have the set's before them."""
    found = listed(part, path)
    return dataclasses.replace(found, identities=[own_name(name) for name in found.identities])


def by_name(whole: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all images' names in order, and the places of the images that have them. Raises ``DataError`` where
    a list of them would be ambiguous, or broken by a tab or a line's end in a name: who makes one asks before hours of
    work."""
    lists.writable(itertools.chain(whole.keys, whole.identities))
    hashes = lists.hashes(whole.keys)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        raise DataError(
            f"two images have the name {whole.keys[int(order[twice[0]])]}, so that a list of them is ambiguous: give "
            "one of the sets another `name` in [[data.sets]]"
        )
    return ordered, order


def unambiguous(whole: Dataset) -> None:
    """Raises ``DataError`` where a list could not tell images, or identities, apart by their names."""
    known: set[str] = set()
    for name in whole.identities:
        if name in known:
            raise DataError(
                f"two identities have the name {name}: of two sets that have one name, give one another `name` in "
                "[[data.sets]]; of one set, give its `identities` other id strings"
            )
        known.add(name)
    by_name(whole)


def listed(whole: Dataset, path: Path) -> Dataset:
    """The images of ``whole`` that a list of ``clean`` or ``merge`` keeps, with the list's labels. Raises ``DataError``
    where the list does not belong to these sets."""
    rows = lists.read(path)
    if rows.origin != whole.origin:
        raise DataError(
            f"{path} was made of other sets than data.sets names, or of another state of them: its head says "
            f"{rows.origin[:12]}, theirs is {whole.origin[:12]}; make it anew, or restore the sets"
        )
    ordered, order = by_name(whole)
    place = np.minimum(np.searchsorted(ordered, rows.hashes), len(ordered) - 1)
    absent = np.flatnonzero(ordered[place] != rows.hashes)
    if len(absent):
        raise DataError(f"{path} names {lists.key(path, int(absent[0]))}, which is not among the images of data.sets")
    numbers = order[place]
    own = {name: n for n, name in enumerate(whole.identities)}
    owners = np.array([own.get(name, -1) for name in rows.names])
    one = Chosen([whole], [numbers])
    found = Dataset(one, rows.labels, rows.names, one.fetch, whole.name, sources=whole.sources or (whole,))
    found.moved = owners[rows.labels] != whole.labels[numbers]
    return found
