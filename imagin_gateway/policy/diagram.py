"""The whole space of situations as one decision diagram: a table whose equal parts are shared.

A node is a tuple with one child per value of its dimension; after the last dimension
comes the number of the first entry that fits. Every situation has its own path, so
walking the diagram is going through the whole product (hundreds of millions of
situations) in the time its few thousand distinct parts take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from imagin_gateway.policy.facts import Box
from imagin_gateway.policy.vocabulary import DIMENSIONS

NOTHING: Final = -1
"""Leaf of a situation that no entry fits."""

Node = Any
"""A tuple of nodes, or the number of an entry, or `NOTHING`."""

DEPTH: Final = len(DIMENSIONS)


def build(boxes: Sequence[Box]) -> tuple[Node, frozenset[int]]:
    """Return the diagram of these boxes in order, and the numbers of those that some situation reaches first."""
    accepts = [[0] * len(dimension) for dimension in DIMENSIONS]
    free_from = [0] * DEPTH + [(1 << len(boxes)) - 1]
    for number, box in enumerate(boxes):
        bit, constrained = 1 << number, -1
        for depth, mask in enumerate(box):
            for ordinal in range(len(DIMENSIONS[depth])):
                if mask >> ordinal & 1:
                    accepts[depth][ordinal] |= bit
            if mask != (1 << len(DIMENSIONS[depth])) - 1:
                constrained = depth
        for depth in range(constrained + 1, DEPTH):
            free_from[depth] |= bit
    known: dict[tuple[int, int], Node] = {}
    reached: set[int] = set()

    def node(depth: int, alive: int) -> Node:
        sure = alive & free_from[depth]
        if sure:  # nothing after the first entry without further condition can answer here
            alive &= ((sure & -sure) << 1) - 1
        if depth == DEPTH:
            number = alive.bit_length() - 1  # that left one, or NOTHING
            reached.add(number)
            return number
        key = (depth, alive)
        if key not in known:
            known[key] = tuple([node(depth + 1, alive & accept) for accept in accepts[depth]])
        return known[key]

    return node(0, (1 << len(boxes)) - 1), frozenset(reached - {NOTHING})


def find(root: Node, wanted: Callable[[int], bool], box: Box | None = None) -> tuple[int, ...] | None:
    """Return the ordinals of a situation (inside `box`) whose entry is wanted, as unknown as can be; or None."""
    barren: set[tuple[int, int]] = set()

    def search(node: Node, depth: int) -> tuple[int, ...] | None:
        if depth == DEPTH:
            return () if wanted(node) else None
        if (depth, id(node)) in barren:
            return None
        for ordinal, child in enumerate(node):  # UNKNOWN comes first
            if box is None or box[depth] >> ordinal & 1:
                rest = search(child, depth + 1)
                if rest is not None:
                    return (ordinal, *rest)
        barren.add((depth, id(node)))
        return None

    return search(root, 0)


def leaves(root: Node) -> Iterator[tuple[int, int]]:
    """Yield each entry number that occurs, with how many situations it answers."""
    counts: dict[int, dict[int, int]] = {}

    def count(node: Node, depth: int) -> dict[int, int]:
        if depth == DEPTH:
            return {node: 1}
        if id(node) not in counts:
            total: dict[int, int] = {}
            for child in node:
                for leaf, amount in count(child, depth + 1).items():
                    total[leaf] = total.get(leaf, 0) + amount
            counts[id(node)] = total
        return counts[id(node)]

    yield from sorted(count(root, 0).items())
