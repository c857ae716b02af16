"""One process of a run: the networks that it trains, a step of them, and the checkpoints that it goes on from."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint as recomputed

from arcdoor_train import checkpoint, config, data, heads, initial
from arcdoor_train.batchnorm import StepStatistics
from arcdoor_train.errors import CheckpointError, ConfigError, TrainError
from arcdoor_train.optimiser import optimiser
from arcdoor_train.partial import ShardedHead
from arcdoor_train.resume import FREE, compare
from arcdoor_train.world import World

#: Between two lines of metrics: the losses' sum, the steps taken, the sum of the backbone's gradient norms before they
#: were clipped, the steps that were.
EMPTY = {"loss": 0.0, "steps": 0, "norm": 0.0, "clipped": 0}


class Net(nn.Module):
    """Backbone and whole head as one module, so that DDP joins the gradients of both."""

    def __init__(self, backbone: nn.Module, head: nn.Module | None, recompute: bool = False) -> None:
        super().__init__()
        self.backbone, self.head, self.recompute = backbone, head, recompute
        if recompute and not isinstance(backbone, nn.Sequential):
            raise ConfigError("optim.recompute: this backbone has no blocks whose maps could be computed anew")

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        embeddings = self._sparing(images) if self.recompute else self.backbone(images)
        return embeddings if self.head is None else self.head(embeddings, labels)

    def _sparing(self, x: torch.Tensor) -> torch.Tensor:
        """The backbone, of whose blocks only what they take is kept for the backward pass."""
        for layer in self.backbone:
            block = next(layer.children(), None) is not None
            x = recomputed(layer, x, use_reentrant=False) if block else layer(x)
        return x


def normalise(images: torch.Tensor, device: torch.device, channels_last: bool) -> torch.Tensor:
    """(n, 112, 112, 3) uint8 to (n, 3, 112, 112) float32, (value - 127.5) / 128."""
    moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2).float().sub_(127.5).div_(128.0)
    return moved.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


class Trainer:
    """One process of a run."""

    #: The sections of a command that a resumed run must have unchanged, and what it may change.
    SECTIONS: tuple[str, ...] = ()
    FREE = FREE

    def __init__(self, whole: config.Config, world: World, source: data.Dataset) -> None:
        self.config, self.world, self.source = whole, world, source
        self.run = config.expand(whole.run.folder)
        optim = whole.optim
        if optim.batch % world.size:
            raise ConfigError(f"optim.batch = {optim.batch} cannot be divided among {world.size} processes")
        self.share = optim.batch // world.size
        self.micro = optim.micro_batch or self.share
        if self.share % self.micro:
            raise ConfigError(
                f"a process's share of {self.share} images is no multiple of optim.micro_batch = {optim.micro_batch}: "
                f"use at most {optim.batch // self.micro} processes"
            )
        each = whole.data.per_identity
        if each and (self.micro % each or self.micro < 2 * each):
            raise ConfigError(
                f"data.per_identity = {each}: a process's {self.micro} images hold no whole number of identities with "
                "that many images, two at least; set optim.micro_batch"
            )
        self.step, self.bad, self.bad_in_a_row, self.skipped = 0, 0, 0, 0
        self.window = dict(EMPTY)
        self._build()

    def _build(self) -> None:
        whole, world = self.config, self.world
        begun = checkpoint.list_steps(self.run)
        backbone = initial.network(whole, begun[-1] if begun else None)
        classes, dimension, seed = len(self.source.identities), whole.model.dimension, whole.run.seed
        self.sharded: ShardedHead | None = None
        head, self.taken = None, 0
        if whole.head.sharded or whole.head.sample < 1.0:
            if world.size > 1 and not whole.head.sharded:
                raise ConfigError("head.sample < 1 on several processes needs head.sharded = true")
            self.sharded = ShardedHead(whole.head, dimension, classes, seed, world, whole.optim.kind == "adamw").to(
                world.device
            )
            if whole.head.init and not begun:
                self.taken = self._take_shard(self.sharded)
        else:
            head, self.taken = initial.head(whole, backbone, self.source, bool(begun))
        net = self._net(backbone, head).to(world.device)
        if whole.optim.channels_last:
            net = net.to(memory_format=torch.channels_last)
        sync = whole.optim.batch_norm == "sync"
        if sync and world.device.type != "cuda":
            raise ConfigError("optim.batch_norm = 'sync' works on GPUs only; 'micro' works everywhere")
        if sync:
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        self.net, self.backbone, self.head = net, net.backbone, net.head
        self.statistics = None if sync else StepStatistics(backbone, world)
        optim = whole.optim
        self.optimiser = optimiser(optim, net)
        self.scaler = torch.amp.GradScaler(world.device.type, init_scale=4096.0, enabled=optim.precision == "fp16")
        self.runner = self._joined(torch.compile(net) if optim.compile else net)

    def _net(self, backbone: nn.Module, head: nn.Module | None) -> nn.Module:
        return Net(backbone, head, self.config.optim.recompute)

    def _take_shard(self, sharded: ShardedHead) -> int:
        mine = self.source.identities[sharded.start : sharded.stop]
        taken = initial.centres(self.config, mine, {"weight": sharded.weight})
        return int(self.world.sum(torch.tensor(taken, device=self.world.device)))

    def _joined(self, net: nn.Module) -> nn.Module:
        if self.world.size == 1:
            return net
        ids = [self.world.device.index] if self.world.device.type == "cuda" else None
        # Looking for unused parameters keeps DDP from regrouping its buckets after the first step: a run that
        # resumes adds its gradients in the same order as one that never stopped.
        joined = DistributedDataParallel(net, ids, broadcast_buffers=False, find_unused_parameters=True)
        if self.config.optim.compress:
            from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

            joined.register_comm_hook(None, bf16_compress_hook)
        return joined

    def batches(self) -> data.Batches:
        """The rest of the run's batches, this process's share."""
        whole, world = self.config, self.world
        return data.Batches(
            self.source, whole.data, whole.run.seed, whole.optim.batch, whole.optim.epochs,
            start=self.step, part=world.rank, parts=world.size, micro=self.micro,
        )  # fmt: skip

    def train_step(self, images: torch.Tensor, labels: torch.Tensor, lr: float) -> float:
        """One step of the optimiser; the mean loss over all processes, or NaN where the step was not taken."""
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        labels = labels.to(self.world.device, non_blocking=True)
        if self.statistics:
            self.statistics.begin()
        if self.sharded:
            self.sharded.begin(self.world.gather(labels), self.step)
        total = torch.zeros((), dtype=torch.float64, device=self.world.device)
        parts = self.share // self.micro
        for part in range(parts):
            chosen = slice(part * self.micro, (part + 1) * self.micro)
            # Drop-out by place: the same for any number of processes.
            place = self.step * (self.config.optim.batch // self.micro) + self.world.rank * parts + part
            torch.manual_seed(self.config.run.seed * 1_000_003 + place)
            loss = self._forward(images[chosen], labels[chosen], last=part == parts - 1)
            total += loss.double() / parts
        return self._take(total, lr)

    def _forward(self, images: torch.Tensor, labels: torch.Tensor, *, last: bool) -> torch.Tensor:
        """One micro-batch, forward and backward; DDP joins the gradients in the last one."""
        optim = self.config.optim
        pixels = normalise(images, self.world.device, optim.channels_last)
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(optim.precision)
        if isinstance(self.runner, DistributedDataParallel):
            self.runner.require_backward_grad_sync = last
        with torch.autocast(self.world.device.type, dtype=dtype, enabled=dtype is not None):
            result = self._asked(pixels, labels)
        if self.statistics:
            self.statistics.add()
        loss = self.sharded(result, labels) if self.sharded else result
        self.scaler.scale(loss / (self.share // self.micro)).backward()
        return loss.detach()

    def _asked(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a micro-batch; its embeddings where the head is sharded."""
        return self.runner(pixels, labels)

    def _take(self, total: torch.Tensor, lr: float) -> float:
        """Updates the weights if loss and gradients are numbers on every process; else leaves all as it was."""
        optim = self.config.optim
        scale = self.scaler.get_scale()
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimiser)
        norm, rest = self._square_norm(self.backbone), self._square_norm(self.head)
        if self.sharded:
            rest = rest + self.sharded.square_norm()
        loss = self.world.sum(total) / self.world.size
        norm = norm.sqrt().item()
        good = all(math.isfinite(value) for value in (norm, rest.item(), loss.item()))
        if self.statistics:
            self.statistics.end(good)
        self._end_head(good)
        if self.scaler.is_enabled():
            self.scaler.update()
        if not good:
            return math.nan
        self._clip(norm)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        if self.sharded:
            self.sharded.update(lr, optim.momentum, optim.weight_decay, 1.0 / scale)
        return loss.item()

    def _square_norm(self, module: nn.Module | None) -> torch.Tensor:
        gradients = [parameter.grad for parameter in module.parameters()] if module else []
        gradients = [gradient for gradient in gradients if gradient is not None]
        if not gradients:
            return torch.zeros((), dtype=torch.double, device=self.world.device)
        return torch.stack(torch._foreach_norm(gradients)).double().square().sum()

    def _clip(self, norm: float) -> None:
        """Shortens the backbone's gradient to ``optim.clip``, and notes what it was. The head's stays as it is: a large
        scale makes it the longer one, and clipped together, the loss would set the backbone's rate."""
        clip = self.config.optim.clip
        self.window["norm"] += norm
        if not clip or norm <= clip:
            return
        self.window["clipped"] += 1
        gradients = [parameter.grad for parameter in self.backbone.parameters() if parameter.grad is not None]
        torch._foreach_mul_(gradients, clip / (norm + 1e-6))

    def _end_head(self, good: bool) -> None:
        rule = self.sharded.rule if self.sharded else heads.inner(self.head)
        if isinstance(rule, heads.AngularHead):
            # A sharded head has met all processes' images.
            rule.end_step(good, *([] if self.sharded else [self.world.sum]))

    def save(self) -> Path:
        """A checkpoint of now; every process writes its shard. On an error nothing is left of it."""
        part = checkpoint.begin(self.run, self.step) if self.world.first else None
        self.world.barrier()
        part = self.run / "checkpoints" / f"step-{self.step:08}.part"
        failure: TrainError | None = None
        try:
            self._write(part)
        except TrainError as error:
            failure = error
        failed = self.world.sum(torch.tensor([float(failure is not None)], device=self.world.device))
        if failed.item():
            if self.world.first:
                checkpoint.abandon(part)
            raise failure or TrainError("another process could not write its part of the checkpoint")
        if self.world.first:
            checkpoint.finish(part, self.config.run.keep)
        self.world.barrier()
        return part.with_suffix("")

    def _write(self, part: Path) -> None:
        rank, size = (self.world.rank, self.world.size) if self.sharded else (0, 1)
        if self.world.first or self.sharded:
            checkpoint.save_tensors(part / f"head-{rank}-of-{size}.pt", self._head_state())
        if not self.world.first:
            return
        checkpoint.save_model(
            part / "model.pt", self.backbone, self.config,
            identities=len(self.source.identities), data=self.source.fingerprint, step=self.step,
        )  # fmt: skip
        state = {
            "step": self.step,
            "bad": self.bad,
            "bad_in_a_row": self.bad_in_a_row,
            "skipped": self.skipped,
            "window": dict(self.window),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            **self._more(),
        }
        checkpoint.save_tensors(part / "state.pt", state)

    def _more(self) -> dict[str, Any]:
        """What another trainer of this kind keeps beside."""
        return {}

    def _load_more(self, state: dict[str, Any]) -> None:
        """Takes what ``_more`` gave. Raises ``KeyError``, ``RuntimeError``, ``CheckpointError``."""

    def _head_state(self) -> dict[str, Any]:
        if self.sharded:
            whole = _kept_buffers(self.sharded.rule)
            return {"classes": self.sharded.stop - self.sharded.start, "rows": self.sharded.kept(), "whole": whole}
        inner = heads.inner(self.head)
        return {
            "classes": len(self.source.identities),
            "rows": {name: parameter.detach() for name, parameter in inner.named_parameters()},
            "whole": _kept_buffers(inner),
        }

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint. Raises ``CheckpointError`` where it belongs to another configuration or data."""
        folder = checkpoint.resolve(path)
        content = checkpoint.load_tensors(folder / "model.pt")
        compare(content, self.config, self.source, folder, self.SECTIONS, self.FREE)
        state = checkpoint.load_tensors(folder / "state.pt")
        if isinstance(state.get("window"), list):
            raise CheckpointError(
                f"{folder} is of an earlier trainer, which clipped the gradients of backbone and head together: the "
                "run would not go on as it began; name another run.folder"
            )
        try:
            self.backbone.load_state_dict(content["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scaler.load_state_dict(state["scaler"])
            self._load_head(folder)
            self._load_more(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{folder} does not fit: {error}") from error
        self.step, self.bad, self.bad_in_a_row = state["step"], state["bad"], state["bad_in_a_row"]
        self.skipped, self.window = state["skipped"], dict(state["window"])

    def _load_head(self, folder: Path) -> None:
        if self.sharded:
            found = checkpoint.read_head(folder, self.sharded.start, self.sharded.stop)
            for name, tensor in self.sharded.kept().items():
                tensor.copy_(found[name])
            inner = self.sharded.rule
        else:
            found = checkpoint.read_head(folder, 0, len(self.source.identities))
            inner = heads.inner(self.head)
            for name, parameter in inner.named_parameters():
                parameter.data.copy_(found[name])
        for name, buffer in _kept_buffers(inner).items():
            buffer.copy_(found[f"whole.{name}"])


def _kept_buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    kept = module.state_dict().keys()
    return {name: buffer for name, buffer in module.named_buffers() if name in kept}
