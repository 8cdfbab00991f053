"""A client library of the original that others wrote, unmodified, runs every method it has against a host."""

import os
import pathlib
import subprocess
import unittest

from api_case import KEY, ApiTest


class NodeClientTest(ApiTest):
    def test_every_method_of_the_originals_client_for_node_works_unmodified(self):
        program = pathlib.Path(__file__).with_name("node_client.js")
        done = subprocess.run(
            ["node", "--no-deprecation", str(program), os.environ["POSTHASTE_NODE_MODULES"], self.host.url, KEY,
             self.receiver.url + self.path(), self.receiver.url + "/404"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "every method ran\n"))


if __name__ == "__main__":
    unittest.main()
