"""mini_mta end to end: real mail over SMTP, real batches at a receiver."""

import base64
import json
import os
import quopri
import re
import signal
import smtplib
import time
import unittest
from email.message import EmailMessage

from mail_case import Catalogue
from mini_mta_host import HostTest, accepted_id, wait_until

TRACKED = re.compile(r'(?:href|src)\s*=\s*"http://127\.0\.0\.1:\d+(/t/[\w-]+)"', re.I)


def message(html, headers=""):
    """A text/html message as bytes with CRLF line ends."""
    text = ("From: Shop <news@shop.test>\nTo: alice@example.test\nSubject: Hello\n"
            f"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n{headers}\n{html}\n")
    return text.replace("\n", "\r\n").encode()


def tracked_paths(text):
    """The paths of our URLs in HTML: the initial pixel, then links, then the pixel."""
    return TRACKED.findall(text)


class Delivery(HostTest):
    def test_an_html_message_is_injected_delivered_opened_and_clicked_under_one_id(self):
        client = self.connect()
        identifier = accepted_id(client.mail(
            ["Alice@Example.Test"],
            message('<p><a href="http://shop.test/?a=1&amp;b=2" data-msys-linkname="Deal">x</a></p>')))
        self.assertRegex(identifier, "^[0-9a-f]{20}$")
        stored = self.delivered("alice")[0]
        self.assertIn(identifier, stored["Received"])
        self.assertEqual(stored["Return-Path"], "<News@Shop.Test>")
        initial, link, pixel = tracked_paths(stored.get_payload(decode=True).decode())
        for path in (initial, pixel, initial):
            status, headers, body = self.fetch(path, headers={"User-Agent": "Reader/1"})
            self.assertEqual((status, headers["Content-Type"], body[:6]), (200, "image/gif", b"GIF89a"))
        status, headers, body = self.fetch(
            link, headers={"User-Agent": "Reader/2", "Accept-Language": "nb"})
        self.assertEqual((status, headers["Location"]), (302, "http://shop.test/?a=1&b=2"))
        unsubscribe = re.fullmatch(r"<http://127\.0\.0\.1:\d+(/t/[\w-]+)>", stored["List-Unsubscribe"]).group(1)
        self.assertEqual(self.fetch(unsubscribe, "POST", body=stored["List-Unsubscribe-Post"])[0], 200)
        self.receiver.wait_for(6, message_id=identifier)

        self.assertEqual([event["type"] for event in self.receiver.events()],
                         ["injection", "delivery", "initial_open", "open", "click", "list_unsubscribe"])
        events = {event["type"]: event for event in self.receiver.events()}
        catalogue = Catalogue()
        for event in events.values():
            told = {name: value for name, value in event.items() if name != "class"}
            self.assertEqual(catalogue.problems(event["class"], told), [])
        for event in events.values():
            self.assertEqual(event["rcpt_to"], "alice@example.test")
            self.assertEqual(event["raw_rcpt_to"], "Alice@Example.Test")
            self.assertEqual(event["msg_from"], "News@Shop.Test")
            self.assertEqual(event["friendly_from"], "news@shop.test")
            self.assertEqual(event["subject"], "Hello")
            self.assertEqual(event["recipient_domain"], "example.test")
            self.assertRegex(event["injection_time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIsInstance(event["msg_size"], str)
            self.assertIs(event["open_tracking"], True)
            self.assertRegex(event["timestamp"], r"^\d+$")
        self.assertEqual(len({event["event_id"] for event in events.values()}), 6)
        self.assertEqual(events["injection"]["class"], "message_event")
        self.assertEqual(events["injection"]["recv_method"], "esmtp")
        self.assertEqual(events["delivery"]["num_retries"], "0")
        self.assertEqual(events["delivery"]["delv_method"], "maildir")
        self.assertEqual(events["open"]["class"], "track_event")
        self.assertEqual(events["initial_open"]["class"], "track_event")
        self.assertEqual(events["list_unsubscribe"]["class"], "unsubscribe_event")
        self.assertEqual(events["open"]["user_agent"], "Reader/1")
        self.assertEqual(events["click"]["user_agent"], "Reader/2")
        self.assertEqual(events["click"]["accept_language"], "nb")
        self.assertEqual(events["click"]["ip_address"], "127.0.0.1")
        self.assertEqual(events["click"]["target_link_url"], "http://shop.test/?a=1&b=2")
        self.assertEqual(events["click"]["target_link_name"], "Deal")
        request = self.receiver.requests()[0]
        self.assertEqual(request["target"], "/hook")
        self.assertIn(["X-MessageSystems-Webhook-Token", "secret-token"], request["headers"])

    def test_two_recipients_get_copies_and_events_of_their_own_under_one_id(self):
        identifier = accepted_id(self.connect().mail(
            ["alice@example.test", "bob@example.test"], message("<p>hello</p>")))
        injections = self.receiver.wait_for(2, type="injection", message_id=identifier)
        deliveries = self.receiver.wait_for(2, type="delivery", message_id=identifier)
        for events in (injections, deliveries):
            self.assertEqual([event["rcpt_to"] for event in events],
                             ["alice@example.test", "bob@example.test"])
        pixels = [tracked_paths(self.delivered(user)[0].get_payload(decode=True).decode())[-1]
                  for user in ("alice", "bob")]
        self.assertNotEqual(pixels[0], pixels[1])
        self.fetch(pixels[1])
        opens = self.receiver.wait_for(1, type="open")
        self.assertEqual(opens[0]["rcpt_to"], "bob@example.test")

    def test_an_unknown_recipient_bounces_after_acceptance(self):
        identifier = accepted_id(self.connect().mail(
            ["alice@example.test", "Nobody@example.test"], message("<p>x</p>")))
        bounce = self.receiver.wait_for(1, type="bounce", message_id=identifier)[0]
        self.assertEqual(bounce["rcpt_to"], "nobody@example.test")
        self.assertEqual((bounce["bounce_class"], bounce["error_code"]), ("10", "550"))
        self.assertEqual(bounce["reason"], "550 5.1.1 no such user here")
        self.assertEqual(bounce["raw_reason"], "550 5.1.1 <Nobody@example.test>: no such user here")
        self.receiver.wait_for(1, type="delivery", message_id=identifier, rcpt_to="alice@example.test")

    def test_a_recipient_elsewhere_is_refused_with_a_policy_rejection(self):
        client = self.connect()
        self.assertEqual(client.command("MAIL FROM:<a@shop.test>")[0], 250)
        code, text = client.command("RCPT TO:<c@other.test>")
        self.assertEqual((code, text), (550, "5.7.1 <c@other.test>: relaying denied"))
        self.assertEqual(client.command("DATA")[0], 554)
        rejection = self.receiver.wait_for(1, type="policy_rejection")[0]
        self.assertEqual(rejection["rcpt_to"], "c@other.test")
        self.assertEqual(rejection["msg_from"], "a@shop.test")
        self.assertEqual(rejection["remote_addr"], "127.0.0.1")
        self.assertEqual(rejection["bounce_class"], "54")

    def test_a_maildir_that_is_away_delays_and_delivers_when_it_is_back(self):
        os.rename(self.maildir / "alice", self.maildir / "away")
        identifier = accepted_id(self.connect().mail(["alice@example.test"], message("<p>x</p>")))
        delays = self.receiver.wait_for(2, type="delay", message_id=identifier)
        self.assertEqual([event["num_retries"] for event in delays[:2]], ["0", "1"])
        self.assertEqual((delays[0]["error_code"], delays[0]["bounce_class"]), ("451", "70"))
        os.rename(self.maildir / "away", self.maildir / "alice")
        delivery = self.receiver.wait_for(1, type="delivery", message_id=identifier)[0]
        self.assertGreaterEqual(int(delivery["num_retries"]), 2)
        self.assertGreater(int(delivery["queue_time"]), 0)
        self.assertEqual(len(self.delivered("alice")), 1)

    def test_several_connections_are_served_at_once(self):
        clients = [self.connect() for _ in range(20)]
        for client in clients:
            client.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
        for client in reversed(clients):
            self.assertEqual([client.reply()[0] for _ in range(3)], [250, 250, 354])
            client.send("Subject: many\r\n\r\ntext\r\n.\r\n")
        identifiers = {accepted_id(client.reply()) for client in clients}
        self.assertEqual(len(identifiers), 20)
        deliveries = self.receiver.wait_for(20, type="delivery")
        self.assertEqual({event["message_id"] for event in deliveries}, identifiers)


class Protocol(HostTest):
    def test_pipelined_commands_are_answered_in_order(self):
        client = self.connect()
        client.send("NOOP\r\nVRFY alice\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\n"
                    "RSET\r\nMAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME\r\n"
                    "RCPT TO:<@relay.test:alice@example.test>\r\nDATA\r\n")
        self.assertEqual([client.reply()[0] for _ in range(8)],
                         [250, 252, 250, 250, 250, 250, 250, 354])
        client.send("Subject: p\r\n\r\ntext\r\n.\r\nQUIT\r\n")
        accepted_id(client.reply())
        self.assertEqual(client.reply()[0], 221)
        self.assertEqual(client.reply()[0], 0)
        self.assertEqual(self.delivered("alice")[0].get_payload(), "text\n")

    def test_stuffed_dots_are_removed_however_the_text_is_cut(self):
        client = self.connect()
        text = b"Subject: dots\r\n\r\n..\r\n...two\r\n.a\r\nb.\r\n.\r\n"
        client.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
        for _ in range(3):
            client.reply()
        for i in range(len(text)):
            client.send(text[i:i + 1])
            time.sleep(0.001)
        accepted_id(client.reply())
        self.assertEqual(self.delivered("alice")[0].get_payload(), ".\n..two\na\nb.\n")

    def test_a_bare_line_feed_cannot_smuggle_a_second_message(self):
        client = self.connect()
        code, text = client.mail(["alice@example.test"],
                                 b"Subject: s\r\n\r\nx\n.\r\nMAIL FROM:<evil@b.test>\r\n")
        self.assertEqual(code, 554)
        self.assertIn("CRLF", text)
        self.assertEqual(client.command("NOOP"), (250, "2.0.0 nothing done"))

    def test_commands_out_of_order_and_malformed_ones_are_refused(self):
        client = self.connect(greet=False)
        client.reply()
        for line, code in [("MAIL FROM:<a@b.test>", 503), ("EHLO", 501), ("HELO x", 250),
                           ("RCPT TO:<alice@example.test>", 503), ("DATA", 503),
                           ("MAIL FROM:a@b.test", 501), ("MAIL FROM:<a b@c.test>", 501),
                           ("MAIL FROM:<a@b.test> SIZE=99999999999999999999", 552),
                           ("MAIL FROM:<a@b.test> SIZE=x", 501),
                           ("MAIL FROM:<a@b.test> SMTPUTF8", 555), ("WHAT", 500),
                           ("MAIL FROM:<a@b.test>", 250), ("MAIL FROM:<a@b.test>", 503),
                           ("RCPT TO:<>", 501), ("RCPT TO:<alice>", 501), ("RCPT TO:<Postmaster>", 250)]:
            self.assertEqual(client.command(line)[0], code, line)

    def test_recipients_sizes_lines_and_errors_have_limits(self):
        client = self.connect()
        client.command("MAIL FROM:<a@b.test>")
        codes = [client.command(f"RCPT TO:<u{i}@example.test>")[0] for i in range(101)]
        self.assertEqual(codes, [250] * 100 + [452])
        client.command("RSET")
        self.assertEqual(client.mail(["alice@example.test"], b"x" * 998 + b"\r\n")[0], 250)
        self.assertEqual(client.mail(["alice@example.test"], b"x" * 999 + b"\r\n")[0], 554)
        self.assertEqual(client.mail(["alice@example.test"], b"y" * 5000 + b"\r\n.\r\r\n")[0], 554)
        line = b"z" * 900 + b"\r\n"
        self.assertEqual(client.mail(["alice@example.test"], line * (11 * 1024 * 1024 // 902))[0], 552)
        code, _ = client.command("A" * 2000)
        self.assertEqual(code, 500)
        self.assertEqual([client.reply()[0], client.reply()[0]], [421, 0])
        rude = self.connect()
        codes = [rude.command("WHAT")[0] for _ in range(20)]
        self.assertEqual(codes, [500] * 20)
        self.assertEqual([rude.reply()[0], rude.reply()[0]], [421, 0])

    def test_smtplib_can_send_a_multipart_message(self):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "n@shop.test", "bob@example.test", "Grüße" * 20
        mail.set_content("plain http://plain.test/")
        mail.add_alternative('<html><body>é <a href="https://x.test/ü">y</a></body></html>',
                             subtype="html")
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as client:
            client.send_message(mail)
        injection = self.receiver.wait_for(1, type="injection")[0]
        self.assertEqual(injection["subject"], "Grüße" * 20)
        parts = list(self.delivered("bob")[0].walk())
        self.assertEqual(parts[1].get_payload(decode=True).decode().strip(), "plain http://plain.test/")
        html = parts[2].get_payload(decode=True).decode()
        self.assertIn("é ", html)
        self.assertEqual(parts[2].get_content_charset(), "utf-8")
        initial, link, pixel = tracked_paths(html)
        self.assertLess(html.index(initial), html.index("é "))
        self.assertLess(html.index(pixel), html.index("</body>"))
        self.fetch(link)
        click = self.receiver.wait_for(1, type="click")[0]
        self.assertEqual(click["target_link_url"], "https://x.test/ü")


class Tracking(HostTest):
    def deliver(self, data):
        """Sends a message to alice and returns it as delivered."""
        count = len(list((self.maildir / "alice" / "new").iterdir()))
        accepted_id(self.connect().mail(["alice@example.test"], data))
        return self.delivered("alice", count + 1)[-1]

    def test_links_are_found_in_each_transfer_encoding(self):
        html = ('<html><body style="x">' + "Grüße " * 30 +
                '<a class=b href="https://shop.test/path?q=1&amp;r=2">link = 1</a></body></html>')
        raw = html.encode()
        for name, body in [("8bit", raw), ("quoted-printable", quopri.encodestring(raw)),
                           ("base64", base64.encodebytes(raw))]:
            with self.subTest(name):
                body = body.decode("utf-8").replace("\r\n", "\n")
                stored = self.deliver(message(body, f"Content-Transfer-Encoding: {name}\n"))
                # Three links in one line are too long for what is not encoded.
                kept = {"8bit": "quoted-printable"}.get(name, name)
                self.assertEqual(stored["Content-Transfer-Encoding"], kept)
                self.assertEqual(stored.get_content_charset(), "utf-8")
                text = stored.get_payload(decode=True).decode()
                self.assertIn("Grüße " * 30, text)
                self.assertIn("link = 1</a>", text)
                initial, link, pixel = tracked_paths(text)
                self.assertEqual(self.fetch(link)[1]["Location"], "https://shop.test/path?q=1&r=2")
                self.assertEqual((self.fetch(initial)[0], self.fetch(pixel)[0]), (200, 200))
                lines = stored.as_bytes().splitlines()
                self.assertLessEqual(max(len(line) for line in lines), 998)

    def test_a_plain_part_whose_lines_grow_too_long_becomes_quoted_printable(self):
        html = "<p>" + "x" * 900 + ' <a href="http://a.test/">a</a><a href="http://b.test/">b</a>'
        stored = self.deliver(message(html))
        self.assertEqual(stored["Content-Transfer-Encoding"], "quoted-printable")
        text = stored.get_payload(decode=True).decode()
        self.assertEqual(len(tracked_paths(text)), 4)
        self.assertIn("x" * 900, text)

    def test_a_plain_part_whose_lines_stay_short_stays_as_it_is(self):
        stored = self.deliver(message("<body>\n<p>x</p>\n</body>", "Content-Transfer-Encoding: 8bit\n"))
        self.assertEqual(stored["Content-Transfer-Encoding"], "8bit")
        self.assertEqual(len(tracked_paths(stored.get_payload())), 2)

    def test_what_is_not_a_web_link_stays_as_it_is(self):
        html = ('<!-- <a href="http://comment.test/">c</a> --><script>"<a href=\'http://s.test/\'>"</script>'
                '<a href="mailto:x@y.test">m</a><a href="#top">t</a><a name=n>n</a>'
                '<a href="http://evil.test/&#13;&#10;Set-Cookie:x">e</a><a href="http://cut.test/'
                '" data-msys-clicktrack="0">off</a><img src="http://img.test/i.png">'
                "<A HREF = 'http://single.test/'>s</A><area href=http://bare.test/x?y>")
        text = self.deliver(message(html)).get_payload(decode=True).decode()
        kept = ["comment.test", "http://s.test/", "mailto:x@y.test", "#top", "cut.test",
                "img.test/i.png"]
        for piece in kept:
            self.assertIn(piece, text)
        paths = tracked_paths(text)
        # Browsers leave line ends in URLs out, so that none comes into a header.
        self.assertEqual([self.fetch(path)[1]["Location"] for path in paths[1:-1]],
                         ["http://evil.test/Set-Cookie:x", "http://single.test/", "http://bare.test/x?y"])

    def test_nested_parts_are_tracked_and_attachments_and_signed_parts_are_not(self):
        body = ("--outer\n"
                'Content-Type: multipart/alternative; boundary="in ner"\n\n'
                "--in ner\nContent-Type: text/plain\n\nhttp://text.test/\n"
                '--in ner\nContent-Type: text/html\n\n<a href="http://one.test/">1</a>\n'
                "--in ner--\nepilogue\n--outer\n"
                'Content-Type: text/html\nContent-Disposition: attachment; filename=a.html\n\n'
                '<a href="http://attached.test/">2</a>\n'
                "--outer\nContent-Type: multipart/signed; boundary=sig\n\n"
                '--sig\nContent-Type: text/html\n\n<a href="http://signed.test/">3</a>\n--sig--\n'
                "--outer--\n")
        text = ("From: a@b.test\nMIME-Version: 1.0\n"
                "Content-Type: multipart/mixed;\n boundary=outer\n\npreamble\n" + body)
        accepted_id(self.connect().mail(["alice@example.test"], text.replace("\n", "\r\n").encode()))
        stored = self.delivered("alice")[0].as_string()
        for kept in ["preamble", "http://text.test/", "epilogue", "http://attached.test/",
                     "http://signed.test/"]:
            self.assertIn(kept, stored)
        self.assertNotIn("one.test", stored)
        html = [part.get_payload(decode=True).decode() for part in self.delivered("alice")[0].walk()
                if part.get_content_type() == "text/html"]
        self.assertEqual([len(tracked_paths(text)) for text in html], [3, 0, 0])

    def test_tracking_urls_cannot_be_guessed_or_bent(self):
        text = self.deliver(message('<a href="http://a.test/">a</a>')).get_payload(decode=True).decode()
        _, link, pixel = tracked_paths(text)
        other = pixel[:-1] + ("A" if pixel[-1] != "A" else "B")
        for path in ["/", "/t/", other, pixel[:-1], pixel + "A", "/t/" + "A" * 400, "/t/" + "x" * 4000, "/o/" + "0" * 36,
                     "/t/http://a.test/", "/x" + link.replace("/t/", "/")]:
            self.assertEqual(self.fetch(path)[0], 404, path)
        self.assertEqual(self.fetch(link + "?url=http://evil.test/")[1]["Location"], "http://a.test/")
        for path, allowed in ((link, "GET, HEAD"), (pixel, "GET, HEAD")):
            status, headers, _ = self.fetch(path, method="POST")
            self.assertEqual((status, headers["Allow"]), (405, allowed))
        status, headers, body = self.fetch(pixel, method="HEAD", headers={"User-Agent": "checker"})
        self.assertEqual((status, headers["Content-Type"], body), (200, "image/gif", b""))
        self.fetch(pixel + "?cache=1", headers={"User-Agent": "last"})
        opens = self.receiver.wait_for(2, type="open")
        self.assertEqual([(event["user_agent"], event["user_agent_parsed"]["is_prefetched"]) for event in opens],
                         [("checker", True), ("last", False)])
        self.assertEqual(len([event for event in self.receiver.events() if event["type"] == "click"]), 1)

    def test_a_sender_with_an_unsubscribe_link_keeps_it(self):
        stored = self.deliver(message("<p>x</p>", "List-Unsubscribe: <mailto:u@shop.test>\n"))
        self.assertEqual(stored.get_all("List-Unsubscribe"), ["<mailto:u@shop.test>"])
        self.assertIsNone(stored["List-Unsubscribe-Post"])

    def test_the_body_of_a_request_is_bounded(self):
        path = re.search(r"/t/[\w-]+", self.deliver(message("<p>x</p>"))["List-Unsubscribe"]).group()
        self.assertEqual(self.fetch(path, "POST", body="x" * 4097)[0], 413)
        self.assertEqual(self.fetch(path, "POST", body="x")[0], 400)
        request = f"POST {path} HTTP/1.1\r\nHost: a\r\n"
        for field in ("Content-Length: x", "Content-Length: -1", "Content-Length: 99999999999999999999",
                      "Transfer-Encoding: chunked"):
            self.assertTrue(self.raw_http(f"{request}{field}\r\n\r\n".encode()).startswith(b"HTTP/1.1 413 "), field)


class TrackingKey(HostTest):
    def more_options(self):
        return ["--tracking-key", "a-key-of-this-test-only", "--suppress", "open"]

    def test_a_link_outlives_the_server_with_its_key_and_a_suppressed_type_has_none(self):
        accepted_id(self.connect().mail(["alice@example.test"], message('<a href="http://a.test/">a</a>')))
        initial, link = tracked_paths(self.delivered("alice")[0].get_payload(decode=True).decode())
        self.assertEqual((self.fetch(initial)[0], self.fetch(link)[0]), (200, 302))
        self.end_host()
        self.start_host()
        self.assertEqual((self.fetch(initial)[0], self.fetch(link)[0]), (200, 302))
        self.receiver.wait_for(2, type="click")


class WebhooksFile(HostTest):
    def write_file(self, *paths):
        """Writes webhooks for bounces, one for each path at the receiver."""
        entries = [{"name": path, "target": f"{self.receiver.url}/{path}", "events": ["bounce"],
                    "auth_token": f"token-{path}"} for path in paths]
        (self.folder / "webhooks.json").write_text(json.dumps(entries))

    def more_options(self):
        self.write_file("first", "second")
        return ["--webhook-file", str(self.folder / "webhooks.json")]

    def bounce_targets(self, count):
        """Makes a bounce and returns where it arrived, `count` targets in all."""
        identifier = accepted_id(self.connect().mail(["nobody@example.test"], b"\r\n"))

        def targets():
            return sorted(request["target"] for request in self.receiver.requests()
                          if identifier in request["body"] and '"bounce"' in request["body"])

        wait_until(lambda: len(targets()) >= count, f"{count} batches with the bounce")
        return targets()

    def test_a_hangup_reads_the_file_again_and_changes_only_what_differs(self):
        self.assertEqual(self.bounce_targets(3), ["/first", "/hook", "/second"])
        self.write_file("second", "third")
        self.host.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.host.output().count("webhooks ") == 2, "the second summary")
        self.assertEqual(self.bounce_targets(3), ["/hook", "/second", "/third"])
        summary = json.loads(self.host.output().split("webhooks.json: ")[2].splitlines()[0])
        self.assertEqual((summary["added"], summary["removed"], summary["unchanged"]), (1, 1, 1))


class Ending(HostTest):
    def more_options(self):
        return ["--suppress", "delivery"]

    def test_a_suppressed_type_is_not_pushed_and_the_end_sends_what_is_queued(self):
        identifier = accepted_id(self.connect().mail(["alice@example.test"], message("<p>x</p>")))
        self.delivered("alice")
        self.host.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.host.process.wait(timeout=20), 0)
        injection = self.receiver.wait_for(1, type="injection")[0]
        self.assertEqual(injection["message_id"], identifier)
        self.assertEqual({event["type"] for event in self.receiver.events()}, {"injection"})
        wait_until(lambda: "report delivered" in self.host.output(), "the report")


if __name__ == "__main__":
    unittest.main()
