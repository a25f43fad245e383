"""Length-prefixed JSON documents over the socket between the checker and the candidate.

This file is read inside the sandbox by path; it may import only the standard library.
"""

from __future__ import annotations

import json
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it takes each process milliseconds
    from typing import Any

LONGEST = 64 * 1024 * 1024  # bytes of one message


class Closed(BaseException):
    """The other end is gone. Not an `Exception`, so that a test's `except Exception` does not swallow it."""


class ProtocolError(BaseException):
    """The other end sent something that was not asked for. Not an `Exception`, for the same reason."""


class Channel:
    """Messages over one connected stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, message: Any) -> None:
        """Send one JSON document; raises Closed if the other end is gone."""
        data = json.dumps(message).encode("ascii")
        try:
            self.sock.sendall(struct.pack(">I", len(data)) + data)
        except OSError:
            raise Closed from None

    def receive(self) -> Any:
        """The next JSON document; raises Closed at the end, ProtocolError for what is not a document."""
        (size,) = struct.unpack(">I", self._exactly(4))
        if size > LONGEST:
            raise ProtocolError(f"a message of {size} bytes, more than {LONGEST}")
        data = self._exactly(size)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise ProtocolError("a message that is not JSON, or too deeply nested") from None

    def silent(self) -> bool:
        """Whether nothing unread has arrived."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except OSError:
            return True

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = self.sock.recv(min(size, 1 << 20))
            except OSError:
                part = b""
            if not part:
                raise Closed
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
