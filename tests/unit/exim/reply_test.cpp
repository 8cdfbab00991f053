// What the Exim module reads in SMTP answers.
extern "C" {
#include "exim/reply.h"
}

#include <array>
#include <catch2/catch.hpp>
#include <string>

namespace {

std::string normalised(const char* text) {
  std::array<char, 256> out;
  reply_normalise(text, out.data(), out.size());
  return out.data();
}

}  // namespace

TEST_CASE("Exim module finds the remote server's answer in Exim's own words", "[exim]") {
  CHECK(reply_find("SMTP error from remote mail server after RCPT TO:<a@b.test>: 550 5.1.1 no") ==
        std::string("550 5.1.1 no"));
  CHECK(reply_find("H=x: host: 451-4.2.1 busy\n451 again") ==
        std::string("451-4.2.1 busy\n451 again"));
  CHECK(reply_find("421 closing") == std::string("421 closing"));
  CHECK(reply_find("Connection refused") == std::string("Connection refused"));
  CHECK(reply_find(": ") == std::string(": "));
  CHECK(reply_find("") == std::string());
}

TEST_CASE("Exim module reads a code only where an answer has one", "[exim]") {
  CHECK(reply_code("550 no") == 550);
  CHECK(reply_code("451-4.2.1 busy") == 451);
  CHECK(reply_code("250") == 250);
  for (const char* text : {"", "5", "55", "5501", "650 no", "a50 no", "150 no", "55x no"}) {
    CAPTURE(text);
    CHECK(reply_code(text) == 0);
  }
}

TEST_CASE("Exim module classes bounces by enhanced status, else by code", "[exim]") {
  CHECK(reply_bounce_class("550 5.1.1 no such user") == 10);
  CHECK(reply_bounce_class("452 4.2.2 full") == 22);
  CHECK(reply_bounce_class("552 5.3.4 too big") == 23);
  CHECK(reply_bounce_class("451 4.2.1 busy") == 20);
  CHECK(reply_bounce_class("550 5.7.26 unauthenticated") == 50);
  CHECK(reply_bounce_class("550 5.9.9 something else") == 1);
  CHECK(reply_bounce_class("552 too much") == 22);
  CHECK(reply_bounce_class("421 later") == 70);
  CHECK(reply_bounce_class("550") == 1);
  CHECK(reply_bounce_class("Connection refused") == 1);
}

TEST_CASE("Exim module takes what varies out of a reason", "[exim]") {
  CHECK(normalised("IP (17.99.99.99) is in block list") == "IP (a.b.c.d) is in block list");
  CHECK(normalised("<a@b.test> no such user") == "<> no such user");
  CHECK(normalised("1.2.3.4") == "a.b.c.d");
  CHECK(normalised("version 1.2.3 of 4") == "version 1.2.3 of 4");
  CHECK(normalised("5.1.1.10.20") == "a.b.c.d.20");
  CHECK(normalised("v1.2.3.4567") == "v1.2.3.4567");
  CHECK(normalised("1234.1.1.1") == "1234.1.1.1");
  CHECK(normalised("a < b") == "a < b");
}

TEST_CASE("Exim module cuts a long reason inside its room", "[exim]") {
  std::array<char, 16> out;
  out.fill('#');
  reply_normalise("no 1.2.3.4 1.2.3.4 1.2.3.4", out.data(), out.size() - 1);
  CHECK(std::string(out.data()).size() < out.size() - 1);
  CHECK(out.back() == '#');
}
