#!/usr/bin/env python3
"""The shortest useful host: one webhook, three events, and what became of them.

    quickstart.py http://127.0.0.1:8080/hook
"""

import sys

import posthaste


def run(url: str) -> None:
    # Leaving the block closes the engine.
    with posthaste.Engine({"batch.max_age": "1s"}) as engine:
        # put declares a webhook under an id of our own, at every start: active at once, no test request.
        engine.put("quickstart", {"name": "quickstart", "target": url, "events": ["injection", "delivery", "bounce"]})

        # push never waits; type, timestamp and event_id are added. An event is a dict, or JSON as it is.
        message = {"message_id": "0000d0678854f761a402", "rcpt_to": "a@b.test"}
        engine.push("injection", message)
        engine.push("delivery", b'{"message_id":"0000d0678854f761a402","rcpt_to":"a@b.test"}')
        engine.push("bounce", message)

        # A batch leaves after a second here; flush sends it now.
        engine.flush(timeout=10)

        # Reports tell the fate of every batch: delivered, retrying, dropped.
        for report in engine.reports():
            print(f"{report.kind}: {report.message}")


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: quickstart.py URL", file=sys.stderr)
        return 2
    try:
        run(sys.argv[1])
    except posthaste.PosthasteError as error:
        print(f"{error.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
