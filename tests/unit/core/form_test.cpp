#include "core/form.h"

#include <catch2/catch.hpp>

using posthaste::core::format_form;
using posthaste::core::FormFields;
using posthaste::core::parse_form;

TEST_CASE("A form reads back what was written", "[core][form]") {
  CHECK(format_form({}).empty());
  const FormFields fields = {{"a", "b c"}, {"ä&=", "%+\"/\\"}, {"empty", ""}, {"a", "again"}};
  const std::string text = format_form(fields);
  CHECK(text == "a=b+c&%C3%A4%26%3D=%25%2B%22%2F%5C&empty=&a=again");
  CHECK(parse_form(text) == fields);
  CHECK(parse_form("") == FormFields{});
  CHECK(parse_form("%61=%7e") == FormFields{{"a", "~"}});
}

TEST_CASE("What is no form is nothing", "[core][form]") {
  for (const char* text : {"a", "=b", "a=b&", "&a=b", "a=%", "a=%4", "a=%zz", "a=%0d%0a", "a=%00",
                           "a=b&&c=d", "****"}) {
    INFO(text);
    CHECK_FALSE(parse_form(text));
  }
}
