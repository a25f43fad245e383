"""Programs with a wrong `f` that answer the checker with more, or other, than it asked for.

Unlike an ordinary program they know the process they run in, and replace parts of it: each message they send is one
that the protocol has no place for. Right is any outcome but `passed`.
"""

from __future__ import annotations

WRONG = "def f(x):\n    return 5\n"
LIES = """
import __main__, builtins, os, struct, json
Server, Channel = __main__.Server, __main__.Channel
answer, call = Server.answer, Server._call
class Yes:
    def __init__(self, *a, **k): pass
    def __call__(self, *a, **k): return self
    def __getattr__(self, name): return self
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = lambda self: 4
    __bool__ = lambda self: True
    __len__ = lambda self: 0
    __iter__ = lambda self: iter(())
    __contains__ = lambda self, item: True
def lie(name):
    if name in ('zip', 'enumerate', 'range', 'sorted', 'map', 'list', 'inputs', 'results'): return lambda *a: []
    if name in ('abs', 'round', 'sum', 'len'): return lambda *a: 0
    if name in ('all', 'isinstance', 'bool', 'callable', 'issubclass'): return lambda *a: True
    if name in ('any',): return lambda *a: False
    return Yes()
EVERY = [name for name in dir(builtins) if name != 'f']
"""


def _names(more: str) -> str:
    return (
        LIES + "def liar(self, message):\n    reply = answer(self, message)\n    if message['do'] == 'names':\n"
        f"        names = reply['value']\n        {more}\n    return reply\nServer.answer = liar\n" + WRONG
    )


def _calls(reply: str) -> str:
    return LIES + f"def liar(self, target, message):\n    return {reply}\nServer._call = liar\n" + WRONG


def _sends(body: str) -> str:
    return LIES + f"send = Channel.send\ndef liar(self, message):\n    {body}\nChannel.send = liar\n" + WRONG


def _value(form: str) -> str:
    return _calls(f"{{'value': {form}, 'changed': {{}}}}")


PROTOCOL = {
    "names: builtins": _names("names['__builtins__'] = self.encode({n: lie(n) for n in EVERY})"),
    "names: builtins as an object": _names("names['__builtins__'] = self.encode(Yes())"),
    "names: every builtin": _names("names.update({n: self.encode(lie(n)) for n in EVERY if n[0] != '_'})"),
    "names: every builtin but no f": _names("names.update({n: self.encode(lie(n)) for n in EVERY}); del names['f']"),
    "names: only one builtin": _names("names.clear(); names['abs'] = self.encode(lie('abs'))"),
    "names: dunders": _names("names.update({n: self.encode('x') for n in ('__name__', '__doc__', '__file__')})"),
    "names: the test's own": _names(
        "names.update({n: self.encode(lie(n)) for n in ('check', 'compare', 'all_floats', 'np', 'math', 'unittest',"
        " 'isclose', 'collections', 'inputs', 'results', 'ok', 'found', 'same', 'TestF', 'candidate')})"
    ),
    "names: none": _names("names.clear()"),
    "names: a list": _names("reply['value'] = ['f']"),
    "names: nothing": _names("reply['value'] = None"),
    "names: f is another module's": _names("names['f'] = {'t': 'shared', 'v': 'operator'}"),
    "names: f is a module": _names("names['f'] = {'t': 'module', 'v': 'math'}"),
    "names: f is a module not offered": _names("names['f'] = {'t': 'module', 'v': 'unittest.mock'}"),
    "names: f is a type": _names("names['f'] = {'t': 'type', 'v': 'object'}"),
    "names: f is an exception": _names("names['f'] = {'t': 'exception', 'v': ['f', 'Exception']}"),
    "names: f is no exception": _names("names['f'] = {'t': 'exception', 'v': 7}"),
    "globals: every builtin": LIES + "globals().update({n: lie(n) for n in EVERY if n[0] != '_'})\n" + WRONG,
    "changed: no argument": _calls("{'value': 5, 'changed': {'7': [4]}}"),
    "changed: from the end": _calls("{'value': 5, 'changed': {'-1': 4}}"),
    "changed: what cannot": _calls("{'value': 5, 'changed': {'0': 2}}"),
    "changed: a list": _calls("{'value': 5, 'changed': [4]}"),
    "reply: more fields": _calls("{'value': 5, 'changed': {}, 'report': 'passed'}"),
    "reply: value and error": _calls("{'value': 4, 'error': {'class': ['E', 'Exception'], 'text': ''}}"),
    "reply: empty": _calls("{}"),
    "reply: true to everything": LIES + "Server.answer = lambda self, message: {'value': True}\n" + WRONG,
    "reply: twice": _sends("send(self, message); send(self, message)"),
    "reply: twice, the second right": _sends(
        "send(self, message); send(self, {'value': 4, 'changed': {}, 'id': message['id'] + 1})"
    ),
    "reply: before the question": _sends("send(self, message | {'id': message['id'] + 1})"),
    "reply: of the question before": _sends("send(self, message | {'id': message['id'] - 1})"),
    "reply: without a number": _sends("send(self, {k: v for k, v in message.items() if k != 'id'})"),
    "reply: a true number": _sends("send(self, message | {'id': True})"),
    "reply: a list": _sends("send(self, [message])"),
    "reply: null": _sends("send(self, None)"),
    "reply: no JSON": _sends("self.sock.sendall(struct.pack('>I', 3) + b'xyz')"),
    "reply: a deep JSON": _sends("self.sock.sendall(struct.pack('>I', 400000) + b'[' * 200000 + b']' * 200000)"),
    "reply: too long": _sends("self.sock.sendall(struct.pack('>I', 2 ** 31) + b'x' * 1000)"),
    "reply: half, then the end": _sends("self.sock.sendall(struct.pack('>I', 999) + b'x'); os._exit(0)"),
    "reply: then the end": _sends("send(self, message); os._exit(0)"),
    "callback: none was passed": _calls("self.reply({'callback': 0, 'args': []}) or {'value': 5, 'changed': {}}"),
    "callback: from the end": _calls("self.reply({'callback': -1, 'args': []}) or {'value': 5, 'changed': {}}"),
    "callback: no number": _calls("self.reply({'callback': [], 'args': []}) or {'value': 5, 'changed': {}}"),
    "callback: as an answer to run": LIES + "os.sched_yield()\nServer._run = lambda *a: {'callback': 0, 'args': []}\n"
    "import sys\nsys._getframe(1).f_locals['self'].reply({'callback': 0, 'args': []})\n" + WRONG,
    "error: no class": _calls("{'error': {'text': 'x'}}"),
    "error: half a class": _calls("{'error': {'class': ['E'], 'text': 'x'}}"),
    "error: a number": _calls("{'error': 5}"),
    "error: a skipped test": _calls("{'error': {'class': ['SkipTest', 'Exception'], 'text': 'x'}}"),
    "error: the end of a loop": _calls("{'error': {'class': ['StopIteration', 'StopIteration'], 'text': 'x'}}"),
    "error: not of Python's": _calls("{'error': {'class': ['E', 'print'], 'text': 'x'}}"),
    "error: wrong fields": _calls("{'error': {'class': ['E', 'OSError'], 'text': 'x', 'errno': [1], 'file': 3}}"),
    "error: in running": LIES 
    + "import sys\nsys._getframe(1).f_locals['self'].reply({'error': 5, 'compiling': 'no'})\n",
    "value: a callback": _value("{'t': 'callback', 'v': 0}"),
    "value: a module": _value("{'t': 'module', 'v': 'math'}"),
    "value: a shared name": _value("{'t': 'shared', 'v': ['unittest.mock', 'ANY']}"),
    "value: an exception": _value("{'t': 'exception', 'v': ['E', 'Exception']}"),
    "value: kind of a list": _value("{'t': ['tuple'], 'v': []}"),
    "value: a handle below zero": _value("{'t': 'handle', 'v': -1}"),
    "value: a handle of text": _value("{'t': 'handle', 'v': '0'}"),
    "value: a true handle": _value("{'t': 'handle', 'v': True}"),
    "value: a handle of nothing": _value("{'t': 'handle', 'v': 99}"),
    "value: an array of objects": _value("{'t': 'ndarray', 'v': [[4], 'O']}"),
    "value: an array of structures": _value("{'t': 'ndarray', 'v': [[4], 'i4,f8']}"),
    "value: a dict of lists": _value("{'t': 'dict', 'v': [[[1], 2]]}"),
    "answer: yes to everything": LIES + "def f(x): return Yes()",
    "answer: not a number": "def f(x): return float('nan')",
    "answer: an address": LIES + "class A:\n    __array_interface__ = {'data': (4096, False), 'shape': (),"
    " 'typestr': '<i8', 'version': 3}\n    __array_struct__ = 4\n    __array__ = lambda self, *a, **k: 4\n"
    "    __float__ = __int__ = __index__ = __abs__ = lambda self: 4\ndef f(x): return A()",
    "operations: yes": LIES 
    + "for n in __main__.OPERATIONS: __main__.OPERATIONS[n] = lambda *a: True\ndef f(x): return Yes()",
    "operations: no length": LIES + "__main__.OPERATIONS['len'] = lambda *a: -1\n__main__.OPERATIONS['bool'] = str\n"
    "def f(x): return Yes()",
    "StopIteration": "def f(x):\n    raise StopIteration",
    "exit with the number of a signal": "import os\ndef f(x):\n    os._exit(160)",
    "exit with the number of a limit": "import os\ndef f(x):\n    os._exit(152)",
    "a text that cannot be stored": "def f(x):\n    raise ValueError('\\ud800\\x1b[2J\\0')",
    "a class with a long name": "def f(x):\n    raise type('E' * 10 ** 6, (Exception,), {})('x')",
}  # fmt: skip
