"""Scores and protocols against counting by hand; a pickle that is parsed and never run."""

import os
import pickle

import numpy as np
import pytest

from arcdoor_train import bin_file, crops, evaluate, scores
from arcdoor_train.errors import DataError, UsageError
from arcdoor_train.feature_file import unit

RNG = np.random.default_rng(7)


def test_best_threshold_is_the_best_of_all():
    for _ in range(50):
        n = int(RNG.integers(2, 30))
        values = np.round(RNG.uniform(-1, 1, n), 1)
        same = RNG.random(n) < 0.5
        found = scores.accuracy(values, same, scores.best_threshold(values, same))
        tries = [*values, np.inf]
        assert found == max(scores.accuracy(values, same, t) for t in tries)


def test_folds_choose_on_the_others():
    """Fold 0 lies 0.5 above fold 1: the threshold of one is wrong for the other."""
    values = np.array([0.9, 0.6, 0.4, 0.1])
    same = np.array([True, False, True, False])
    assert scores.folds(values, same, np.array([0, 0, 1, 1])).tolist() == [0.5, 0.5]


def test_all_pairs_are_counted_as_by_hand():
    people = RNG.integers(0, 12, 60)
    features = unit(RNG.normal(size=(12, 8))[people] + RNG.normal(size=(60, 8)))
    table = features @ features.T
    first, second = np.triu_indices(60, 1)
    same = people[first] == people[second]
    impostors, genuine = np.sort(table[first, second][~same])[::-1], table[first, second][same]
    rows = scores.all_pairs(features, people, (0.1, 0.01, 1e-5))
    assert [row.fmr for row in rows] == [0.1, 0.01], "a rate that no pair reaches is not reported"
    for row in rows:
        threshold = impostors[int(row.fmr * len(impostors))]
        assert row.threshold == pytest.approx(threshold, abs=1e-6)
        assert np.mean(impostors > row.threshold + 1e-6) <= row.fmr
        assert row.tmr == pytest.approx(np.mean(genuine > threshold), abs=2 / len(genuine))
        assert row.low <= row.tmr <= row.high
        assert row.high - row.low > 0


def test_wilson():
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263."""
    low, high = scores.wilson(np.arange(263) < 81)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_pairs_lists(tmp_path):
    names = ["Ann/Ann_0001.png", "Ann/Ann_0002.png", "Bob/Bob_0001.png"]
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\nAnn\t2\t3\nAnn\t2\tBob\t1\n")
    first, second, same, fold = evaluate.read_pairs(file, names)
    assert first.tolist() == [0, 0, 1, 1]
    assert second.tolist() == [1, 2, -1, 2]
    assert same.tolist() == [True, False, True, False]
    assert fold.tolist() == [0, 0, 1, 1]
    cosines = evaluate.pair_scores(np.eye(3), (first, second, same, fold))
    assert cosines[2] == -2, "a missing crop is never accepted"
    for text in ("Ann\t1\t2\n", "1\nAnn\t1\n", "1\nAnn\tx\t2\n", ""):
        file.write_text(text)
        with pytest.raises(DataError):
            evaluate.read_pairs(file, names)


def images(count):
    return [bytes([n]) * (n + 1) for n in range(count)]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bin_files_of_every_protocol_in_use(protocol):
    content = pickle.dumps((images(4), [True, False]), protocol=protocol)
    assert bin_file.parse(content) == (images(4), [True, False])
    # The same image twice is kept once, and referred to.
    shared = images(1)[0]
    assert bin_file.parse(pickle.dumps(([shared, shared], [True]), protocol=protocol)) == ([shared] * 2, [True])


def test_bin_files_of_python_2():
    """What cPickle wrote at protocol 2: strings of bytes, a tuple of two lists."""
    content = b"\x80\x02]q\x01(U\x02abq\x02U\x01\xffq\x03e]q\x04\x88a\x86q\x05."
    assert bin_file.parse(content) == ([b"ab", b"\xff"], [True])


def test_a_pickle_is_never_run(tmp_path):
    flag = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {flag}",)

    for protocol in range(6):
        with pytest.raises(DataError, match="not run"):
            bin_file.parse(pickle.dumps((Trap(), [True]), protocol=protocol))
    assert not flag.exists()


def test_broken_bin_files():
    good = pickle.dumps((images(4), [True, False]), protocol=4)
    wrong = [(images(3), [True, False]), (["a", "b"], [True]), ([b"a", b"b"], [2])]
    for content in (b"", good[:-1], good[1:], *map(pickle.dumps, wrong), b"e.", b"a.", b"\x86."):
        with pytest.raises(DataError):
            bin_file.parse(content)
    for _ in range(500):
        content = bytearray(good)
        content[RNG.integers(0, len(content))] = RNG.integers(0, 256)
        try:
            bin_file.parse(bytes(content))
        except DataError:
            continue


def make_set(folder, people=3, each=3):
    for person in range(people):
        base = crops.random(1, person)[0].astype(int)
        noisy = [np.clip(base + RNG.integers(-9, 9, base.shape), 0, 255).astype(np.uint8) for _ in range(each)]
        place = folder / f"P{person}"
        for n, name in enumerate(crops.save(place, np.stack(noisy))):
            (place / name).rename(place / f"P{person}_{n + 1:04}.png")
    return crops.Crops(folder)


class Pixels:
    """An embedder that tells noise apart: coarse pixels."""

    def __call__(self, batches):
        return unit(np.concatenate([batch[:, :, ::8, ::8].reshape(len(batch), -1) for batch in batches]))


def test_eval_on_crops_counts_what_does_not_decode(tmp_path):
    faces = make_set(tmp_path / "set")
    (tmp_path / "set" / "P0" / "P0_0003.png").write_bytes(b"torn")
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("2\nP0\t1\t2\nP0\t1\t3\nP0\t1\tP1\t1\nP1\t1\tP2\t1\n")
    answer = evaluate.on_crops(Pixels(), faces, pairs, pairs)
    assert answer["unreadable"] == ["P0/P0_0003.png"]
    assert answer["pairs_without_crop"] == 1
    assert answer["accuracy"] == 0.75, "the pair without a crop counts as a miss"
    assert "1 lack a crop" in evaluate.describe(answer)
    each = evaluate.on_crops(Pixels(), faces, pairs, pairs, each_pair=True)["pair_scores"]
    assert each[0][:3] == ["P0_0001", "P0_0002", True]
    assert each[1] == ["P0_0001", None, True, -2.0]
    right = [(score >= answer["threshold"]) == same for _, _, same, score in each]
    assert sum(right) / len(right) == answer["accuracy"]
    with pytest.raises(UsageError, match="--choose"):
        evaluate.on_crops(Pixels(), faces, pairs, None)
