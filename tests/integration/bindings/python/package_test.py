"""The package installed in the ways of its page: by pip from the tree, as a wheel that carries the library, from a source
archive; and where the library is looked for."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Dict, List, Optional

ROOT = Path(__file__).resolve().parents[4]
BINDING = ROOT / "bindings" / "python"
WHERE = "import posthaste; print(posthaste.library_path(), posthaste.library_version(), posthaste.__file__)"
# As a user's shell has it: nothing of the build tree.
BARE = {key: value for key, value in os.environ.items() if not key.startswith(("POSTHASTE", "PYTHON", "LD_"))}


def run(*command: "str | Path", environment: Optional[Dict[str, str]] = None, is_fine: bool = True) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=100,
                            env={**BARE, **(environment or {})}, cwd="/")
    if is_fine != (result.returncode == 0):
        raise AssertionError(f"{command}\n{result.stdout}{result.stderr}")
    return result.stdout + ("" if is_fine else result.stderr)


class Package(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="posthaste-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("/usr/bin/python3", "-m", "venv", cls.folder / "venv")

    def tearDown(self) -> None:
        self.pip("uninstall", "-q", "-y", "posthaste")

    def pip(self, *arguments: "str | Path", environment: Optional[Dict[str, str]] = None) -> str:
        return run(self.folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check", *arguments,
                   environment=environment)

    def python(self, *arguments: "str | Path", environment: Optional[Dict[str, str]] = None, is_fine: bool = True) -> str:
        return run(self.folder / "venv" / "bin" / "python", *arguments, environment=environment, is_fine=is_fine)

    def carrying(self) -> List[Path]:
        """The libraries of this build in a folder of their own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for name, variable in (("posthaste", "POSTHASTE_LIBRARY"), ("posthaste_producer", "POSTHASTE_PRODUCER_LIBRARY")):
            shutil.copy(os.environ[variable], folder / f"lib{name}.so.0")
        return sorted(folder.iterdir())

    def test_pip_installs_from_the_tree_without_a_network_or_build_tools(self) -> None:
        self.pip("install", "-q", "--no-index", "--no-build-isolation", BINDING)
        path = os.environ["POSTHASTE_LIBRARY"]
        version = self.version()
        output = self.python("-c", WHERE, environment={"POSTHASTE_LIBRARY": path})
        self.assertTrue(output.startswith(f"{path} {version} {self.folder}/venv/"), output)
        self.assertIn(f"Version: {version}\n", self.pip("show", "posthaste"))
        self.assertIn("posthaste/py.typed", self.pip("show", "--files", "posthaste"))
        usage = self.python(ROOT / "examples" / "python" / "quickstart.py", is_fine=False)
        self.assertIn("usage: quickstart.py URL", usage)
        error = self.python("-c", "import posthaste; posthaste.Engine()", environment={"POSTHASTE_LIBRARY": "/none"},
                            is_fine=False)
        self.assertIn("LibraryNotFound: /none: ", error)
        self.assertIn("set POSTHASTE_LIBRARY to the shared library", error)

    def test_a_wheel_carries_the_library_and_comes_before_the_environment(self) -> None:
        library = self.carrying()[0]
        dist = self.folder / "dist"
        self.pip("wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", dist, BINDING,
                 environment={"POSTHASTE_CARRY": str(library)})
        wheel, = dist.iterdir()
        self.assertRegex(wheel.name, rf"^posthaste-{re.escape(self.version())}-py3-none-linux_\w+\.whl$")
        self.pip("install", "-q", "--no-index", wheel)
        shutil.rmtree(library.parent)
        output = self.python("-c", WHERE, environment={"POSTHASTE_LIBRARY": "/none"})
        self.assertIn("/site-packages/posthaste/lib/libposthaste.so.0 ", output)
        producer = self.python("-c", "import posthaste; print(posthaste.Producer('/none').library.path)")
        self.assertIn("/site-packages/posthaste/lib/libposthaste_producer.so.0\n", producer)

    def test_the_library_can_be_named_to_pip_too_and_a_missing_one_is_an_error(self) -> None:
        library = self.carrying()[0]
        self.pip("install", "-q", "--no-index", "--no-build-isolation", "--config-settings", f"library={library}", BINDING)
        self.assertIn("/site-packages/posthaste/lib/", self.python("-c", WHERE))
        with self.assertRaisesRegex(AssertionError, "no such library"):
            self.pip("install", "-q", "--no-index", "--no-build-isolation", BINDING, environment={"POSTHASTE_CARRY": "/none"})

    def test_the_systems_library_is_found_by_its_soname(self) -> None:
        self.pip("install", "-q", "--no-index", "--no-build-isolation", BINDING)
        folder = self.carrying()[0].parent
        self.assertTrue(self.python("-c", WHERE, environment={"LD_LIBRARY_PATH": str(folder)}).startswith(
            f"libposthaste.so.0 {self.version()} "))

    def test_an_editable_install_is_the_tree_itself(self) -> None:
        self.pip("install", "-q", "--no-index", "--no-build-isolation", "-e", BINDING)
        self.assertEqual(self.python("-B", "-c", "import posthaste; print(posthaste.__file__)"),
                         f"{BINDING}/posthaste/__init__.py\n")

    def test_build_makes_an_archive_from_which_the_same_wheel_is_built(self) -> None:
        first, second = self.folder / "first", self.folder / "second"
        run("/usr/bin/python3", "-m", "build", "--no-isolation", "--sdist", "--wheel", "-o", first, BINDING)
        archive, = first.glob("*.tar.gz")
        wheel, = first.glob("*.whl")
        self.assertTrue(wheel.name.endswith("-py3-none-any.whl"))
        self.pip("wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", second, archive)
        self.assertEqual((second / wheel.name).read_bytes(), wheel.read_bytes())
        with zipfile.ZipFile(wheel) as content:
            self.assertIsNone(content.testzip())

    def test_the_packages_version_is_the_trees(self) -> None:
        cmake = (ROOT / "CMakeLists.txt").read_text()
        self.assertIn(f"project(posthaste VERSION {self.version()} ", cmake)

    def version(self) -> str:
        match = re.search('"(.+)"', (BINDING / "posthaste" / "_version.py").read_text().split("VERSION")[-1])
        assert match
        return match.group(1)


if __name__ == "__main__":
    unittest.main()
