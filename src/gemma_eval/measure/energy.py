"""The energy that processors and GPUs take while something runs, from counters of their own.

    rapl  the processor packages and their memory, where /sys/class/powercap may be read: on most systems by
          root alone. The domain psys holds the packages, and intel-rapl-mmio repeats them; both are left out
    nvml  the GPUs that the watched processes were seen on

The counters are of the whole device: what else runs there is in them.
Source: torvalds/linux:Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gemma_eval.measure.gpu import Gpus
from gemma_eval.measure.kernel_files import number, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Energy:
    """Joules, and what measured them: *rapl*, *nvml*, or both as *rapl+nvml*; `None` when nothing did."""

    joules: float | None
    source: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A domain of the processor with a counter in microjoules, which begins anew after `highest_uj`."""

    counter: Path
    highest_uj: int

    def read_uj(self) -> int | None:
        """Return the counter, `None` when it cannot be read."""
        return number(self.counter)

    def joules(self, before_uj: int, after_uj: int) -> float:
        """Return what was taken between two readings, of which the later may have begun anew once."""
        return (after_uj - before_uj) % (self.highest_uj + 1) / 1e6


@cache
def zones(root: Path = Path("/")) -> tuple[Zone, ...]:
    """Return the domains that may be read and do not hold each other, looked for once."""
    folders = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    found = []
    for folder in folders:
        name, highest = text(folder / "name"), number(folder / "max_energy_range_uj")
        zone = Zone(counter=folder / "energy_uj", highest_uj=highest or 0)
        if name.startswith(("package", "dram")) and highest and zone.read_uj() is not None:
            found.append(zone)
    return tuple(found)


class EnergyWatch:
    """The counters from the moment that this is made to the one that `end` is called."""

    def __init__(self, *, zones: tuple[Zone, ...], gpus: Gpus | None) -> None:
        self._zones = {zone: zone.read_uj() for zone in zones}
        self._gpus = gpus
        self._gpus_mj = gpus.energy_mj() if gpus else ()

    def end(self, *, on_gpus: Collection[int]) -> Energy:
        """Return what was taken since; `on_gpus` are the indices of the GPUs that count."""
        found = {"rapl": self._of_zones(), "nvml": self._of_gpus(on_gpus)}
        known = {source: joules for source, joules in found.items() if joules is not None}
        if not known:
            return Energy(joules=None, source=None)
        return Energy(joules=sum(known.values()), source="+".join(known))

    def _of_zones(self) -> float | None:
        taken = [
            zone.joules(before, after)
            for zone, before in self._zones.items()
            if before is not None and (after := zone.read_uj()) is not None
        ]
        return sum(taken) if taken and len(taken) == len(self._zones) else None

    def _of_gpus(self, indices: Collection[int]) -> float | None:
        if self._gpus is None or not indices:
            return None
        pairs = [
            pair
            for index, pair in enumerate(zip(self._gpus_mj, self._gpus.energy_mj(), strict=True))
            if index in indices
        ]
        taken = [after - before for before, after in pairs if before is not None and after is not None]
        return sum(taken) / 1e3 if len(taken) == len(pairs) else None
