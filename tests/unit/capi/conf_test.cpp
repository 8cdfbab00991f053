#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;
using posthaste::json::parse_value;

namespace {

using ConfHandle = Owned<posthaste_conf_t>;

ConfHandle make_conf() {
  return ConfHandle(posthaste_conf_new());
}

}  // namespace

TEST_CASE("A configuration reads back as it was set, and null restores the default",
          "[capi][conf]") {
  const ConfHandle conf = make_conf();
  CHECK(std::string(posthaste_conf_get(conf.get(), "batch.max_age")) == "30s");
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", "5s", nullptr) == POSTHASTE_OK);
  CHECK(std::string(posthaste_conf_get(conf.get(), "batch.max_age")) == "5s");
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", nullptr, nullptr) == POSTHASTE_OK);
  CHECK(std::string(posthaste_conf_get(conf.get(), "batch.max_age")) == "30s");
}

TEST_CASE("Unknown keys and bad values are errors that name them", "[capi][conf]") {
  const ConfHandle conf = make_conf();
  const ErrorHandle error = make_error();
  CHECK(posthaste_conf_set(conf.get(), "batch.colour", "red", error.get()) ==
        POSTHASTE_E_UNKNOWN_KEY);
  CHECK(std::string(posthaste_error_key(error.get())) == "batch.colour");
  CHECK(std::string(posthaste_error_message(error.get())).find("batch.colour") !=
        std::string::npos);
  CHECK(posthaste_conf_set(conf.get(), "batch.max_age", "-3", error.get()) ==
        POSTHASTE_E_BAD_VALUE);
  CHECK(std::string(posthaste_error_key(error.get())) == "batch.max_age");
  CHECK(std::string(posthaste_conf_get(conf.get(), "batch.max_age")) == "30s");
  CHECK(posthaste_conf_get(conf.get(), "batch.colour") == nullptr);
}

TEST_CASE("A copy of a configuration is independent", "[capi][conf]") {
  const ConfHandle conf = make_conf();
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", "5s", nullptr) == POSTHASTE_OK);
  const ConfHandle copy(posthaste_conf_copy(conf.get()));
  REQUIRE(copy);
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", "6s", nullptr) == POSTHASTE_OK);
  CHECK(std::string(posthaste_conf_get(copy.get(), "batch.max_age")) == "5s");
  CHECK(posthaste_conf_copy(nullptr) == nullptr);
}

TEST_CASE("A key's description tells all about it", "[capi][conf]") {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_conf_describe("batch.max_age", &text, nullptr) == POSTHASTE_OK);
  const auto described = parse_value(take(text));
  REQUIRE(described);
  for (const char* field :
       {"key", "scope", "type", "range", "default", "unit", "change", "secret", "help"}) {
    INFO(field);
    CHECK(described->find(field) != nullptr);
  }
  CHECK(*described->find("default")->as_string() == "30s");
}

TEST_CASE("Without a key all are described, and each of them exists", "[capi][conf]") {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_conf_describe(nullptr, &text, nullptr) == POSTHASTE_OK);
  const auto all = parse_value(take(text));
  REQUIRE(all);
  REQUIRE(all->as_array() != nullptr);
  CHECK(all->as_array()->size() > 30);
  const ConfHandle conf = make_conf();
  for (const auto& key : *all->as_array()) {
    CHECK(posthaste_conf_get(conf.get(), key.find("key")->as_string()->c_str()) != nullptr);
  }
}

TEST_CASE("Describing an unknown key lets a host probe an older library", "[capi][conf]") {
  const ErrorHandle error = make_error();
  auto* text = reinterpret_cast<posthaste_text_t*>(error.get());
  CHECK(posthaste_conf_describe("of.tomorrow", &text, error.get()) == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(text == nullptr);
  CHECK(std::string(posthaste_error_key(error.get())) == "of.tomorrow");
}

TEST_CASE("Null where a configuration needs an object is an error", "[capi][conf]") {
  const ConfHandle conf = make_conf();
  const ErrorHandle error = make_error();
  CHECK(posthaste_conf_set(nullptr, "batch.max_age", "5s", error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "conf");
  CHECK(posthaste_conf_set(conf.get(), nullptr, "5s", error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "key");
  CHECK(posthaste_conf_describe("batch.max_age", nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "out");
  CHECK(posthaste_conf_get(nullptr, "batch.max_age") == nullptr);
  CHECK(posthaste_conf_get(conf.get(), nullptr) == nullptr);
}
