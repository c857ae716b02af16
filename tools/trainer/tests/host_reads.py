"""What reads a value of a tensor back to Python: on a GPU, each makes the host wait."""

from torch.utils._python_dispatch import TorchDispatchMode


class HostReads(TorchDispatchMode):
    """Notes ``.item()``, ``float(tensor)``, ``bool(tensor)``, indexing by a mask."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if any(name in str(function) for name in ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select")):
            self.seen.append(str(function))
        return function(*arguments, **(keywords or {}))
