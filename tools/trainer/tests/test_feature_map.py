"""Feature maps: the same whatever stops them and however many compute them; what goes wrong has a name."""

import dataclasses
import json
import os

import numpy as np
import pytest

from arcdoor_train import backbones, checkpoint, config, crops, data, evaluate, feature_map, lock
from arcdoor_train.errors import DataError, DiskError, UsageError

PEOPLE, EACH, DIMENSION = 3, 7, 8


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_map, "PART", 8)
    for person in range(PEOPLE):
        crops.save(tmp_path / "set" / f"p{person}", crops.random(EACH, person))
    (tmp_path / "set" / "p1" / "00002.png").write_bytes(b"torn")
    (tmp_path / "set" / "dataset.toml").write_text(f'alignment = "{data.ALIGNMENT}"\n')
    whole = config.parse('[model]\nbackbone = "dense-xs"\ndimension = 8')
    checkpoint.save_model(tmp_path / "model.pt", backbones.build("dense-xs", DIMENSION).eval(), whole)
    return feature_map.Job(config.Data(sets=(config.Set(str(tmp_path / "set")),)), 1, tmp_path / "model.pt")


def computed(job, folder, processes=1):
    return feature_map.compute(folder, job, data.gather(job.wanted, 1)[0], DIMENSION, processes)


def test_rows_are_the_images_features_and_nan_where_one_cannot_be_read(job, tmp_path):
    found, faces = computed(job, tmp_path / "map"), data.gather(job.wanted, 1)[0]
    torn = list(faces.keys).index("p1/00002.png")
    assert np.flatnonzero(np.isnan(found.features).any(axis=1)).tolist() == [torn]
    assert np.flatnonzero(found.images == 0).tolist() == [torn]
    wanted = evaluate.Embedder(job.model)([crops.to_input(faces.read(20)[None])])
    assert np.allclose(found.features[20], wanted[0], atol=1e-5)
    assert found.images[20] == feature_map.image_hash(faces.content(20))


def test_one_process_has_as_many_threads_as_it_is_given(job, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(feature_map.torch, "set_num_threads", given.append)
    computed(dataclasses.replace(job, threads=3), tmp_path / "map")
    assert given == [3]


def test_several_processes_compute_what_one_does(job, tmp_path, monkeypatch):
    one = computed(job, tmp_path / "one")
    monkeypatch.setattr(feature_map, "_worker", None)
    two = computed(job, tmp_path / "two", processes=2)
    assert feature_map._worker is None, "this process only waits"
    assert np.allclose(one.features, two.features, atol=1e-5, equal_nan=True)
    assert np.array_equal(one.images, two.images)


def test_a_disk_that_fills_stops_by_its_name_and_the_same_command_goes_on(job, tmp_path, monkeypatch):
    wanted = computed(job, tmp_path / "whole")
    good, parts = feature_map._compute, []

    def counted(*given):
        parts.append(given[-1])
        good(*given)

    def full(file, content, at):
        if at >= 8 * 4 * DIMENSION:
            raise OSError(28, "No space left on device")
        return real(file, content, at)

    real = os.pwrite
    monkeypatch.setattr(feature_map, "_compute", counted)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(DiskError, match="with room there, the same command goes on"):
            computed(job, tmp_path / "map")
    assert (tmp_path / "map" / "done.u8").read_bytes() == b"\1\0\0"
    parts.clear()
    found = computed(job, tmp_path / "map")
    assert parts == [1, 2]
    assert np.array_equal(found.features, wanted.features, equal_nan=True)
    computed(job, tmp_path / "map")
    assert parts == [1, 2]


def test_a_disk_that_is_too_small_is_found_before_the_work(job, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(DiskError, match="cannot set features aside"):
            computed(job, tmp_path / "map")
    assert [file.name for file in (tmp_path / "map").iterdir()] == ["lock"]
    monkeypatch.setattr(feature_map.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(DiskError, match=r"0\.0 GB are free"):
        computed(job, tmp_path / "map")


@pytest.mark.parametrize("damage", ["images", "model", "cut", "told"])
def test_features_of_something_else_are_refused(damage, job, tmp_path):
    computed(job, tmp_path / "map")
    if damage == "images":
        (tmp_path / "set" / "p0" / "00000.png").unlink()
    if damage == "model":
        whole = config.parse('[model]\nbackbone = "dense-xs"\ndimension = 8')
        checkpoint.save_model(job.model, backbones.build("dense-xs", DIMENSION).eval(), whole)
    if damage == "cut":
        os.truncate(tmp_path / "map" / "table.f32", 100)
    if damage == "told":
        (tmp_path / "map" / "about.json").write_text('{"images": ')
    with pytest.raises(DataError, match="delete it, or name another folder"):
        computed(job, tmp_path / "map")


def test_two_runs_in_one_folder(job, tmp_path):
    with lock.alone(tmp_path / "map"), pytest.raises(UsageError, match="another run works in"):
        computed(job, tmp_path / "map")
    assert not (tmp_path / "map" / "about.json").exists()
    computed(job, tmp_path / "map")
    assert json.loads((tmp_path / "map" / "about.json").read_text())["images"] == PEOPLE * EACH
