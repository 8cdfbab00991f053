"""Waiting for what another process or thread does, for the Python tests of every folder."""

import time


def wait_until(condition, what, limit_s=30):
    """Returns the condition's first true value."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s for {what}")
        time.sleep(0.01)
