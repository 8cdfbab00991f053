#!/usr/bin/env python3
"""Shows that pairs.py takes turns, judges medians, and fails a pair whose plugin did nothing. No mail server here.

Usage: pairs_test.py FOLDER_OF_PROGRAMS
"""
import contextlib
import http.client
import io
import sys
import unittest

import pairs

FOLDER = ""


class Scripted:
    """Two servers of fixed speed; the one with the plugin posts what a plugin would."""

    def __init__(self, slowness, posts=True):
        self.slowness = slowness
        self.posts = posts
        self.starts = []
        self.conditions = []
        self.connections = []

    @contextlib.contextmanager
    def plugin(self, condition):
        self.starts.append("plugin")
        self.conditions.append((condition.name, condition.urls, condition.settings))
        yield ("plugin", condition)

    @contextlib.contextmanager
    def idle(self, condition):
        self.starts.append("idle")
        yield ("idle", condition)

    def load(self, handle, messages):
        kind, condition = handle
        if kind == "idle":
            return messages / 1000
        if self.posts:
            connection = http.client.HTTPConnection(condition.urls[0].split("/")[2], timeout=10)
            connection.request("POST", "/" + condition.urls[0].split("/", 3)[3], b'"event_id":' * messages)
            if condition.name == "healthy endpoints":
                connection.getresponse().read()
            self.connections.append(connection)
        return messages / 1000 * self.slowness

    def run(self, *arguments):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = pairs.main("scripted", self.plugin, self.idle, self.load, [FOLDER, "--messages", "40", *arguments])
        for connection in self.connections:
            connection.close()
        return status, output.getvalue()


class Pairs(unittest.TestCase):
    def test_a_plugin_that_costs_four_percent_passes_in_every_pair_told(self):
        server = Scripted(1.04)
        status, output = server.run("--pairs", "3", "--condition", "healthy endpoints")
        self.assertEqual(status, 0)
        self.assertEqual(server.starts, ["plugin", "idle", "idle", "plugin", "plugin", "idle"])
        self.assertEqual(output.count("ratio 0.962"), 3)
        self.assertIn("median 0.962, pairs 0.962 to 0.962, must be at least 0.95: reached", output)

    def test_a_plugin_that_costs_six_percent_misses(self):
        status, output = Scripted(1.06).run("--pairs", "1", "--condition", "all endpoints hanging")
        self.assertEqual(status, 1)
        self.assertIn("median 0.943, pairs 0.943 to 0.943, must be at least 0.95: MISSED", output)

    def test_each_condition_has_webhooks_and_a_spool_of_its_own(self):
        server = Scripted(1.0)
        server.run("--pairs", "1", "--condition", "healthy endpoints", "--condition", "all endpoints hanging")
        healthy, hanging = server.conditions
        self.assertEqual([len(healthy[1]), len(hanging[1])], [pairs.WEBHOOKS] * 2)
        self.assertTrue(all("/hang/" not in url for url in healthy[1]))
        self.assertTrue(all("/hang/" in url for url in hanging[1]))
        self.assertNotEqual(healthy[2]["spool.dir"], hanging[2]["spool.dir"])

    def test_a_plugin_that_pushes_nothing_is_no_result(self):
        pairs.WAIT_S, kept = 0.3, pairs.WAIT_S
        try:
            status, output = Scripted(1.0, posts=False).run("--pairs", "1", "--condition", "healthy endpoints")
        finally:
            pairs.WAIT_S = kept
        self.assertEqual(status, 2)
        self.assertIn("events should be 40 at least", output)


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    unittest.main()
