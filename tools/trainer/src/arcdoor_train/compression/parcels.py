"""What a burst takes along to another machine: crops, teacher and starts, in zip files of a size that one transfer
allows."""

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from arcdoor_train import checkpoint, config, data, evaluate
from arcdoor_train.compression import reader, start
from arcdoor_train.compression.section import Compress
from arcdoor_train.compression.tuning import refuse
from arcdoor_train.data import stores
from arcdoor_train.errors import ConfigError, DataError, DiskError
from arcdoor_train.teachers import Teacher

#: A transfer takes 64 MiB, the repository's own files included.
MOST_BYTES = 56_000_000
#: What an archive adds to a file, beside its name twice.
HEADER = 128

#: What lies beside the crops.
OTHERS = ("teacher/", "start/")
#: A parcel's name: which one, and of how many.
_NAME = re.compile(r"(\d+)-of-(\d+)\.zip")

File = tuple[str, bytes]


def pack(configs: list[Path], starts: list[Path], folder: Path, most: int = MOST_BYTES) -> list[Path]:
    """Parcels of at most ``most`` bytes, in ``folder``, where they replace those of an earlier packing and nothing
    else; no held-out crop is in them. Raises ``TrainError``."""
    if not configs or len(configs) != len(starts):
        raise ConfigError(f"{len(configs)} configurations and {len(starts)} starts: one start for each")
    if len({path.stem for path in configs}) < len(configs):
        raise ConfigError("two configurations of one file name: it is the network's name in a burst; rename one")
    wholes = [config.load(path) for path in configs]
    for whole in wholes:
        refuse(whole)
    teachers = {config.section(whole, "compress", Compress).teacher for whole in wholes}
    if len(teachers) > 1 or any(whole.data != wholes[0].data for whole in wholes):
        raise ConfigError("the configurations of a burst have the same [data] and the same compress.teacher")
    teacher_and_starts = [*_teacher(teachers.pop(), starts), *_starts(configs, starts)]
    source, _ = data.gather(wholes[0].data, wholes[0].run.seed)
    # Everything is read before anything of an earlier packing goes.
    divided = _divided([*teacher_and_starts, *_crops(source)], most)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in _found(folder):
            old.unlink()
        return _write(folder, divided)
    except OSError as error:
        raise DiskError(f"cannot write parcels to {folder}: {error}") from error


def unpack(folder: Path) -> tuple[list[Path], Path]:
    """The parcels of ``folder`` that hold crops, and where teacher and starts lie now, those of an earlier unpacking
    gone. Raises ``DataError`` where a parcel is missing or damaged."""
    found = _found(folder)
    named = [_NAME.fullmatch(path.name) for path in found]
    counts = {int(name[2]) for name in named}
    if len(counts) != 1 or {int(name[1]) for name in named} != set(range(1, len(found) + 1)) or {len(found)} != counts:
        raise DataError(f"{folder} holds {[path.name for path in found]}: bring along every parcel of one packing")
    files = folder / "files"
    try:
        for name in OTHERS:
            if (files / name).exists():
                shutil.rmtree(files / name)
        return [path for path in found if _unpacked(path, files)], files
    except OSError as error:
        raise DiskError(f"cannot unpack {folder} to {files}: {error}") from error


def _unpacked(path: Path, files: Path) -> bool:
    """Unpacks what a parcel holds of teacher and starts; whether it holds crops."""
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():
                raise zipfile.BadZipFile(bad)
            names = [name for name in archive.namelist() if name.startswith(OTHERS)]
            archive.extractall(files, names)
            # The declaration of the alignment is one more.
            return len(archive.namelist()) > len(names) + 1
    # ValueError: names in the archive that are no text. RuntimeError: one that wants a password.
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}): bring it along again") from error


def _found(folder: Path) -> list[Path]:
    """The parcels that lie in ``folder``, by name. A data set may lie beside them."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name)) if folder.is_dir() else []


def _teacher(teacher: Teacher, starts: list[Path]) -> Iterator[File]:
    located, preprocess = evaluate.located(config.expand(teacher.path), teacher.preprocess())
    chain = reader.read(located, preprocess)
    for path in starts:
        start.loaded(path, chain)
    yield "teacher/teacher.onnx", located.read_bytes()
    yield "teacher/teacher.toml", "\n".join(["[embedder.preprocess]", *preprocess.manifest(), ""]).encode()


def _starts(configs: list[Path], starts: list[Path]) -> Iterator[File]:
    with tempfile.TemporaryDirectory(prefix="arcdoor-start-") as scratch:
        for path, begun in zip(configs, starts, strict=True):
            place = Path(scratch) / path.name
            checkpoint.save_model(place, *checkpoint.load_model(begun))
            yield f"start/{path.stem}.pt", place.read_bytes()


def _crops(source: data.Dataset) -> Iterator[File]:
    packed: set[str] = set()
    for number, key in enumerate(source.keys):
        content = source.content(number)
        if not isinstance(content, bytes):
            raise DataError("drawn images are not packed: leave data.drawn out")
        # What the other side would not read as a crop would be missing there, without a word.
        if stores.identity(key) is None:
            raise DataError(f"{key} is not named NAME/image.jpg: crops of folders, .zip and .tar are packed, no .rec's")
        if key.startswith(OTHERS):
            raise DataError(f"{key}: the folders {' and '.join(OTHERS)} of a parcel hold other things; rename it")
        if key in packed:
            raise DataError(f"{key} is the name of images of two sets: rename the folder in one of them")
        packed.add(key)
        yield key, content


def _divided(files: Iterable[File], most: int) -> list[list[File]]:
    """The files, parcel by parcel, each parcel with the declaration of the alignment first."""
    parcels: list[list[File]] = []
    room, whole = 0, most - 4 * HEADER
    for name, content in files:
        size = len(content) + 2 * len(name.encode()) + HEADER
        if size > whole:
            raise DataError(f"{name} has {len(content)} bytes; a parcel takes {most}")
        if size > room:
            parcels.append([("dataset.toml", f'alignment = "{data.ALIGNMENT}"\n'.encode())])
            room = whole
        parcels[-1].append((name, content))
        room -= size
    return parcels


def _write(folder: Path, parcels: list[list[File]]) -> list[Path]:
    paths = []
    for number, parcel in enumerate(parcels, start=1):
        paths.append(folder / f"{number}-of-{len(parcels)}.zip")
        with zipfile.ZipFile(paths[-1], "w", zipfile.ZIP_STORED) as archive:
            for name, content in parcel:
                archive.writestr(name, content)
    return paths
