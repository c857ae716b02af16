"""The ablation goes on where it stopped; the shipped configurations are valid."""

import dataclasses
from pathlib import Path

import pytest

from arcdoor_train import ablate, config, journal

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations(path):
    assert config.load(path).optim.batch > 1


def test_the_losses_are_heads():
    for changes in ablate.LOSSES.values():
        dataclasses.replace(config.Head(scale=32.0), **changes)


def test_a_finished_run_trains_no_more(tmp_path):
    text = f"""
    [run]
    folder = "{tmp_path}"
    log_every = 1
    threads = 1
    [data]
    workers = 0
    drawn = {{ identities = 3, images = 4 }}
    [model]
    backbone = "doornet-xs"
    dimension = 16
    [optim]
    epochs = 1
    batch = 4
    """
    base = config.parse(text)
    run = ablate.one(base, "cosface", 2)
    before = journal.read(run)
    assert len(before) == 3
    assert config.load(run / "config.toml").head.m3 == 0.35
    assert journal.read(ablate.one(base, "cosface", 2)) == before


def test_table():
    text = ablate.table({"a": [0.5, 0.6], "b": [0.7]})
    assert text.splitlines()[2:] == ["| b | 70.00 | - | 1 |", "| a | 55.00 | 7.07 | 2 |"]
