"""The ablation goes on where it stopped; the shipped configurations are valid."""

from pathlib import Path

import pytest

from arcdoor_train import ablate, cli, config, crops, journal

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations(path):
    assert config.load(path).optim.batch > 1


def test_the_losses_are_heads():
    base = config.Config(head=config.Head(scale=32.0))
    for changes in ablate.LOSSES.values():
        ablate.changed(base, changes)


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
    backbone = "dense-xs"
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


def answers(*values):
    return [{"accuracy": value, "all_pairs": [{"fmr": 1e-3, "tmr": value / 2}]} for value in values]


def test_table():
    text = ablate.table({"cosface": answers(0.5, 0.6), "b": answers(0.7)})
    assert text.splitlines()[2:] == [
        "| b | 70.00 | 35.00 | 1 | - |",
        "| cosface | 55.00 ± 7.07 | 27.50 ± 3.54 | 2 | 99.51 / 94.56 |",
    ]


@pytest.mark.parametrize("text", ["[]", "3", '"fmr"', "{}", "{", '{"accuracy": 0.5, "all_pairs": [1]}'])
def test_a_file_that_is_no_answer_counts_as_none(tmp_path, text):
    (tmp_path / "eval.json").write_text(text)
    assert ablate.kept_answer(tmp_path) is None


def test_core_losses_come_first_and_seed_by_seed():
    order = ablate.jobs(list(ablate.LOSSES), [1, 2, 3])
    assert len(order) == len(set(order)) == 3 * len(ablate.LOSSES)
    core = len(ablate.CORE)
    for seed in range(3):
        part = order[seed * core : (seed + 1) * core]
        assert {loss for loss, _ in part} == set(ablate.CORE)
        assert {number for _, number in part} == {seed + 1}
    assert [seed for _, seed in order[3 * core :]] == [1, 2, 3] * (len(ablate.LOSSES) - core)


def test_results_are_kept_as_they_come_and_overlap_is_refused(tmp_path, capsys):
    for place, people in (("train", "abc"), ("judge", "xy")):
        for n, name in enumerate(people):
            for number, old in enumerate(crops.save(tmp_path / place / name, crops.random(3, 10 * n + len(place)))):
                (tmp_path / place / name / old).rename(tmp_path / place / name / f"{name}_{number + 1:04}.png")
    (tmp_path / "pairs.txt").write_text("2\nx\t1\t2\ny\t1\t2\nx\t1\ty\t1\nx\t2\ty\t2\n")
    (tmp_path / "ablation.toml").write_text(f"""
    [run]
    folder = "{tmp_path}/runs"
    threads = 1
    [data]
    workers = 0
    sets = [{{ path = "{tmp_path}/train", alignment = "arcface-112" }}]
    [model]
    backbone = "dense-xs"
    dimension = 16
    [optim]
    epochs = 1
    batch = 4
    """)
    command = ["ablate", "--config", str(tmp_path / "ablation.toml"), "--losses", "cosface", "cm1", "--seeds", "1"]
    assert cli.main([*command, "--table"]) == 3, "nothing is judged yet"
    judged = ["--faces", str(tmp_path / "judge"), "--pairs", str(tmp_path / "pairs.txt")]
    judged += ["--choose", str(tmp_path / "pairs.txt")]
    assert cli.main([*command, *judged]) == 0
    assert (tmp_path / "runs" / "cm1-seed1" / "eval.json").is_file()
    (tmp_path / "runs" / "cm1-seed1" / "eval.json").unlink()
    capsys.readouterr()
    assert cli.main([*command, "--table"]) == 0
    text = capsys.readouterr().out
    assert "cosface" in text
    assert "cm1" not in text
    (tmp_path / "judge" / "x").rename(tmp_path / "judge" / "A")
    assert cli.main([*command, *judged]) == 3
    assert "train/a" in capsys.readouterr().err
