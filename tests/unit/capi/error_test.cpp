#include "owned.h"

using namespace posthaste::testing;

namespace {

constexpr int32_t kCodes[] = {
    POSTHASTE_OK,
    POSTHASTE_E_INVALID,
    POSTHASTE_E_STATE,
    POSTHASTE_E_FORKED,
    POSTHASTE_E_NO_MEMORY,
    POSTHASTE_E_TIMEOUT,
    POSTHASTE_E_EMPTY,
    POSTHASTE_E_QUEUE_FULL,
    POSTHASTE_E_INTERNAL,
    POSTHASTE_E_SYSTEM,
    POSTHASTE_E_TLS_BACKEND,
    POSTHASTE_E_UNSUPPORTED,
    POSTHASTE_E_UNKNOWN_KEY,
    POSTHASTE_E_BAD_VALUE,
    POSTHASTE_E_NOT_CHANGEABLE,
    POSTHASTE_E_NOT_FOUND,
    POSTHASTE_E_EXISTS,
    POSTHASTE_E_VERIFY_FAILED,
    POSTHASTE_E_BAD_TARGET,
    POSTHASTE_E_BAD_EVENTS,
    POSTHASTE_E_BAD_HEADER,
    POSTHASTE_E_MISSING_FIELD,
    POSTHASTE_E_BAD_FILE,
    POSTHASTE_E_BAD_JSON,
    POSTHASTE_E_BAD_UTF8,
    POSTHASTE_E_UNKNOWN_TYPE,
    POSTHASTE_E_TYPE_MISMATCH,
    POSTHASTE_E_TOO_LARGE,
    POSTHASTE_E_TOO_DEEP,
    POSTHASTE_E_DUPLICATE_KEY,
    POSTHASTE_E_BAD_FIELD,
    POSTHASTE_E_SPOOL_FULL,
    POSTHASTE_E_SPOOL_IO,
};

}  // namespace

TEST_CASE("The version is three numbers", "[capi][error]") {
  int major = -1;
  int minor = -1;
  int patch = -1;
  char rest = 0;
  REQUIRE(sscanf(posthaste_version(), "%d.%d.%d%c", &major, &minor, &patch, &rest) == 3);
}

TEST_CASE("Every error code has a name and one line that explains it", "[capi][error]") {
  for (const int32_t code : kCodes) {
    INFO(code);
    const std::string name = posthaste_error_name(code);
    CHECK(name.rfind(code == POSTHASTE_OK ? "POSTHASTE_OK" : "POSTHASTE_E_", 0) == 0);
    CHECK(name.find('?') == std::string::npos);
    const std::string text = posthaste_strerror(code);
    CHECK(!text.empty());
    CHECK(text.find('\n') == std::string::npos);
    CHECK(text.back() != '.');
  }
  CHECK(std::string(posthaste_error_name(POSTHASTE_E_BAD_JSON)) == "POSTHASTE_E_BAD_JSON");
}

TEST_CASE("An unknown error code has a name of its own", "[capi][error]") {
  for (const int32_t code : {-1, 12, 299, 1000000}) {
    CHECK(std::string(posthaste_error_name(code)) == "POSTHASTE_E_?");
    CHECK(std::string(posthaste_strerror(code)) != "");
  }
}

TEST_CASE("A new error object says nothing", "[capi][error]") {
  const ErrorHandle error = make_error();
  size_t size = 7;
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_OK);
  CHECK(std::string(posthaste_error_message(error.get())).empty());
  CHECK(std::string(posthaste_error_key(error.get())).empty());
  CHECK(posthaste_error_phase(error.get()) == POSTHASTE_PHASE_NONE);
  CHECK(posthaste_error_status(error.get()) == 0);
  CHECK(std::string(posthaste_error_network_name(error.get())).empty());
  CHECK(posthaste_error_header_count(error.get()) == 0);
  CHECK(posthaste_error_header_name(error.get(), 0) == nullptr);
  CHECK(posthaste_error_header_value(error.get(), 0) == nullptr);
  CHECK(std::string(posthaste_error_body(error.get(), &size)).empty());
  CHECK(size == 0);
}

TEST_CASE("Each call that is given an error object resets it", "[capi][error]") {
  const ErrorHandle error = make_error();
  const Owned<posthaste_conf_t> conf(posthaste_conf_new());
  CHECK(posthaste_conf_set(conf.get(), "retry.base", "soon", error.get()) == POSTHASTE_E_BAD_VALUE);
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_E_BAD_VALUE);
  CHECK(std::string(posthaste_error_key(error.get())) == "retry.base");
  CHECK(posthaste_conf_set(conf.get(), "retry.base", "2s", error.get()) == POSTHASTE_OK);
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_OK);
  CHECK(std::string(posthaste_error_message(error.get())).empty());
  CHECK(std::string(posthaste_error_key(error.get())).empty());
}

TEST_CASE("Getters of a null error, text or list give nothing", "[capi][error]") {
  size_t size = 7;
  CHECK(posthaste_error_code(nullptr) == POSTHASTE_OK);
  CHECK(std::string(posthaste_error_message(nullptr)).empty());
  CHECK(std::string(posthaste_error_key(nullptr)).empty());
  CHECK(posthaste_error_phase(nullptr) == POSTHASTE_PHASE_NONE);
  CHECK(posthaste_error_header_name(nullptr, 0) == nullptr);
  CHECK(std::string(posthaste_error_body(nullptr, &size)).empty());
  CHECK(size == 0);
  CHECK(std::string(posthaste_error_body(nullptr, nullptr)).empty());
  CHECK(std::string(posthaste_text_data(nullptr)).empty());
  CHECK(posthaste_text_size(nullptr) == 0);
  CHECK(posthaste_webhook_list_count(nullptr) == 0);
  CHECK(posthaste_webhook_list_at(nullptr, 0) == nullptr);
}

TEST_CASE("Every free takes null", "[capi][error]") {
  posthaste_error_free(nullptr);
  posthaste_text_free(nullptr);
  posthaste_conf_free(nullptr);
  posthaste_webhook_free(nullptr);
  posthaste_webhook_list_free(nullptr);
  posthaste_event_free(nullptr);
  posthaste_report_free(nullptr);
  posthaste_free(nullptr);
  SUCCEED();
}

TEST_CASE("A library beside this one writes errors of its own", "[capi][error]") {
  const ErrorHandle error = make_error();
  posthaste_error_set(error.get(), POSTHASTE_E_BAD_VALUE, "listen: no such address", "listen");
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_E_BAD_VALUE);
  CHECK(std::string(posthaste_error_message(error.get())) == "listen: no such address");
  CHECK(std::string(posthaste_error_key(error.get())) == "listen");
  posthaste_error_set(error.get(), POSTHASTE_OK, nullptr, nullptr);
  CHECK(posthaste_error_code(error.get()) == POSTHASTE_OK);
  CHECK(std::string(posthaste_error_message(error.get())).empty());
  posthaste_error_set(nullptr, POSTHASTE_E_STATE, "x", "y");
}
