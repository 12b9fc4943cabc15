"""What holds the bytes that are live at a peak, found without knowing the model."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from cotracker_pipeline.memory.components import BATCH, GRADIENTS, OPTIMISER, PARAMETERS
from cotracker_pipeline.memory.ledger import Ledger
from cotracker_pipeline.memory.modules import NO_CALL, Call

#: Components that are no work of a module.
STATE = (PARAMETERS, GRADIENTS, OPTIMISER, BATCH)
BETWEEN = "between the parts of the model, and the loss"
EVERYTHING_ELSE = "everything else"
#: What holds less than this share of the peak is not told apart.
LEAST_SHARE = 0.01
#: What holds more than this share of the peak is told apart by its parts.
LARGEST_SHARE = 0.4
#: Parts of a holder are named when they hold more than this share of it.
LEAST_SHARE_OF_A_PART = 0.15


class Part(NamedTuple):
    """Some bytes of a holder, and where in it they were allocated."""

    place: str
    bytes: int


class Holder(NamedTuple):
    """Bytes at the peak that belong together.

    Attributes:
        place: a component; or the dotted path of a module, with "*" for its indices where there are more
            modules of its kind.
        bytes: live bytes that were allocated there or in a part of it.
        modules: how many modules ``place`` stands for; 0 for no module.
        calls: how many of their calls the bytes are from.
        parts: the large parts of the modules, the largest first.
    """

    place: str
    bytes: int
    modules: int = 0
    calls: int = 0
    parts: tuple[Part, ...] = ()


class _Scope(NamedTuple):
    """A call on the way from the model to the call that made a block."""

    pattern: str
    module: str
    call: int


class _Block(NamedTuple):
    bytes: int
    scopes: tuple[_Scope, ...]


def peak_holders(ledger: Ledger, calls: Sequence[Call]) -> tuple[Holder, ...]:
    """What holds the bytes at the first of the highest moments of ``ledger``.

    Their bytes sum to the peak. The largest comes first, and everything else last.
    """
    blocks = _live_at_peak(ledger, calls)
    large, small = _told_apart(blocks, 0, _bytes(blocks))
    holders = sorted(large, key=lambda holder: -holder.bytes)
    return (*holders, Holder(EVERYTHING_ELSE, _bytes(small))) if small else tuple(holders)


def _live_at_peak(ledger: Ledger, calls: Sequence[Call]) -> list[_Block]:
    totals = list(accumulate(event.bytes for event in ledger.events))
    end = totals.index(max(totals)) + 1
    live: dict[int, int] = {}
    for block, size in ledger.events[:end]:
        if size > 0:
            live[block] = size
        else:
            del live[block]
    component_of = {block: ledger.notes[block].component for block in live}
    component_of.update(
        {change.block: change.component for change in ledger.relabellings if change.position < end}
    )
    return [
        _Block(size, _scopes(component_of[block], ledger.notes[block].call, calls))
        for block, size in live.items()
    ]


def _scopes(component: str, call: int, calls: Sequence[Call]) -> tuple[_Scope, ...]:
    """From the outermost to the innermost; never empty."""
    if component in STATE:
        return (_Scope(component, "", NO_CALL),)
    scopes = []
    while call != NO_CALL:
        module, part_of = calls[call]
        # the model itself has no path
        if module:
            scopes.append(_Scope(_pattern(module), module, call))
        call = part_of
    return tuple(reversed(scopes)) or (_Scope(BETWEEN, "", NO_CALL),)


def _pattern(module: str) -> str:
    return ".".join("*" if name.isdecimal() else name for name in module.split("."))


def _told_apart(blocks: list[_Block], depth: int, total: int) -> tuple[list[Holder], list[_Block]]:
    """Holders of what is large at ``depth``, and the blocks that are left; above it all are the same."""
    holders: list[Holder] = []
    small: list[_Block] = []
    for pattern, group in _groups(blocks, depth).items():
        if not pattern or _bytes(group) < LEAST_SHARE * total:
            small += group
            continue
        large, rest = (
            _told_apart(group, depth + 1, total) if _bytes(group) > LARGEST_SHARE * total else ([], group)
        )
        holders += large
        if rest:
            holders.append(_holder(rest, depth, "the rest of " if large else ""))
    return holders, small


def _holder(blocks: list[_Block], depth: int, prefix: str) -> Holder:
    scopes = {block.scopes[depth] for block in blocks}
    modules = {scope.module for scope in scopes if scope.module}
    one = next(iter(scopes))
    place = one.module if len(modules) == 1 else one.pattern
    calls = len(scopes) if modules else 0
    return Holder(
        prefix + place, _bytes(blocks), len(modules), calls, () if prefix else _parts(blocks, depth)
    )


def _parts(blocks: list[_Block], depth: int) -> tuple[Part, ...]:
    whole = blocks[0].scopes[depth].pattern + "."
    parts = [
        Part(pattern.removeprefix(whole), _bytes(group))
        for pattern, group in _groups(blocks, depth + 1).items()
        # a part that is only a number says nothing
        if pattern not in ("", whole + "*") and _bytes(group) > LEAST_SHARE_OF_A_PART * _bytes(blocks)
    ]
    return tuple(sorted(parts, key=lambda part: -part.bytes))


def _groups(blocks: Sequence[_Block], depth: int) -> dict[str, list[_Block]]:
    """By pattern at ``depth``; "" for blocks of no call so deep."""
    groups = defaultdict(list)
    for block in blocks:
        groups[block.scopes[depth].pattern if depth < len(block.scopes) else ""].append(block)
    return groups


def _bytes(blocks: Sequence[_Block]) -> int:
    return sum(block.bytes for block in blocks)
