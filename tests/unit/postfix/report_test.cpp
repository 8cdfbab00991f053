extern "C" {
#include "postfix/report.h"
#include "c/mini_mta/headers.h"
#include "postfix/outcome.h"
}

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

span as_span(std::string_view text) {
  return {text.data(), text.size()};
}

std::string text_of(const buffer& text) {
  return text.data == nullptr ? "" : std::string(text.data, text.size);
}

std::string sample(const std::string& name) {
  std::ifstream file(std::string(POSTHASTE_POSTFIX_CORPUS) + "/" + name, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A report that frees itself.
struct Report : report {
  explicit Report(const std::string& message) : report{} { report_read(as_span(message), this); }
  ~Report() { report_free(this); }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string without(std::string text, char character) {
  text.erase(std::remove(text.begin(), text.end(), character), text.end());
  return text;
}

std::string normalised(std::string_view reply) {
  buffer out = {};
  outcome_normalise(as_span(reply), &out);
  const std::string text = text_of(out);
  buffer_free(&out);
  return text;
}

std::string reply_in(std::string_view text) {
  const span reply = outcome_reply(as_span(text));
  return {reply.data, reply.size};
}

std::string decoded(std::string_view header) {
  buffer out = {};
  header_decode(as_span(header), &out);
  const std::string text = text_of(out);
  buffer_free(&out);
  return text;
}

}  // namespace

TEST_CASE("A DSN tells who failed and why, and the message that came back", "[postfix][report]") {
  const Report report(sample("dsn.eml"));
  REQUIRE(report.kind == REPORT_BOUNCE);
  // The one that is only delayed is none.
  REQUIRE(report.recipient_count == 1);
  CHECK(text_of(report.recipients[0].address) == "Ann@far.example");
  CHECK(text_of(report.recipients[0].status) == "5.1.1");
  CHECK(text_of(report.recipients[0].diagnostic) ==
        "550 5.1.1 <ann.moved@inside.far.example>: no mailbox at 192.0.2.7");
  CHECK(text_of(report.message_id) == "1234.5678@mail.example.com");
  CHECK(text_of(report.from) == "news@example.com");
  CHECK(text_of(report.subject) == "Fr\u00fchling");
  CHECK(text_of(report.reporter) == "mx.far.example");
}

TEST_CASE("An abuse report tells who complains about what", "[postfix][report]") {
  const Report report(sample("arf.eml"));
  REQUIRE(report.kind == REPORT_COMPLAINT);
  REQUIRE(report.recipient_count == 1);
  CHECK(text_of(report.recipients[0].address) == "Bob@far.example");
  CHECK(text_of(report.feedback_type) == "abuse");
  CHECK(text_of(report.user_agent) == "FarFeedback/1.2");
  CHECK(text_of(report.reporter) == "abuse.far.example");
  CHECK(text_of(report.sender) == "bounces+bob@example.com");
  CHECK(text_of(report.source_ip) == "192.0.2.25");
  CHECK(text_of(report.message_id) == "8765.4321@mail.example.com");
}

TEST_CASE("Reports with bare line feeds, without an end, or in base64 are read",
          "[postfix][report]") {
  const std::string dsn = sample("dsn.eml");
  CHECK(Report(without(dsn, '\r')).recipient_count == 1);
  CHECK(Report(replaced(dsn, "--part/of=report--", "")).recipient_count == 1);
  CHECK(Report(dsn.substr(0, dsn.find("--part/of=report\r\nContent-Type: text/rfc822"))).kind ==
        REPORT_BOUNCE);
  const Report encoded(
      "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n"
      "Content-Transfer-Encoding: base64\n\n"
      "UmVwb3J0aW5nLU1UQTogZG5zOyB4CgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsgYUB4CkFjdGlvbjogZmFpbGVkCg=="
      "\n--b--\n");
  REQUIRE(encoded.recipient_count == 1);
  CHECK(text_of(encoded.recipients[0].address) == "a@x");
}

TEST_CASE("Several recipients of one DSN are told one by one", "[postfix][report]") {
  const std::string dsn = replaced(sample("dsn.eml"), "Action: delayed", "action: FAILED");
  const Report report(dsn);
  REQUIRE(report.recipient_count == 2);
  CHECK(text_of(report.recipients[1].address) == "slow@far.example");
  CHECK(text_of(report.recipients[1].diagnostic).empty());
}

TEST_CASE("A complaint without a recipient is about whom the message went to",
          "[postfix][report]") {
  const std::string arf =
      replaced(sample("arf.eml"), "Original-Rcpt-To: <Bob@far.example>\r\n", "");
  const Report report(arf);
  REQUIRE(report.recipient_count == 1);
  CHECK(text_of(report.recipients[0].address) == "bob@far.example");
}

TEST_CASE("Who reports is in its From when the report does not say", "[postfix][report]") {
  const std::string arf =
      replaced(sample("arf.eml"), "Reporting-MTA: dns; abuse.far.example\r\n", "");
  CHECK(text_of(Report(arf).reporter) == "abuse.far.example");
}

TEST_CASE("Other mail is no report", "[postfix][report]") {
  CHECK(Report("").kind == REPORT_NONE);
  CHECK(Report("Subject: x\n\nAction: failed\n").kind == REPORT_NONE);
  CHECK(Report("Content-Type: multipart/report\n\n--b\n").kind == REPORT_NONE);
  const std::string dsn = sample("dsn.eml");
  CHECK(Report(replaced(dsn, "multipart/report", "multipart/mixed")).kind == REPORT_NONE);
  CHECK(Report(replaced(dsn, "Action: failed", "Action: relayed")).kind == REPORT_NONE);
}

TEST_CASE("A report of too many recipients is cut, not refused", "[postfix][report]") {
  std::string group;
  for (int i = 0; i < 2 * REPORT_RECIPIENTS_MAX; i++)
    group += "Original-Rcpt-To: <r" + std::to_string(i) + "@far.example>\r\n";
  const Report report(
      replaced(sample("arf.eml"), "Original-Rcpt-To: <Bob@far.example>\r\n", group));
  CHECK(report.recipient_count == REPORT_RECIPIENTS_MAX);
}

TEST_CASE("A server's reply is found in Postfix's text", "[postfix][outcome]") {
  CHECK(reply_in("host x[192.0.2.7] said: 550 5.1.1 no (in reply to RCPT TO command)") ==
        "550 5.1.1 no");
  CHECK(reply_in(
            "host x[192.0.2.7] said: 550 a (in reply to b) c (in reply to end of DATA command)") ==
        "550 a (in reply to b) c");
  CHECK(reply_in("connect to x[192.0.2.7]:25: Connection refused") ==
        "connect to x[192.0.2.7]:25: Connection refused");
  CHECK(outcome_code(as_span("550 5.1.1 no")) == 550);
  CHECK(outcome_code(as_span("550-5.1.1 no")) == 550);
  CHECK(outcome_code(as_span("421")) == 421);
  CHECK(outcome_code(as_span("5500 apples")) == 0);
  CHECK(outcome_code(as_span("connect to x: refused")) == 0);
}

TEST_CASE("Bounce classes follow the enhanced code, then the words", "[postfix][outcome]") {
  const auto class_of = [](std::string_view dsn, std::string_view reply) {
    return outcome_bounce_class(as_span(dsn), as_span(reply));
  };
  CHECK(class_of("5.1.1", "550 no such user") == 10);
  CHECK(class_of("5.2.2", "") == 22);
  CHECK(class_of("4.2.2", "") == 22);
  CHECK(class_of("5.3.4", "") == 23);
  CHECK(class_of("4.4.1", "timed out") == 24);
  CHECK(class_of("5.4.4", "Host not found") == 21);
  CHECK(class_of("5.7.1", "Relay access denied") == 54);
  CHECK(class_of("5.7.1", "looks like SPAM") == 51);
  CHECK(class_of("5.7.1", "blocked") == 50);
  CHECK(class_of("4.0.0", "") == 70);
  CHECK(class_of("", "451 later") == 70);
  CHECK(class_of("5.0.0", "no") == 1);
  CHECK(class_of("", "") == 1);
}

TEST_CASE("Reasons are the same for other hosts and mailboxes", "[postfix][outcome]") {
  CHECK(normalised("550 <a@x.example>: 192.0.2.17 is listed.") ==
        "550 <user@domain>: a.b.c.d is listed.");
  CHECK(normalised("at 10.0.0.1.") == "at a.b.c.d.");
  CHECK(normalised("version 1.2.3.4.5 and 1.2.3") == "version 1.2.3.4.5 and 1.2.3");
  CHECK(normalised("<no address> a < b@c") == "<no address> a < b@c");
  CHECK(normalised("") == "");
}

TEST_CASE("Encoded words of any charset that the system knows become UTF-8", "[postfix][headers]") {
  CHECK(decoded("=?utf-8?B?w4RwZmVs?= and =?ISO-8859-1?Q?B=FCcher=22?=") ==
        "\u00c4pfel and B\u00fccher\"");
  CHECK(decoded("=?koi8-r?B?8NLJ18XU?=") == "\u041f\u0440\u0438\u0432\u0435\u0442");
  CHECK(decoded("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=") == "\u65e5\u672c");
  CHECK(decoded("=?windows-1252?Q?=80?=") == "\u20ac");
  CHECK(decoded("=?no-such-charset?Q?kept?=") == "=?no-such-charset?Q?kept?=");
  CHECK(decoded("=?iso-2022-jp?Q?=1B$B=80?=") == "=?iso-2022-jp?Q?=1B$B=80?=");
}
