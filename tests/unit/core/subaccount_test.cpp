#include "core/subaccount.h"

#include <catch2/catch.hpp>

using namespace posthaste::core;

namespace {

std::string record(const std::string& payload) {
  return R"({"msys":{"message_event":)" + payload + "}},";
}

}  // namespace

TEST_CASE("An event's subaccount is the number in its own subaccount_id, a text or not",
          "[core][subaccount]") {
  CHECK(subaccount_of(record(R"({"type":"delivery","subaccount_id":"101"})")) == 101);
  CHECK(subaccount_of(record(R"({"subaccount_id":7,"type":"delivery"})")) == 7);
  CHECK(subaccount_of(record(R"({ "a" : "b" , "subaccount_id" : 2147483647 })")) == kSubaccountMax);
  CHECK(subaccount_of(record(R"({"subaccount_id":"0"})")) == kPrimaryAccount);
}

TEST_CASE("An event without a subaccount_id belongs to the primary account", "[core][subaccount]") {
  CHECK(subaccount_of(record(R"({"type":"delivery"})")) == kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"subaccount_id":""})")) == kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"subaccount_id":null})")) == kPrimaryAccount);
}

TEST_CASE("Only the payload's own member counts, not a text, a value or a nested member",
          "[core][subaccount]") {
  CHECK(subaccount_of(record(R"({"rcpt_meta":{"subaccount_id":"5"}})")) == kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"subject":"\"subaccount_id\":5"})")) == kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"name":"subaccount_id"})")) == kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"tags":["subaccount_id",{"subaccount_id":5}]})")) ==
        kPrimaryAccount);
  CHECK(subaccount_of(record(R"({"a":{"subaccount_id":5},"subaccount_id":"6"})")) == 6);
}

TEST_CASE("A subaccount_id that is no number is nobody's", "[core][subaccount]") {
  for (const char* value : {R"("x")", R"("1x")", "-1", "1.5", "4294967296", "{}", "[1]", "true"}) {
    CAPTURE(value);
    CHECK(subaccount_of(record(std::string(R"({"subaccount_id":)") + value + "}")) ==
          kUnknownSubaccount);
  }
  CHECK(parse_subaccounts("all", "").takes(kUnknownSubaccount));
  CHECK(parse_subaccounts("all", "5").takes(kUnknownSubaccount));
  CHECK_FALSE(parse_subaccounts("0", "").takes(kUnknownSubaccount));
}

TEST_CASE("A record that breaks off has no subaccount to find, and is not read beyond its end",
          "[core][subaccount]") {
  const std::string whole = record(R"({"subaccount_id":"101"})");
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut(whole, 0, size);
    CHECK_NOTHROW(subaccount_of(cut));
  }
}

TEST_CASE("A filter takes all, one, or all but some", "[core][subaccount]") {
  const SubaccountFilter all = parse_subaccounts("all", "");
  CHECK(all.takes_all());
  CHECK(all.takes(0));
  const SubaccountFilter one = parse_subaccounts("7", "7,8");
  CHECK_FALSE(one.takes_all());
  CHECK(one.takes(7));
  CHECK_FALSE(one.takes(0));
  const SubaccountFilter others = parse_subaccounts("all", "9, 3");
  CHECK_FALSE(others.takes_all());
  CHECK(others.takes(0));
  CHECK_FALSE(others.takes(3));
  CHECK_FALSE(others.takes(9));
  CHECK(others == parse_subaccounts("all", "3,9"));
}

TEST_CASE("Texts of subaccounts are numbers, at most ten in a list and none twice",
          "[core][subaccount]") {
  for (const char* text : {"all", "0", "2147483647"}) CHECK(is_subaccount_choice(text));
  for (const char* text : {"", "-1", "2147483648", "All", "1,2"}) {
    CAPTURE(text);
    CHECK_FALSE(is_subaccount_choice(text));
  }
  for (const char* text : {"", "1", "1, 2", "1,2,3,4,5,6,7,8,9,10"}) {
    CAPTURE(text);
    CHECK(is_subaccount_list(text));
  }
  for (const char* text : {"1,1", "1,2,3,4,5,6,7,8,9,10,11", "1,", "x"}) {
    CAPTURE(text);
    CHECK_FALSE(is_subaccount_list(text));
  }
}
