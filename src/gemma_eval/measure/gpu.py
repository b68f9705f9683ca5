"""What NVIDIA's management library tells of the GPUs: their memory that processes hold, and their energy.

The library comes with the driver, and `pynvml` (the package nvidia-ml-py) speaks to it. Where either is
absent, or there is no GPU, there is nothing to tell; that is never an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Protocol, TypeVar, cast

Device = object
"""A handle of the library's."""
T = TypeVar("T")


class Process(Protocol):
    """A process that has a GPU open."""

    @property
    def pid(self) -> int:
        """Its number in the pid namespace that the driver sees."""

    @property
    def usedGpuMemory(self) -> int | None:  # noqa: N802 - the library's name
        """The bytes that it holds, `None` where the driver does not know."""


class Nvml(Protocol):
    """What is used of the module `pynvml`; every call may raise `NVMLError`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:  # noqa: N802
        """Load the driver's library."""

    def nvmlSystemGetDriverVersion(self) -> str | bytes:  # noqa: N802
        """Return the version of the driver."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Return how many GPUs there are."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802
        """Return one of them."""

    def nvmlDeviceGetName(self, handle: Device) -> str | bytes:  # noqa: N802
        """Return the name of its kind."""

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Device) -> Sequence[Process]:  # noqa: N802
        """Return the processes that compute on it."""

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Device) -> int:  # noqa: N802
        """Return the millijoules that it has taken since the driver was loaded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpus:
    """The GPUs of this machine."""

    library: Nvml
    devices: tuple[Device, ...]

    def used(self, pids: Collection[int]) -> dict[int, int]:
        """Return the bytes that processes hold on each GPU, by its index; those with none are left out."""
        held = {}
        for index, device in enumerate(self.devices):
            processes = self._asked(self.library.nvmlDeviceGetComputeRunningProcesses, device) or ()
            of_ours = [process.usedGpuMemory for process in processes if process.pid in pids]
            if of_ours and None not in of_ours:
                held[index] = sum(used or 0 for used in of_ours)
        return held

    def energy_mj(self) -> tuple[int | None, ...]:
        """Return the counter of each GPU in millijoules, `None` where it has none."""
        count = self.library.nvmlDeviceGetTotalEnergyConsumption
        return tuple(self._asked(count, device) for device in self.devices)

    def describe(self) -> dict[str, str]:
        """Return the names of the GPUs and the version of their driver, for the record of the machine."""
        names = [self._asked(self.library.nvmlDeviceGetName, device) for device in self.devices]
        told = {"gpu": ", ".join(_text(name) for name in names if name is not None)}
        with suppress(self.library.NVMLError):
            told["gpu_driver"] = _text(self.library.nvmlSystemGetDriverVersion())
        return {name: text for name, text in told.items() if text}

    def _asked(self, question: Callable[[Device], T], device: Device) -> T | None:
        try:
            return question(device)
        except self.library.NVMLError:
            return None


def find(library: Nvml) -> Gpus | None:
    """Return the GPUs that the library knows, `None` when it cannot work or knows none."""
    try:
        library.nvmlInit()
        handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
    except library.NVMLError:
        return None
    return Gpus(library=library, devices=tuple(handles)) if handles else None


@cache
def installed() -> Gpus | None:
    """Return the GPUs of this machine, looked for once: the library takes its time to start."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old package of the same name warns of itself
            library = import_module("pynvml")
    except ImportError:
        return None
    return find(cast(Nvml, library))


def _text(name: str | bytes) -> str:
    """Return a name as text; older versions of the package give bytes."""
    return name.decode(errors="replace") if isinstance(name, bytes) else name
