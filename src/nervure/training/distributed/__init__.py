"""One network trained by several processes, each on its share of every batch."""

from nervure.training.distributed.network import DistributedNetwork
from nervure.training.distributed.rule import DistributedRule

__all__ = ["DistributedNetwork", "DistributedRule"]
