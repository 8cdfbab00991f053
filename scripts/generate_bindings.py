#!/usr/bin/env python3
"""Writes the low-level declarations of the bindings from include/posthaste/posthaste.h: the C functions in the terms of
ctypes (Python), LuaJIT's ffi and koffi (Node), and the constants for each, the Lua C module included. C++ includes the
header itself and needs none. What people call is written by hand upon these files; nobody edits them.

Usage: generate_bindings.py           rewrites all
       generate_bindings.py --check   only compares, exit status 1 when one is stale
"""
import difflib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import c_header

HEADER = ROOT / "include" / "posthaste" / "posthaste.h"
BANNER = "Made from include/posthaste/posthaste.h by scripts/generate_bindings.py; not edited."

# C's types without pointers -> those of ctypes.
CTYPES = {"void": "None", "int32_t": "c_int32", "int64_t": "c_int64", "uint32_t": "c_uint32", "uint64_t": "c_uint64",
          "size_t": "c_size_t", "double": "c_double"}


def is_sized_bytes(function):
    """Whether the returned characters may hold NUL, because their size is told besides."""
    return any(p.name == "out_size" for p in function.parameters) or function.name == "posthaste_text_data"


def callback_parameters(callback):
    """Its parameters; characters that end by their size, not by NUL, as an address."""
    is_sized = any(p.name == "size" for p in callback.parameters)
    return [c_header.Parameter("const void*" if is_sized and p.type == "const char*" else p.type, p.name)
            for p in callback.parameters]


def short(name):
    """POSTHASTE_E_EMPTY -> E_EMPTY: modules have names of their own."""
    return name.removeprefix("POSTHASTE_")


def prototype(function):
    parameters = ", ".join(f"{p.type} {p.name}" for p in function.parameters) or "void"
    return f"{function.returns} {function.name}({parameters})"


class Python:
    path = "bindings/python/posthaste/_declarations.py"

    def __init__(self, header):
        self.handles = header.opaque
        self.callbacks = {callback.name for callback in header.callbacks}

    def type(self, text, is_result=False):
        bare = text.replace("const ", "")
        if bare in CTYPES:
            return CTYPES[bare]
        if bare in self.callbacks:
            return bare
        if bare == "char*":
            return "c_char_p"
        if bare == "void*" or bare.removesuffix("*") in self.handles:
            return "c_void_p"
        if not is_result and bare.endswith("*"):
            return f"POINTER({self.type(bare[:-1])})"
        raise ValueError(f"no ctypes type for {text}")

    def result(self, function):
        return "c_void_p" if is_sized_bytes(function) else self.type(function.returns, is_result=True)

    def text(self, header):
        lines = [f'"""{BANNER}"""', "from ctypes import (CFUNCTYPE, POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t,",
                 "                    c_uint32, c_uint64, c_void_p)", ""]
        for callback in header.callbacks:
            types = [self.type(callback.returns)] + [self.type(p.type) for p in callback_parameters(callback)]
            lines.append(f"{callback.name} = CFUNCTYPE({', '.join(types)})")
        lines += ["", "# name -> (result, arguments). Characters whose size is told besides come as an address."]
        lines.append("FUNCTIONS = {")
        for function in header.functions:
            types = ", ".join(self.type(p.type) for p in function.parameters)
            lines.append(f'    "{function.name}": ({self.result(function)}, [{types}]),')
        lines += ["}", ""]
        lines += [f"{short(name)} = {value}" for name, value in header.constants.items()]
        return "\n".join(lines) + "\n"


class LuaJit:
    path = "bindings/lua/posthaste/declarations.lua"

    def text(self, header):
        lines = [f"-- {BANNER}", "local declarations = {}", "", "declarations.cdef = [["]
        lines += [f"typedef struct {name.removesuffix('_t')}_opaque {name};" for name in header.opaque]
        for callback in header.callbacks:
            parameters = ", ".join(f"{p.type} {p.name}" for p in callback.parameters)
            lines.append(f"typedef {callback.returns} (*{callback.name})({parameters});")
        lines += [f"{prototype(function)};" for function in header.functions]
        lines += ["]]", "", "declarations.constants = {"]
        lines += [f"  {short(name)} = {value}," for name, value in header.constants.items()]
        lines += ["}", "", "return declarations"]
        return "\n".join(lines) + "\n"


class LuaC:
    path = "bindings/lua/src/constants.h"

    def text(self, header):
        lines = [f"/* {BANNER} */", "static const struct {", "  const char* name;", "  int value;",
                 "} posthaste_constants[] = {"]
        lines += [f'    {{"{short(name)}", {name}}},' for name in header.constants]
        lines += ["};"]
        return "\n".join(lines) + "\n"


class LuaFunctions:
    """The functions of the Lua C module. bindings/lua/posthaste/core_ffi.lua makes the same ones at run time, by the rules
    that stand there."""

    path = "bindings/lua/src/functions.inc"
    # What Lua cannot have (callbacks of foreign threads), what the module itself does (errors, texts), and what
    # posthaste_core.c has by hand.
    left_out = re.compile(r"posthaste_(set_log|error_new|error_free|text_\w+|push_many|batch_export)$")
    whole = {"int32_t": ("INT32_MIN", "INT32_MAX"), "int64_t": ("INT64_MIN", "INT64_MAX"), "uint64_t": ("0", "INT64_MAX"),
             "size_t": ("0", "INT64_MAX")}

    def __init__(self, header):
        self.handles = header.opaque

    def kind(self, text):
        """const posthaste_report_t* -> KIND_REPORT; None when it is no object."""
        bare = text.replace("const ", "").rstrip("*")
        if bare == "posthaste_t":
            return "KIND_ENGINE"
        return bare.upper().removesuffix("_T").replace("POSTHASTE", "KIND", 1) if bare in self.handles else None

    def text(self, header):
        kinds = [name for name in header.opaque if name not in ("posthaste_error_t", "posthaste_text_t")]
        lines = [f"/* {BANNER} */", "enum { " + ", ".join(self.kind(name) for name in kinds) + ", KIND_COUNT };", ""]
        for name in kinds:
            free = name.removesuffix("_t") + "_free"
            lines += [f"static void end_{self.kind(name).lower()}(void* handle) {{", f"  {free}(handle);", "}"]
        lines += ["static const struct {", "  const char* name;", "  void (*end)(void* handle);", "} kinds[KIND_COUNT] = {"]
        lines += [f'    {{"{name}", end_{self.kind(name).lower()}}},' for name in kinds]
        lines += ["};", ""]
        functions = [f for f in header.functions if not self.left_out.match(f.name)]
        for function in functions:
            lines += self.function(function)
        lines += ["static const luaL_Reg functions[] = {"]
        lines += [f'    {{"{f.name.removeprefix("posthaste_")}", core_{f.name.removeprefix("posthaste_")}}},' for f in functions]
        lines += ["    {NULL, NULL}};"]
        return "\n".join(lines) + "\n"

    def function(self, function):
        name = function.name.removeprefix("posthaste_")
        before, arguments, index, box, outs = [], [], 0, None, []
        if function.name.endswith("_free"):
            kind = self.kind(function.parameters[0].type)
            return [f"static int core_{name}(lua_State* L) {{", f"  end_box(L, 1, {kind});", "  return 0;", "}", ""]
        for parameter in function.parameters:
            kind = self.kind(parameter.type)
            if parameter.type.replace("const ", "") == "posthaste_error_t*":
                arguments.append("to_error(L)")
            elif parameter.name == "size" and index:
                continue
            elif parameter.name == "out_size":
                before.append("size_t size = 0;")
                arguments.append("&size")
            elif parameter.type.endswith("**"):
                before.append(f"{parameter.type[:-1]} out = NULL;")
                outs.append((parameter.type, "out"))
                if kind != "KIND_TEXT":
                    box = kind
                arguments.append("&out")
            elif parameter.name.startswith("out_"):
                before.append(f"{parameter.type.rstrip('*')} {parameter.name} = 0;")
                outs.append((parameter.type, parameter.name))
                arguments.append(f"&{parameter.name}")
            else:
                index += 1
                before += self.input(parameter, kind, index, self.is_sized(function, parameter))
                arguments += [parameter.name] + (["size"] if self.is_sized(function, parameter) else [])
        if box:
            before.insert(0, f"box_t* box = push_box(L, {box});")
        call = f"{function.name}({', '.join(arguments)})"
        lines = [f"static int core_{name}(lua_State* L) {{"] + ["  " + line for line in before]
        lines += ["  " + line for line in self.results(function, call, box, outs)]
        return lines + ["}", ""]

    def is_sized(self, function, parameter):
        position = function.parameters.index(parameter) + 1
        following = function.parameters[position] if position < len(function.parameters) else None
        return parameter.type == "const char*" and following is not None and following.name == "size"

    def input(self, parameter, kind, index, is_sized):
        name = parameter.name
        if kind:
            return [f'{parameter.type} {name} = to_handle(L, {index}, {kind}, "{name}");']
        if is_sized:
            return ["size_t size = 0;", f'const char* {name} = to_bytes(L, {index}, "{name}", &size);']
        if parameter.type == "const char*":
            return [f'const char* {name} = to_text(L, {index}, "{name}");']
        if parameter.type == "double":
            return [f'double {name} = to_number(L, {index}, "{name}");']
        low, high = self.whole[parameter.type]
        return [f'{parameter.type} {name} = ({parameter.type})to_whole(L, {index}, "{name}", {low}, {high});']

    def results(self, function, call, box, outs):
        kind = self.kind(function.returns)
        if function.returns == "void":
            return [f"{call};", "return 0;"]
        if kind and "const" in function.returns:
            # What belongs to another object would not outlive it.
            call = f"{function.returns.split()[1].removesuffix('_t*')}_copy({call})"
        if kind:
            return [f"box_t* box = push_box(L, {kind});", f"box->handle = {call};", "return give_box(L, box);"]
        if function.returns == "const char*":
            if call.endswith("&size)"):
                return [f"const char* result = {call};", "lua_pushlstring(L, result, size);", "return 1;"]
            return [f"lua_pushstring(L, {call});", "return 1;"]
        lines = [f"{function.returns} result = {call};"]
        if box:
            return lines + ["box->handle = out;", "return give_code_and_box(L, result, box);"]
        lines.append("push_whole(L, (int64_t)result);")
        for kind_of_out, name in outs:
            lines.append("push_text(L, out);" if kind_of_out.endswith("**") else f"push_whole(L, (int64_t){name});")
        return lines + [f"return {1 + len(outs)};"]


class Node:
    path = "bindings/node/lib/declarations.js"

    def text(self, header):
        lines = [f"// {BANNER}", "'use strict';", "", "exports.handles = ["]
        lines += [f"  '{name}'," for name in header.opaque]
        lines += ["];", "", "exports.callbacks = ["]
        for callback in header.callbacks:
            parameters = ", ".join(f"{p.type} {p.name}" for p in callback_parameters(callback))
            lines.append(f"  '{callback.returns} {callback.name}({parameters})',")
        lines += ["];", "", "exports.functions = {"]
        for function in header.functions:
            lines.append(f"  {function.name}: '{self.prototype(function)}',")
        lines += ["};", "", "exports.constants = Object.freeze({"]
        lines += [f"  {short(name)}: {value}," for name, value in header.constants.items()]
        lines += ["});"]
        return "\n".join(lines) + "\n"

    def prototype(self, function):
        """As koffi reads it: what the library writes is marked, characters with a size are an address."""
        text = prototype(function)
        if is_sized_bytes(function):
            text = re.sub(r"^const char\*", "void*", text)
        marked = []
        for parameter in function.parameters:
            kind = parameter.type
            if parameter.name == "out" or parameter.name.startswith("out_"):
                kind = f"_Out_ {kind}"
            if kind.endswith("_fn"):
                kind += "*"
            marked.append(f"{kind} {parameter.name}")
        return text[: text.index("(") + 1] + ", ".join(marked or ["void"]) + ")"


class Constants:
    """The constants' types, for TypeScript."""

    path = "bindings/node/lib/constants.d.ts"

    def text(self, header):
        lines = [f"// {BANNER}", "export declare const constants: {"]
        lines += [f"  readonly {short(name)}: {value};" for name, value in header.constants.items()]
        return "\n".join(lines + ["};"]) + "\n"


class Header:
    """All of the header that a binding needs."""

    def __init__(self, text):
        self.functions = c_header.functions(text)
        self.constants = c_header.constants(text)
        self.opaque = c_header.opaque_types(text)
        self.callbacks = c_header.callbacks(text)


def main():
    header = Header(HEADER.read_text())
    is_stale = False
    for binding in (Python(header), LuaJit(), LuaC(), LuaFunctions(header), Node(), Constants()):
        path = ROOT / binding.path
        text = binding.text(header)
        if sys.argv[1:] != ["--check"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {binding.path}")
            continue
        found = path.read_text() if path.exists() else ""
        for line in difflib.unified_diff(found.splitlines(), text.splitlines(), binding.path, "from the header", lineterm=""):
            is_stale = True
            print(line)
    if is_stale:
        sys.exit("run scripts/generate_bindings.py")


if __name__ == "__main__":
    main()
