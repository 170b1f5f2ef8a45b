"""Simulated memory: regions with addresses, poisoned when new, that know who touches them and in what order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.sim.clocks import HOST, Clocks

POISON = 0xFF  # of every byte: NaN in every floating type
_ALIGNMENT, _GAP = 512, 4096
_FIRST_ADDRESS = 0x7_0000_0000


@dataclass(frozen=True)
class Access:
    """What an action does with bytes [low, high) of a region; see clocks.py for actor and number."""

    actor: int
    number: int
    write: bool
    low: int
    high: int
    what: str


@dataclass
class Region:
    """kind: "device" or "page-locked". device_address: where a kernel sees it; 0 for page-locked and not mapped."""

    kind: str
    size: int
    device_address: int
    bytes: np.ndarray
    owner: str = ""
    freed: bool = False
    accesses: list[Access] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind} memory of {self.size} bytes{f' ({self.owner})' if self.owner else ''}"


class Memory:
    """All regions. Addresses are never used twice, so that a stale one is always found."""

    def __init__(self, clocks: Clocks, fault: Callable[[str], None]) -> None:
        self._clocks, self._fault = clocks, fault
        self._addresses: list[int] = []
        self._at: dict[int, Region] = {}
        self._next = _FIRST_ADDRESS
        self.live: list[Region] = []
        self.lost = False  # the device is: nothing is under way any more

    def allocate(self, kind: str, size: int, *, mapped: bool = True, owner: str = "") -> Region:
        address = self._next if mapped else 0
        region = Region(kind, size, address, np.full(size, POISON, np.uint8), owner)
        if mapped:
            self._addresses.append(address)
            self._at[address] = region
        self._next += -(-size // _ALIGNMENT) * _ALIGNMENT + _GAP
        self.live.append(region)
        return region

    def free(self, region: Region) -> None:
        """A fault where it is free already, or where an action on it may still be under way."""
        if region.freed:
            return self._fault(f"{region} is freed twice")
        region.freed = True
        self.live = [other for other in self.live if other is not region]
        for access in region.accesses if not self.lost else ():
            if not self._clocks.is_over(access.actor, access.number, HOST):
                return self._fault(f"{region} is freed while {access.what} may still use it")
        return None

    def find(self, address: int, size: int, what: str) -> tuple[Region, int]:
        """The region that holds [address, address + size), and where in it; a fault where none does."""
        place = bisect_right(self._addresses, address) - 1
        region = self._at[self._addresses[place]] if place >= 0 else None
        offset = address - region.device_address if region else 0
        if region is None or offset + size > region.size:
            self._fault(f"{what} reaches outside every allocation at {address:#x}")
        assert region is not None
        if region.freed:
            self._fault(f"{what} uses freed {region}")
        return region, offset

    def touch(self, region: Region, access: Access) -> None:
        """Note the access; a fault where another one is not surely over and one of the two writes."""
        if region.freed:
            self._fault(f"{access.what} uses freed {region}")
        for other in region.accesses:
            overlap = other.low < access.high and access.low < other.high
            if overlap and (access.write or other.write) and not self._over(other, access):
                self._fault(_race(region, access, other))
        region.accesses = [other for other in region.accesses if not self._stands_for(access, other)] + [access]

    def _over(self, other: Access, access: Access) -> bool:
        return self._clocks.is_over(other.actor, other.number, access.actor)

    def _stands_for(self, access: Access, other: Access) -> bool:
        """Whatever conflicts with the earlier one and comes later also conflicts with this one."""
        covered = access.low <= other.low and other.high <= access.high
        return covered and (access.write or not other.write) and self._over(other, access)


def _race(region: Region, access: Access, other: Access) -> str:
    verb = {True: "writes", False: "reads"}
    if access.actor == HOST:
        return f"the host {verb[access.write]} {region} before {other.what} was waited for"
    return f"{access.what} {verb[access.write]} {region} without an event that orders it after {other.what}"
