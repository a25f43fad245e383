"""The processes of a check end with the process that started them, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.sandbox.confine import available
from tests.tasks.processes import left_running, wait_until

WALLS = [one.name for one in available()]
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP]
SLEEP = "41773"
# deaf to every signal it can ignore, with a daemon of its own and one of another program
STUBBORN = f"""
import os, signal, subprocess
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
subprocess.Popen(['sleep', '{SLEEP}.{{pid}}'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    while True: signal.pause()
while True: pass
"""
CALLER = """
import os, sys
from tasks import sandbox
program = sys.argv[2].replace('{pid}', str(os.getpid()))
if sys.argv[3] == 'thread':
    import threading
    run = lambda: sandbox.check(program, 'pass', timeout=600, cpu_seconds=600, confinement=sys.argv[1],
                                allow_unconfined=True)
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
else:
    sandbox.check(program, 'pass', timeout=600, cpu_seconds=600, confinement=sys.argv[1], allow_unconfined=True)
"""


def start(walls: str, how: str, program: str = STUBBORN) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", CALLER, walls, program, how], cwd=root)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
@pytest.mark.parametrize("walls", WALLS)
def test_killing_the_caller_ends_everything_it_started(walls: str, number: signal.Signals) -> None:
    caller = start(walls, "thread" if number is signal.SIGKILL else "main")
    marks = (f"sandbox-of-{caller.pid} ", f"sleep {SLEEP}.{caller.pid}")
    try:
        assert wait_until(lambda: any("sleep" in line for line in left_running(marks[1])), 60), "it never started"
        assert len(left_running(*marks)) >= 4  # checker, candidate, its daemon and the other program, at the least
    finally:
        os.kill(caller.pid, number)
        assert caller.wait() == -number
    assert wait_until(lambda: not left_running(*marks), 10), left_running(*marks)


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15])
@pytest.mark.parametrize("walls", WALLS)
def test_a_caller_killed_while_a_check_starts_leaves_nothing(walls: str, moment: float) -> None:
    caller = start(walls, "main")
    marks = (f"sandbox-of-{caller.pid} ", f"sleep {SLEEP}.{caller.pid}")
    try:
        assert wait_until(lambda: bool(left_running(*marks)), 60), "it never started"
        time.sleep(moment)
    finally:
        caller.kill()
        caller.wait()
    assert wait_until(lambda: not left_running(*marks), 10), left_running(*marks)
