"""mini_mta under hostile input: seeded garbage for SMTP, MIME and HTTP; afterwards it must still serve and end well.

Meant to be run with a sanitizer build too, where any memory error ends the server and so the test.
"""

import random
import socket
import unittest

from mini_mta_host import HostTest, accepted_id

COMMANDS = ["EHLO ", "HELO x", "MAIL FROM:", "RCPT TO:", "DATA", "RSET", "NOOP", "VRFY", "<", ">", "@", ":", '"',
            "\\", "alice@example.test", "<alice@example.test>", "<@a,@b:", " SIZE=", "SIZE=18446744073709551616",
            " BODY=8BITMIME", "\r", "\n", "\r\n", "\0", "\xff", " ", ".", "[1.2.3.4]", "x" * 70, "y" * 300]
PIECES = ["Content-Type: text/html", "; charset=", '"', "utf-8", "iso-2022-jp", "Content-Transfer-Encoding: base64",
          "Content-Transfer-Encoding: quoted-printable", "Content-Type: multipart/mixed; boundary=b", "; boundary=\"",
          "\r\n", "\r\n\r\n", "--b", "--b--", "--", "=", "=3", "=3D", "=\r\n", "PGEgaHJlZj0i", "aHR0cDovL3gv", "====",
          "<a href=", "<a href='http://x.test/", "'>", ">", "</a>", "<!--", "-->", "<script>", "</script", "</body>",
          "<", "&#", "&#x41;", "&#1114112;", "&amp;", "http://y.test/", "Subject: =?utf-8?B?", "=?utf-8?Q?=C3",
          "?=", "From: <", "\t", " ", "\\", ";", ":", "\xff\xfe", "/", "data-msys-linkname="]
HTTP = ["GET ", "HEAD ", "POST ", "/t/", "A" * 36, "EA", "/", "Content-Length: ", "9", "?", " HTTP/1.1", "\r\n", "\r\n\r\n", "\n",
        "User-Agent: ", "Accept-Language: ", ":", " ", "\0", "\xff", "%00", "a" * 500, "HTTP/1."]


def mixture(generator, pieces, count_max):
    count = generator.randrange(1, count_max)
    return "".join(generator.choice(pieces) for _ in range(count)).encode("latin-1")


def as_text_lines(data):
    """Makes mail of it that SMTP accepts: CRLF lines of at most 998 bytes, dots stuffed."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line[:998] + b"\r\n" for line in lines)


class Hostile(HostTest):
    def still_serves(self):
        accepted_id(self.connect().mail(["bob@example.test"], b"Subject: alive\r\n\r\nok\r\n"))
        self.assertEqual(self.fetch("/nothing")[0], 404)

    def test_garbage_commands_do_no_harm(self):
        for seed in range(150):
            generator = random.Random(seed)
            client = self.connect(greet=False)
            try:
                for _ in range(10):
                    client.send(mixture(generator, COMMANDS, 8) + b"\r\n")
                client.socket.shutdown(socket.SHUT_WR)
                while client.socket.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
            client.close()
            self.assertIsNone(self.host.process.poll(), f"seed {seed}: {self.host.output()}")
        self.still_serves()

    def test_garbage_mail_is_delivered_byte_for_byte_or_tracked(self):
        client = self.connect()
        for seed in range(300):
            generator = random.Random(seed)
            text = mixture(generator, PIECES, 60)
            if seed % 3:
                text = b"Content-Type: text/html\r\n\r\n" + text
            reply = client.mail(["alice@example.test"], as_text_lines(text))
            self.assertEqual(reply[0], 250, f"seed {seed}: {reply} {self.host.output()}")
        self.assertEqual(len(list((self.maildir / "alice" / "new").iterdir())), 300)
        self.still_serves()

    def test_raw_garbage_as_mail_text_is_answered_once(self):
        for seed in range(40):
            generator = random.Random(seed)
            client = self.connect()
            text = generator.randbytes(generator.randrange(1, 5000)).replace(b"\r\n.\r\n", b"")
            client.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
            self.assertEqual([client.reply()[0] for _ in range(3)], [250, 250, 354])
            client.send(text + b"\r\n.\r\n")
            self.assertIn(client.reply()[0], (250, 554), f"seed {seed}")
            self.assertEqual(client.command("NOOP")[0], 250, f"seed {seed}")
            client.close()
        self.still_serves()

    def test_deep_and_wide_messages_stay_cheap(self):
        client = self.connect()
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
                        for i in range(2000))
        self.assertEqual(client.mail(["alice@example.test"], deep)[0], 250)
        wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 50000
        self.assertEqual(client.mail(["alice@example.test"], wide)[0], 250)
        links = (b"Content-Type: text/html\r\n\r\n" +
                 b'<a href="http://x.test/">x</a><!-- <script> " <\r\n' * 5000)
        self.assertEqual(client.mail(["alice@example.test"], links)[0], 250)
        head = b"Content-Type: text/html\r\nSubject: " + b"=?utf-8?q?" * 90 + b"\r\n"
        self.assertEqual(client.mail(["alice@example.test"], head + b" =?utf-8?\r\n" * 50000)[0], 250)
        self.still_serves()

    def test_garbage_requests_do_no_harm(self):
        for seed in range(150):
            answer = self.raw_http(mixture(random.Random(seed), HTTP, 12))
            self.assertRegex(answer.decode("latin-1"), r"^(HTTP/1\.1 4(0[0145]|13) |$)", f"seed {seed}")
        self.assertTrue(self.raw_http(b"GET /" + b"a" * 20000).startswith(b"HTTP/1.1 431 "))
        self.assertTrue(self.raw_http(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000)
                        .startswith(b"HTTP/1.1 431 "))
        self.still_serves()

    def test_more_connections_than_fit_wait_and_are_served_later(self):
        clients = [self.connect(greet=False) for _ in range(64)]
        for client in clients:
            self.assertEqual(client.reply()[0], 220)
        late = self.connect(greet=False)
        clients[0].close()
        self.assertEqual(late.reply()[0], 220)


if __name__ == "__main__":
    unittest.main()
