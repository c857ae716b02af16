"""ibug500k.sh, from two noisy sets to a network: stops for the review, and does nothing twice."""

import os
import subprocess
import sys
from pathlib import Path

from arcdoor_train import backbones, checkpoint, config, crops

SCRIPT = Path(__file__).parents[1] / "ibug500k.sh"


def settings(place, name, sets, centres):
    return f"""
    [run]
    folder = "{place}/{name}"
    device = "cpu"
    threads = 1
    [model]
    backbone = "dense-xs"
    dimension = 16
    [head]
    scale = 16.0
    centres = {centres}
    [optim]
    epochs = 1
    batch = 4
    lr = 0.01
[data]
    workers = 0
    sets = [{sets}]
    """


def test_the_chain_runs_to_its_end_and_stops_for_the_review(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, "TORCHRUN": "", "PROCESSES": "1"}
    both = []
    for number, name in enumerate(("first", "second")):
        for person in range(3):
            crops.save(tmp_path / f"{name}-set" / f"p{person + number}", crops.random(4, 10 * number + person))
        one = f'{{ path = "{tmp_path}/{name}-set", alignment = "arcface-112"'
        (tmp_path / f"{name}.toml").write_text(settings(tmp_path, name, one + " }", 3))
        both.append(f'{one}, name = "{name}", list = "{tmp_path}/{name}/kept.tsv" }}')
    (tmp_path / "merge.toml").write_text(settings(tmp_path, "last", ", ".join(both), 1))
    model = tmp_path / "model.pt"
    whole = config.parse("[model]\nbackbone = 'dense-xs'\ndimension = 16")
    checkpoint.save_model(model, backbones.build("dense-xs", 16), whole)
    environment |= {
        "FIRST": f"{tmp_path}/first.toml", "SECOND": f"{tmp_path}/second.toml", "MERGE": f"{tmp_path}/merge.toml",
        "MERGED": f"{tmp_path}/both.tsv", "MODEL": str(model), "DEGREES": "179",
    }  # fmt: skip

    def chain():
        return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)

    done = chain()
    assert done.returncode == 0, done.stderr
    assert "start this again" in done.stdout
    assert not (tmp_path / "last").exists()
    kept = [(tmp_path / name / "kept.tsv").stat().st_mtime_ns for name in ("first", "second")]
    done = chain()
    assert done.returncode == 0, done.stderr
    assert checkpoint.list_steps(tmp_path / "last")
    assert [(tmp_path / name / "kept.tsv").stat().st_mtime_ns for name in ("first", "second")] == kept
