"""The device's engine, through ``arcdoor-lab parity``: the binary that the boards' runtime is built from."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train import crops, feature_file, onnx_file
from arcdoor_train.errors import DataError, TrainError

#: What to do where the binary is missing.
ABSENT = (
    "arcdoor-lab is not built, so the device's engine was NOT checked: "
    "`cargo build --release --workspace --bin arcdoor-lab`, or set ARCDOOR_LAB"
)
TIMEOUT_S = 600


@dataclass(frozen=True)
class Parity:
    """The device's engine against reference features; differences of unit-length features."""

    engine: str
    crops: int
    max_difference: float
    least_cosine: float
    median_ms: float
    passed: bool


def find() -> Path | None:
    """``ARCDOOR_LAB``, else ``target/release/arcdoor-lab`` of the repository this file lies in."""
    named = os.environ.get("ARCDOOR_LAB")
    if named:
        if not Path(named).is_file():
            raise DataError(f"ARCDOOR_LAB={named}: there is no such file")
        return Path(named)
    for folder in Path(__file__).resolve().parents:
        built = folder / "target" / "release" / "arcdoor-lab"
        if built.is_file():
            return built
    return None


def call(lab: Path, *arguments: object, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Runs ``arcdoor-lab``. Raises ``TrainError`` where it does not start or does not end; the rest is the caller's."""
    command = [str(lab), *map(str, arguments)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainError(f"arcdoor-lab {arguments[0]}: {error}") from error


def keep(folder: Path, images: np.ndarray, reference: np.ndarray) -> None:
    """What `arcdoor-lab parity` compares a network with: the crops, their order, and the reference's features."""
    names = crops.save(folder / "crops", images)
    (folder / "filelist.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    feature_file.write(folder / "features.bin", reference)


def parity(
    lab: Path,
    network: Path,
    images: np.ndarray,
    reference: np.ndarray,
    max_difference: float = onnx_file.TOLERANCE,
    least_cosine: float = 0.99999,
    engine: str = "auto",
) -> Parity:
    """Runs ``network``, an ONNX file or the folder of a pack, on (n, side, side, 3) uint8 crops of the side that it
    takes (112 of a file), and compares with ``reference`` (n, d). ``engine``: ``auto`` (as the device does: the plan
    where it can run the file, else tract), ``plan`` or ``tract``. The answer says whether it is within tolerance;
    ``TrainError`` is raised where the engine cannot run the file at all."""
    with tempfile.TemporaryDirectory(prefix="arcdoor-parity-") as folder:
        place = Path(folder)
        keep(place, images, reference)
        done = call(
            lab, "parity", "--json",
            "--pack" if network.is_dir() else "--onnx", network,
            "--crops", place / "crops",
            "--list", place / "filelist.txt",
            "--reference", place / "features.bin",
            "--count", len(images),
            "--max-difference", max_difference,
            "--least-cosine", least_cosine,
            "--engine", engine,
        )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise TrainError(f"the device's engine cannot run {network}: {done.stderr.strip() or 'no answer'}")
    answer = json.loads(lines[-1])
    return Parity(
        answer["engine"],
        answer["crops"],
        answer["max_difference"],
        answer["least_cosine"],
        answer["median_ms"],
        answer["passed"] and done.returncode == 0,
    )
