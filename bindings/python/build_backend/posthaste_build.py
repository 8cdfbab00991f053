"""Builds the package for pip and `python3 -m build` (PEP 517 and 660), with the standard library alone, so that it works
in any new virtual environment and without a network. Called by them; not installed.

The wheel is pure Python, unless it is told to carry the shared library: by `--config-settings library=FILE` or by
POSTHASTE_CARRY=FILE in the environment. A libposthaste_producer.so.0 beside that file is carried, too.
"""

import base64
import hashlib
import io
import os
import re
import sysconfig
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "posthaste"
SUMMARY = "Mail event webhooks inside your mail server: the Python binding of libposthaste"
_SETTINGS = Optional[Dict[str, Any]]


def version() -> str:
    match = re.search(r'^VERSION = "(.+)"$', (PACKAGE / "_version.py").read_text(), re.M)
    assert match
    return match.group(1)


def metadata() -> str:
    return (f"Metadata-Version: 2.1\nName: posthaste\nVersion: {version()}\nSummary: {SUMMARY}\nLicense: MIT\n"
            "Requires-Python: >=3.9\nClassifier: Operating System :: POSIX :: Linux\nClassifier: Typing :: Typed\n")


def carried(settings: _SETTINGS) -> List[Path]:
    """The shared libraries that the wheel shall carry."""
    named = (settings or {}).get("library") or os.environ.get("POSTHASTE_CARRY")
    if not named:
        return []
    library = Path(named)
    if not library.is_file():
        raise FileNotFoundError(f"{library}: no such library")
    beside = library.parent / "libposthaste_producer.so.0"
    return [library, beside] if beside.is_file() else [library]


def tag(libraries: List[Path]) -> str:
    if not libraries:
        return "py3-none-any"
    return "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def sources() -> Iterator[Tuple[str, bytes]]:
    for path in sorted(PACKAGE.iterdir()):
        if path.suffix == ".py" or path.name == "py.typed":
            yield f"posthaste/{path.name}", path.read_bytes()


def library_files(libraries: List[Path]) -> Iterator[Tuple[str, bytes]]:
    names = ("libposthaste.so.0", "libposthaste_producer.so.0")
    for name, path in zip(names, libraries):
        yield f"posthaste/lib/{name}", path.read_bytes()


def information(wheel_tag: str) -> Iterator[Tuple[str, bytes]]:
    """The files of the .dist-info folder but RECORD."""
    folder = f"posthaste-{version()}.dist-info"
    yield f"{folder}/METADATA", metadata().encode()
    is_pure = "true" if wheel_tag.endswith("-any") else "false"
    yield f"{folder}/WHEEL", (f"Wheel-Version: 1.0\nGenerator: posthaste\nRoot-Is-Purelib: {is_pure}\n"
                              f"Tag: {wheel_tag}\n").encode()


def write_wheel(directory: str, wheel_tag: str, files: List[Tuple[str, bytes]]) -> str:
    """The same bytes for the same files and SOURCE_DATE_EPOCH."""
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "315532800")), 315532800))[:6]
    name = f"posthaste-{version()}-{wheel_tag}.whl"
    record_name = f"posthaste-{version()}.dist-info/RECORD"
    record = []
    for path, content in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        record.append(f"{path},sha256={digest},{len(content)}\n")
    record.append(f"{record_name},,\n")
    with zipfile.ZipFile(Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in [*files, (record_name, "".join(record).encode())]:
            entry = zipfile.ZipInfo(path, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, content)
    return name


def build_wheel(wheel_directory: str, config_settings: _SETTINGS = None, metadata_directory: Optional[str] = None) -> str:
    libraries = carried(config_settings)
    wheel_tag = tag(libraries)
    files = [*sources(), *library_files(libraries), *information(wheel_tag)]
    return write_wheel(wheel_directory, wheel_tag, files)


def build_editable(wheel_directory: str, config_settings: _SETTINGS = None,
                   metadata_directory: Optional[str] = None) -> str:
    path = ("posthaste.pth", f"{ROOT}\n".encode())
    return write_wheel(wheel_directory, tag([]), [path, *information(tag([]))])


def build_sdist(sdist_directory: str, config_settings: _SETTINGS = None) -> str:
    folder = f"posthaste-{version()}"
    paths = [path for pattern in ("pyproject.toml", "posthaste/*.py", "posthaste/py.typed", "build_backend/*.py") for path in sorted(ROOT.glob(pattern))]
    with tarfile.open(Path(sdist_directory) / f"{folder}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            archive.add(path, f"{folder}/{path.relative_to(ROOT)}")
        content = metadata().encode()
        entry = tarfile.TarInfo(f"{folder}/PKG-INFO")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return f"{folder}.tar.gz"
