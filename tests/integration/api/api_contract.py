"""Compares answers of the REST API with docs/openapi.json: status, headers, content type and body, strictly.

Needs python3-jsonschema.
"""

import json
import re
import urllib.parse

import jsonschema


class Contract:
    def __init__(self, path):
        self.document = json.loads(path.read_text(encoding="utf-8"))
        self.validators = {}
        self.checked = set()
        self.forms = []
        for form in self.document["paths"]:
            pattern = re.sub(r"\{\w+\}", "[^/]+", re.escape(form).replace(r"\{", "{").replace(r"\}", "}"))
            self.forms.append((re.compile(f"^{pattern}/?$"), form))
        # `events` is no id: forms without a variable part come first.
        self.forms.sort(key=lambda each: "{" in each[1])

    def form_of(self, target):
        path = urllib.parse.urlsplit("http://host" + target).path
        return next((form for pattern, form in self.forms if pattern.match(path)), None)

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {**schema, "components": self.document["components"]}
            self.validators[key] = jsonschema.Draft202012Validator(
                whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        return self.validators[key]

    def described(self, method, target, answer):
        """The response object that describes an answer."""
        shared = self.document["components"]["responses"]
        form = self.form_of(target)
        if form is None or (answer.status == 404 and b"bad query string" in answer.body):
            return shared[{404: "InvalidUri", 401: "Unauthorized", 429: "TooManyFailures"}[answer.status]]
        operations = self.document["paths"][form]
        operation = operations.get("get" if method == "HEAD" else method.lower())
        if operation is None or method != method.upper():
            return shared[{405: "MethodNotAllowed", 401: "Unauthorized", 429: "TooManyFailures"}[answer.status]]
        self.checked.add((form, method, answer.status))
        responses = operation["responses"]
        assert str(answer.status) in responses, f"{method} {form}: {answer.status} is not documented"
        return self.resolve(responses[str(answer.status)])

    def check(self, method, target, answer):
        response = self.described(method, target, answer)
        label = f"{method} {target[:200]}: {answer.status}"
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = answer.headers.get(name)
            if value is None:
                assert not header.get("required"), f"{label}: no {name}"
            else:
                typed = int(value) if header["schema"].get("type") == "integer" else value
                self.validator(header["schema"]).validate(typed)
        content = response.get("content")
        if content is None or method == "HEAD":
            assert answer.body == b"", f"{label}: {answer.body[:200]}"
            return
        media_type = answer.headers["Content-Type"].split(";")[0]
        assert media_type in content, f"{label}: {media_type} is not documented"
        if media_type != "application/json":
            return
        errors = list(self.validator(content[media_type]["schema"]).iter_errors(json.loads(answer.body)))
        assert not errors, f"{label}: {errors[0].message[:500]} at {list(errors[0].path)}; {answer.body[:1500]}"
