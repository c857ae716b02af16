"""Heads: each against its formula, written out again in float64; gradients; the ends of arccos."""

import math

import pytest
import torch
from host_reads import HostReads

from arcdoor_train import heads
from arcdoor_train.config import Head
from arcdoor_train.heads import additions, margins

N, D, CLASSES = 6, 8, 5

KINDS = {
    "norm-softmax": Head(kind="norm-softmax", scale=20.0),
    "sphereface": Head(m1=1.35, m2=0.0, scale=16.0),
    "cosface": Head(m2=0.0, m3=0.35, scale=16.0),
    "arcface": Head(m2=0.5, scale=16.0),
    "cm1": Head(m2=0.3, m3=0.2, scale=16.0),
    "cm2": Head(m1=0.9, m2=0.4, m3=0.15, scale=16.0),
    "sub-centres": Head(m2=0.5, centres=3, scale=16.0),
    "softmax-pooling": Head(m2=0.5, centres=3, pooling="softmax", scale=16.0),
    "adaface": Head(kind="adaface", scale=16.0),
    # Its quality is detached: where it is clipped to -1, the numerical gradient sees no more of it than autograd.
    "adaface-clipped": Head(kind="adaface", scale=16.0, ada_h=10.0),
    "magface": Head(kind="magface", scale=16.0, mag_low=0.5, mag_high=8.0, mag_pull=2.0),
    "intra": Head(m2=0.5, intra=1.0, scale=16.0),
    "inter": Head(m2=0.5, inter=1.0, scale=16.0),
    "triplet": Head(m2=0.5, triplet=1.0, scale=16.0),
    "centre-pull": Head(m2=0.5, centres=2, centre_pull=0.5, scale=16.0),
}


def sample(seed=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(N, D, generator=generator, dtype=torch.double)
    return x, torch.tensor([0, 1, 2, 3, 4, 0])


def build(config):
    return heads.build(config, D, CLASSES, seed=5).double()


def plain(config, x, labels, weight):
    """The formulas image by image, with math alone."""
    total = 0.0
    rows = [[w / w.norm() for w in group] for group in weight.view(CLASSES, config.centres, D)]
    for i in range(N):
        unit = x[i] / x[i].norm()
        logits = []
        for c in range(CLASSES):
            cosines = [float(unit @ w) for w in rows[c]]
            if config.pooling == "max":
                cosine = max(cosines)
            else:
                e = [math.exp(config.scale * v) for v in cosines]
                cosine = sum(a * v for a, v in zip(e, cosines, strict=True)) / sum(e)
            if c == int(labels[i]):
                theta, norm = math.acos(cosine), float(x[i].norm())
                if config.kind == "margin":
                    phi = config.m1 * theta + config.m2
                    assert phi < math.pi  # the guard has its own test
                    cosine = math.cos(phi) - config.m3
                elif config.kind == "adaface":
                    z = max(-1.0, min(1.0, (norm - 20.0) / (100.0 + 1e-3) * config.ada_h))
                    cosine = math.cos(theta - config.ada_margin * z) - (config.ada_margin * z + config.ada_margin)
                elif config.kind == "magface":
                    a = min(max(norm, config.mag_low), config.mag_high)
                    k = (config.mag_margin_high - config.mag_margin_low) / (config.mag_high - config.mag_low)
                    cosine = math.cos(theta + config.mag_margin_low + k * (a - config.mag_low))
                    total += config.mag_pull * (1 / a + a / config.mag_high**2)
            logits.append(config.scale * cosine)
        total -= logits[int(labels[i])] - math.log(sum(math.exp(v) for v in logits))
    return total / N


def settle(head, x, labels):
    """Centres near their images, so that no angle meets the guard."""
    with torch.no_grad():
        weight = head.head.weight if hasattr(head, "head") else head.weight
        groups = weight.view(CLASSES, -1, D)
        noise = torch.randn(groups.shape, generator=torch.Generator().manual_seed(9), dtype=torch.double)
        x[5] = x[0] + 0.3 * noise[0, 0]
        for c in range(CLASSES):
            groups[c] = x[c] + 0.8 * noise[c]
    return weight


@pytest.mark.parametrize("name", [n for n in KINDS if n not in ("intra", "inter", "triplet", "centre-pull")])
def test_formula(name):
    config = KINDS[name]
    x, labels = sample()
    head = build(config).eval()
    weight = settle(head, x, labels)
    assert head(x, labels).item() == pytest.approx(plain(config, x, labels, weight.detach()), abs=1e-9)


@pytest.mark.parametrize("name", [n for n in KINDS if n != "adaface"])
def test_gradients(name):
    x, labels = sample()
    head = build(KINDS[name]).eval()
    settle(head, x, labels)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head(x, labels), (x,), eps=1e-7, atol=1e-5)
    weight = head.head.weight if hasattr(head, "head") else head.weight

    def by_weight(value):
        return torch.func.functional_call(
            head, {"head.weight" if hasattr(head, "head") else "weight": value}, (x, labels)
        )

    assert torch.autograd.gradcheck(by_weight, (weight.detach().clone().requires_grad_(),), eps=1e-7, atol=1e-5)


def test_what_is_too_alike_is_filtered_and_the_own_class_never():
    x, labels = sample()
    head = build(Head(m2=0.5, scale=16.0, filter=0.4)).eval()
    weight = settle(head, x, labels)
    with torch.no_grad():
        weight[1] = x[0] + 0.1 * weight[1]  # one person under two labels
    plain = build(Head(m2=0.5, scale=16.0)).eval()
    plain.load_state_dict(head.state_dict())
    assert (head.cosines(x) > 0.4).sum() > N
    found, _ = head.logits(x, labels)
    wanted, _ = plain.logits(x, labels)
    other = torch.ones_like(found, dtype=torch.bool).scatter(1, labels[:, None], False)
    gone = other & (head.cosines(x) > 0.4)
    assert torch.equal(found, torch.where(gone, 0.0, wanted))
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: head(x, labels), (x,), eps=1e-7, atol=1e-5)


def test_softmax_formula():
    x, labels = sample()
    head = build(Head(kind="softmax"))
    logits = x @ head.weight.T + head.bias
    wanted = -(logits[range(N), labels] - torch.logsumexp(logits, 1)).mean()
    assert float(head(x, labels)) == pytest.approx(float(wanted), abs=1e-12)


def test_additions_by_hand():
    x, labels = sample()
    weight = torch.randn(CLASSES, D, dtype=torch.double, generator=torch.Generator().manual_seed(2))
    w = weight / weight.norm(dim=1, keepdim=True)
    u = x / x.norm(dim=1, keepdim=True)

    def arc(v):
        return math.acos(float(v))

    wanted = sum(arc(u[i] @ w[labels[i]]) for i in range(N)) / N / math.pi
    assert float(additions.intra(u @ w.T, labels)) == pytest.approx(wanted, abs=1e-9)
    wanted = -sum(arc(w[y] @ w[j]) for y in labels.tolist() for j in range(CLASSES) if j != y)
    wanted /= N * math.pi * (CLASSES - 1)
    assert float(additions.inter(weight, labels)) == pytest.approx(wanted, abs=1e-9)
    near = [min(arc(u[i] @ u[j]) for j in range(N) if labels[j] != labels[i]) for i in (0, 5)]
    wanted = sum(max(0.0, arc(u[0] @ u[5]) + 0.35 - n) for n in near) / 2
    assert wanted > 0
    assert float(additions.triplet(x, labels, 0.35)) == pytest.approx(wanted, abs=1e-9)
    wanted = arc(w[0] @ w[1]) / math.pi
    assert float(additions.centre_pull(weight[:2], 2)) == pytest.approx(wanted, abs=1e-9)
    assert float(additions.triplet(x[:5], labels[:5], 0.35)) == 0.0


@pytest.mark.parametrize(
    "m", [(1.0, 0.5, 0.0), (1.0, 0.3, 0.2), (1.35, 0.0, 0.0), (0.9, 0.4, 0.15), (4.0, 0.0, 0.0), (1.0, 2.0, 0.0)]
)
def test_the_target_falls_with_the_angle(m):
    theta = torch.linspace(0.002, math.pi - 0.002, 5001, dtype=torch.double)
    target = margins.combined(torch.cos(theta), *m)
    assert (target[1:] - target[:-1]).max() < 0


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("end", [1.0, -1.0])
def test_finite_at_the_ends(name, end):
    """An image exactly on its centre, or exactly opposite, in float32."""
    head = heads.build(KINDS[name], D, CLASSES, seed=5)
    weight = head.head.weight if hasattr(head, "head") else head.weight
    x = (end * weight.detach().view(CLASSES, -1, D)[:, 0] * 50).requires_grad_()
    loss = head(x, torch.arange(CLASSES))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", KINDS)
def test_autocast_leaves_the_head_in_float32(name, dtype):
    x, labels = sample()
    x = x.to(dtype)
    head = heads.build(KINDS[name], D, CLASSES, seed=5).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head(x, labels)
    assert mixed.dtype == torch.float32
    assert float(mixed.detach()) == float(head(x.float(), labels).detach())


def test_adaface_follows_the_norms_once_a_step():
    head = build(KINDS["adaface"])
    x, labels = sample()
    before = float(head(x, labels).detach())
    assert float(head(x, labels).detach()) == before, "all passes of a step measure by the same averages"
    head(2 * x, labels)
    norms = torch.cat([x, x, 2 * x]).norm(dim=1)
    head.end_step(True)
    assert float(head.norm_mean) == pytest.approx(20 + 0.01 * (float(norms.mean()) - 20))
    assert float(head.norm_deviation) == pytest.approx(100 + 0.01 * (float(norms.std()) - 100))
    for keep in (False, True):
        mean = float(head.norm_mean)
        if not keep:
            head(5 * x, labels)
        head.end_step(keep)
        assert float(head.norm_mean) == mean, "neither a step that was not taken nor one without images moves them"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_adaface_counts_no_feature_that_is_no_number(bad):
    head, other = build(KINDS["adaface"]), build(KINDS["adaface"])
    x, labels = sample()
    spoiled = torch.cat([x, x[:1]])
    spoiled[6, 3] = bad
    head(spoiled, torch.cat([labels, labels[:1]]))
    other(x, labels)
    for each in (head, other):
        each.end_step(True)
    assert float(head.norm_mean) == float(other.norm_mean)
    assert float(head.norm_deviation) == float(other.norm_deviation)
    head(torch.full_like(x, bad), labels)
    head.end_step(True)
    assert float(head.norm_mean) == float(other.norm_mean)


METRICS = {
    "triplet": Head(kind="triplet", triplet_margin=0.35),
    "tuplet": Head(kind="tuplet", scale=4.0),
}
#: Three identities with two images each, and one alone.
PAIRED = torch.tensor([0, 1, 2, 0, 1, 2, 3])


def paired():
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(7, D, generator=generator, dtype=torch.double)
    x[3] = x[0] + 0.1 * x[3]
    return x


def test_metric_losses_by_hand():
    x = paired()
    unit = (x / x.norm(dim=1, keepdim=True)).tolist()

    def cosine(i, j):
        return sum(a * b for a, b in zip(unit[i], unit[j], strict=True))

    others = [[j for j in range(7) if PAIRED[j] != PAIRED[i]] for i in range(7)]
    partner = [3, 4, 5, 0, 1, 2]
    wanted = [
        max(0.0, math.acos(cosine(i, partner[i])) + 0.35 - min(math.acos(cosine(i, j)) for j in others[i]))
        for i in range(6)
    ]
    assert min(wanted) == 0.0 < max(wanted), "some triplets count, some do not"
    found = heads.build(METRICS["triplet"], D, 4)(x, PAIRED)
    assert found.item() == pytest.approx(sum(wanted) / 6, abs=1e-9)
    wanted = [
        math.log(1 + sum(math.exp(4.0 * (cosine(i, j) - cosine(i, partner[i]))) for j in others[i])) for i in range(6)
    ]
    found = heads.build(METRICS["tuplet"], D, 4)(x, PAIRED)
    assert found.item() == pytest.approx(sum(wanted) / 6, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_metric_gradients(name):
    x, head = paired().requires_grad_(), heads.build(METRICS[name], D, 4)
    assert not list(head.parameters())
    assert torch.autograd.gradcheck(lambda x: head(x, PAIRED), (x,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_metric_losses_without_pairs_are_nothing(name, labels):
    x = paired()[:3].requires_grad_()
    loss = heads.build(METRICS[name], D, 4)(x, torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0.0
    assert (x.grad == 0.0).all()


@pytest.mark.parametrize("name", METRICS)
def test_metric_losses_are_finite_and_float32(name):
    """Images that are the same, or opposite, under autocast."""
    x = paired()[:2].repeat(3, 1).bfloat16()
    x[3] = -x[1]
    x.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = heads.build(METRICS[name], D, 4)(x, torch.tensor([0, 1, 0, 1, 0, 1]))
    assert loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", [*METRICS, "adaface", "triplet-added"])
def test_heads_read_nothing_back(name):
    """On a GPU each value read back makes the host wait."""
    whole = {**METRICS, "adaface": KINDS["adaface"], "triplet-added": KINDS["triplet"]}[name]
    head, x = heads.build(whole, D, 4), paired().float().requires_grad_()
    with HostReads() as reads:
        head(x, PAIRED).backward()
    assert not reads.seen
