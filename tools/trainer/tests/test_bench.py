"""The bench trains, measures, and keeps nothing."""

from arcdoor_train import bench, cli, config

TEXT = """
[run]
folder = "{folder}/run"
threads = 1
[data]
workers = 0
drawn = {{ identities = 3, images = 8 }}
[head]
scale = 32.0
"""


def test_measures_and_keeps_nothing(tmp_path, capsys):
    path = tmp_path / "bench.toml"
    path.write_text(TEXT.format(folder=tmp_path))
    command = ["bench", "--config", str(path), "--backbones", "dense-xs", "--precisions", "fp32", "bf16"]
    assert cli.main([*command, "--batch", "8", "--seconds", "0.1"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| dense-xs")]
    assert [row.split("|")[2].strip() for row in rows] == ["fp32", "bf16"]
    assert not (tmp_path / "run").exists()
    assert cli.main([*command, "--batch", "1"]) == 2


def test_slow_data_is_seen(tmp_path, monkeypatch):
    whole = config.parse(TEXT.format(folder=tmp_path) + '[model]\nbackbone = "dense-xs"\n[optim]\nbatch = 4\n')
    quick = bench.measure(whole, 0.2)
    gather = bench.data.gather

    def slow(*arguments):
        source, notes = gather(*arguments)
        fetch = source.fetch

        def late(index):
            bench.time.sleep(0.2)
            return fetch(index)

        source.fetch = late
        return source, notes

    monkeypatch.setattr(bench.data, "gather", slow)
    waited = bench.measure(whole, 0.2)
    assert waited.waiting > max(0.5, quick.waiting)
    assert waited.steps >= 3


def test_a_rec_of_tiny_images(tmp_path, capsys):
    command = ["bench-rec", "--images", "50", "--identities", "7", "--folder", str(tmp_path)]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("50 images of 7 identities")
    assert len([row for row in said.splitlines() if row.startswith("| open")]) == 4
    assert not list(tmp_path.iterdir())
    assert cli.main([*command[:4], "51"]) == 2
