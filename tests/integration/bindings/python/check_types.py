"""mypy, strict, over the package, its build backend, the quickstart, the benchmark and the tests; and a look that nothing
in the package is newer than Python 3.9."""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
BINDING = ROOT / "bindings" / "python"
SOURCES = [BINDING / "posthaste", BINDING / "build_backend" / "posthaste_build.py", ROOT / "examples" / "python" / "quickstart.py",
           ROOT / "tests" / "bench" / "python_push.py", *sorted(Path(__file__).resolve().parent.glob("*.py"))]


def main() -> int:
    for path in sorted(BINDING.rglob("*.py")):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))
    with tempfile.TemporaryDirectory() as cache:
        return subprocess.run([sys.executable, "-m", "mypy", "--config-file", BINDING / "pyproject.toml", "--cache-dir",
                               cache, *SOURCES], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
