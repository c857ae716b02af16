#!/bin/sh
# What machines without a GPU cannot check, in less than five minutes of one: NCCL, bf16 against fp32, torch.compile, the
# speed of the training step beside a plain PyTorch loop of the same network, a sharded head of a million classes, an
# inversion's steps, the leak report's plain templates beside the CPU's.
# Prints a table and ends; 1 where something differs that must not. Nothing is fetched and nothing is left.
#
#   gpu_check.sh             on a GPU host, from its own torch (README, On a GPU host); begins with gpu_doornet.sh where
#                            both wait
#   TINY=1 gpu_check.sh      the same code at a tiny length, on a CPU with gloo: its figures mean nothing
#
# PACK is where doornet-m lies; PARTS names some of joined, rounded, speeds, million, inverted, leaked, compiled. After SECONDS_LEFT (280) what has not begun is left out; 20 s later all ends.
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
SECONDS_LEFT=${SECONDS_LEFT:-280}
export SECONDS_LEFT PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH}
exec timeout -k 5 "$((SECONDS_LEFT + 20))" "$PYTHON" - <<'PYTHON_END'
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from arcdoor_train import backbones, checkpoint, config, crops, data, heads, onnx_file, teachers
from arcdoor_train.data import drawn
from arcdoor_train.heads.margins import combined
from arcdoor_train.inversion import section
from arcdoor_train.inversion.attacked import Attacked
from arcdoor_train.inversion.drawing import Drawing, Place
from arcdoor_train.inversion.prior import Prior
from arcdoor_train.inversion.target import Open
from arcdoor_train.leakage import pack
from arcdoor_train.leakage import run as leak
from arcdoor_train.partial import ShardedHead
from arcdoor_train.trainer import Net, Trainer, normalise
from arcdoor_train.world import World, kernels

TINY = bool(os.environ.get("TINY"))
CUDA = torch.cuda.is_available() and not TINY
if not (CUDA or TINY):
    sys.exit("torch finds no GPU here; TINY=1 tries the script on a CPU")
BATCH, STEPS, PEOPLE, MILLION = (4, 2, 8, 1_000) if TINY else (128, 20, 1_000, 1_000_000)
DEVICE = torch.device("cuda", 0) if CUDA else torch.device("cpu")
NAME = torch.cuda.get_device_name() if CUDA else "CPU, tiny: these figures mean nothing"
PACK = Path(os.environ.get("PACK", "../../models/packs/doornet-m"))
END = time.monotonic() + float(os.environ["SECONDS_LEFT"])
FOLDER = tempfile.TemporaryDirectory(prefix="arcdoor-gpu-check-")
#: Largest relative difference of a loss that is computed in two ways, of one after three steps, and of bf16's mean loss.
SAME, LATER, ROUNDED = 1e-3, 1e-2, 0.05
#: Of a mean cosine after the same steps on two devices. Each step makes what was rounded otherwise larger: where a CPU
#: rounded as TF32 does, cosines were 0.04 apart.
LEAKED = 0.1
rows, failed = [], []


def row(what, result, good=None):
    verdict = {True: "yes", False: "NO", None: "-"}[good]
    if good is False:
        failed.append(what)
    rows.append(f"| {what} | {result} | {verdict} |")
    print(rows[-1], file=sys.stderr, flush=True)


def wait():
    if CUDA:
        torch.cuda.synchronize()


def source():
    images = crops.random(8)
    names = [f"p{n}" for n in range(PEOPLE)]
    return data.Dataset(names, np.arange(PEOPLE), names, lambda n: images[n % 8], "drawn")


def trainer(backbone, precision="bf16", batch=BATCH, init="", more=""):
    # A chain brings its own dimension.
    dimension = config.from_table(checkpoint.load_tensors(Path(init))["config"]).model.dimension if init else 512
    whole = config.parse(f"""
    [run]
    folder = "{FOLDER.name}/run"
    device = "{DEVICE.type}"
    deterministic = false
    threads = 1
    [model]
    backbone = "{backbone}"
    dimension = {dimension}
    init = "{init}"
    [head]
    scale = 64.0
    [optim]
    batch = {batch}
    precision = "{precision}"
    {more}
    """)
    kernels(whole.run, DEVICE)
    return Trainer(whole, World(0, 1, DEVICE), source())


def batch(count=BATCH, seed=1):
    images = torch.from_numpy(np.resize(crops.random(min(count, 32), seed), (count, 112, 112, 3)))
    images = images.pin_memory() if CUDA else images
    return images, torch.arange(count) % PEOPLE


def losses(one, steps, lr=0.01):
    images, labels = batch(one.config.optim.batch)
    return np.array([one.train_step(images, labels, lr) for _ in range(steps)])


def speed(step, steps=STEPS):
    """Images a second, after two steps that are not counted."""
    for _ in range(2):
        step()
    wait()
    began = time.monotonic()
    for _ in range(steps):
        step()
    wait()
    return steps * BATCH / (time.monotonic() - began)


def apart(first, second):
    return float(np.max(np.abs(first - second) / np.abs(second)))


class Joined(World):
    """A world of one that asks the group all the same."""

    def sum(self, tensor):
        dist.all_reduce(tensor)
        return tensor

    def maximum(self, tensor):
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor

    def gather(self, tensor):
        parts = [torch.empty_like(tensor)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)


def joined():
    """The group's operations, DDP with gradients as bf16, and a sharded head beside a whole one."""
    dist.init_process_group(
        "nccl" if CUDA else "gloo", init_method=f"file://{FOLDER.name}/group", rank=0, world_size=1
    )
    world = Joined(0, 1, DEVICE)
    torch.manual_seed(1)
    wanted = config.Head(scale=16.0)
    net = Net(backbones.build("dense-xs", 64), heads.build(wanted, 64, PEOPLE, 1)).to(DEVICE)
    images, labels = batch(BATCH)
    pixels, labels = normalise(images, DEVICE, True), labels.to(DEVICE)
    net(pixels, labels).backward()
    alone = torch.cat([one.grad.flatten().clone() for one in net.parameters()])
    net.zero_grad()
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

    ddp = DistributedDataParallel(net, [0] if CUDA else None, broadcast_buffers=False, find_unused_parameters=True)
    ddp.register_comm_hook(None, bf16_compress_hook)
    ddp(pixels, labels).backward()
    together = torch.cat([one.grad.flatten() for one in net.parameters()])
    difference = float((together - alone).norm() / alone.norm())
    row(f"{dist.get_backend()}: gradient by DDP, sent as bf16, from the gradient alone", f"{difference:.1e}", difference < 0.01)
    sharded = ShardedHead(config.Head(scale=16.0, sharded=True), 64, PEOPLE, 1, world).to(DEVICE)
    features = torch.randn(BATCH, 64, device=DEVICE)
    sharded.begin(world.gather(labels), 0)
    mine, whole = sharded(features, labels).item(), net.head(features, labels).item()
    row("sharded head's loss from a whole one's", f"{abs(mine - whole):.1e}", abs(mine - whole) < SAME * abs(whole))
    dist.destroy_process_group()


def rounded():
    name = "dense-xs" if TINY else "iresnet50"
    full, half = (losses(trainer(name, kind), STEPS) for kind in ("fp32", "bf16"))
    text = f"{full[0]:.3f} to {full[-1]:.3f}, {half[0]:.3f} to {half[-1]:.3f}"
    row(f"{name}, {STEPS} steps: loss in fp32, in bf16", text, abs(half.mean() / full.mean() - 1) < ROUNDED)


def compiled():
    name = "dense-xs" if TINY else "mobilefacenet"
    plain = losses(trainer(name, "fp32"), 3)
    began = time.monotonic()
    one = trainer(name, "fp32", more="compile = true")
    found = losses(one, 3)
    text = f"{apart(found, plain):.1e}, {time.monotonic() - began:.0f} s with compiling"
    row(f"{name}: loss under torch.compile from the loss without", text, apart(found, plain) < LATER)


def plain_step(backbone, dimension):
    """A loop as one writes it by hand: ArcFace, bf16, SGD, the gradient clipped."""
    net = backbone.to(DEVICE, memory_format=torch.channels_last).train()
    centres = torch.nn.Parameter(torch.randn(PEOPLE, dimension, device=DEVICE) * 0.01)
    optimiser = torch.optim.SGD([*net.parameters(), centres], 0.01, momentum=0.9, weight_decay=5e-4)
    images, labels = batch()

    def step():
        pixels, wanted = normalise(images, DEVICE, True), labels.to(DEVICE, non_blocking=True)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            found = net(pixels)
        cosines = functional.normalize(found.float()) @ functional.normalize(centres).T
        own = cosines.gather(1, wanted[:, None])
        loss = functional.cross_entropy(64.0 * cosines.scatter(1, wanted[:, None], combined(own, 1.0, 0.5, 0.0)), wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()

    return step


def doornet():
    """The network of the pack as a start for training."""
    path, preprocess = teachers.Teacher(str(PACK)).located()
    chain = teachers.network(path, preprocess)
    whole = config.parse(f"[model]\nbackbone = 'chain'\ndimension = {chain.shape.dimension}")
    checkpoint.save_model(Path(FOLDER.name) / "doornet-m.pt", chain, whole)
    return f"{FOLDER.name}/doornet-m.pt"


def speeds():
    names = ["dense-xs"] if TINY else ["iresnet50", "mobilefacenet"]
    found = {name: ("", lambda name=name: backbones.build(name, 512), 512) for name in names}
    if (PACK / "pack.toml").is_file():
        start = doornet()
        chain, of = checkpoint.load_model(start)
        found["doornet-m"] = (start, lambda: chain.requires_grad_(True), of.model.dimension)
    for name, (init, build, dimension) in found.items():
        one = trainer("chain" if init else name, init=init)
        images, labels = batch()
        ours = speed(lambda one=one, images=images, labels=labels: one.train_step(images, labels, 0.01))
        del one
        by_hand = speed(plain_step(build(), dimension))
        row(f"{name}, bf16, batch {BATCH}: images/s of `train`, of a plain loop", f"{ours:.0f}, {by_hand:.0f} ({ours / by_hand:.2f})")


def million():
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    head = ShardedHead(config.Head(sharded=True), 512, MILLION, 1, World(0, 1, DEVICE)).to(DEVICE)
    labels = torch.arange(BATCH, device=DEVICE) * (MILLION // BATCH)

    def step():
        features = torch.randn(BATCH, 512, device=DEVICE, requires_grad=True)
        head.begin(labels, 0)
        head(features, labels).backward()
        head.update(0.1, 0.9, 5e-4)

    each = BATCH / speed(step, 5)
    memory = f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if CUDA else "memory not told"
    row(f"sharded head, {MILLION:,} classes x 512, {BATCH} images", f"{1000 * each:.0f} ms a step, {memory}")


def untaught(name, dimension, images, device):
    """A network with weights by chance, whose BatchNorm knows the images."""
    torch.manual_seed(1)
    network = backbones.build(name, dimension).to(device).requires_grad_(False)
    for norm in (one for one in network.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)):
        norm.momentum = None
    network.train()(normalise(images, device, True))
    return network.eval()


def inverted():
    """Pictures of the paper's batch drawn from invented templates, with BatchNorm's statistics."""
    name, count = ("dense-xs", 2) if TINY else ("iresnet50", 256)
    network = untaught(name, 512, batch()[0], DEVICE)
    templates = Open(np.random.default_rng(1).normal(size=(count, 512)), ["invented"] * count)
    wanted = section.Invert(teachers.Teacher(""), section.Aim(templates="invented"), batch=count, flip=0.5, jitter=2)
    known = Attacked(network, Path(), "", 512, DEVICE)
    drawing = Drawing(wanted, known, templates, Prior(network), 1, Place(0, 0))
    first = drawing.advance()
    wait()
    began = time.monotonic()
    for _ in range(STEPS):
        last = drawing.advance()
    wait()
    seconds, fell = (time.monotonic() - began) / STEPS, bool(last["prior"] < first["prior"])
    text = f"{first['prior']:.0f} to {last['prior']:.0f}, {first['cosine']:.3f} to {last['cosine']:.3f}, {seconds:.3f} s a step"
    row(f"{name}, {count} pictures inverted, {STEPS} steps: BatchNorm's loss, cosine to the template", text, fell)


def stolen():
    """A pack of a network with weights by chance, and drawn faces: people whose templates are stolen, others, and crops
    of nobody in particular."""
    place, people = Path(FOLDER.name) / "stolen", (2, 4, 8) if TINY else (32, 8, 64)
    for name, count, first in zip(("gallery", "known", "public"), people, (0, 100, 200), strict=True):
        for person in range(first, first + count):
            crops.save(place / name / f"p{person}", np.stack([drawn.face(1, person, n) for n in range(2)]))
    faces = torch.from_numpy(np.stack([drawn.face(1, person, 0) for person in range(300, 316)]))
    network = backbones.reparameterise(untaught("dense-xs", 16, faces, torch.device("cpu")))
    (place / "pack").mkdir()
    onnx_file.save(onnx_file.trace(network, 17), place / "pack" / "net.onnx")
    (place / "pack" / "pack.toml").write_text(f"""
    name = "invented"
    format = 1
    embedder = {{ file = "net.onnx", dimension = 16, sha256 = "{hashlib.sha256((place / "pack" / "net.onnx").read_bytes()).hexdigest()}", preprocess = {{ channel_order = "rgb", mean = [127.5, 127.5, 127.5], scale = [0.0078125, 0.0078125, 0.0078125] }} }}
    calibration.rows = [{{ fmr = 1e-4, threshold = 0.8 }}]
    """)
    return place


def leaked():
    """What plain templates give away, by the decoder and by gradient, as the GPU and as the CPU find it."""
    place, found = stolen(), []
    steps, epochs = (2, 1) if TINY else (8, 4)
    for name, device in (("here", DEVICE), ("cpu", torch.device("cpu"))):
        whole = config.parse(f"""
        [run]
        folder = "{place / name}"
        device = "{device.type}"
        threads = 1
        [leak]
        statistics = 16
        gallery = {{ crops = "{place / "gallery"}", most = 0, photos = 2 }}
        known = {{ crops = "{place / "known"}", most = 0, photos = 2 }}
        decoder = {{ crops = ["{place / "public"}"], side = 16, epochs = {epochs}, batch = 16, ask_every = 4, ask = 4 }}
        gradient = {{ people = 32, steps = {steps}, refined = {steps}, sides = [28, 112] }}
        """)
        began = time.monotonic()
        leak.drive(pack.read(place / "pack"), whole, "nobody: the faces are invented", ("templates",), quiet=True)
        table = json.loads((place / name / "sections" / "templates.json").read_text())
        cosines = {one["name"]: one["cosine"]["value"] for one in table["attacks"][1:]}
        found.append((np.array(list(cosines.values())), time.monotonic() - began))
    (here, took), (cpu, longer) = found
    told = "; ".join(f"{one:.3f} ({other:.3f})" for one, other in zip(here, cpu, strict=True))
    same = len(here) == 4 and bool(np.abs(here - cpu).max() < LEAKED)
    row(f"plain templates leak: cosines of {', '.join(cosines)} (the CPU's)", f"{told}; {took:.1f} s ({longer:.1f})", same)


print(f"{NAME}; torch {torch.__version__}", file=sys.stderr)
PARTS = (joined, rounded, speeds, million, inverted, leaked, compiled)
WANTED = os.environ.get("PARTS", " ".join(part.__name__ for part in PARTS)).split()
for part in (part for part in PARTS if part.__name__ in WANTED):
    if time.monotonic() > END:
        row(part.__name__, "left out: no time")
        continue
    try:
        part()
    except Exception as error:  # each part says its own; the others go on
        row(part.__name__, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", False)
    if CUDA:
        torch.cuda.empty_cache()
print(f"{NAME}, torch {torch.__version__}\n\n| what | result | as it must be |\n|---|---|---|")
print("\n".join(rows))
FOLDER.cleanup()
sys.exit(1 if failed else 0)
PYTHON_END
