"""GPUs are read through NVIDIA's library, as far as it knows.

There is no GPU where these tests run: a stand-in answers as the library does, by its own names, units
(bytes, millijoules) and errors. One test compares these names with the real package, where that is installed.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

from gemma_eval.measure.gpu import Device, Gpus, Nvml, find, installed
from tests import required


class NvmlError(Exception):
    """What the library raises: NVML_ERROR_NOT_SUPPORTED and the like."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeProcess:
    """A process on a GPU."""

    pid: int
    usedGpuMemory: int | None  # noqa: N815 - the library's name


@dataclass(kw_only=True)
class FakeNvml:
    """A library that knows as many GPUs as `used` has entries; each says which process holds how much."""

    used: list[dict[int, int | None]] = field(default_factory=list)
    energy_mj: Sequence[int | None] = ()
    names: Sequence[str | bytes] = ("Example 9000",)
    driver: str | bytes | None = "555.42"
    has_driver: bool = True
    NVMLError: type[Exception] = NvmlError

    def nvmlInit(self) -> None:  # noqa: N802
        """Fail where there is no driver, as NVML_ERROR_LIBRARY_NOT_FOUND."""
        if not self.has_driver:
            raise NvmlError

    def nvmlSystemGetDriverVersion(self) -> str | bytes:  # noqa: N802
        """Return the version."""
        if self.driver is None:
            raise NvmlError
        return self.driver

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Count the GPUs."""
        return len(self.used)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802
        """Return a handle: here the index."""
        return index

    def nvmlDeviceGetName(self, handle: Device) -> str | bytes:  # noqa: N802
        """Return the name of a kind."""
        assert isinstance(handle, int)
        return self.names[handle % len(self.names)]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Device) -> list[FakeProcess]:  # noqa: N802
        """List who computes there."""
        assert isinstance(handle, int)
        return [FakeProcess(pid=pid, usedGpuMemory=held) for pid, held in self.used[handle].items()]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Device) -> int:  # noqa: N802
        """Return the counter; older GPUs have none."""
        assert isinstance(handle, int)
        counter = self.energy_mj[handle] if handle < len(self.energy_mj) else None
        if counter is None:
            raise NvmlError
        return counter


def gpus_of(library: FakeNvml) -> Gpus:
    """Return the GPUs of a library that has some."""
    found = find(library)
    assert found is not None
    return found


def test_the_memory_of_given_processes_is_summed_on_each_gpu() -> None:
    """Others on the same GPU are left out, and so is a GPU without ours."""
    gpus = gpus_of(FakeNvml(used=[{10: 500, 11: 50, 99: 7}, {99: 800}]))
    assert gpus.used({10, 11}) == {0: 550}
    assert gpus.used(()) == {}


def test_memory_that_the_driver_does_not_know_is_not_zero() -> None:
    """As where it keeps no account of processes."""
    assert gpus_of(FakeNvml(used=[{10: 500, 11: None}])).used({10, 11}) == {}


def test_energy_is_read_of_every_gpu_that_counts_it() -> None:
    """None for one that does not."""
    assert gpus_of(FakeNvml(used=[{}, {}], energy_mj=[1234, None])).energy_mj() == (1234, None)


def test_gpus_are_described_by_name_and_driver() -> None:
    """Older versions of the package give bytes."""
    library = FakeNvml(used=[{}, {}], names=("Example 9000", b"Example 1"), driver=b"1.2")
    assert gpus_of(library).describe() == {"gpu": "Example 9000, Example 1", "gpu_driver": "1.2"}
    assert gpus_of(FakeNvml(used=[{}], driver=None)).describe() == {"gpu": "Example 9000"}


def test_no_driver_and_no_gpu_are_no_error() -> None:
    """There is nothing to tell."""
    assert find(FakeNvml(has_driver=False)) is None
    assert find(FakeNvml(used=[])) is None


def test_a_call_that_fails_leaves_its_value_out() -> None:
    """A GPU may fall off the bus while it is watched."""

    class Broken(FakeNvml):
        def nvmlDeviceGetComputeRunningProcesses(self, handle: Device) -> list[FakeProcess]:  # noqa: N802
            raise NvmlError

        def nvmlDeviceGetName(self, handle: Device) -> str | bytes:  # noqa: N802
            raise NvmlError

    gpus = gpus_of(Broken(used=[{1: 1}]))
    assert gpus.used({1}) == {}
    assert gpus.describe() == {"gpu_driver": "555.42"}


def test_looking_for_gpus_here_is_no_error() -> None:
    """Whatever this machine has; a second look costs nothing."""
    assert installed() is installed()


def missing_of(library: object) -> set[str]:
    """Return the names that we use and a library does not have, or does not take one handle for."""
    names = {name for name in vars(Nvml) if name.startswith("nvml")}
    return {
        name
        for name in names
        if not callable(getattr(library, name, None))
        or len(inspect.signature(getattr(library, name)).parameters)
        != len(inspect.signature(getattr(FakeNvml(), name)).parameters)
    }


def test_the_stand_in_has_the_names_of_the_real_library() -> None:
    """And takes as many arguments; a library that lacks one is found out."""
    real = required.module("pynvml", extra="gpu")
    assert missing_of(real) == set()
    assert issubclass(real.NVMLError, Exception)
    assert missing_of(SimpleNamespace()) != set()
