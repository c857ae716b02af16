"""Whether a run may go on from what a folder holds: the same configuration, the same images."""

from pathlib import Path
from typing import Any

from arcdoor_train import config, data
from arcdoor_train.errors import CheckpointError, ConfigError

#: What a resumed run may change: none of it changes what is computed. Which images there are, the data's hash says.
FREE = frozenset({"workers", "keep_mb", "timeout_s", "compile", "recompute", "max_bad_steps", "sets", "held_out"})


def compare(
    content: dict[str, Any],
    whole: config.Config,
    source: data.Dataset,
    folder: Path,
    more: tuple[str, ...] = (),
    free: frozenset[str] = FREE,
) -> None:
    """That what ``folder`` holds was trained with this configuration, ``more`` sections included, on these images.
    Values of the names in ``free`` may differ. Raises ``CheckpointError``."""
    try:
        # Keys that are newer than the checkpoint have their defaults.
        old, new = config.to_table(config.from_table(content["config"])), config.to_table(whole)
    except ConfigError as error:
        raise CheckpointError(f"{folder} does not fit this trainer: {error}") from error
    changed = [
        f"{section}.{key}"
        for section in ("model", "head", "data", "optim", *more)
        for key, value in new[section].items()
        if key not in free and old.get(section, {}).get(key) != value
    ]
    changed += ["run.seed"] if old["run"]["seed"] != new["run"]["seed"] else []
    if changed:
        raise CheckpointError(
            f"{folder} was trained with another configuration: {', '.join(changed)} differ; restore them, or name "
            "another run.folder"
        )
    if content["data"] != source.fingerprint:
        raise CheckpointError(f"{folder} was trained on other images than data names now; the order would not go on")
