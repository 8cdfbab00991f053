"""The rockspecs install, and the quickstart runs from what they installed.

Usage: rocks.py ROOT LUA=INTERPRETER...; LUA is 5.1 to 5.4 for the C module, ffi for LuaJIT.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from mini_mta_host import Receiver


class Rocks(unittest.TestCase):
    def install(self, folder, lua):
        """Installs into a folder of its own; nothing of the user's or the tree's is written."""
        source = folder / f"source-{lua}"
        shutil.copytree(ROOT / "bindings" / "lua", source)
        version, rock = ("5.1", "posthaste-ffi") if lua == "ffi" else (lua, "posthaste")
        library = pathlib.Path(os.environ["POSTHASTE_LIBRARY"]).parent
        command = ["luarocks", f"--lua-version={version}", f"--tree={folder / lua}", "make", f"{rock}-0.1.0-1.rockspec"]
        if lua != "ffi":
            command += [f"POSTHASTE_INCDIR={ROOT / 'include'}", f"POSTHASTE_LIBDIR={library}"]
        result = subprocess.run(command, cwd=source, env={**os.environ, "HOME": str(folder)}, capture_output=True, text=True,
                                timeout=100, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return {"LUA_PATH": f"{folder / lua}/share/lua/{version}/?.lua", "LUA_CPATH": f"{folder / lua}/lib/lua/{version}/?.so"}

    def test_each_rock_installs_and_its_quickstart_delivers(self):
        with tempfile.TemporaryDirectory(prefix="posthaste-") as name:
            folder = pathlib.Path(name)
            receiver = Receiver(folder)
            self.addCleanup(receiver.end)
            for lua, interpreter in INTERPRETERS.items():
                with self.subTest(lua):
                    environment = {**os.environ, **self.install(folder, lua)}
                    if lua != "ffi":
                        # The module finds the library by where it was linked.
                        del environment["POSTHASTE_LIBRARY"]
                    result = subprocess.run([interpreter, str(ROOT / "examples" / "lua" / "quickstart.lua"), receiver.url],
                                            env=environment, capture_output=True, text=True, timeout=60, check=False)
                    self.assertEqual((result.returncode, result.stdout, result.stderr),
                                     (0, "delivered: delivered 3 events, HTTP 200\n", ""))


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1])
    INTERPRETERS = dict(argument.split("=", 1) for argument in sys.argv[2:])
    unittest.main(argv=sys.argv[:1])
