"""Constants in files beside the network, as torch writes them by default from 2.9 on, whole and broken."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx

from arcdoor_train.forms.form import Form, Write
from arcdoor_train.forms.net import plain

FILE = "model.onnx.data"


def forms() -> Iterator[Form]:
    """Taken where it lies beside the network and is whole."""
    yield Form("external data, one file", external())
    yield Form("external data, a file for each constant", external(all_tensors_to_one_file=False))
    yield Form("external data, small constants inside", external(size_threshold=1024))
    yield Form("external data without offset and length", bare)
    yield Form("external data that is missing", spoilt(Path.unlink), (FILE, "beside"))
    yield Form("external data in ..", saying(location="../model.onnx.data"), ("../model.onnx.data", "plain name"))
    yield Form("external data by an absolute path", saying(location="/etc/passwd"), ("/etc/passwd", "plain name"))
    yield Form("external data behind a link", spoilt(linked), (FILE, "link"))
    yield Form("external data as a pipe", spoilt(pipe), (FILE,))
    yield Form("external data that is cut", spoilt(cut), (FILE, "ends"))
    yield Form("external data with an offset past the end", saying(offset="999999999"), (FILE, "ends"))
    yield Form("external data with a negative offset", saying(offset="-4"), ("offset",))
    yield Form("external data of a wrong length", saying(length="8"), ("length",))
    yield Form("external data of a huge length", saying(length="18446744073709551615"), ("length",))


def external(**how: object) -> Write:
    def write(folder: Path) -> None:
        options = {"all_tensors_to_one_file": True, "location": FILE, "size_threshold": 0, **how}
        onnx.save_model(plain().model(), folder / "model.onnx", save_as_external_data=True, **options)

    return write


def bare(folder: Path) -> None:
    """A file for each constant, named and nothing more."""
    external(all_tensors_to_one_file=False)(folder)
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        kept = [entry for entry in tensor.external_data if entry.key == "location"]
        del tensor.external_data[:]
        tensor.external_data.extend(kept)
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def saying(**changes: str) -> Write:
    """The network says this of its first constant."""

    def write(folder: Path) -> None:
        external()(folder)
        model = onnx.load(folder / "model.onnx", load_external_data=False)
        tensor = model.graph.initializer[0]
        entries = {entry.key: entry.value for entry in tensor.external_data} | changes
        del tensor.external_data[:]
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        (folder / "model.onnx").write_bytes(model.SerializeToString())

    return write


def spoilt(spoil: Callable[[Path], None]) -> Write:
    """What lies beside the network is not what was written there."""

    def write(folder: Path) -> None:
        external()(folder)
        spoil(folder / FILE)

    return write


def linked(file: Path) -> None:
    outside = file.parents[1] / "outside.data"
    file.rename(outside)
    file.symlink_to(outside)


def cut(file: Path) -> None:
    os.truncate(file, 64)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)
