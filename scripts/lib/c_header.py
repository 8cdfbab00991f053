"""Reads the public header for the gates and the bindings: its functions with their parameters and comments, its
constants, its opaque types and the types of its callbacks.

Only as much of C as the header uses; a declaration it does not understand is an error, so nothing is skipped silently.
"""
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    type: str
    name: str

    @property
    def is_pointer(self):
        return self.type.endswith("*") or self.type.endswith("_fn")


@dataclass(frozen=True)
class Function:
    name: str
    returns: str
    parameters: tuple
    comment: str


@dataclass(frozen=True)
class Callback:
    name: str
    returns: str
    parameters: tuple


COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
DECLARATION = re.compile(r"POSTHASTE_API\s+(?!__attribute__)([^;]*?)\bposthaste_(\w+)\s*\(([^;]*?)\)\s*;", re.S)


def _parameter(text):
    text = " ".join(text.split())
    match = re.fullmatch(r"(.*?[\s*])(\w+)", text)
    if not match:
        raise ValueError(f"parameter not understood: {text}")
    return Parameter(match.group(1).replace(" *", "*").strip(), match.group(2))


def without_comments(text):
    return COMMENT.sub(" ", text)


def functions(text):
    """All functions marked POSTHASTE_API, in the header's order; comment is "" where none stands right above."""
    found = []
    for match in DECLARATION.finditer(text):
        returns = " ".join(match.group(1).split()).replace(" *", "*")
        inner = match.group(3).strip()
        parameters = () if inner == "void" else tuple(_parameter(part) for part in inner.split(","))
        above = text[: match.start()].rstrip()
        comment = ""
        if above.endswith("*/"):
            comment = " ".join(above[above.rindex("/*") + 2 : -2].replace("\n *", "\n").split())
        found.append(Function("posthaste_" + match.group(2), returns, parameters, comment))
    bare = without_comments(text)
    marked = len(re.findall(r"^POSTHASTE_API\b", bare, re.M))
    called = len(re.findall(r"^(?!#|typedef)[\w\s*]*\bposthaste_\w+\s*\(", bare, re.M))
    if not (marked == called == len(found)):
        raise ValueError(f"{len(found)} functions read, {marked} lines with POSTHASTE_API, {called} declarations")
    return found


def opaque_types(text):
    """Names of the types that are known by pointer only, such as posthaste_t, in the header's order."""
    return re.findall(r"^typedef struct \w+ (posthaste_\w+);", without_comments(text), re.M)


def callbacks(text):
    """The types of functions that the library calls."""
    found = [Callback(match.group(2), match.group(1), tuple(_parameter(part) for part in match.group(3).split(",")))
             for match in re.finditer(r"^typedef (\w+) \(\*(posthaste_\w+)\)\(([^)]*)\);", without_comments(text), re.M)]
    typedefs = len(re.findall(r"^typedef\b", without_comments(text), re.M))
    if typedefs != len(found) + len(opaque_types(text)):
        raise ValueError(f"{typedefs} typedefs, of which {len(found)} are callbacks and {len(opaque_types(text))} opaque")
    return found


def constants(text):
    """Name -> value of every enum member; each must have an explicit value."""
    values = {}
    for body in re.findall(r"\benum\s*\{(.*?)\}", without_comments(text), re.S):
        for member in filter(None, (part.strip() for part in body.split(","))):
            match = re.fullmatch(r"(POSTHASTE_\w+)\s*=\s*(-?\d+)", member)
            if not match:
                raise ValueError(f"enum member without a plain value: {member}")
            if match.group(1) in values:
                raise ValueError(f"enum member twice: {match.group(1)}")
            values[match.group(1)] = int(match.group(2))
    return values
