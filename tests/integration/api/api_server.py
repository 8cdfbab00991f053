"""A host of the library in Python: its REST handler behind an HTTP server of Python's own.

    api_server.py [--ticket | --listener] --key KEY --answer-within MS [SETTING=VALUE]...

KEY becomes an API key that may do everything; an answer that takes longer than MS is 504. Prints `listening on http://127.0.0.1:PORT` and runs until SIGTERM.
--ticket answers through posthaste_api_handle_ticket and the report of the ticket instead of posthaste_api_handle;
--listener leaves HTTP to libposthaste_admin. Standard library only; the libraries are named by the environment,
POSTHASTE_LIBRARY and POSTHASTE_ADMIN_LIBRARY.
"""

import ctypes
import http.server
import os
import signal
import sys
import threading

REPORT_TICKET = 5
GRANT_MODIFY = 2

TEXTS = ["posthaste_error_message", "posthaste_response_header_name", "posthaste_response_header_value"]
POINTERS = ["posthaste_conf_new", "posthaste_request_new", "posthaste_error_new", "posthaste_response_body"]


def load():
    library = ctypes.CDLL(os.environ["POSTHASTE_LIBRARY"])
    for name in TEXTS:
        getattr(library, name).restype = ctypes.c_char_p
    for name in POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    library.posthaste_response_header_count.restype = ctypes.c_size_t
    library.posthaste_report_ticket.restype = ctypes.c_uint64
    return library


LIBRARY = load()


class Engine:
    """One engine, started, and the tickets that its reports complete."""

    def __init__(self, settings, key, has_tickets, answer_within_ms):
        self.answer_within_ms = answer_within_ms
        self.error = ctypes.c_void_p(LIBRARY.posthaste_error_new())
        conf = ctypes.c_void_p(LIBRARY.posthaste_conf_new())
        for name, value in settings:
            self.check(LIBRARY.posthaste_conf_set(conf, name.encode(), value.encode(), self.error))
        self.engine = ctypes.c_void_p()
        self.check(LIBRARY.posthaste_new(conf, ctypes.byref(self.engine), self.error))
        LIBRARY.posthaste_conf_free(conf)
        self.check(LIBRARY.posthaste_start(self.engine, self.error))
        self.check(LIBRARY.posthaste_key_put(self.engine, b"tests", key.encode(), GRANT_MODIFY,
                                             ctypes.c_int64(-1), None, self.error))
        self.has_tickets = has_tickets
        self.answers = {}
        self.arrived = threading.Condition()
        self.is_open = True
        self.poller = threading.Thread(target=self.poll, daemon=True)
        self.poller.start()

    def check(self, code):
        if code != 0:
            raise SystemExit(LIBRARY.posthaste_error_message(self.error).decode())

    def poll(self):
        report = ctypes.c_void_p()
        while self.is_open:
            if LIBRARY.posthaste_poll(self.engine, 100, ctypes.byref(report)) != 0:
                continue
            if LIBRARY.posthaste_report_kind(report) == REPORT_TICKET:
                response = ctypes.c_void_p()
                LIBRARY.posthaste_report_response(report, ctypes.byref(response))
                with self.arrived:
                    self.answers[LIBRARY.posthaste_report_ticket(report)] = response
                    self.arrived.notify_all()
            LIBRARY.posthaste_report_free(report)

    def response_by_ticket(self, request, error):
        ticket = ctypes.c_uint64()
        code = LIBRARY.posthaste_api_handle_ticket(self.engine, request, ctypes.byref(ticket), error)
        if code != 0:
            raise RuntimeError(LIBRARY.posthaste_error_message(error).decode())
        with self.arrived:
            self.arrived.wait_for(lambda: ticket.value in self.answers, self.answer_within_ms / 1000)
            return self.answers.pop(ticket.value)

    def response_to(self, request):
        error = ctypes.c_void_p(LIBRARY.posthaste_error_new())
        try:
            if self.has_tickets:
                return self.response_by_ticket(request, error)
            response = ctypes.c_void_p()
            code = LIBRARY.posthaste_api_handle(self.engine, request, self.answer_within_ms,
                                                ctypes.byref(response), error)
            if code != 0:
                raise RuntimeError(LIBRARY.posthaste_error_message(error).decode())
            return response
        finally:
            LIBRARY.posthaste_error_free(error)

    def answer(self, method, target, headers, body, peer):
        """Returns status, headers and body."""
        request = ctypes.c_void_p(LIBRARY.posthaste_request_new(method.encode(), target))
        for name, value in headers:
            LIBRARY.posthaste_request_add_header(request, name.encode(), value.encode("latin-1"))
        LIBRARY.posthaste_request_set_body(request, body, ctypes.c_size_t(len(body)))
        LIBRARY.posthaste_request_set_peer(request, peer.encode())
        LIBRARY.posthaste_request_set_scheme(request, b"http")
        response = self.response_to(request)
        LIBRARY.posthaste_request_free(request)
        size = ctypes.c_size_t()
        data = LIBRARY.posthaste_response_body(response, ctypes.byref(size))
        found = (LIBRARY.posthaste_response_status(response),
                 [(LIBRARY.posthaste_response_header_name(response, ctypes.c_size_t(i)).decode(),
                   LIBRARY.posthaste_response_header_value(response, ctypes.c_size_t(i)).decode())
                  for i in range(LIBRARY.posthaste_response_header_count(response))],
                 ctypes.string_at(data, size.value))
        LIBRARY.posthaste_response_free(response)
        return found

    def close(self, before_free=lambda: None):
        LIBRARY.posthaste_close(self.engine, 2000, self.error)
        self.is_open = False
        self.poller.join()
        before_free()
        LIBRARY.posthaste_free(self.engine)


class Listener:
    """The library's own HTTP server in front of an engine."""

    def __init__(self, engine):
        self.library = ctypes.CDLL(os.environ["POSTHASTE_ADMIN_LIBRARY"])
        self.library.posthaste_admin_url.restype = ctypes.c_char_p
        self.library.posthaste_admin_conf_new.restype = ctypes.c_void_p
        self.engine = engine
        self.admin = ctypes.c_void_p()
        conf = ctypes.c_void_p(self.library.posthaste_admin_conf_new())
        engine.check(self.library.posthaste_admin_conf_set(conf, b"handler.timeout",
                                                           f"{engine.answer_within_ms}ms".encode(), engine.error))
        engine.check(self.library.posthaste_admin_start(engine.engine, conf, ctypes.byref(self.admin), engine.error))
        self.library.posthaste_admin_conf_free(conf)
        self.url = self.library.posthaste_admin_url(self.admin).decode()

    def serve_until_end(self):
        signal.sigwait([signal.SIGTERM])
        self.library.posthaste_admin_stop(self.admin, 2000, self.engine.error)
        self.engine.close(lambda: self.library.posthaste_admin_free(self.admin))


class Connection(http.server.BaseHTTPRequestHandler):
    """Hands requests on as they are: unknown methods, bodies of any kind, all headers."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self):
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, answer = self.server.engine.answer(
            self.command, self.path.encode("latin-1"), self.headers.items(), body,
            self.client_address[0])
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, engine):
        super().__init__(("127.0.0.1", 0), Connection)
        self.engine = engine
        self.url = f"http://127.0.0.1:{self.server_port}"

    def serve_until_end(self):
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.shutdown).start())
        self.serve_forever(poll_interval=0.02)
        self.engine.close()


def main(arguments):
    has_tickets = "--ticket" in arguments
    key = arguments[arguments.index("--key") + 1]
    answer_within_ms = int(arguments[arguments.index("--answer-within") + 1])
    settings = [text.split("=", 1) for text in arguments if "=" in text]
    if "--listener" in arguments:
        # Before there are threads, so that all of them leave the signal to the main one.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    engine = Engine(settings, key, has_tickets, answer_within_ms)
    server = Listener(engine) if "--listener" in arguments else Server(engine)
    print(f"listening on {server.url}", flush=True)
    server.serve_until_end()


if __name__ == "__main__":
    main(sys.argv[1:])
