#!/usr/bin/env python3
"""What the plugin of examples/rspamd costs mail that Postfix takes through rspamd's milter, beside an rspamd without it.

Usage: scripts/bench.sh --mail rspamd
A message is over when Postfix has answered its end, which it does when rspamd has answered and, with the plugin, pushed.
"""
import contextlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "integration" / "mail")]
import pairs  # noqa: E402
from rspamd_server import Rspamd, postfix_before, serve_on  # noqa: E402

BUILD = Path(sys.argv[1]).resolve().parents[1] if len(sys.argv) > 1 else None


@contextlib.contextmanager
def running(condition, plugin):
    """Yields the port of a Postfix that asks an rspamd."""
    with contextlib.ExitStack() as stack:
        rspamd = Rspamd(condition.folder / "rspamd", BUILD / "rspamd", condition.spool,
                        BUILD / "src" / "producer_capi" / "libposthaste_producer.so.0", plugin=plugin)
        stack.callback(rspamd.stop)
        rspamd.start()
        postfix = postfix_before(rspamd, condition.folder / "postfix")
        stack.callback(postfix.stop)
        postfix.start()
        yield postfix.port


@contextlib.contextmanager
def start_plugin(condition):
    serve = serve_on(BUILD / "src" / "cli" / "posthaste", condition.spool, condition.urls, condition.settings)
    serve.start()
    try:
        with running(condition, plugin=True) as port:
            yield port
    finally:
        serve.stop()


def start_idle(condition):
    return running(condition, plugin=False)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the benchmark of rspamd wants root, as rspamd and Postfix do")
    sys.exit(pairs.main("rspamd", start_plugin, start_idle, pairs.smtp_source))
