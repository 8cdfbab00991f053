#!/usr/bin/env python3
"""Writes a C test from a public header, posthaste.h or admin.h: every function with every pointer null, then with each single pointer null.

A null where the header needs an object must answer POSTHASTE_E_INVALID, null, 0 or an empty text. A new function or
parameter is taken in by itself; what null means otherwise must be listed in OPTIONAL, as the header says it.

Usage: generate_null_test.py HEADER OUTPUT
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import c_header

# function or * -> parameters for which the header gives null a meaning.
OPTIONAL = {
    "*": {"error", "user_data", "out_consumed", "out_codes", "out_events", "out_bytes", "out_batches",
          "out_count"},
    "posthaste_new": {"conf"},
    "posthaste_conf_describe": {"key"},
    "posthaste_conf_set": {"value"},
    "posthaste_set": {"value"},
    "posthaste_webhook_set": {"value"},
    "posthaste_create": {"out"},
    "posthaste_load": {"out"},
    "posthaste_key_put": {"out"},
    "posthaste_response_body": {"out_size"},
    "posthaste_request_body": {"out_size"},
    "posthaste_wants": {"type"},
    "posthaste_push": {"type"},
    "posthaste_push_many": {"type"},
    "posthaste_check": {"type"},
    "posthaste_event_reset": {"type"},
    "posthaste_set_log": {"fn"},
    "posthaste_error_body": {"out_size"},
    "posthaste_filter_set": {"value"},
    "posthaste_waiting_list": {"filter"},
    "posthaste_dead_letter_list": {"filter"},
    "posthaste_retry_now": {"id"},
    "posthaste_admin_start": {"conf"},
    "posthaste_admin_conf_set": {"value"},
    "posthaste_admin_conf_mount": {"user_data"},
    "posthaste_engagement_conf_set": {"value"},
    "posthaste_engagement_url": {"target", "name"},
    # Null is the element of an open array; in an object it is an error of the builder.
    "posthaste_event_set": {"key"},
    "posthaste_event_set_text": {"key"},
    "posthaste_event_set_int": {"key"},
    "posthaste_event_set_double": {"key"},
    "posthaste_event_set_bool": {"key"},
    "posthaste_event_set_json": {"key"},
    "posthaste_event_begin_object": {"key"},
    "posthaste_event_begin_array": {"key"},
}
# int32_t functions that are getters, so that null is 0 and not an error.
GETTERS = {"posthaste_wants", "posthaste_response_status", "posthaste_admin_port"} | {
    f"posthaste_error_{name}" for name in ("code", "phase", "status")} | {
    f"posthaste_report_{name}" for name in ("kind", "code", "reason", "reached", "status", "level")}
SPECIAL_RESULTS = {"posthaste_report_fd": "-1"}

# What stands for a usable argument, by parameter type; the objects are made in main below.
VALID = {
    "posthaste_t*": "engine", "const posthaste_t*": "engine",
    "posthaste_conf_t*": "conf", "const posthaste_conf_t*": "conf",
    "posthaste_error_t*": "error", "const posthaste_error_t*": "error",
    "posthaste_webhook_t*": "webhook", "const posthaste_webhook_t*": "webhook",
    "posthaste_webhook_list_t*": "list", "const posthaste_webhook_list_t*": "list",
    "posthaste_event_t*": "event", "const posthaste_event_t*": "event",
    "posthaste_report_t*": "report", "const posthaste_report_t*": "report",
    "posthaste_filter_t*": "filter", "const posthaste_filter_t*": "filter",
    "posthaste_request_t*": "request", "const posthaste_request_t*": "request",
    "posthaste_response_t*": "response", "const posthaste_response_t*": "response",
    "posthaste_response_t**": "&made_response",
    "posthaste_text_t*": "text", "const posthaste_text_t*": "text",
    "posthaste_t**": "&made_engine", "posthaste_webhook_t**": "&made_webhook",
    "posthaste_webhook_list_t**": "&made_list", "posthaste_report_t**": "&made_report",
    "posthaste_text_t**": "&made_text", "uint64_t*": "&number", "size_t*": "&size", "int32_t*": "&code",
    "posthaste_admin_conf_t*": "admin_conf", "const posthaste_admin_conf_t*": "admin_conf",
    "posthaste_admin_t*": "admin", "const posthaste_admin_t*": "admin", "posthaste_admin_t**": "&made_admin",
    "posthaste_engagement_conf_t*": "conf", "const posthaste_engagement_conf_t*": "conf",
    "posthaste_engagement_t*": "engagement", "const posthaste_engagement_t*": "engagement",
    "posthaste_engagement_t**": "&made_engagement",
    "posthaste_admin_handler_fn": "answer_request",
    "posthaste_log_fn": "log_line", "posthaste_write_fn": "write_text", "void*": "&code",
    "int32_t": "0", "int64_t": "0", "uint64_t": "0", "size_t": "2", "double": "0.0",
}
VALID_TEXTS = {"type": '"delivery"', "id": '"hook"', "batch_id": '"batch"',
               "payload": '"{}"', "record": '"{}"', "lines": '"{}"',
               "json": '"{}"', "key": '"rcpt_to"', "value": '"1"', "path": '"missing.json"',
               "method": '"GET"', "target": '"/health"', "name": '"name"', "body": '"{}"',
               "address": '"127.0.0.1"', "scheme": '"https"', "prefix": '"/links/"',
               "data": '"text"', "html": '"<p>"', "context": '"{}"', "event_class": '"custom_event"', "line": '"a line"'}

PREAMBLE = """\
/* Made from the public header by generate_null_test.py: null for every pointer of every function. */
#include "guest.h"

#include <stdio.h>
#include <string.h>

static void log_line(int32_t level, const char* line, void* user_data) {
  (void)level;
  (void)line;
  (void)user_data;
}

static int32_t write_text(const char* data, size_t size, void* user_data) {
  (void)data;
  (void)size;
  (void)user_data;
  return 0;
}

static int is_nothing(const char* text) { return text == NULL || text[0] == '\\0'; }

/* Has a batch dropped, so that a real report is at hand. */
static posthaste_report_t* make_report(void) {
  int port = 0;
  posthaste_t* engine = guest_engine(NULL);
  posthaste_report_t* report = NULL;
  guest_listen(&port);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, guest_push(engine));
  posthaste_close(engine, 0, NULL);
  CHECK_CODE(POSTHASTE_OK, posthaste_poll(engine, 0, &report));
  posthaste_free(engine);
  return report;
}

int main(void) {
  uint64_t number = 0;
  size_t size = 0;
  int32_t code = 0;
  int port = 0;
  posthaste_t* engine = guest_engine(NULL);
  posthaste_t* made_engine = NULL;
  posthaste_conf_t* conf = posthaste_conf_new();
  posthaste_error_t* error = posthaste_error_new();
  posthaste_webhook_t* webhook = posthaste_webhook_new();
  posthaste_webhook_t* made_webhook = NULL;
  posthaste_webhook_list_t* list = NULL;
  posthaste_webhook_list_t* made_list = NULL;
  posthaste_event_t* event = posthaste_event_new("delivery");
  posthaste_report_t* report = make_report();
  posthaste_report_t* made_report = NULL;
  posthaste_filter_t* filter = posthaste_filter_new();
  posthaste_text_t* text = NULL;
  posthaste_text_t* made_text = NULL;
  posthaste_request_t* request = posthaste_request_new("GET", "/health");
  posthaste_response_t* response = NULL;
  posthaste_response_t* made_response = NULL;
  guest_set_time_limit(60);
  guest_listen(&port);
  guest_put(engine, "hook", port);
  CHECK_CODE(POSTHASTE_OK, posthaste_start(engine, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_list(engine, &list, NULL));
  CHECK_CODE(POSTHASTE_OK, posthaste_stats_json(engine, &text));
  CHECK_CODE(POSTHASTE_OK, posthaste_api_handle(engine, request, 1000, &response, NULL));

"""
EPILOGUE = """\

  /* Nothing was changed by all this, and a null handle of any kind may be freed. */
  CHECK(posthaste_wants(engine, "delivery") == 1);
  CHECK(made_engine == NULL && made_webhook == NULL && made_list == NULL);
  CHECK(made_report == NULL && made_text == NULL && made_response == NULL && number == 0);
  posthaste_response_free(response);
  posthaste_request_free(request);
  posthaste_report_free(report);
  posthaste_filter_free(filter);
  posthaste_text_free(text);
  posthaste_webhook_list_free(list);
  posthaste_event_free(event);
  posthaste_webhook_free(webhook);
  posthaste_conf_free(conf);
  posthaste_free(engine);
  posthaste_error_free(error);
  printf("%d calls with null\\n", CALL_COUNT);
  return 0;
}
"""

ADMIN_PREAMBLE = """\
/* Made from the listener's header by generate_null_test.py: null for every pointer of every function. */
#include <posthaste/admin.h>
#include <stdio.h>

#include "guest.h"

static int is_nothing(const char* text) { return text == NULL || text[0] == '\\0'; }

static int32_t answer_request(posthaste_t* ph, const posthaste_request_t* request, int32_t timeout_ms,
                              posthaste_response_t** out, void* user_data) {
  (void)ph;
  (void)request;
  (void)timeout_ms;
  (void)user_data;
  *out = posthaste_response_new(200);
  return POSTHASTE_OK;
}

int main(void) {
  posthaste_t* engine = guest_engine(NULL);
  posthaste_error_t* error = posthaste_error_new();
  posthaste_admin_conf_t* admin_conf = posthaste_admin_conf_new();
  posthaste_admin_t* admin = NULL;
  posthaste_admin_t* made_admin = NULL;
  int32_t code = 0;
  guest_set_time_limit(60);
  CHECK_CODE(POSTHASTE_OK, posthaste_admin_start(engine, NULL, &admin, error));

"""
ADMIN_EPILOGUE = """\

  /* Nothing was changed by all this, and a null handle may be freed. */
  CHECK(made_admin == NULL && posthaste_admin_port(admin) > 0);
  posthaste_admin_free(admin);
  posthaste_admin_conf_free(admin_conf);
  posthaste_free(engine);
  posthaste_error_free(error);
  printf("%d calls with null\\n", CALL_COUNT);
  return 0;
}
"""
ENGAGEMENT_PREAMBLE = """\
/* Made from the header of tracking links by generate_null_test.py: null for every pointer of every function. */
#include <posthaste/engagement.h>
#include <stdio.h>

#include "guest.h"

static int is_nothing(const char* text) { return text == NULL || text[0] == '\\0'; }

int main(void) {
  posthaste_t* engine = guest_engine(NULL);
  posthaste_error_t* error = posthaste_error_new();
  posthaste_engagement_conf_t* conf = posthaste_engagement_conf_new();
  posthaste_engagement_t* engagement = NULL;
  posthaste_engagement_t* made_engagement = NULL;
  posthaste_text_t* made_text = NULL;
  posthaste_request_t* request = posthaste_request_new("GET", "/t/x");
  posthaste_response_t* made_response = NULL;
  guest_set_time_limit(60);
  CHECK_CODE(POSTHASTE_OK, posthaste_engagement_conf_set(conf, "url", "https://links.test", error));
  CHECK_CODE(POSTHASTE_OK, posthaste_engagement_conf_set(conf, "keys", "0123456789abcdefghij", error));
  CHECK_CODE(POSTHASTE_OK, posthaste_engagement_new(conf, &engagement, error));

"""
ENGAGEMENT_EPILOGUE = """\

  /* Nothing was made by all this, and a null handle may be freed. */
  CHECK(made_engagement == NULL && made_text == NULL && made_response == NULL);
  posthaste_request_free(request);
  posthaste_engagement_free(engagement);
  posthaste_engagement_conf_free(conf);
  posthaste_free(engine);
  posthaste_error_free(error);
  printf("%d calls with null\\n", CALL_COUNT);
  return 0;
}
"""
# What the functions of a header begin with -> what stands around the calls; the public header's are all others.
LIBRARIES = {"posthaste_admin_": (ADMIN_PREAMBLE, ADMIN_EPILOGUE),
             "posthaste_engagement_": (ENGAGEMENT_PREAMBLE, ENGAGEMENT_EPILOGUE)}


def library_of(name):
    return next((prefix for prefix in LIBRARIES if name.startswith(prefix)), None)


def is_optional(function, parameter):
    return parameter.name in OPTIONAL["*"] | OPTIONAL.get(function.name, set())


def valid_argument(parameter):
    if parameter.type == "const char*":
        return VALID_TEXTS[parameter.name]
    return VALID[parameter.type]


def expectation(function, call):
    """The C statement that makes the call and checks what it answers."""
    if function.returns == "void":
        return f"  {call};\n"
    if function.returns == "const char*":
        if "never null" in function.comment or '""' in function.comment:
            return f'  CHECK({call} != NULL && {call}[0] == \'\\0\');\n'
        return f"  CHECK(is_nothing({call}));\n"
    if function.returns.endswith("*"):
        return f"  CHECK({call} == NULL);\n"
    if function.returns != "int32_t" or function.name in GETTERS:
        return f"  CHECK({call} == 0);\n"
    if function.name in SPECIAL_RESULTS:
        return f"  CHECK({call} == {SPECIAL_RESULTS[function.name]});\n"
    return f"  CHECK_CODE(POSTHASTE_E_INVALID, {call});\n"


def call_with(function, null_names):
    arguments = ("NULL" if p.name in null_names else valid_argument(p) for p in function.parameters)
    return f"{function.name}({', '.join(arguments)})"


def calls(function):
    """Yields the statements for one function."""
    pointers = [p for p in function.parameters if p.is_pointer]
    required = [p for p in pointers if not is_optional(function, p)]
    if function.returns == "void":
        yield expectation(function, call_with(function, {p.name for p in pointers}))
        return
    if required or function.name in GETTERS or function.parameters and function.parameters[0].name == "error":
        yield expectation(function, call_with(function, {p.name for p in pointers}))
    if len(pointers) < 2:
        return
    for parameter in required:
        yield expectation(function, call_with(function, {parameter.name}))
        has_error = any(p.type == "posthaste_error_t*" for p in pointers)
        if has_error and function.returns == "int32_t":
            yield "  CHECK_CODE(POSTHASTE_E_INVALID, posthaste_error_code(error));\n"
            yield "  CHECK(posthaste_error_message(error)[0] != '\\0');\n"


def main():
    header_path, output_path = sys.argv[1:]
    functions = c_header.functions(Path(header_path).read_text())
    names = {function.name for function in functions}
    library = library_of(min(names))
    listed = (set(OPTIONAL) | GETTERS | set(SPECIAL_RESULTS)) - {"*"}
    stale = {name for name in listed - names if library_of(name) == library}
    if stale:
        raise SystemExit(f"no longer in the header: {' '.join(sorted(stale))}")
    body = []
    for function in functions:
        if any(p.is_pointer for p in function.parameters):
            body += calls(function)
    if not body:
        raise SystemExit("no function with a pointer was found")
    count = sum(1 for statement in body if "posthaste_error_code(error)" not in statement
                and "posthaste_error_message(error)" not in statement)
    preamble, epilogue = LIBRARIES.get(library, (PREAMBLE, EPILOGUE))
    Path(output_path).write_text(preamble + "".join(body) + epilogue.replace("CALL_COUNT", str(count)))


if __name__ == "__main__":
    sys.exit(main())
