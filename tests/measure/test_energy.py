"""Energy is the difference of counters: which ones count, and what happens when one begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.measure.energy import Energy, EnergyWatch, Zone, zones
from tests.measure.made_up import write
from tests.measure.test_gpu import FakeNvml, gpus_of

POWERCAP = "sys/class/powercap"


def domain(folder: str, name: str, uj: int, *, highest: int = 262_143_328_850) -> dict[str, str]:
    """Return the files of a domain, as the driver intel_rapl_common has them."""
    return {
        f"{POWERCAP}/{folder}/name": f"{name}\n",
        f"{POWERCAP}/{folder}/energy_uj": f"{uj}\n",
        f"{POWERCAP}/{folder}/max_energy_range_uj": f"{highest}\n",
    }


def test_packages_and_their_memory_count_and_nothing_that_holds_or_repeats_them(tmp_path: Path) -> None:
    """The cores are a part of the package, psys is the whole machine, mmio is the package once more."""
    write(tmp_path, domain("intel-rapl:0", "package-0", 1) | domain("intel-rapl:1", "package-1", 1))
    write(tmp_path, domain("intel-rapl:0:0", "core", 1) | domain("intel-rapl:0:1", "dram", 1))
    write(tmp_path, domain("intel-rapl:2", "psys", 1) | domain("intel-rapl-mmio:0", "package-0", 1))
    found = {zone.counter.parent.name for zone in zones(tmp_path)}
    assert found == {"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:1"}


def test_a_domain_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    """On most systems only root may; the folder is there all the same."""
    write(tmp_path, domain("intel-rapl:0", "package-0", 1))
    (tmp_path / POWERCAP / "intel-rapl:0/energy_uj").unlink()
    assert zones(tmp_path) == ()
    assert zones(tmp_path / "absent") == ()


def test_what_is_taken_is_the_difference_in_joules(tmp_path: Path) -> None:
    """Summed over the domains."""
    write(tmp_path, domain("intel-rapl:0", "package-0", 1_000_000) | domain("intel-rapl:1", "package-1", 5))
    watch = EnergyWatch(zones=zones(tmp_path), gpus=None)
    write(tmp_path, domain("intel-rapl:0", "package-0", 3_500_000) | domain("intel-rapl:1", "package-1", 5))
    assert watch.end(on_gpus=()) == Energy(joules=2.5, source="rapl")


def test_a_counter_that_began_anew_goes_on_where_it_ended() -> None:
    """After its highest value comes 0; the plain difference would be negative."""
    zone = Zone(counter=Path("unused"), highest_uj=9_999_999)
    assert zone.joules(9_000_000, 1_500_000) == pytest.approx(2.5)
    assert (1_500_000 - 9_000_000) / 1e6 == -7.5


def test_a_domain_that_vanishes_leaves_the_energy_unknown(tmp_path: Path) -> None:
    """A sum over the rest would be too small."""
    write(tmp_path, domain("intel-rapl:0", "package-0", 1) | domain("intel-rapl:1", "package-1", 1))
    watch = EnergyWatch(zones=zones(tmp_path), gpus=None)
    (tmp_path / POWERCAP / "intel-rapl:1/energy_uj").unlink()
    assert watch.end(on_gpus=()) == Energy(joules=None, source=None)


def test_of_gpus_those_count_that_were_used() -> None:
    """The counter is in millijoules; a GPU without one leaves the energy unknown."""
    nvml = FakeNvml(used=[{}, {}, {}], energy_mj=[1000, 2000, None])
    watch = EnergyWatch(zones=(), gpus=gpus_of(nvml))
    nvml.energy_mj = [1500, 9000, None]
    assert watch.end(on_gpus={0}) == Energy(joules=0.5, source="nvml")
    assert watch.end(on_gpus={0, 1}) == Energy(joules=7.5, source="nvml")
    assert watch.end(on_gpus={0, 2}) == Energy(joules=None, source=None)
    assert watch.end(on_gpus=()) == Energy(joules=None, source=None)
