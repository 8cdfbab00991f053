#!/usr/bin/env python3
"""Floods against the listener, from the address of a legitimate user: its calls go on being answered.

Usage: flood_test.py [--long]

Slow clients, oversized bodies, malformed requests, wrong keys, one after another and all at once. Judged: the median of
legitimate calls stays below ten times the quiet one (but at least 20 ms are allowed, so that a machine busy with other
things decides nothing), none fails, memory stays bounded, and the host ends well.
"""

import http.client
import multiprocessing
import selectors
import socket
import statistics
import sys
import time

from admin_host import AdminHost

IS_LONG = "--long" in sys.argv
SLOW_CLIENTS = 1000 if IS_LONG else 300
WRONG_KEYS = 10000 if IS_LONG else 1500
FLOOD_S = 20 if IS_LONG else 3
CALLS = 60 if IS_LONG else 25
FACTOR = 10
FLOOR_S = 0.020
MEMORY_MAX_KIB = 400 * 1024


class Flood:
    """A process that does something over and over until it is ended; a thread would share the caller's interpreter lock."""

    def __init__(self, host):
        self.host = host
        self.shared_count = multiprocessing.Value("l", 0)
        self.over = multiprocessing.Event()
        self.process = multiprocessing.Process(target=self._run, daemon=True)
        self.process.start()

    @property
    def count(self):
        return self.shared_count.value

    @count.setter
    def count(self, value):
        self.shared_count.value = value

    def _run(self):
        while not self.over.is_set():
            try:
                self.turn()
            except OSError:
                pass
        self.finish()

    def turn(self):
        raise NotImplementedError

    def finish(self):
        pass

    def end(self):
        self.over.set()
        self.process.join()
        if self.process.exitcode != 0:
            raise AssertionError(f"{type(self).__name__} ended with {self.process.exitcode}")


class SlowClients(Flood):
    """Many connections that send a byte now and then; what is cut connects again."""

    sockets = ()

    def turn(self):
        if not self.sockets:
            self.sockets = {}
            self.selector = selectors.DefaultSelector()
        for _ in range(min(50, SLOW_CLIENTS - len(self.sockets))):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", self.host.port))
            self.selector.register(connection, selectors.EVENT_READ)
            self.sockets[connection] = 0
            self.count += 1
        text = b"POST /api/v1/webhooks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"x" * 2000
        for connection, sent in list(self.sockets.items()):
            try:
                self.sockets[connection] += connection.send(text[sent:sent + 3])
            except BlockingIOError:
                pass
            except OSError:
                self._drop(connection)
        for ready, _ in self.selector.select(0.05):
            try:
                if not ready.fileobj.recv(4096):
                    self._drop(ready.fileobj)
            except OSError:
                self._drop(ready.fileobj)
        time.sleep(0.05)

    def _drop(self, connection):
        if self.sockets.pop(connection, None) is not None:
            self.selector.unregister(connection)
            connection.close()

    def finish(self):
        for connection in list(self.sockets):
            self._drop(connection)


class OversizedBodies(Flood):
    def turn(self):
        with self.host.connect() as connection:
            connection.settimeout(2)
            size = (1 << 20) + (self.count % 3) * (6 << 20)
            connection.sendall(f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size + (64 << 20)}\r\n\r\n".encode()
                               if self.count % 2 else
                               f"POST /api/v1/webhooks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())
            for _ in range(32):
                connection.sendall(b"x" * 65536)
            self.count += 1


class MalformedRequests(Flood):
    TEXTS = (b"\r\n\r\n\0\0", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
             b"A" * 70000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n-1\r\n")

    def turn(self):
        with self.host.connect() as connection:
            connection.settimeout(0.2)
            connection.sendall(self.TEXTS[self.count % len(self.TEXTS)])
            self.count += 1
            connection.recv(4096)


class WrongKeys(Flood):
    def turn(self):
        if self.count >= WRONG_KEYS:
            time.sleep(0.01)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=5)
        try:
            for _ in range(100):
                connection.request("GET", "/api/v1/webhooks", headers={"Authorization": f"wrong-key-{self.count:030d}"})
                response = connection.getresponse()
                response.read()
                if response.status not in (401, 429):
                    raise AssertionError(f"a wrong key was answered {response.status}")
                self.count += 1
        except http.client.HTTPException:
            pass
        finally:
            connection.close()


def legitimate(host, calls):
    """Median seconds of calls, each on a connection of its own; every one must succeed."""
    took = []
    for i in range(calls):
        start = time.monotonic()
        if i % 5 == 4:
            status = host.ask("POST", "/api/v1/events", '{"type":"delivery","rcpt_to":"a@b.example"}\n', {"Content-Type": "application/x-ndjson"})[0]
        else:
            status = host.ask("GET", "/api/v1/webhooks")[0]
        took.append(time.monotonic() - start)
        if status != 200:
            raise AssertionError(f"a legitimate call was answered {status}")
        time.sleep(0.02)
    return statistics.median(took)


def main():
    failed = []
    with AdminHost(admin={"connections.max": "512"}) as host:
        legitimate(host, 10)
        quiet = legitimate(host, CALLS)
        limit = max(FACTOR * quiet, FLOOR_S)
        print(f"quiet: median {quiet * 1000:.2f} ms, memory {host.memory_kib() / 1024:.0f} MiB")
        kinds = (SlowClients, OversizedBodies, MalformedRequests, WrongKeys)
        for flood in [(kind,) for kind in kinds] + [kinds]:
            name = " + ".join(kind.__name__ for kind in flood)
            running = [kind(host) for kind in flood]
            try:
                time.sleep(FLOOD_S / 3)
                median = legitimate(host, CALLS)
            finally:
                wrong = [f for f in running if isinstance(f, WrongKeys)]
                while len(flood) == 1 and wrong and wrong[0].count < WRONG_KEYS and wrong[0].process.is_alive():
                    time.sleep(0.05)
                for one in running:
                    one.end()
            memory = host.memory_kib()
            print(f"{name} ({', '.join(str(one.count) for one in running)}): median {median * 1000:.2f} ms, {median / quiet:.1f} times, "
                  f"memory {memory / 1024:.0f} MiB")
            if median >= limit:
                failed.append(f"{name}: median {median * 1000:.1f} ms, quiet {quiet * 1000:.1f} ms")
            if memory > MEMORY_MAX_KIB:
                failed.append(f"{name}: memory {memory} KiB")
    print("\n".join(failed) or "legitimate calls were answered throughout")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
