"""The leak report's figures, and the words that follow from them, on numbers that are drawn here."""

import itertools

import numpy as np
import pytest
import torch

from arcdoor_train.feature_file import unit
from arcdoor_train.leakage import (
    linkage,
    linked,
    matching,
    opened,
    plain,
    quantiser,
    rotation,
    share,
    verdict,
)
from arcdoor_train.leakage.found import Attack, Found
from arcdoor_train.leakage.judges import DOOR, Success
from arcdoor_train.leakage.share import Figure


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3, 0.97, 1.0])
def test_intervals_cover_planted_rates(rate):
    rng, met = np.random.default_rng(int(100 * rate)), 0
    for _ in range(60):
        # Comparisons of a person hang on each other.
        each = rng.uniform(size=40) < rate
        hits = np.repeat(each, 3)
        found = share.share(hits, np.repeat(np.arange(40), 3))
        met += found.low - 1e-12 <= rate <= found.high + 1e-12
    assert met >= 53


def test_the_area_under_the_curve():
    assert share.area(np.array([3.0, 1.0, 2.0]), np.array([0.0, 2.0])).value == pytest.approx(4.5 / 6)
    rng, met = np.random.default_rng(1), 0
    for _ in range(60):
        found = share.area(rng.normal(1, 1, 80), rng.normal(0, 1, 60))
        met += found.low <= 0.7602 <= found.high
    assert met >= 53


# ---- the rotation


def test_pairs_recover_a_rotation_only_when_they_are_as_many_as_numbers():
    rng, size = np.random.default_rng(1), 24
    key = rotation.drawn(size, 3)
    assert np.allclose(key @ key.T, np.eye(size))
    templates = unit(rng.normal(size=(60, size))).astype(np.float32)
    stored = rotation.applied(key, templates)
    cosines = {}
    for count in (1, size // 2, size):
        found = rotation.undone(stored[size:], templates[:count], stored[:count])
        cosines[count] = np.sum(found * templates[size:], axis=1)
    assert cosines[size].min() > 0.9999
    assert cosines[size // 2].max() < 0.999
    assert cosines[1].mean() < cosines[size // 2].mean() < 0.9


def test_statistics_alone_undo_a_rotation_of_templates_that_have_plain_ones():
    rng, size = np.random.default_rng(2), 6
    rows = rng.gamma(2.0, 1.0, (4000, size)) * [9, 6, 4, 2.5, 1.5, 1]
    rows = unit(rows - rows.mean(axis=0) + [3, 0, 0, 0, 0, 0]).astype(np.float32)
    stored = rotation.applied(rotation.drawn(size, 5), rows[:2000])
    found = rotation.guessed(stored, rows[2000:])
    assert np.sum(found * rows[:2000], axis=1).mean() > 0.9
    even = unit(rng.normal(size=(400, size))).astype(np.float32)
    blind = rotation.guessed(rotation.applied(rotation.drawn(size, 6), even[:200]), even[200:])
    assert abs(np.sum(blind * even[:200], axis=1).mean()) < 0.6


# ---- linking


def test_linkability():
    rng = np.random.default_rng(1)
    same, other = rng.normal(size=(2, 20_000))
    assert linkage.d_sys(same, other) < 0.02
    assert linkage.d_sys(same, other + 20) == pytest.approx(1)
    # Two bins: mated scores lie 3 to 1, others 1 to 3, so 2 * 3 / 4 - 1 = 0.5 of three quarters.
    mated, others = np.array([1.0] * 15 + [0.0] * 5), np.array([1.0] * 5 + [0.0] * 15)
    assert linkage.d_sys(mated, others) == pytest.approx(0.75 * 0.5)


def test_linkability_has_an_interval_and_a_chance():
    rng = np.random.default_rng(3)
    blind = rng.normal(size=(60, 60))
    found, chance = linkage.figure(blind), linkage.chance(blind, 1)
    assert chance.low <= found.value <= chance.high
    seen = blind + 4 * np.eye(60)
    assert linkage.figure(seen).low > linkage.chance(seen, 1).high


def test_an_assignment_is_the_best_of_all():
    rng = np.random.default_rng(1)
    for size in (1, 2, 5, 6):
        gain = rng.normal(size=(size, size))
        best = max(itertools.permutations(range(size)), key=lambda order: sum(gain[n, m] for n, m in enumerate(order)))
        assert matching.assigned(gain).tolist() == list(best)


def test_gram_matrices_link_the_same_templates_and_shuffled_ones_do_not():
    rng = np.random.default_rng(4)
    rows, order = unit(rng.normal(size=(25, 12))), rng.permutation(25)
    one, two = rows @ rotation.drawn(12, 1).T, rows[order] @ rotation.drawn(12, 2).T
    truth = np.argsort(order)
    assert (matching.matched(one @ one.T, two @ two.T) == truth).all()
    near = unit(rows + 0.12 * rng.normal(size=rows.shape))[order]
    assert (matching.matched(one @ one.T, near @ near.T) == truth).mean() > 0.5
    strangers = unit(rng.normal(size=(25, 12)))
    assert (matching.matched(one @ one.T, strangers @ strangers.T) == truth).mean() < 0.3


def test_people_who_are_known_help_to_link_the_others():
    rng = np.random.default_rng(5)
    rows = unit(rng.normal(size=(30, 12)))
    near = unit(rows + 0.15 * rng.normal(size=rows.shape))
    order = np.concatenate([np.arange(12), 12 + rng.permutation(18)])
    found = matching.matched(rows @ rows.T, (near @ near.T)[np.ix_(order, order)], 12)
    assert (order[found] == np.arange(30))[12:].mean() > 0.7


# ---- fewer bits


def test_templates_of_fewer_bits():
    rows = unit(np.random.default_rng(1).normal(size=(50, 64))).astype(np.float32)
    kept = {kind: np.sum(rows * quantiser.stored(rows, kind), axis=1).mean() for kind in quantiser.KINDS}
    assert kept["f32"] == pytest.approx(1)
    assert kept["int8"] > 0.9999
    assert 0.985 < kept["4 bits"] < kept["int8"]
    assert kept["sign"] == pytest.approx((2 / np.pi) ** 0.5, abs=0.02)
    assert [quantiser.bits(kind, 64) for kind in quantiser.KINDS] == [2048, 512, 256, 64]
    for kind, levels in quantiser.LEVELS.items():
        assert len(np.unique(np.abs(quantiser.stored(rows[:1], kind)))) <= levels + 1
        asked = torch.from_numpy(rows).requires_grad_(True)
        soft = quantiser.softened(asked, kind)
        assert np.sum(soft.detach().numpy() * quantiser.stored(rows, kind), axis=1).mean() > 0.9
        soft[:, 0].sum().backward()
        assert asked.grad.abs().sum() > 0


def attack(name, one, two, strangers=0.0001, people=50):
    def figure(value):
        return share.share(np.arange(people) < value * people, np.arange(people))

    return Attack(
        name, (Success(DOOR, "FMR 1e-4", 0.4, figure(one), figure(two), strangers, 0.97),), Figure(0, 0, 0, 1)
    )


def test_the_verdict_follows_from_the_figures():
    def plainly(*attacks):
        found = Found("templates", (attack(plain.TEMPLATE, 1, 0.97), *attacks))
        return verdict.of({"templates": found}, ()).irreversibility[0]

    assert plainly(attack(plain.DECODER, 0.8, 0.5)).startswith("Plain templates are not irreversible")
    assert plainly(attack(plain.DECODER, 0.0, 0.0)).startswith("These attacks drew nobody")
    assert "for the photo itself alone" in plainly(attack(plain.DECODER, 0.5, 0.0))

    def turned(same, other):
        ways = [opened.itself(opened.NONE), opened.itself(opened.GUESSED)]
        attacks = [attack(way, 0, 0) for way in ways]
        for kind, values in ((opened.SAME, same), (opened.OTHER, other)):
            for count, value in zip((1, 128), values, strict=True):
                way = opened.pairs(count, kind)
                attacks += [attack(opened.itself(way), value, value), attack(opened.decoded(way), value, value)]
        return " ".join(verdict.of({"opened": Found("opened", tuple(attacks))}, (1, 128)).irreversibility)

    assert "falls to 128 pairs of the photo enrolled" in turned((0, 0.9), (0, 0))
    assert "falls to 1 pair of another photo" in turned((0, 0), (0.4, 0.9))
    assert "No number of pairs of another photo" in turned((0, 0.9), (0, 0))


def test_what_was_not_measured_is_not_said():
    said = verdict.of({}, ())
    assert said == verdict.Verdict((), (), (), ())


def test_the_verdict_on_linking():
    def figures(link, gram):
        near, chance = Figure(0.02, 0.01, 0.05, 50), Figure(0.02, 0.0, 0.06, 50)
        names = (linked.ONE_KEY, linked.SAME, linked.OTHER)
        found = dict.fromkeys(names, near) | {name + linked.CHANCE: chance for name in names}
        found[linked.SAME] = Figure(link, link, link, 50)
        found[linked.RENEWED] = share.share(np.zeros(50), np.arange(50))
        found[linked.GRAM] = found[linked.GRAM_OTHER] = share.share(np.arange(50) < gram * 50, np.arange(50))
        found[linked.GRAM + linked.CHANCE] = Figure(0.02, 0, 0.02, 50)
        return verdict.of({"linked": Found("linked", figures=found)}, ())

    bound, free = figures(0.03, 0.0), figures(0.9, 1.0)
    assert "links nobody beyond chance" in bound.unlinkability[1]
    assert "links people" in free.unlinkability[1]
    assert len(bound.renewability) == 1
    assert "laid on each other" in free.renewability[1]
