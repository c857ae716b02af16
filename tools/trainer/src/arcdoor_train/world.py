"""The processes that train together: torchrun starts them, NCCL (GPUs) or gloo (CPU) joins them."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from arcdoor_train.config import Config, Run
from arcdoor_train.errors import ConfigError


@dataclass(frozen=True)
class World:
    """This process among ``size``."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes the files and the progress."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def maximum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The maximum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """All processes' tensors, of one shape, joined by rank along the first axis."""
        if self.size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def barrier(self) -> None:
        """Waits for the others."""
        if self.size > 1:
            dist.barrier()


def join(config: Config) -> World:
    """The world that torchrun's environment describes; a world of one without it."""
    wanted = config.run.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device = 'cuda', but torch finds no GPU here; 'auto' takes what there is")
    cuda = torch.cuda.is_available() and wanted != "cpu"
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(minutes=10))
    return World(rank, size, device)


def kernels(run: Run, device: torch.device) -> None:
    """On a GPU, convolutions that are bit-exact where ``run.deterministic`` asks for it; else whichever of cuDNN's are
    fastest, which it tries first. Their products are TF32, torch's own choice; the head's are float32."""
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = run.deterministic
        torch.backends.cudnn.benchmark = not run.deterministic


def leave(world: World) -> None:
    """Ends the group."""
    if world.size > 1 and dist.is_initialized():
        dist.destroy_process_group()
