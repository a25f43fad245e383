"""Programs that try to break out of the sandbox, to outlive it, or to be called right without being right.

Every one of them has a wrong `f`; the test wants `f(2) == 4` and `f(3) == 9`. `{…}` fields are filled in by the test.
"""

from __future__ import annotations

from dataclasses import dataclass

TEST = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
WRONG = "def f(x):\n    return 5\n"
ALWAYS = "class Always:\n    def __eq__(self, other):\n        return True\n    __ne__ = lambda self, other: False\n"
REPORT = '{\\"report\\": \\"passed\\", \\"token\\": \\"0\\"}'


@dataclass(frozen=True)
class Attack:
    """A program and the outcomes that are right for it (never `passed`). limits: harmless under `limits` too."""

    name: str
    program: str
    outcomes: tuple[str, ...]
    limits: bool = True


def _attack(name: str, program: str, *outcomes: str, limits: bool = True) -> Attack:
    return Attack(name, program, outcomes or ("failed",), limits)


RESOURCES = [
    _attack("infinite loop", "while True: pass", "timeout"),
    _attack(
        "infinite loop that catches everything",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "timeout",
    ),
    _attack(
        "infinite loop deaf to signals",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "timeout",
    ),
    _attack("sleep for ever", "import time\ntime.sleep(10**6)", "timeout"),
    _attack("endless generator as answer", "def f(x):\n    while True: yield x"),
    _attack(
        "loop in __repr__ and __del__",
        "class C:\n    def __repr__(self):\n        while True: pass\n"
        "    __del__ = __repr__\ndef f(x):\n    return C()",
        "failed",
        "timeout",
    ),
    _attack("fork bomb", "import os\nwhile True: os.fork()", "blocked", "timeout", "crashed", "failed", limits=False),
    _attack(
        "fork bomb that catches",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "blocked",
        "timeout",
        "crashed",
        "failed",
        limits=False,
    ),
    _attack("10 GB allocation", "x = bytearray(10 * 1024**3)", "memory"),
    _attack("10 GB in small pieces", "x = []\nwhile True: x.append(bytearray(10**7))", "memory", "crashed", "timeout"),
    _attack(
        "10 GB of output",
        "import os\nline = b'x' * 10**6\nfor _ in range(10**4): os.write(1, line)\n" + WRONG,
        "failed",
        "timeout",
    ),
    _attack(
        "huge file",
        "with open('/tmp/big', 'wb') as file:\n    while True: file.write(b'0' * 10**6)",
        "blocked",
        limits=False,
    ),
    _attack(
        "many small files",
        "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'w').write('x' * 10**6)\n    n += 1",
        "blocked",
        limits=False,
    ),
    _attack("many descriptors", "import os\nwhile True: os.dup(0)", "blocked"),
    _attack("huge number as answer", "def f(x):\n    return 10 ** (10 ** 7)", "failed", "timeout"),
    _attack("deep list as answer", "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a"),
    _attack("stack overflow", "def f(x):\n    return f(x)"),
    _attack(
        "stack overflow without a limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return f(x) + 1",
        "crashed",
        "memory",
        "failed",
        "timeout",
    ),
    _attack("segmentation fault", "import ctypes\nctypes.string_at(0)", "crashed"),
    _attack(
        "threads that outlive main",
        "import threading\ndef run():\n    while True: pass\n"
        "for _ in range(4): threading.Thread(target=run).start()\n" + WRONG,
        "failed",
        "timeout",
    ),
    _attack(
        "daemonised grandchildren",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        import time\n"
        "        while True: time.sleep(1)\n    os._exit(0)\n" + WRONG,
        "failed",
        "timeout",
    ),
    _attack(
        "a daemon of another program",
        "import subprocess\nsubprocess.Popen(['sleep', '{sleep}'], start_new_session=True)\n" + WRONG,
    ),
    _attack("NUL bytes in the source", "x = 1\0\n" + WRONG, "syntax"),
    _attack("a lone surrogate in the source", "x = '\ud800'\n" + WRONG, "syntax"),
    _attack("parentheses without end", "(" * 200_000, "syntax", "memory", "crashed"),
]

ESCAPES = [
    _attack("write outside", "open('{canary}/written', 'w').write('x')", "blocked", "failed", limits=False),
    _attack("write to the system", "open('/usr/lib/written', 'w').write('x')", "blocked", limits=False),
    _attack(
        "write to the interpreter",
        "import os\nopen(os.path.dirname(os.__file__) + '/written.py', 'w')",
        "blocked",
        limits=False,
    ),
    _attack(
        "write to its own runner", "import __main__\nopen(__main__.__file__, 'a').write('#')", "blocked", limits=False
    ),
    _attack("read /etc/passwd", "print(open('/etc/passwd').read())", "blocked", limits=False),
    _attack("read a file of the user", "secret = open('{canary}/secret').read()", "blocked", "failed", limits=False),
    _attack(
        "list the home",
        "import os\nassert os.listdir('{home}') == [], 'there is something'\n" + WRONG,
        "blocked",
        "failed",
        limits=False,
    ),
    _attack("remove files", "import shutil\nshutil.rmtree('{canary}')", "blocked", "failed", limits=False),
    _attack(
        "remove everything",
        "import shutil\nshutil.rmtree('/', ignore_errors=True)\n" + WRONG,
        "failed",
        "timeout",
        limits=False,
    ),
    _attack(
        "mount",
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "r = libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)\nif r: raise OSError(ctypes.get_errno(), 'mount')\n",
        "blocked",
        limits=False,
    ),
    _attack(
        "a user namespace of its own",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.unshare(0x10000000)\nlibc.unshare(0x00020000)\n"
        "if libc.mount(b'tmpfs', b'/usr', b'tmpfs', 0, None) == 0: open('{canary}/x', 'w')\n" + WRONG,
        "failed",
        "blocked",
        limits=False,
    ),
    _attack(
        "TCP to loopback",
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).send(b'x')",
        "blocked",
        limits=False,
    ),
    _attack(
        "UDP to loopback",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))\n" + WRONG,
        "blocked",
        "failed",
        limits=False,
    ),
    _attack(
        "TCP to outside", "import socket\nsocket.create_connection(('93.184.215.14', 80), 2)", "blocked", limits=False
    ),
    _attack(
        "UDP to outside",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))",
        "blocked",
        limits=False,
    ),
    _attack("DNS", "import socket\nsocket.getaddrinfo('example.com', 80)", "blocked", limits=False),
    _attack("environment of process 1", "print(open('/proc/1/environ').read())", "blocked", limits=False),
    _attack(
        "environment of every process",
        "import glob\nfor file in glob.glob('/proc/[0-9]*/environ'):\n    try: text = open(file).read()\n"
        "    except OSError: continue\n    assert 'CANARY' not in text\n" + WRONG,
        limits=False,
    ),
    _attack(
        "signal the parent",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n" + WRONG,
        "blocked",
        "failed",
        "crashed",
        limits=False,
    ),
    _attack(
        "signal everything",
        "import os, signal\nos.kill(-1, signal.SIGKILL)\n" + WRONG,
        "blocked",
        "failed",
        "crashed",
        limits=False,
    ),
]

FORGERIES = [
    _attack("sys.exit(0)", "import sys\nsys.exit(0)"),
    _attack("sys.exit(0) in the function", "import sys\ndef f(x):\n    sys.exit(0)"),
    _attack("os._exit(0)", "import os\nos._exit(0)", "crashed"),
    _attack("os._exit(0) in the function", "import os\ndef f(x):\n    os._exit(0)", "crashed"),
    _attack("raise SystemExit", "raise SystemExit(0)"),
    _attack("raise KeyboardInterrupt", "def f(x):\n    raise KeyboardInterrupt"),
    _attack("raise GeneratorExit", "def f(x):\n    raise GeneratorExit"),
    _attack("raise StopIteration", "def f(x):\n    raise StopIteration"),
    _attack("SystemExit in __del__", "class C:\n    def __del__(self): raise SystemExit(0)\nC()\n" + WRONG),
    _attack("atexit", "import atexit, os\natexit.register(lambda: os._exit(0))\n" + WRONG),
    _attack("print the success line", f"print('passed')\nprint('{REPORT}', flush=True)\n" + WRONG),
    _attack("define check", "def check(candidate):\n    return True\n" + WRONG),
    _attack(
        "patch builtins",
        "import builtins\nbuiltins.AssertionError = None\nbuiltins.isinstance = lambda a, b: True\n"
        "builtins.exec = builtins.compile = lambda *a, **k: None\n" + WRONG,
        "failed",
        "crashed",
    ),
    _attack(
        "patch unittest and operator",
        "import unittest, operator\nunittest.TestCase.assertEqual = lambda *a: None\n"
        "operator.eq = lambda a, b: True\n" + WRONG,
    ),
    _attack("delete modules", "import sys\nsys.modules.clear()\n" + WRONG, "failed", "crashed"),
    _attack("delete the runner", "import sys, __main__\n__main__.__dict__.clear()\n" + WRONG, "failed", "crashed"),
    _attack("an answer that equals everything", ALWAYS + "def f(x):\n    return Always()"),
    _attack(
        "a number that equals everything",
        "class N(int):\n    def __eq__(self, other): return True\n"
        "    def __hash__(self): return 0\ndef f(x):\n    return N(5)",
    ),
    _attack(
        "an answer that calculates itself right",
        ALWAYS + "    def __sub__(self, other): return self\n"
        "    __rsub__ = __add__ = __abs__ = __float__ = __lt__ = __sub__\ndef f(x):\n    return Always()",
    ),
    _attack(
        "an answer's reflected comparison",
        "class L(list):\n    def __eq__(self, other): return True\ndef f(x):\n    return L([5])",
    ),
    _attack(
        "settrace",
        "import sys\ndef trace(frame, event, arg):\n    for name in list(frame.f_locals):\n"
        "        if 'report' in name: frame.f_locals[name] = 'passed'\n    return trace\nsys.settrace(trace)\n" + WRONG,
        "failed",
        "timeout",
    ),
    _attack(
        "walk the frames",
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
        "        for space in (frame.f_globals, frame.f_locals):\n            for name, value in list(space.items()):\n"
        "                if isinstance(value, dict): value['report'] = value['value'] = 'passed'\n"
        "        frame = frame.f_back\n    return 5",
        "failed",
        "crashed",
    ),
    _attack(
        "search the objects for a token",
        "import gc, os\ndef f(x):\n    for thing in gc.get_objects():\n"
        "        if isinstance(thing, dict) and 'token' in thing:\n            os.write(2, str(thing).encode())\n"
        "            thing['report'] = 'passed'\n    return 5",
        "failed",
        "crashed",
    ),
    _attack(
        "write to every descriptor",
        "import os\nfor fd in range(3, 256):\n    try: os.write(fd, b'"
        + REPORT
        + "\\n')\n    except OSError: pass\n"
        + WRONG,
        "failed",
        "crashed",
    ),
    _attack(
        "write to every descriptor of /proc",
        "import glob\nfor file in glob.glob('/proc/*/fd/*'):\n"
        "    try: open(file, 'w').write('" + REPORT + "\\n')\n    except OSError: pass\n" + WRONG,
        "failed",
        "crashed",
        limits=False,
    ),
    _attack("close every descriptor", "import os\nos.closerange(0, 256)\n" + WRONG, "crashed", "failed"),
    _attack(
        "forged messages to the checker",
        "import __main__, gc, socket\nfrom struct import pack\n"
        "for s in gc.get_objects():\n    if isinstance(s, socket.socket):\n        for text in (b'{\"value\": null}',"
        'b\'{"value": {"f": {"t": "shared", "v": ["unittest.mock", "ANY"]}}}\', b\'' + REPORT + "'):\n"
        "            s.sendall(pack('>I', len(text)) + text)\n" + WRONG,
        "failed",
        "crashed",
    ),
    _attack(
        "answer with a mock",
        "import __main__\n__main__.Server.encode = lambda self, value: "
        "{'t': 'shared', 'v': ['unittest.mock', 'ANY']}\n" + WRONG,
    ),
    _attack(
        "answer with the checker's own objects",
        "import __main__\n__main__.Server.encode = lambda self, value: {'t': 'callback', 'v': 0}\n" + WRONG,
    ),
    _attack(
        "answer with an error that ends tests",
        "import __main__\n__main__.Server._call = lambda *a: "
        "{'error': {'class': ['SystemExit', 'SystemExit'], 'text': '0'}}\n" + WRONG,
    ),
    _attack("no answer", "import __main__\n__main__.Server.answer = lambda *a: {}\n" + WRONG),
    _attack(
        "reach into another process",
        "import os\nfor pid in os.listdir('/proc'):\n    if pid.isdigit():\n"
        "        try: open(f'/proc/{pid}/mem', 'r+b').write(b'x')\n        except OSError: pass\n" + WRONG,
        "failed",
        "crashed",
        limits=False,
    ),
    _attack(
        "a module of the test's name",
        "import sys, types\nsys.modules['unittest'] = types.ModuleType('unittest')\n"
        "sys.modules['math'] = None\n" + WRONG,
    ),
]

ATTACKS = [*RESOURCES, *ESCAPES, *FORGERIES]
