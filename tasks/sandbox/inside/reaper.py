"""Without namespaces: run a command and, at its end or its parent's, kill everything it ever started.

A child subreaper inherits daemonised grandchildren, so they can be found and killed. This file is run by path:
`reaper.py PARENT COMMAND …`; it also ends when PARENT, the process id of the one that starts it, does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36


def descendants() -> list[int]:
    """Every process whose line of parents leads here."""
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parent[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    found: list[int] = []
    level = [os.getpid()]
    while level:
        level = [child for child, above in parent.items() if above in level]
        found += level
    return found


def sweep(*_: object) -> None:
    """Stop, then kill, until nothing is left."""
    while left := descendants():
        for action in (signal.SIGSTOP, signal.SIGKILL):
            for process in left:
                with contextlib.suppress(OSError):
                    os.kill(process, action)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def main() -> None:
    """Fork the command, wait for it, sweep, and end as it ended."""
    libc = ctypes.CDLL(None)
    libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def stop(*_: object) -> None:
        sweep()
        os._exit(128 + signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    libc.prctl(SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):  # it ended before the signal was asked for
        os._exit(128 + signal.SIGKILL)
    here = os.getpid()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        libc.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == here:
            os.execv(sys.argv[2], sys.argv[2:])
        os._exit(128 + signal.SIGKILL)
    while True:
        process, status = os.waitpid(-1, 0)
        if process == child:
            break
    sweep()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


main()
