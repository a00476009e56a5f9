"""A proxy on loopback before any TCP server: it counts, and breaks connections at a given rate.

```python
with Proxy(server.port, rate=0.1, seed=7) as proxy:
    ...  # connect to 127.0.0.1 at proxy.port; proxy.lines are what clients sent, proxy.injected what was done
```
Each time a client sends something, a fault is drawn: ``cut`` closes both ways at once, ``half`` lets half of
the next piece of the answer through and closes, ``stall`` says nothing more until the client gives up. What
is drawn depends on the seed and on how often was drawn before. Every fourth connection is spared, so that
patience is rewarded.
"""

import hashlib
import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Self

KINDS = ("cut", "half", "stall")
_BLOCK = 65_536


class Proxy:
    """Serves while the ``with`` lasts. ``rate`` 0 breaks nothing; ``longest``: seconds of a stall."""

    def __init__(self, target: int, *, rate: float = 0.0, seed: int = 0, longest: float = 30.0) -> None:
        self.rate, self.seed, self.longest = rate, seed, longest
        self.lines: list[bytes] = []
        self.injected: Counter[str] = Counter()
        self.accepted = 0
        self._target = target
        self._drawn = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads[0].join()
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    def count(self, words: str) -> int:
        """How many lines that clients sent hold these words."""
        return sum(words.encode() in line for line in self.lines)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.accepted += 1
            thread = threading.Thread(target=self._serve, args=(client, self.accepted % 4 != 0), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _draw(self) -> str | None:
        with self._lock:
            self._drawn += 1
            drawn = hashlib.sha256(f"{self.seed}\n{self._drawn}".encode()).digest()
            if int.from_bytes(drawn[:6]) / 2**48 >= self.rate:
                return None
            kind = KINDS[drawn[6] % len(KINDS)]
            self.injected[kind] += 1
            return kind

    def _serve(self, client: socket.socket, breakable: bool) -> None:  # noqa: FBT001
        with client, suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._target), 10)
            with server:
                back = _Back(server, client)
                thread = threading.Thread(target=back.run, args=(self._over,), daemon=True)
                thread.start()
                try:
                    self._forth(client, server, back, breakable=breakable)
                finally:
                    _shut(client)
                    _shut(server)
                    thread.join()

    def _forth(self, client: socket.socket, server: socket.socket, back: "_Back", *, breakable: bool) -> None:
        client.settimeout(0.05)
        while not self._over.is_set() and not back.done.is_set():
            try:
                block = client.recv(_BLOCK)
            except TimeoutError:
                continue
            if not block:
                return
            kind = self._draw() if breakable else None
            with self._lock:
                self.lines += block.split(b"\r\n")[:-1]
            if kind == "cut":
                return
            if kind is not None:
                back.fault = kind
            server.sendall(block)
            if kind == "stall":
                self._wait_for_end(client)
                return

    def _wait_for_end(self, client: socket.socket) -> None:
        waited = 0.0
        while waited < self.longest and not self._over.is_set():
            try:
                if not client.recv(_BLOCK):
                    return
            except TimeoutError:
                waited += 0.05


class _Back:
    """Carries what the server says, or what a fault leaves of it."""

    def __init__(self, server: socket.socket, client: socket.socket) -> None:
        self.fault: str | None = None
        self.done = threading.Event()
        self._server, self._client = server, client

    def run(self, over: threading.Event) -> None:
        try:
            self._carry(over)
        except OSError:
            pass
        finally:
            self.done.set()

    def _carry(self, over: threading.Event) -> None:
        self._server.settimeout(0.05)
        while not over.is_set():
            try:
                block = self._server.recv(_BLOCK)
            except TimeoutError:
                continue
            if not block:
                return
            if self.fault == "stall":
                continue
            if self.fault == "half":
                self._client.sendall(block[: len(block) // 2])
                return
            self._client.sendall(block)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
