"""Runs the blocks of docs/python.md, in their order and in one name space."""

import contextlib
import io
import re
import unittest
from pathlib import Path
from typing import Any, Dict

import posthaste
from binding_case import BindingCase

PAGE = Path(__file__).resolve().parents[4] / "docs" / "python.md"


class Document(BindingCase):
    def test_every_block_of_the_page_runs(self) -> None:
        receiver = self.receiver("--rule", "path=/refuse;status=403;header=X-Why: because;body=not you")
        names: Dict[str, Any] = {"url": receiver.url + "/hook", "refusing_url": receiver.url + "/refuse",
                                 "directory": self.folder + "/spool", "__name__": "page"}
        text = PAGE.read_text()
        blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S))
        self.assertGreater(len(blocks), 6)
        output = io.StringIO()
        for block in blocks:
            # Padded, so that a traceback names the page's line.
            lines = "\n" * text.count("\n", 0, block.start(1)) + block.group(1)
            with contextlib.redirect_stdout(output):
                exec(compile(lines, str(PAGE), "exec"), names)
        self.assertTrue(output.getvalue().startswith("delivered: delivered 2 events, HTTP 200\n"), output.getvalue())
        self.assertGreater(len(receiver.events()), 5)

    def test_methods_named_by_the_page_exist(self) -> None:
        text = PAGE.read_text()
        for word in re.findall(r"`([a-z_]+)`", text):
            if word.endswith(("_ticket", "_list", "_find", "_replay", "_remove", "_now", "_status", "_check", "_many")):
                self.assertTrue(hasattr(posthaste.Engine, word), word)


if __name__ == "__main__":
    unittest.main()
