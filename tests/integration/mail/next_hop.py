"""The next hop of a mail server in tests: an SMTP server that judges each recipient by its address.

accept-*   taken
defer-*    451 at the first `deferrals` attempts, then taken
busy-*     451 for ever
bounce-*   550
late-*     taken at RCPT, 554 after the message's end
"""

import socketserver
import threading


class NextHop:
    """Threads: one for each connection; every method may be called from any."""

    def __init__(self, deferrals=1):
        self.deferrals = deferrals
        self._lock = threading.Lock()
        self._attempts = {}
        self._taken = []
        self._refused_at = None
        self._broken_at = None
        next_hop = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                next_hop._talk(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """A mail server that is killed leaves connections behind."""

        self._server = Server(("127.0.0.1", 0), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def taken(self):
        """`(recipient, message)` of all that was taken, as it came."""
        with self._lock:
            return list(self._taken)

    def attempts(self, recipient):
        with self._lock:
            return self._attempts.get(recipient, 0)

    def refuse_at(self, stage):
        """From now on everybody is answered 451 at `MAIL`, `DATA` or `.`, the message's end."""
        self._refused_at = stage.encode()

    def break_at(self, stage):
        """From now on every connection breaks at `MAIL`, `RCPT` or `DATA`."""
        self._broken_at = stage.encode()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _judge(self, recipient):
        with self._lock:
            attempt = self._attempts[recipient] = self._attempts.get(recipient, 0) + 1
        if recipient.startswith("busy-") or (recipient.startswith("defer-") and attempt <= self.deferrals):
            return b"451 4.2.1 <%s> mailbox is busy" % recipient.encode()
        if recipient.startswith("bounce-"):
            return b"550 5.1.1 <%s> no such user" % recipient.encode()
        return b"250 2.1.5 ok"

    def _take(self, recipients, message):
        if self._refused_at == b".":
            return b"451 4.3.0 not now"
        if any(recipient.startswith("late-") for recipient in recipients):
            return b"554 5.7.1 content refused"
        with self._lock:
            self._taken.extend((recipient, message) for recipient in recipients)
        return b"250 2.0.0 taken"

    def _talk(self, lines, output):
        def answer(text):
            output.write(text + b"\r\n")
            output.flush()

        recipients = []
        answer(b"220 next.hop.test ESMTP")
        for line in lines:
            verb = line[:4].upper().strip()
            if verb == self._broken_at:
                return
            if verb == self._refused_at:
                answer(b"451 4.3.0 not now")
            elif verb in (b"EHLO", b"HELO"):
                answer(b"250-next.hop.test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES" if verb == b"EHLO" else b"250 ok")
            elif verb in (b"MAIL", b"RSET"):
                recipients = []
                answer(b"250 2.1.0 ok")
            elif verb == b"RCPT":
                recipient = line.decode("utf-8", "replace").partition("<")[2].partition(">")[0]
                verdict = self._judge(recipient)
                if verdict.startswith(b"2"):
                    recipients.append(recipient)
                answer(verdict)
            elif verb == b"DATA" and recipients:
                answer(b"354 go on")
                message = []
                for part in lines:
                    if part == b".\r\n":
                        break
                    message.append(part.removeprefix(b"."))
                answer(self._take(recipients, b"".join(message)))
                recipients = []
            elif verb == b"DATA":
                answer(b"554 5.5.1 no valid recipients")
            elif verb == b"QUIT":
                answer(b"221 2.0.0 bye")
                return
            else:
                answer(b"250 2.0.0 ok")
