"""Writes a JSON document as an array of characters for C++, without the white space that is for people.

    embed_json.py DOCUMENT NAME OUTPUT
"""

import json
import sys

BYTES_PER_LINE = 24


def main(document, name, output):
    with open(document, encoding="utf-8") as source:
        text = json.dumps(json.load(source), ensure_ascii=True, separators=(",", ":")).encode()
    lines = [",".join(str(byte) for byte in text[at:at + BYTES_PER_LINE])
             for at in range(0, len(text), BYTES_PER_LINE)]
    with open(output, "w", encoding="ascii") as out:
        out.write(f"// Made by cmake/embed_json.py.\ninline constexpr char {name}[] = {{\n")
        out.write(",\n".join(lines) + "};\n")


main(*sys.argv[1:])
