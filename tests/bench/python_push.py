#!/usr/bin/env python3
"""What a push from Python costs, beside what a call by ctypes costs whatever it calls.

Usage: python_push.py [--rounds N] [--instructions]    (PYTHONPATH: bindings/python; POSTHASTE_LIBRARY: the library)
  --instructions  count instructions by valgrind instead of time: exact to a few, and deaf to what else the machine does

The forms take turns, round after round, and the least time of each counts: what is added by others only adds. The events
are of 500 bytes; the receiver does not answer, and the intake has room, so that the library's own work is as always.
"""

import argparse
import ctypes
import json
import re
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Sequence

import posthaste

EVENT: Dict[str, Any] = {
    "type": "delivery", "message_id": "0000d0678854f761a402", "rcpt_to": "recipient@example.com", "msg_from": "sender@example.net",
    "msg_size": "1337", "ip_address": "192.0.2.1", "routing_domain": "example.com", "subject": "Your order of last Tuesday",
    "queue_time": "12", "num_retries": "2", "sending_ip": "198.51.100.7", "ip_pool": "shared", "campaign_id": "spring",
    "template_id": "order-confirmation", "template_version": "3", "transmission_id": "65832150921904138", "raw_rcpt_to":
    "recipient@example.com", "recv_method": "esmtp", "customer_id": "1"}
PAYLOAD = json.dumps(EVENT, separators=(",", ":")).encode()
NAMES = {"call": "a call by ctypes that does nothing, of the same arguments", "c": "posthaste_push by ctypes, bare",
         "bytes": "Engine.push of bytes", "dict": "Engine.push of a dict", "json": "the json module alone, of that dict",
         "unwanted": "Engine.push of a dict that nobody wants", "wants": "Engine.wants"}


def forms() -> Dict[str, Callable[[int], None]]:
    """Each form as a function that repeats it."""
    engine = posthaste.Engine({"intake.max_bytes": "1GiB", "waiting.max_bytes": "1GiB"})
    engine.put("hook", {"name": "hook", "target": "http://127.0.0.1:1/", "events": "delivery", "batch.max_events": 1000000})
    engine.start()
    push = engine.library.push
    nothing: Any = ctypes.CDLL(None)["abs"]
    nothing.argtypes = getattr(push, "argtypes")
    encode = json.JSONEncoder(separators=(",", ":")).encode

    def call(count: int) -> None:
        for _ in range(count):
            nothing(engine.pointer, b"delivery", PAYLOAD, len(PAYLOAD))

    def bare(count: int) -> None:
        for _ in range(count):
            push(engine.pointer, b"delivery", PAYLOAD, len(PAYLOAD))

    def of_bytes(count: int) -> None:
        for _ in range(count):
            engine.push("delivery", PAYLOAD)

    def of_dict(count: int) -> None:
        for _ in range(count):
            engine.push("delivery", EVENT)

    def only_json(count: int) -> None:
        for _ in range(count):
            encode(EVENT).encode()

    def unwanted(count: int) -> None:
        for _ in range(count):
            engine.push("bounce", EVENT)

    def wants(count: int) -> None:
        for _ in range(count):
            engine.wants("bounce")

    return {"call": call, "c": bare, "bytes": of_bytes, "dict": of_dict, "json": only_json, "unwanted": unwanted,
            "wants": wants}


def nanoseconds(rounds: int, count: int = 5000) -> Dict[str, float]:
    """The least time of one call in each form."""
    functions = forms()
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            function(count)
            best[name] = min(best[name], (time.perf_counter() - started) / count * 1e9)
    return best


def instructions() -> Dict[str, float]:
    """Instructions of one call in each form: the difference of two runs of different length."""
    few, many = 1000, 6000

    def total(name: str, count: int) -> int:
        result = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-B",
                                 __file__, "--run", name, str(count)], capture_output=True, text=True, check=True)
        match = re.search(r"Collected : (\d+)", result.stderr)
        assert match, result.stderr
        return int(match.group(1))

    return {name: (total(name, many) - total(name, few)) / (many - few) for name in NAMES}


def show(costs: Dict[str, float], unit: str) -> None:
    print(f"{'form':60} {unit:>14} {'x a call':>9}")
    for name, text in NAMES.items():
        print(f"{text:60} {costs[name]:14.0f} {costs[name] / costs['call']:9.2f}")
    print(f"{'a dict beside json and wants':60} {costs['dict'] - costs['json'] - costs['wants']:14.0f} "
          f"{(costs['dict'] - costs['json'] - costs['wants']) / costs['call']:9.2f}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--run", nargs=2, metavar=("FORM", "COUNT"), help="that form only, for --instructions")
    options = parser.parse_args(arguments)
    if options.run:
        forms()[options.run[0]](int(options.run[1]))
        return 0
    costs = instructions() if options.instructions else nanoseconds(options.rounds)
    show(costs, "instructions" if options.instructions else "nanoseconds")
    if costs["bytes"] > 3 * costs["call"]:
        print("a push of bytes costs more than 3 calls by ctypes")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
