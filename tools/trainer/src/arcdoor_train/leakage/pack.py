"""The pack that is attacked: its embedder, and the door's scores and thresholds as its manifest has them."""

import hashlib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arcdoor_train import crops
from arcdoor_train.errors import DataError

FORMAT = 1


@dataclass(frozen=True)
class Pack:
    """What a manifest says, its embedder's hash checked."""

    name: str
    file: Path
    #: Of the embedder's file, and of the manifest.
    digest: str
    manifest: str
    dimension: int
    preprocess: crops.Preprocess
    #: (FMR, threshold), laxest first.
    rows: tuple[tuple[float, float], ...]
    #: (k, d) directions that degraded faces share, and their allowance.
    shared: np.ndarray
    allowance: float
    #: Whether a signature lies beside the manifest. Nothing here checks it.
    signed: bool

    def threshold(self, fmr: float) -> float:
        """Linear in log10(rate) between rows, never laxer than the first, never beyond the last, as on the device."""
        rates = [math.log10(rate) for rate, _ in self.rows]
        wanted = min(max(math.log10(fmr), rates[-1]), rates[0])
        return float(np.interp(-wanted, [-rate for rate in rates], [value for _, value in self.rows]))

    def scores(self, probes: np.ndarray, stored: np.ndarray) -> np.ndarray:
        """(n, m): cosines of live templates (n, d) and stored ones (m, d), less what exceeds the allowance in the
        shared directions, as the door's matcher has them for faces that show clearly. Of two that hardly do it makes
        less: no score here is below the door's."""
        cosines = probes @ stored.T
        if not len(self.shared):
            return cosines
        part = (probes @ self.shared.T) @ (stored @ self.shared.T).T
        return cosines - np.maximum(part - self.allowance * (cosines - part), 0)


def fmr_for_fpir(fpir: float, templates: int) -> float:
    """At which a gallery of so many templates lets in such a share of strangers: 1 - (1 - fpir)^(1 / templates)."""
    return -math.expm1(math.log1p(-fpir) / max(templates, 1))


def read(folder: Path) -> Pack:
    """Raises ``DataError`` where it is no pack, is damaged, or has no calibration."""
    manifest = folder / "pack.toml"
    try:
        content = manifest.read_bytes()
        table = tomllib.loads(content.decode())
    except OSError as error:
        raise DataError(f"{folder} is no pack: {error}; name a folder with a pack.toml") from error
    except ValueError as error:
        raise DataError(f"{manifest} is damaged: {error}; take the pack from where it was published") from error
    if table.get("format") != FORMAT:
        raise DataError(f"{manifest} has format = {table.get('format')!r}; {FORMAT} is known here")
    try:
        return _read(folder, table, hashlib.sha256(content).hexdigest())
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{manifest} lacks what an embedder's pack has: {error!r}; is it another program's?") from error


def _read(folder: Path, table: dict[str, Any], manifest: str) -> Pack:
    embedder, rows = table["embedder"], table.get("calibration", {}).get("rows", [])
    if not rows:
        raise DataError(f"{folder} has no calibration, so no threshold: arcdoor-lab calibrate makes one")
    file = folder / Path(embedder["file"]).name
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != embedder["sha256"]:
        raise DataError(f"{file} is not what the manifest says (sha256): take the pack from where it was published")
    shared = table.get("recognisability", {}).get("shared", {})
    directions = np.array(shared.get("directions", []), np.float64).reshape(-1, embedder["dimension"])
    return Pack(
        table["name"], file, digest, manifest, embedder["dimension"], crops.Preprocess.of(folder / "pack.toml"),
        tuple(sorted(((float(row["fmr"]), float(row["threshold"])) for row in rows), reverse=True)),
        directions, float(shared.get("allowance", 0.0)), (folder / "pack.toml.minisig").is_file(),
    )  # fmt: skip
