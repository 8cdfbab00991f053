"""The Lua programs of docs/lua.md run, and the quickstart there is the one of the examples.

Usage: manual.py INTERPRETER [MODULES]; MODULES is where the compiled module for it is.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from mini_mta_host import Receiver

ROOT = pathlib.Path(__file__).resolve().parents[3]
QUICKSTART = ROOT / "examples" / "lua" / "quickstart.lua"


class Manual(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="posthaste-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.receiver = Receiver(self.folder)
        self.addCleanup(self.receiver.end)
        library = pathlib.Path(os.environ["POSTHASTE_LIBRARY"])
        self.environment = {**os.environ, "LUA_PATH": f"{ROOT}/bindings/lua/?.lua", "LUA_CPATH": f"{MODULES}/?.so",
                            "LD_LIBRARY_PATH": str(library.parent)}

    def test_every_program_of_the_manual_runs(self):
        blocks = re.findall(r"^```lua\n(.*?)^```", (ROOT / "docs" / "lua.md").read_text(), re.M | re.S)
        self.assertGreater(len(blocks), 5)
        self.assertEqual(blocks[0], QUICKSTART.read_text())
        for number, block in enumerate(blocks):
            with self.subTest(block=number):
                program = self.folder / f"block{number}.lua"
                text = block.replace("http://127.0.0.1:8080/hook", self.receiver.url)
                program.write_text(text.replace("/var/spool/posthaste", str(self.folder / "spool")))
                result = subprocess.run([INTERPRETER, str(program), self.receiver.url], env=self.environment, timeout=60,
                                        capture_output=True, text=True, check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual([event["type"] for event in self.receiver.events()],
                         ["injection", "delivery", "bounce", "delivery", "bounce"])


if __name__ == "__main__":
    INTERPRETER, MODULES = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1])
