"""The processes that train one model together, each on its share of every batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Which of how many processes this is; a process alone exchanges nothing.

    What they tell each other is on the CPU: a process group for GPUs needs a backend for both,
    `cpu:gloo,cuda:nccl`, so that no step waits for its device.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def joined(cls) -> Ranks:
        """The ranks of torch's process group, which has been initialized."""
        return cls(rank=dist.get_rank(), count=dist.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module to compute losses with, so that gradients are means over all ranks.

        It begins with the weights of the first rank.
        """
        if self.count == 1:
            return module
        # Otherwise gradients are gathered in another order after the first step than in it; three
        # and more ranks would then add them up in another one, and a resumed run differ in bits.
        return DistributedDataParallel(module, find_unused_parameters=True)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank; every rank gets the same answer."""
        return bool(self._reduced(torch.tensor([flag], dtype=torch.int64), dist.ReduceOp.MAX))

    def total(self, values: Tensor) -> Tensor:
        """Sums over all ranks of a tensor on the CPU; a new tensor."""
        return self._reduced(values.clone(), dist.ReduceOp.SUM)

    def check_same(self, what: str, number: int) -> None:
        """Raise ValueError unless the number is the same on all ranks."""
        both = torch.tensor([number, -number])
        highest, lowest = self._reduced(both, dist.ReduceOp.MAX).tolist()
        if highest != -lowest:
            raise ValueError(
                f"{what} is between {-lowest} and {highest} on {self.count} ranks: their machines "
                "do not see the same folder; give one on storage that all of them share"
            )

    def _reduced(self, values: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
        if self.count > 1:
            dist.all_reduce(values, how)
        return values


ALONE = Ranks()
