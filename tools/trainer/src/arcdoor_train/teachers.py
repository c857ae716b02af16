"""Teachers: networks that answer while another one is trained, on the same image, augmented alike."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train import checkpoint, crops, omz
from arcdoor_train.config import expand
from arcdoor_train.errors import DataError, NotPlainError
from arcdoor_train.evaluate import Embedder, located

Answers = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Teacher:
    """One ``[[distil.teachers]]``, or ``compress.teacher``."""

    #: An .onnx file, OpenVINO's .xml with its .bin, a pack, a checkpoint or a run folder; ``$NAME`` is taken from the
    #: environment.
    path: str
    #: What an ONNX file without a card takes: (value - mean) * scale for 0..255, per plane.
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    #: ``rgb``, ``bgr`` or ``grey``: one plane, 0.299 R + 0.587 G + 0.114 B.
    channel_order: str = "rgb"

    def preprocess(self) -> crops.Preprocess | None:
        """None leaves it to the teacher's card."""
        if not self.mean and not self.scale and self.channel_order == "rgb":
            return None
        return crops.Preprocess(self.mean, self.scale, self.channel_order)

    def located(self) -> tuple[Path, crops.Preprocess]:
        """Its file, and what that takes. Raises ``DataError``, ``CheckpointError``."""
        path, preprocess = located(expand(self.path), self.preprocess())
        path = path if path.suffix in (".onnx", omz.ENDING) else checkpoint.model_file(path)
        if not path.is_file():
            raise DataError(f"there is no teacher at {path}")
        return path, preprocess


def digest(path: Path) -> str:
    """Of a teacher's file: a run goes on with the one that it began with. An .xml has its weights beside it."""
    content = hashlib.sha256(path.read_bytes())
    if path.suffix == omz.ENDING and path.with_suffix(".bin").is_file():
        content.update(path.with_suffix(".bin").read_bytes())
    return content.hexdigest()


@contextmanager
def asked(device: torch.device, half: bool) -> Iterator[None]:
    """Where teachers answer: without gradients of theirs, in bf16 with ``half``, which keeps SFace's cosines to
    0.9999."""
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        yield


def network(path: Path, preprocess: crops.Preprocess) -> nn.Module | None:
    """The teacher as a network of PyTorch, which takes what ours take; None where its ONNX file is no plain chain."""
    from arcdoor_train.compression import reader

    if path.suffix == omz.ENDING:
        return omz.Embedder(path)
    if path.suffix != ".onnx":
        return checkpoint.load_model(path)[0].requires_grad_(False)
    try:
        return reader.read(path, preprocess)
    except NotPlainError:
        return None


class Ensemble:
    """Teachers' unit-length features side by side, divided by the root of their number: cosines of the whole are the
    means of theirs."""

    def __init__(self, wanted: tuple[Teacher, ...], device: torch.device, half: bool, threads: int = 1) -> None:
        self.device, self.half, self.threads = device, half, threads
        places = [teacher.located() for teacher in wanted]
        self.digest = "+".join(digest(path) for path, _ in places)
        self._each = [self._answering(*place) for place in places]

    def _answering(self, path: Path, preprocess: crops.Preprocess) -> Answers:
        """Other ONNX files than plain chains are answered by onnxruntime, on the CPU."""
        known = network(path, preprocess)
        if known is not None:
            return known.to(self.device).eval()
        session = Embedder(path, self.threads, preprocess)

        def answer(pixels: torch.Tensor) -> torch.Tensor:
            inputs = np.ascontiguousarray(pixels.cpu().numpy())
            return torch.from_numpy(session([inputs]).astype(np.float32)).to(pixels.device)

        return answer

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, d) float32 of our own networks' input."""
        with asked(self.device, self.half):
            found = [self._each_unit(answers, pixels) for answers in self._each]
        return torch.cat(found, dim=1) / len(found) ** 0.5

    @staticmethod
    def _each_unit(answers: Answers, pixels: torch.Tensor) -> torch.Tensor:
        return functional.normalize(answers(pixels).float())
