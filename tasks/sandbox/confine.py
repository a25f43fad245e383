"""The walls: how a process is confined, by the strongest means this machine has.

`bubblewrap` > `namespaces` (unshare) > `limits` (resource limits only, refused unless asked for). The first two give
no network, a file system of the interpreter alone (read-only, no home, no /etc), a process tree of its own that dies
as a whole, a user of its own without capabilities, and an empty temporary directory in memory. Under all of them the
processes end with the one that started them.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.errors import TasksError

INSIDE = Path(__file__).parent / "inside"
PACKAGES = ("numpy", "numpy.libs")  # beyond the standard library, if installed
TMP_BYTES, SHM_BYTES = 64 * 1024 * 1024, 16 * 1024 * 1024
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/tmp", "OPENBLAS_NUM_THREADS": "1"}
ALLOW = "HARNESS_ALLOW_UNCONFINED_CODE"  # set to 1 by --allow-unconfined-code, so that worker processes know
ROOTS = ("/mnt", "/media", "/srv", "/tmp", "/home", "/opt")  # where an own root may be built, in an own namespace
NAMES = ("bubblewrap", "namespaces", "limits")

_uids = itertools.count(random.randrange(0, 1 << 20))
_lock = threading.Lock()


@dataclass(frozen=True)
class Confinement:
    """One way to confine a process. name: one of NAMES. drops_user: the process gets a user id of its own."""

    name: str
    drops_user: bool = False

    def command(self, script: str, arguments: list[str]) -> list[str]:
        """The command line that runs `inside/SCRIPT` confined."""
        python = [interpreter(), "-I", "-S", "-B", "-X", "utf8"]
        user = _as_nobody() if self.drops_user else _WITHOUT_CAPABILITIES
        if self.name == "limits":
            reaper = [*python, str(INSIDE / "reaper.py"), str(os.getpid())]
            reaped = [*reaper, *python, str(INSIDE / script), *arguments]
            return [*user, *reaped] if self.drops_user else reaped
        inner = [*user, *python, f"/inside/{script}", *arguments]
        if self.name == "bubblewrap":
            return [*_bubblewrap(self.drops_user), "--", *inner]
        return [*_unshare(self.drops_user), "sh", "-euc", _enclosure(), "enclose", *inner]

    @property
    def description(self) -> str:
        """What a run records: the walls, and what `memory_mb` limits."""
        return f"{self.name}, memory limited per process"

    @property
    def packages(self) -> str:
        """The folder of the importable packages, as the confined process sees it ('' for none)."""
        if self.name == "limits":
            return site_packages() if _installed() else ""
        return "/packages" if _installed() else ""


_WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]


def _as_nobody() -> list[str]:
    with _lock:
        uid = str(1_000_000_000 + next(_uids) % (1 << 20))  # of its own, so that process limits count only its children
    ids = ["--reuid", uid, "--regid", uid, "--clear-groups"]
    return ["setpriv", *ids, *_WITHOUT_CAPABILITIES[1:]]


@cache
def interpreter() -> str:
    """The real path of the Python that runs the checks (not a virtual environment's link)."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


@cache
def site_packages() -> str:
    """Where this environment's packages are."""
    return sysconfig.get_paths()["purelib"]


def _installed() -> list[Path]:
    return [path for name in PACKAGES if (path := Path(site_packages()) / name).is_dir()]


def _seen() -> list[tuple[str, str]]:
    """(folder, folder as seen inside) of everything a confined process can read."""
    folders = [folder for folder in SYSTEM if Path(folder).is_dir() and not Path(folder).is_symlink()]
    prefix = os.path.realpath(sys.base_prefix)
    if not prefix.startswith("/usr/") and prefix != "/usr":
        folders.append(prefix)
    seen = [(folder, folder) for folder in folders]
    return [*seen, (str(INSIDE), "/inside"), *((str(path), f"/packages/{path.name}") for path in _installed())]


def _links() -> Iterator[tuple[str, str]]:
    """(target, link) of the system's merged folders, /bin -> usr/bin."""
    for folder in SYSTEM:
        if Path(folder).is_symlink():
            yield os.readlink(folder), folder


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in reversed(Path(path).parents) if str(parent) != "/"]


def _bubblewrap(root: bool) -> list[str]:
    command = ["bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--new-session", "--die-with-parent", "--cap-drop", "ALL"]
    if root:  # what setpriv needs to give the last of it away
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    made: set[str] = set()
    for folder, inside in _seen():
        for parent in _parents(inside):
            if parent not in made:  # bubblewrap would give a private parent (/root) its private mode
                command += ["--dir", parent]
                made.add(parent)
        command += ["--ro-bind", folder, inside]
        made.add(inside)
    for target, link in _links():
        command += ["--symlink", target, link]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/tmp", TMP_BYTES), ("/dev/shm", SHM_BYTES)):
        command += ["--size", str(size), "--tmpfs", folder, "--chmod", "1777", folder]
    return [*command, "--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]


def _unshare(root: bool) -> list[str]:
    spaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL"]
    user = [] if root else ["--user", "--map-root-user"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *user, *spaces]  # dies with us, and its child with it


def _under(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _enclosure() -> str:
    """A shell script that builds a root of its own out of bind mounts, moves into it and runs its arguments."""
    hidden = [place for place in ROOTS if Path(place).is_dir() and not any(_under(f, place) for f, _ in _seen())]
    if not hidden:
        return "exit 1"
    lines = ["mount --make-rprivate /", f"R={hidden[0]}", "mount -t tmpfs -o mode=755,nosuid,nodev tmpfs $R"]
    for folder, inside in _seen():
        target = f"$R{inside}"
        lines += [f"mkdir -p '{target}'".replace("'$R", "$R'"), f"mount --rbind '{folder}' $R'{inside}'"]
        lines += [f"mount -o remount,bind,ro,nosuid,nodev $R'{inside}'"]
    lines += [f"ln -s '{target}' $R'{link}'" for target, link in _links()]
    lines += ["mkdir -p $R/proc $R/dev $R/tmp $R/old", "mount -t proc -o nosuid,nodev,noexec proc $R/proc"]
    for device in ("null", "zero", "full", "random", "urandom"):
        lines += [f": > $R/dev/{device}", f"mount --bind /dev/{device} $R/dev/{device}"]
    lines += ["mkdir $R/dev/shm"]
    for folder, size in (("/tmp", TMP_BYTES), ("/dev/shm", SHM_BYTES)):
        lines += [f"mount -t tmpfs -o mode=1777,nosuid,nodev,size={size} tmpfs $R{folder}"]
    lines += ["cd $R", "pivot_root . old", "umount -l /old", "rmdir /old", "mount -o remount,bind,ro,nosuid,nodev /"]
    return "\n".join([*lines, "cd /tmp", '"$@"', "exit $?"])  # the shell is process 1, which signals do not kill


def _works(confinement: Confinement) -> bool:
    needs = {"bubblewrap": ["bwrap", "setpriv"], "namespaces": ["unshare", "setpriv", "pivot_root"]}
    if sys.platform != "linux" or any(shutil.which(tool) is None for tool in needs.get(confinement.name, [])):
        return False
    try:
        done = subprocess.run(
            confinement.command("probe.py", []),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            env=ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == (b"unconfined" if confinement.name == "limits" else b"confined")


@cache
def available() -> tuple[Confinement, ...]:
    """Every confinement that works on this machine (tried by running a probe in it), the strongest first.

    Resource limits alone never run code as root: root can write to every file and every process's descriptors.
    """
    found = []
    root = os.geteuid() == 0
    for name in NAMES:
        for drops_user in ((True,) if name == "limits" else (True, False)) if root else (False,):
            candidate = Confinement(name, drops_user)
            if _works(candidate):
                found.append(candidate)
                break
    return tuple(found)


def choose(name: str | None = None, allow_unconfined: bool = False) -> Confinement:
    """The strongest confinement, or the named one; raises TasksError when only `limits` is left and not allowed."""
    works = available()
    usable = [one for one in works if name in (None, one.name)]
    allowed = allow_unconfined or os.environ.get(ALLOW) == "1"
    if usable and (usable[0].name != "limits" or allowed):
        return usable[0]
    if usable:
        raise TasksError(
            "Generated code cannot be confined on this machine: neither bubblewrap nor user namespaces work. "
            "Install bubblewrap, or accept resource limits alone with --allow-unconfined-code."
        )
    if name is not None and works:
        raise TasksError(f"The confinement {name!r} does not work here; these do: {', '.join(c.name for c in works)}.")
    raise TasksError(
        "Generated code cannot be run on this machine: no confinement works, and as root resource limits alone are "
        "refused. Install bubblewrap, or run as an ordinary user whose Python other users can read."
    )
