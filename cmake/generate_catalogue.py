"""Writes the static tables of src/core/event_catalogue.cpp from src/core/events.json.

Run by the build (src/core/event_catalogue.cmake): generate_catalogue.py <events.json> <output>. It checks what the
C++ code takes for granted and writes nothing when the data is inconsistent.
"""
import json
import re
import sys

KINDS = {"string": "String", "boolean": "Boolean", "integer": "Number", "number": "Number", "object": "Object",
         "array": "Array"}
NAME = re.compile(r"[a-z0-9_]{1,64}")
ALIAS = re.compile(r"[a-z0-9_-]{1,64}")


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def require(condition, message):
    if not condition:
        sys.exit("generate_catalogue: " + message)


def check(data):
    classes = [entry["name"] for entry in data["classes"]]
    names = [event["type"] for event in data["events"]]
    aliases = [alias for event in data["events"] for alias in event["aliases"]]
    require(len(set(classes)) == len(classes), "a class is listed twice")
    require(len(set(names + aliases)) == len(names + aliases), "an event type or alias is listed twice")
    for name in classes + names:
        require(NAME.fullmatch(name), "bad name " + name)
    for alias in aliases:
        require(ALIAS.fullmatch(alias), "bad alias " + alias)
    for name, field in data["fields"].items():
        require(field["type"] in KINDS, "field %s has an unknown type" % name)
    for event in data["events"]:
        require(event["class"] in classes, "%s has an unknown class" % event["type"])
        for name in event["fields"]:
            require(name in data["fields"], "%s lists the undefined field %s" % (event["type"], name))
        for name, override in event.get("overrides", {}).items():
            require(name in event["fields"], "%s overrides a field it does not list" % event["type"])
            require("type" not in override, "field %s changes its wire type" % name)


def field_row(event, name, field):
    sample = event["type"] if name == "type" else field["sample"]
    properties = compact(field["properties"]) if "properties" in field else ""
    texts = [name, field["type"], field["description"], compact(sample), field["origin"], properties]
    return "    {FieldKind::%s, %s}," % (KINDS[field["type"]], ", ".join(literal(text) for text in texts))


def tables(data):
    yield "// Made by cmake/generate_catalogue.py from src/core/events.json."
    yield "constexpr EventClassInfo kClasses[] = {"
    for entry in data["classes"]:
        yield "    {%s}," % ", ".join(literal(entry[key]) for key in ("name", "display_name", "description"))
    yield "};"
    yield "constexpr NamedKind kFieldKinds[] = {"
    for name, field in data["fields"].items():
        yield "    {%s, FieldKind::%s}," % (literal(name), KINDS[field["type"]])
    yield "};"
    yield "constexpr EventFieldInfo kFields[] = {"
    for event in data["events"]:
        for name in event["fields"]:
            yield field_row(event, name, {**data["fields"][name], **event.get("overrides", {}).get(name, {})})
    yield "};"
    yield "constexpr std::string_view kAliases[] = {"
    for event in data["events"]:
        yield "".join("    %s,\n" % literal(alias) for alias in event["aliases"]).rstrip("\n")
    yield "};"
    yield "constexpr BuiltinType kTypes[] = {"
    classes = [entry["name"] for entry in data["classes"]]
    field = alias = 0
    for event in data["events"]:
        texts = ", ".join(literal(event[key]) for key in ("type", "display_name", "description"))
        yield "    {%s, %d, %s, %d, %d, %d, %d}," % (
            texts, classes.index(event["class"]), "true" if event["in_momentum"] else "false", alias,
            len(event["aliases"]), field, len(event["fields"]))
        field += len(event["fields"])
        alias += len(event["aliases"])
    yield "};"


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        data = json.load(source)
    check(data)
    text = "\n".join(line for line in tables(data) if line) + "\n"
    with open(sys.argv[2], "w", encoding="utf-8") as output:
        output.write(text)


main()
