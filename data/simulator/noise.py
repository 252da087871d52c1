"""Random numbers that can be asked for at any place, in any order.

Every number is a function of (seed, symbol, kind, index) alone. No price or volume is
made here.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NODES_PER_BLOCK = 256


class Noise:
    """Give the random numbers of one symbol; equal arguments give equal numbers."""

    def __init__(self, seed: int, symbol: str) -> None:
        self._prefix = f"{seed}/{symbol}"
        self._block: Callable[[str, int], Floats] = lru_cache(maxsize=512)(self._draw_block)

    def generator(self, kind: str, index: int) -> np.random.Generator:
        """Return a fresh generator for one block of one kind of noise."""
        text = f"{self._prefix}/{kind}/{index}".encode()
        key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
        return np.random.Generator(np.random.Philox(key=key))

    def nodes(self, kind: str, first: int, count: int) -> Floats:
        """Return independent standard normal numbers for the indices from `first` on."""
        first_block = first // _NODES_PER_BLOCK
        last_block = (first + count - 1) // _NODES_PER_BLOCK
        blocks = [self._block(kind, index) for index in range(first_block, last_block + 1)]
        start = first - first_block * _NODES_PER_BLOCK
        joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return joined[start : start + count]

    def lattice(self, kind: str, positions: Floats) -> Floats:
        """Return smooth noise: normal numbers at whole positions, blended between them."""
        floor = np.floor(positions)
        first = int(floor[0])
        nodes = self.nodes(kind, first, int(floor[-1]) - first + 2)
        below = floor.astype(np.int64) - first
        along = positions - floor
        weight = along * along * (3.0 - 2.0 * along)
        blended: Floats = nodes[below] * (1.0 - weight) + nodes[below + 1] * weight
        return blended

    def _draw_block(self, kind: str, block: int) -> Floats:
        return self.generator(f"nodes-{kind}", block).standard_normal(_NODES_PER_BLOCK)


def bridge(start: float, end: float, steps: Floats, variances: Floats) -> Floats:
    """Return the path from `start` to `end` along `steps`; the misfit goes where variance is.

    The path has one value more than `steps`; its first and last are exactly the ends.
    """
    share = np.cumsum(variances)
    share /= share[-1]
    walk = np.cumsum(steps)
    path = np.empty(len(steps) + 1)
    path[0] = start
    path[1:] = start + walk + share * (end - start - walk[-1])
    path[-1] = end
    return path
