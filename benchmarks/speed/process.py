"""What a running process has used: CPU time to the nanosecond, memory, threads.

Read from Linux, from outside, so that whatever is measured runs undisturbed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_ns(pid: int) -> int:
    """Return the CPU time, user and system, that a process has used with all its threads.

    Examples
    --------
    >>> cpu_ns(os.getpid()) > 0
    True
    """
    # The kernel numbers a process's CPU clock so (clock_getcpuclockid(3)): ~pid, then the kind.
    return time.clock_gettime_ns((~pid << 3) | 2)


def rss_bytes(pid: int) -> int:
    """Return what a process holds in memory.

    Examples
    --------
    >>> rss_bytes(os.getpid()) > 1_000_000
    True
    """
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no memory any more: it has ended")


def thread_cpu_ns(pid: int, names: Mapping[int | None, str] | None = None) -> dict[str, int]:
    """Return the CPU time of each kind of thread of a process, by the thread's name.

    Numbers at the end of a name are dropped: ``rdk:broker0`` and ``rdk:broker1`` are one kind.

    Parameters
    ----------
    names : mapping, optional
        Better names than the system's, by the thread's id.

    Examples
    --------
    >>> sum(thread_cpu_ns(os.getpid()).values()) > 0
    True
    """
    used: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (names or {}).get(int(task.name)) or (task / "comm").read_text("utf-8").strip()
            spent = int((task / "schedstat").read_text("utf-8").split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended just now
        kind = name.rstrip("0123456789-_")
        used[kind] = used.get(kind, 0) + spent
    return used


def split_cpu_seconds(pid: int) -> tuple[float, float]:
    """Return user and system seconds of a process, in clock ticks.

    Examples
    --------
    >>> user, system = split_cpu_seconds(os.getpid())
    >>> user >= 0.0 and system >= 0.0
    True
    """
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS
