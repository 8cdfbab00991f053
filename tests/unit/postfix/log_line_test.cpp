extern "C" {
#include "postfix/log_line.h"
}

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace {

// 2026-11-24 04:15:19 UTC.
constexpr int64_t kNow = 1795493719;

struct Utc {
  Utc() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

std::string text_of(const span& text) {
  return {text.data, text.size};
}

span span_of_view(std::string_view text) {
  return {text.data(), text.size()};
}

// Reads a whole line; kind stays OTHER when the head is not one.
log_line read(std::string_view text, int64_t now = kNow) {
  log_line line = {};
  span message = {};
  if (log_line_split(span_of_view(text), "postfix", now, &line, &message) != 0)
    log_line_read(message, &line);
  return line;
}

int64_t time_of(std::string_view stamp, int64_t now = kNow) {
  const std::string text = std::string(stamp) + " mx postfix/qmgr[1]: 4jYVRD6jT4z85lr: removed";
  const log_line line = read(text, now);
  return line.kind == LOG_LINE_REMOVED ? line.time_s : -1;
}

int64_t utc(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  std::tm moment = {};
  moment.tm_year = year - 1900;
  moment.tm_mon = month - 1;
  moment.tm_mday = day;
  moment.tm_hour = hour;
  moment.tm_min = minute;
  moment.tm_sec = second;
  return timegm(&moment);
}

}  // namespace

TEST_CASE("A log time without a year is of this year, or of the last one over new year",
          "[postfix][log_line]") {
  const Utc zone;
  CHECK(time_of("Nov 24 04:15:19") == kNow);
  CHECK(time_of("Nov  4 04:15:19") == utc(2026, 11, 4, 4, 15, 19));
  CHECK(time_of("Dec 31 23:59:59", utc(2027, 1, 1, 0, 0, 5)) == utc(2026, 12, 31, 23, 59, 59));
  CHECK(time_of("Jan  1 00:00:01", utc(2027, 1, 1, 0, 0, 5)) == utc(2027, 1, 1, 0, 0, 1));
}

TEST_CASE("A log time a little ahead of the clock is not a year old", "[postfix][log_line]") {
  const Utc zone;
  CHECK(time_of("Jan  1 00:00:03", utc(2026, 12, 31, 23, 59, 58)) == utc(2027, 1, 1, 0, 0, 3));
  CHECK(time_of("Nov 25 04:15:00") == utc(2026, 11, 25, 4, 15, 0));
  CHECK(time_of("Nov 26 04:15:00") == utc(2025, 11, 26, 4, 15, 0));
}

TEST_CASE("A leap day in the log belongs to the last year that had one", "[postfix][log_line]") {
  const Utc zone;
  CHECK(time_of("Feb 29 12:00:00", utc(2028, 3, 1)) == utc(2028, 2, 29, 12));
  CHECK(time_of("Feb 29 12:00:00", utc(2027, 3, 1)) == utc(2024, 2, 29, 12));
}

TEST_CASE("A log time of RFC 3339 says everything itself", "[postfix][log_line]") {
  const Utc zone;
  CHECK(time_of("2026-11-24T04:15:19.123456+00:00") == kNow);
  CHECK(time_of("2026-11-24T05:45:19.5+01:30") == kNow);
  CHECK(time_of("2026-11-23T23:15:19-05:00") == kNow);
  CHECK(time_of("2024-02-29T00:00:00Z") == utc(2024, 2, 29));
  CHECK(time_of("1969-12-31T23:59:59Z") == -1);
  CHECK(time_of("2026-13-24T04:15:19Z") == -1);
}

TEST_CASE("Lines of other programs and half lines are not Postfix's", "[postfix][log_line]") {
  const Utc zone;
  for (const char* text :
       {"", "Nov 24 04:15:19", "Nov 24 04:15:19 mx", "Nov 24 04:15:19 mx postfix/qmgr[1]",
        "Nov 24 04:15:19 mx dovecot: 4jYVRD6jT4z85lr: removed",
        "Nov 24 04:15:19 mx postfixer/qmgr[1]: 4jYVRD6jT4z85lr: removed",
        "Nov 32 04:15:19 mx postfix/qmgr[1]: 4jYVRD6jT4z85lr: removed",
        "Nov 24 04:15:19 mx postfix/qmgr[1]: 4jYVRD6jT4z85lr: removed by hand",
        "Nov 24 04:15:19 mx postfix/qmgr[1]: NOQUEUE: removed",
        "Nov 24 04:15:19 mx postfix/smtpd[1]: connect from localhost[127.0.0.1]"}) {
    INFO(text);
    CHECK(read(text).kind == LOG_LINE_OTHER);
  }
}

TEST_CASE("A delivery's line tells recipient, relay, delay and reply", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      "Nov 24 04:15:19 mx postfix/smtp[20153]: 4jYVRD6jT4z85lr: to=<Ann@far.example>, "
      "orig_to=<list@near.example>, relay=mx.far.example[192.0.2.7]:25, conn_use=2, delay=1.1, "
      "delays=1/0/0.1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as (ABC))");
  CHECK(line.kind == LOG_LINE_SENT);
  CHECK(text_of(line.service) == "smtp");
  CHECK(text_of(line.queue_id) == "4jYVRD6jT4z85lr");
  CHECK(text_of(line.recipient) == "Ann@far.example");
  CHECK(text_of(line.original_recipient) == "list@near.example");
  CHECK(text_of(line.relay_ip) == "192.0.2.7");
  CHECK(text_of(line.delay) == "1.1");
  CHECK(text_of(line.dsn) == "2.0.0");
  CHECK(text_of(line.text) == "250 2.0.0 Ok: queued as (ABC)");
}

TEST_CASE("A deferral without a connection has no relay address", "[postfix][log_line]") {
  const Utc zone;
  for (const char* relay : {"none", "local", "mx.far.example[private/dovecot-lmtp]"}) {
    const std::string text =
        "Nov 24 04:15:19 mx postfix/lmtp[1]: AB32E106327: to=<a@b.example>, relay=" +
        std::string(relay) +
        ", delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to "
        "b.example[192.0.2.9]:25: Connection timed out)";
    const log_line line = read(text);
    CHECK(line.kind == LOG_LINE_DEFERRED);
    CHECK(text_of(line.relay_ip).empty());
    CHECK(text_of(line.text) == "connect to b.example[192.0.2.9]:25: Connection timed out");
  }
}

TEST_CASE("IPv6 relays, other instances and services with names of their own are understood",
          "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      "2026-11-24T04:15:19+00:00 mx postfix/out/smtp[1]: AB32E106327: to=<a@b.example>, "
      "relay=b.example[2001:db8::7]:25, delay=1, delays=1/0/0/0, dsn=5.1.1, status=bounced (host "
      "b.example[2001:db8::7] said: 550 5.1.1 no (in reply to RCPT TO command))");
  CHECK(line.kind == LOG_LINE_BOUNCED);
  CHECK(text_of(line.service) == "smtp");
  CHECK(text_of(line.relay_ip) == "2001:db8::7");
}

TEST_CASE("Quoted local parts may hold what otherwise ends an address", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      R"(Nov 24 04:15:19 mx postfix/smtp[1]: AB32E106327: to=<"a>, relay=evil[6.6.6.6]:1, \" x"@b.example>, relay=b[192.0.2.7]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok))");
  CHECK(line.kind == LOG_LINE_SENT);
  CHECK(text_of(line.recipient) == R"("a>, relay=evil[6.6.6.6]:1, \" x"@b.example)");
  CHECK(text_of(line.relay_ip) == "192.0.2.7");
}

TEST_CASE("A reply that looks like a log line stays a reply", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      "Nov 24 04:15:19 mx postfix/smtp[1]: AB32E106327: to=<a@b.example>, relay=b[192.0.2.7]:25, "
      "delay=1, delays=1/0/0/0, dsn=4.2.0, status=deferred (host b[192.0.2.7] said: 450 x, "
      "status=sent (250 ok) (in reply to RCPT TO command))");
  CHECK(line.kind == LOG_LINE_DEFERRED);
  CHECK(text_of(line.text) ==
        "host b[192.0.2.7] said: 450 x, status=sent (250 ok) (in reply to RCPT TO command)");
}

TEST_CASE("Probes of addresses are no deliveries", "[postfix][log_line]") {
  const Utc zone;
  for (const char* status : {"deliverable", "undeliverable"}) {
    const std::string text =
        "Nov 24 04:15:19 mx postfix/smtp[1]: AB32E106327: to=<a@b.example>, relay=none, "
        "delay=1, delays=1/0/0/0, dsn=2.0.0, status=" +
        std::string(status) + " (ok)";
    CHECK(read(text).kind == LOG_LINE_OTHER);
  }
}

TEST_CASE("The queue manager tells sender, size, expiry and the end", "[postfix][log_line]") {
  const Utc zone;
  const std::string head = "Nov 24 04:15:19 mx postfix/qmgr[1]: AB32E106327: ";
  std::string text = head + "from=<sender@example.test>, size=356, nrcpt=1 (queue active)";
  log_line line = read(text);
  CHECK(line.kind == LOG_LINE_QUEUED);
  CHECK(text_of(line.sender) == "sender@example.test");
  CHECK(text_of(line.size) == "356");
  text = head + "from=<>, size=2286, nrcpt=1 (queue active)";
  line = read(text);
  CHECK(line.kind == LOG_LINE_QUEUED);
  CHECK(text_of(line.sender).empty());
  CHECK(read(head + "from=<a@b.example>, status=expired, returned to sender").kind ==
        LOG_LINE_EXPIRED);
  CHECK(read(head + "from=<a@b.example>, status=force-expired, returned to sender").kind ==
        LOG_LINE_EXPIRED);
  CHECK(read(head + "removed").kind == LOG_LINE_REMOVED);
}

TEST_CASE("A Message-ID is read without its brackets, and whatever it holds",
          "[postfix][log_line]") {
  const Utc zone;
  const std::string head = "Nov 24 04:15:19 mx postfix/cleanup[1]: AB32E106327: message-id=";
  CHECK(text_of(read(head + "<1.2@x.example>").message_id) == "1.2@x.example");
  CHECK(text_of(read(head + "bare").message_id) == "bare");
  CHECK(text_of(read(head + "<>").message_id).empty());
  CHECK(text_of(read(head + "<a>: removed>").message_id) == "a>: removed");
  CHECK(read(head + "<x>").kind == LOG_LINE_MESSAGE_ID);
}

TEST_CASE("A refused command tells client, envelope and reply", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      "Nov 24 04:15:19 mx postfix/smtpd[20149]: NOQUEUE: reject: RCPT from "
      "client.example[192.0.2.3]: "
      "554 5.7.1 <to@far.example>: Relay access denied; from=<From@example.test> "
      "to=<to@far.example> proto=ESMTP helo=<client.test>");
  CHECK(line.kind == LOG_LINE_REJECTED);
  CHECK(text_of(line.queue_id).empty());
  CHECK(text_of(line.client_ip) == "192.0.2.3");
  CHECK(line.reply_code == 554);
  CHECK(text_of(line.dsn) == "5.7.1");
  CHECK(text_of(line.text) == "<to@far.example>: Relay access denied");
  CHECK(text_of(line.sender) == "From@example.test");
  CHECK(text_of(line.recipient) == "to@far.example");
  CHECK(text_of(line.protocol) == "ESMTP");
}

TEST_CASE("Refusals come at every stage, with less to tell at some", "[postfix][log_line]") {
  const Utc zone;
  const std::string head = "Nov 24 04:15:19 mx postfix/smtpd[1]: NOQUEUE: ";
  std::string text =
      head +
      "reject: MAIL from localhost[127.0.0.1]:4242: 552 5.3.4 Message size exceeds fixed "
      "limit; proto=ESMTP helo=<x>";
  log_line line = read(text);
  CHECK(line.kind == LOG_LINE_REJECTED);
  CHECK(line.reply_code == 552);
  CHECK(text_of(line.client_ip) == "127.0.0.1");
  CHECK(text_of(line.recipient).empty());
  text = head +
         "milter-reject: RCPT from localhost[127.0.0.1]: 451 4.7.1 Service unavailable - try again "
         "later; from=<a@b.example> to=<c@d.example> proto=SMTP helo=<x>";
  line = read(text);
  CHECK(line.kind == LOG_LINE_REJECTED);
  CHECK(text_of(line.protocol) == "SMTP");
  CHECK(
      read(head + "reject_warning: RCPT from localhost[127.0.0.1]: 554 5.7.1 x; from=<a@b.example>")
          .kind == LOG_LINE_OTHER);
  text =
      "Nov 24 04:15:19 mx postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.4]:39000: 550 "
      "5.7.1 Service unavailable; client [192.0.2.4] blocked using bl.example; from=<a@b.example>, "
      "to=<c@d.example>, proto=ESMTP, helo=<x>";
  line = read(text);
  CHECK(line.kind == LOG_LINE_REJECTED);
  CHECK(text_of(line.client_ip) == "192.0.2.4");
  CHECK(text_of(line.recipient) == "c@d.example");
}

TEST_CASE("An envelope forged inside a refused address does not count", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      R"(Nov 24 04:15:19 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 554 5.7.1 <"; from=<evil@x> to=<evil@y> "@far.example>: no; from=<good@b.example> to=<"; from=<evil@x> to=<evil@y> "@far.example> proto=ESMTP helo=<x>)");
  CHECK(text_of(line.sender) == "good@b.example");
}

TEST_CASE("Refused content is told apart from what it says", "[postfix][log_line]") {
  const Utc zone;
  const log_line line = read(
      "Nov 24 04:15:19 mx postfix/cleanup[1]: B22F810632D: reject: header Subject: x from "
      "evil[6.6.6.6]; from=<evil@x> to=<evil@y> proto=SMTP helo=<e>: 5.0.0 forged from "
      "localhost[127.0.0.1]; from=<sender@example.test> to=<a@hop.test> proto=ESMTP "
      "helo=<client.test>: 5.7.1 such headers are not wanted");
  CHECK(line.kind == LOG_LINE_REJECTED);
  CHECK(text_of(line.client_ip) == "127.0.0.1");
  CHECK(text_of(line.sender) == "sender@example.test");
  CHECK(line.reply_code == 0);
  CHECK(text_of(line.dsn) == "5.7.1");
  CHECK(text_of(line.text) == "such headers are not wanted");
}
