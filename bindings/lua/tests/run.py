"""Runs the Lua binding's tests under one interpreter: starts a receiver, sets the environment, runs the Lua files beside
this one, and little programs that end without having closed their engine.

Usage: run.py INTERPRETER CORE(ffi|c) MODULES; CORE chooses the implementation, MODULES is where compiled modules are.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from mini_mta_host import Program

HERE = pathlib.Path(__file__).resolve().parent
RULES = ["path=/verify-404;status=404;body=not here;header=X-Reason: test", "path=/hang;status=200;delay-ms=60000"]
RUNNING = """
if os.getenv("POSTHASTE_TEST_CORE") == "c" then package.loaded["posthaste.core"] = require("posthaste.core_c") end
local posthaste = require("posthaste")
local engine = assert(posthaste.new({["batch.max_age"] = "10ms"}))
assert(engine:put("all", {name = "all", target = arg[1] .. "/hang", events = "*"}))
assert(engine:start())
for i = 1, 1000 do assert(engine:push("delivery", {message_id = tostring(i)})) end
assert(engine:flush_ticket())
"""
ENDS = {"the end of the program": ("", 0), "os.exit": ("os.exit(0)", 0), "os.exit with a status": ("os.exit(3)", 3),
        "os.exit that ends the state": ("os.exit(0, true)", 0), "an error": ("error('planned')", 1),
        "an engine nobody holds": ("engine = nil collectgarbage()", 0), "a close that cannot end": ("engine:close(50)", 0)}


INTERPRETER, CORE, MODULES = sys.argv[1:4]


class LuaBinding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="posthaste-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        record = cls.folder / "record.ndjson"
        rules = [word for rule in RULES for word in ("--rule", rule)]
        receiver = Program([os.environ["POSTHASTE_RECEIVER"], "--record", str(record), *rules], cls.folder / "receiver.log")
        cls.addClassCleanup(receiver.end)
        cls.url = "http://" + receiver.line_with("listening ").removeprefix("http://")
        record.touch()
        library = pathlib.Path(os.environ["POSTHASTE_LIBRARY"])
        cls.environment = {
            **os.environ, "POSTHASTE_TEST_URL": cls.url, "POSTHASTE_TEST_RECORD": str(record),
            "POSTHASTE_TEST_FOLDER": str(cls.folder), "POSTHASTE_TEST_CORE": CORE,
            "LUA_PATH": f"{HERE.parent}/?.lua;{HERE}/?.lua", "LUA_CPATH": f"{MODULES}/?.so",
            "LD_LIBRARY_PATH": str(library.parent)}

    def run_lua(self, *arguments):
        return subprocess.run([INTERPRETER, *map(str, arguments)], env=self.environment, capture_output=True, text=True,
                              timeout=100, check=False)

    @unittest.skipUnless("jit" in INTERPRETER and CORE == "c", "only LuaJIT has both")
    def test_both_implementations_have_the_same_functions_and_constants(self):
        script = self.folder / "names.lua"
        script.write_text("""
local function names(core)
  local found = {}
  for name, value in pairs(core) do found[#found + 1] = name .. " " .. type(value) end
  for name, value in pairs(core.constants) do found[#found + 1] = name .. " " .. value end
  table.sort(found)
  return table.concat(found, "\\n")
end
print(names(require("posthaste.core_ffi")) == names(require("posthaste.core_c")))
print(names(require("posthaste.core_ffi")))
""")
        result = self.run_lua(script)
        same, *names = result.stdout.splitlines()
        self.assertEqual(same, "true", result.stderr)
        self.assertGreater(len(names), 200)

    def test_events(self):
        result = self.run_lua(HERE / "events_test.lua")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)

    def test_engine(self):
        result = self.run_lua(HERE / "engine_test.lua")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)

    def test_it_ends_without_having_closed_a_running_engine(self):
        script = self.folder / "ending.lua"
        for name, (end, status) in ENDS.items():
            with self.subTest(name):
                script.write_text(RUNNING + end)
                result = self.run_lua(script, self.url)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertEqual(result.stderr == "", status != 1, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
