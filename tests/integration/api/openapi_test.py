"""The OpenAPI document: it is served as it is in the tree, and has the handler's routes and no other."""

import json
import os
import pathlib
import re
import unittest

import jsonschema

from api_case import CONTRACT, ApiTest

ROOT = pathlib.Path(os.environ["POSTHASTE_ROOT"])
ROUTE = re.compile(r'\{"([A-Z]+)", "([^"]+)", Needs::(\w+), \w+\},')


def routes_of_the_handler():
    """(method, path) -> what it needs, from the table in the code."""
    text = (ROOT / "src" / "api" / "handler.cpp").read_text(encoding="utf-8")
    return {(method, "/" + path): needs for method, path, needs in ROUTE.findall(text)}


class DocumentTest(ApiTest):
    def operations(self):
        return {(method.upper(), path): operation for path, operations in CONTRACT.document["paths"].items()
                for method, operation in operations.items()}

    def test_it_is_served_without_a_key(self):
        answer = self.api.get("/api/v1/openapi.json", key="")
        self.assertEqual(answer.json, CONTRACT.document)
        self.assertEqual(answer.headers["Content-Type"], "application/json")

    def test_it_has_every_route_of_the_handler_and_no_other(self):
        self.assertGreater(len(routes_of_the_handler()), 20)
        self.assertEqual(set(self.operations()), set(routes_of_the_handler()))

    def test_it_says_what_kind_of_key_a_route_needs(self):
        for route, needs in routes_of_the_handler().items():
            operation = self.operations()[route]
            self.assertEqual(operation.get("security") == [], needs == "Nothing", route)
            self.assertEqual(operation.get("x-grant"), {"Nothing": None}.get(needs, needs.lower()), route)

    def test_every_reference_leads_somewhere_and_everything_is_referred_to(self):
        text = json.dumps(CONTRACT.document)
        used = set(re.findall(r'"\$ref": "(#/[^"]+)"', text))
        for reference in used:
            CONTRACT.resolve({"$ref": reference})
        there = {f"#/components/{kind}/{name}" for kind in ("parameters", "headers", "responses", "schemas")
                 for name in CONTRACT.document["components"][kind]}
        # What unknown paths and methods answer belongs to no operation.
        self.assertEqual(there - used, {"#/components/responses/InvalidUri",
                                        "#/components/responses/MethodNotAllowed"})

    def test_every_schema_is_one_of_draft_2020_12(self):
        def walk(node):
            if isinstance(node, dict):
                if isinstance(node.get("schema"), dict):
                    jsonschema.Draft202012Validator.check_schema(node["schema"])
                for each in node.values():
                    walk(each)
            elif isinstance(node, list):
                for each in node:
                    walk(each)

        walk(CONTRACT.document)
        for schema in CONTRACT.document["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_path_parameters_are_declared(self):
        for (method, path), operation in self.operations().items():
            declared = {each["name"] for each in map(CONTRACT.resolve, operation.get("parameters", []))
                        if each["in"] == "path"}
            self.assertEqual(declared, set(re.findall(r"\{(\w+)\}", path)), (method, path))

    def test_operation_ids_are_unique(self):
        names = [each["operationId"] for each in self.operations().values()]
        self.assertEqual(len(names), len(set(names)))

    def test_an_answer_that_the_document_does_not_describe_fails(self):
        answer = self.api.get("/api/v1/webhooks")
        answer.body = b'{"results":[{"id":"x"}]}'
        with self.assertRaises(AssertionError):
            CONTRACT.check("GET", "/api/v1/webhooks", answer)
        answer.body, answer.status = b'{"results":[]}', 201
        with self.assertRaises(AssertionError):
            CONTRACT.check("GET", "/api/v1/webhooks", answer)


if __name__ == "__main__":
    unittest.main()
