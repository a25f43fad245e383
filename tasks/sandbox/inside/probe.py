"""Run once per confinement, inside, by path: says `confined` if the walls stand, else `unconfined`."""

from __future__ import annotations

import os
import socket
import tempfile


def walls() -> bool:
    """Whether nothing outside can be written, seen or reached."""
    try:
        with open("/usr/x-harness-probe", "w"):
            return False
    except OSError:
        pass
    with tempfile.TemporaryFile(dir="/tmp") as file:  # a name of its own: under `limits` this is everybody's /tmp
        file.write(b"the temporary directory can be written")
    with open("/proc/self/status") as file:
        status = file.read()
    powerless = "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status
    interfaces = {name for _, name in socket.if_nameindex()} <= {"lo", "sit0", "tunl0", "ip6tnl0", "gre0"}
    return powerless and interfaces and not os.path.exists("/etc/passwd") and len(_processes()) < 8


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


print("confined" if walls() else "unconfined")
