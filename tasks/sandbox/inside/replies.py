"""Requests to the tested code's process and a strict reading of its replies.

Everything that arrives here was written by the tested code. A reply counts only if it answers the request that is
open, carries the fields of that request and no other, and holds values of the kinds that were asked for; anything
else ends the check as a ProtocolError. This file is read inside the sandbox by path.
"""

from __future__ import annotations

from collections.abc import Callable

from channel import Channel, Closed, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

TEXT = 500  # characters of one text of an error
FIELDS: dict[str, tuple[type, ...]] = {"errno": (int, type(None)), "file": (str, type(None)), "network": (bool,)}


class Requests:
    """Numbered requests over a channel.

    broken: what ended the connection, kept so that a test's bare `except` cannot hide it. called: answers a call of a
    function of the test, from `{"callback": number, "args": form}`.
    """

    def __init__(self, channel: Channel, called: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.channel, self.called = channel, called
        self.broken: BaseException | None = None
        self.last = 0

    def send(self, message: dict[str, Any]) -> int:
        """Send a request; its number."""
        if self.broken is not None:
            raise self.broken
        self.last += 1
        self._guarded(self.channel.send, message | {"id": self.last})
        return self.last

    def reply(self, number: int) -> dict[str, Any]:
        """The reply to the request of that number, without the number; calls of the test's functions are answered."""
        while True:
            reply = self.expect(dict, self._guarded(self.channel.receive))
            if type(reply.get("id")) is not int or reply.pop("id") != number:
                self.refuse("an answer to another question")
            if "callback" not in reply:
                return reply
            answer = self.called(self.require(reply, "callback", "args"))
            self._guarded(self.channel.send, answer | {"id": number})

    def finish(self) -> None:
        """Raise what ended the connection, if anything did, or ProtocolError if more was sent than was asked for."""
        if self.broken is not None:
            raise self.broken
        if not self.channel.silent():
            self.refuse("an answer to nothing")

    def _guarded(self, action: Callable[..., Any], *args: Any) -> Any:
        try:
            return action(*args)
        except (Closed, ProtocolError, MemoryError) as error:
            self.broken = error
            raise

    def require(self, reply: dict[str, Any], *fields: str) -> dict[str, Any]:
        """The reply, if it has these fields and no other."""
        if reply.keys() != set(fields):
            self.refuse("an answer whose fields are not those of the question")
        return reply

    def expect(self, kind: type, value: Any) -> Any:
        """The value, if it is of the kind asked for."""
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.refuse(f"a {type(value).__name__} where a {kind.__name__} was asked for")
        return value

    def refuse(self, what: str) -> Any:
        """End the check: what came cannot have come from an undisturbed process."""
        self.broken = ProtocolError(f"the program's process sent {what}")
        raise self.broken

    def error(self, described: Any) -> dict[str, Any]:
        """An error's description with the fields it may have, of their types and of limited length."""
        described = self.expect(dict, described)
        clean: dict[str, Any] = {"class": list(self.kind(described.get("class")))}
        clean["text"] = self.expect(str, described.get("text"))[:TEXT]
        for field, kinds in FIELDS.items():
            if field in described:
                if type(described[field]) not in kinds:
                    self.refuse(f"an error whose {field} is not of type {kinds[0].__name__}")
                clean[field] = described[field]
        return clean

    def kind(self, described: Any) -> tuple[str, str]:
        """(name, builtin base) of an exception class as the other side describes it."""
        if not isinstance(described, list) or [type(word) for word in described] != [str, str]:
            self.refuse("an exception without a class")
        return described[0][:TEXT], described[1][:TEXT]
