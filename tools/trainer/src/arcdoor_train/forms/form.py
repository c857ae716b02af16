"""One way to write a network, and what is to become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from arcdoor_train import onnx_file

Model = Callable[[], onnx.ModelProto]
#: Writes ``model.onnx`` and whatever lies beside it into a folder.
Write = Callable[[Path], None]


@dataclass(frozen=True)
class Form:
    """One way to write a network."""

    name: str
    write: Write
    #: What the refusal says; empty where the form is taken.
    refused: tuple[str, ...] = ()
    #: The largest difference of unit-length templates from onnxruntime's that passes.
    tolerance: float = onnx_file.TOLERANCE
    #: What onnxruntime runs in the file's place, where it does not read the file itself.
    reference: Model | None = None
    #: onnxruntime runs the file of the pack in place of the source.
    as_built: bool = False
    #: Further arguments of `pack build`.
    arguments: tuple[str, ...] = ()


def to(model: Model) -> Write:
    """A form that is one file."""
    return lambda folder: (folder / "model.onnx").write_bytes(model().SerializeToString())
