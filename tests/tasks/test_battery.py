"""The whole battery of attacks, then a look around: nothing runs, nothing outside has changed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks import sandbox
from tasks.sandbox.confine import available
from tasks.sandbox.run import MARK
from tests.tasks.attacks import ATTACKS, TEST, Attack
from tests.tasks.processes import left_running, wait_until

WALLS = [one.name for one in available()]
SLEEP = f"31337.{os.getpid()}"


def test_no_attack_has_passed_as_an_outcome_and_names_are_unique() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) > 70
    assert all("passed" not in attack.outcomes and attack.outcomes for attack in ATTACKS)
    assert all(set(attack.outcomes) <= set(sandbox.OUTCOMES) for attack in ATTACKS)


@pytest.fixture
def listener() -> Iterator[tuple[socket.socket, socket.socket, int]]:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield tcp, udp, tcp.getsockname()[1]


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(file): (file.stat().st_mode, file.read_bytes()) for file in sorted(folder.rglob("*")) if file.is_file()}


def battery(attacks: list[Attack], walls: str, canary: Path, port: int) -> list[tuple[Attack, sandbox.Verdict]]:
    fields = {"canary": str(canary), "home": str(Path.home()), "port": str(port), "sleep": SLEEP}

    def one(attack: Attack) -> sandbox.Verdict:
        program = attack.program
        for name, value in fields.items():
            program = program.replace("{" + name + "}", value)
        return sandbox.check(program, TEST, "f", timeout=3, memory_mb=512, confinement=walls, allow_unconfined=True)

    with ThreadPoolExecutor(2) as pool:
        return list(zip(attacks, pool.map(one, attacks), strict=True))


@pytest.mark.parametrize("walls", ["bubblewrap", pytest.param("namespaces", marks=pytest.mark.slow), "limits"])
def test_battery(walls: str, listener: tuple[socket.socket, socket.socket, int], tmp_path: Path) -> None:
    if walls not in WALLS:
        pytest.skip(f"{walls} does not work on this machine")
    tcp, udp, port = listener
    (tmp_path / "secret").write_text("CANARY")
    watched = [tmp_path, Path(sandbox.__file__).parent]
    before = [tree(folder) for folder in watched]
    attacks = [attack for attack in ATTACKS if attack.limits or walls != "limits"]
    results = battery(attacks, walls, tmp_path, port)
    wrong = [
        f"{attack.name}: {verdict.outcome} ({verdict.detail}), not {' or '.join(attack.outcomes)}"
        for attack, verdict in results
        if verdict.outcome not in attack.outcomes or verdict.confinement != walls
    ]
    for attack, verdict in results:
        print(f"| {attack.name} | {verdict.outcome} | {verdict.detail[:70]} | {verdict.confinement} |")
    assert not wrong, "\n".join(wrong)
    assert [tree(folder) for folder in watched] == before
    for receiver in (tcp.accept, lambda: udp.recv(10)):
        with pytest.raises(BlockingIOError):
            receiver()
    marks = (f"{MARK} ", f"sleep {SLEEP}")
    assert wait_until(lambda: not left_running(*marks), 5), left_running(*marks)


def test_the_right_program_passes_where_the_attacks_fail() -> None:
    for walls in WALLS:
        verdict = sandbox.check("def f(x):\n    return x * x", TEST, "f", confinement=walls, allow_unconfined=True)
        assert verdict.passed, verdict
