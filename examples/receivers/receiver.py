"""A receiver of Posthaste's batches: checks the token or the signature, answers first and works later (here: prints each
event as a line of JSON), stops when the sender hangs up, counts every batch and event once. Standard library only."""
import base64, hmac, http.server, json, queue, select, socket, sys, threading, time, zlib

BODY_MAX = 64 << 20  # bytes of JSON
SEEN_MAX = 1_000_000  # ids to remember: more than come while a sender tries again
batches, events, lock, work = {}, {}, threading.Lock(), queue.Queue()
options = {"--port": "8080", "--token": "", "--secret": "", **dict(zip(sys.argv[1::2], sys.argv[2::2]))}


def adds(ids, new):
    """Whether it is new."""
    is_new = new not in ids
    ids[new] = True
    if len(ids) > SEEN_MAX:
        del ids[next(iter(ids))]  # the oldest
    return is_new


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 60

    def do_POST(self):
        size = int(self.headers.get("Content-Length", BODY_MAX + 1))
        body = self.rfile.read(min(size, BODY_MAX))
        if len(body) < min(size, BODY_MAX) or self.has_hung_up():
            self.close_connection = True
            return self.log_message("the sender hung up")  # it sends the batch again
        self.close_connection |= size > BODY_MAX  # since the rest is not read
        self.send_response(413 if size > BODY_MAX else self.take(body))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def take(self, body):
        """Returns the status to answer with; hands new batches to the work."""
        coding = self.headers.get("Content-Encoding", "identity")
        if coding not in ("identity", "gzip"):
            return 415  # it comes again as plain JSON
        try:
            text = zlib.decompressobj(31).decompress(body, BODY_MAX) if coding == "gzip" else body
            if not self.is_genuine(text):
                return 401
            records = json.loads(text)
        except (zlib.error, ValueError):
            return 400
        with lock:
            if adds(batches, self.headers.get("X-MessageSystems-Batch-ID")):
                work.put(records)
        return 200

    def is_genuine(self, text):
        if not options["--secret"]:
            token = self.headers.get("X-MessageSystems-Webhook-Token", "")
            return hmac.compare_digest(token.encode(), options["--token"].encode())
        stamp, key = self.headers.get("webhook-timestamp", ""), base64.b64decode(options["--secret"][len("whsec_"):])
        if not stamp.isdecimal() or abs(time.time() - int(stamp)) > 300:
            return False
        right = hmac.digest(key, f"{self.headers.get('webhook-id')}.{stamp}.".encode() + text, "sha256")
        signatures = self.headers.get("webhook-signature", "").encode().split()
        return any(hmac.compare_digest(b"v1," + base64.b64encode(right), one) for one in signatures)

    def has_hung_up(self):
        try:
            is_readable = select.select([self.connection], [], [], 0)[0]
            return bool(is_readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except ConnectionError:
            return True


def work_off():
    for event in (event for records in iter(work.get, None) for record in records for event in record["msys"].values()):
        if adds(events, event.get("event_id")):
            print(json.dumps(event), flush=True)


threading.Thread(target=work_off, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(options["--port"])), Handler)
print("listening on", server.server_port, flush=True)
server.serve_forever()
