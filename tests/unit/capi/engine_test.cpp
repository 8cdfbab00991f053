#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;

namespace {

constexpr char kPayload[] = "{\"a\":1}";
constexpr size_t kPayloadSize = sizeof kPayload - 1;

std::string key_text(const EngineHandle& engine, const char* key) {
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_get(engine.get(), key, &text, nullptr) == POSTHASTE_OK);
  return take(text);
}

void ignore_line(int32_t, const char*, void*) {}

}  // namespace

TEST_CASE("A configuration is copied by new, and null means all defaults", "[capi][engine]") {
  Owned<posthaste_conf_t> conf(posthaste_conf_new());
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", "7s", nullptr) == POSTHASTE_OK);
  posthaste_t* made = nullptr;
  REQUIRE(posthaste_new(conf.get(), &made, nullptr) == POSTHASTE_OK);
  const EngineHandle engine(made);
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_age", "8s", nullptr) == POSTHASTE_OK);
  conf.reset();
  CHECK(key_text(engine, "batch.max_age") == "7s");
  CHECK(key_text(make_engine(), "batch.max_age") == "30s");
}

TEST_CASE("Keys that do not fit one another make no engine", "[capi][engine]") {
  const Owned<posthaste_conf_t> conf(posthaste_conf_new());
  const ErrorHandle error = make_error();
  REQUIRE(posthaste_conf_set(conf.get(), "batch.max_bytes", "64MiB", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_conf_set(conf.get(), "webhook.max_waiting_bytes", "64MiB", nullptr) ==
          POSTHASTE_OK);
  auto* made = reinterpret_cast<posthaste_t*>(conf.get());
  CHECK(posthaste_new(conf.get(), &made, error.get()) == POSTHASTE_E_BAD_VALUE);
  CHECK(made == nullptr);
  CHECK(std::string(posthaste_error_key(error.get())) == "webhook.max_waiting_bytes");
}

TEST_CASE("Before start nothing can be pushed or sent", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  uint64_t ticket = 7;
  CHECK(posthaste_push(engine.get(), "delivery", kPayload, kPayloadSize) == POSTHASTE_E_STATE);
  CHECK(posthaste_push_trusted(engine.get(), "delivery", kPayload, kPayloadSize) ==
        POSTHASTE_E_STATE);
  CHECK(posthaste_flush(engine.get(), 0, error.get()) == POSTHASTE_E_STATE);
  CHECK(std::string(posthaste_error_message(error.get())) != "");
  CHECK(posthaste_flush_ticket(engine.get(), &ticket, nullptr) == POSTHASTE_E_STATE);
  CHECK(ticket == 0);
  CHECK(posthaste_create(engine.get(), make_webhook().get(), 0, nullptr, nullptr) ==
        POSTHASTE_E_STATE);
  CHECK(posthaste_report_fd(engine.get()) == -1);
}

TEST_CASE("An engine starts once and closes any number of times", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_start(engine.get(), nullptr) == POSTHASTE_E_STATE);
  CHECK(posthaste_report_fd(engine.get()) >= 0);
  CHECK(posthaste_push(engine.get(), "delivery", kPayload, kPayloadSize) == POSTHASTE_OK);
  CHECK(posthaste_flush(engine.get(), -1, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_close(engine.get(), -1, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_close(engine.get(), 0, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_start(engine.get(), nullptr) == POSTHASTE_E_STATE);
  CHECK(posthaste_push(engine.get(), "delivery", kPayload, kPayloadSize) == POSTHASTE_E_STATE);
  CHECK(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_E_STATE);
}

TEST_CASE("An engine that never started can be closed and freed", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  CHECK(posthaste_close(engine.get(), 0, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_start(engine.get(), nullptr) == POSTHASTE_E_STATE);
}

TEST_CASE("A ticket of close is pulled after the close", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  uint64_t ticket = 0;
  REQUIRE(posthaste_close_ticket(engine.get(), -1, &ticket, error.get()) == POSTHASTE_OK);
  CHECK(ticket > 0);
  CHECK(posthaste_push(engine.get(), "delivery", kPayload, kPayloadSize) == POSTHASTE_E_STATE);
  REQUIRE(posthaste_close(engine.get(), -1, nullptr) == POSTHASTE_OK);
  posthaste_report_t* report = nullptr;
  REQUIRE(posthaste_poll(engine.get(), 0, &report) == POSTHASTE_OK);
  CHECK(posthaste_report_kind(report) == POSTHASTE_REPORT_TICKET);
  CHECK(posthaste_report_ticket(report) == ticket);
  CHECK(posthaste_report_code(report) == POSTHASTE_OK);
  posthaste_report_free(report);
  CHECK(posthaste_close_ticket(engine.get(), 0, nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "out_ticket");
  CHECK(posthaste_close_ticket(nullptr, 0, &ticket, error.get()) == POSTHASTE_E_INVALID);
  CHECK(ticket == 0);
}

TEST_CASE("After close the registry, the statistics and the reports can still be read",
          "[capi][engine]") {
  const EngineHandle engine = make_engine();
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_close(engine.get(), -1, nullptr) == POSTHASTE_OK);
  CHECK(text_of(find(engine, "hook").get(), "id") == "hook");
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_stats_json(engine.get(), &text) == POSTHASTE_OK);
  CHECK(posthaste::json::parse_value(take(text)));
  posthaste_report_t* report = nullptr;
  while (posthaste_poll(engine.get(), -1, &report) == POSTHASTE_OK) posthaste_report_free(report);
  CHECK(report == nullptr);
}

TEST_CASE("Only live keys change on a running engine", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  CHECK(posthaste_set(engine.get(), "batch.max_age", "9s", nullptr) == POSTHASTE_OK);
  CHECK(posthaste_set(engine.get(), "random.seed", "1", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_set(engine.get(), "batch.max_age", "10s", nullptr) == POSTHASTE_OK);
  CHECK(key_text(engine, "batch.max_age") == "10s");
  CHECK(posthaste_set(engine.get(), "random.seed", "2", error.get()) == POSTHASTE_E_NOT_CHANGEABLE);
  CHECK(std::string(posthaste_error_key(error.get())) == "random.seed");
  CHECK(posthaste_set(engine.get(), "no.such.key", "2", error.get()) == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(posthaste_set(engine.get(), "batch.max_age", nullptr, nullptr) == POSTHASTE_OK);
  CHECK(key_text(engine, "batch.max_age") == "30s");
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_get(engine.get(), "no.such.key", &text, error.get()) == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(text == nullptr);
}

TEST_CASE("The log function is set before start", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  CHECK(posthaste_set_log(engine.get(), ignore_line, nullptr) == POSTHASTE_OK);
  CHECK(posthaste_set_log(engine.get(), nullptr, nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  CHECK(posthaste_set_log(engine.get(), ignore_line, nullptr) == POSTHASTE_E_STATE);
  CHECK(posthaste_set_log(nullptr, ignore_line, nullptr) == POSTHASTE_E_INVALID);
}

TEST_CASE("Sync says that memory mode has no disk rather than pretend", "[capi][engine]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  uint64_t ticket = 7;
  CHECK(posthaste_sync(engine.get(), 1000, error.get()) == POSTHASTE_E_STATE);
  CHECK(std::string(posthaste_error_message(error.get())).find("memory mode") != std::string::npos);
  CHECK(posthaste_sync_ticket(engine.get(), &ticket, nullptr) == POSTHASTE_E_STATE);
  CHECK(ticket == 0);
}

TEST_CASE("Null where an engine is needed is an error", "[capi][engine]") {
  const ErrorHandle error = make_error();
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_new(nullptr, nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "out");
  CHECK(posthaste_start(nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "ph");
  CHECK(posthaste_close(nullptr, 0, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_set(nullptr, "batch.max_age", "1s", error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_get(nullptr, "batch.max_age", &text, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_stats_json(nullptr, &text) == POSTHASTE_E_INVALID);
  CHECK(posthaste_report_fd(nullptr) == -1);
  const EngineHandle engine = make_engine();
  CHECK(posthaste_set(engine.get(), nullptr, "1s", error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "key");
  CHECK(posthaste_get(engine.get(), "batch.max_age", nullptr, error.get()) == POSTHASTE_E_INVALID);
}

TEST_CASE("posthaste_log writes one line to the host's log function and refuses a strange level",
          "[capi][engine]") {
  const EngineHandle engine = make_engine();
  std::vector<std::string> lines;
  const auto keep = [](int32_t level, const char* line, void* user_data) {
    static_cast<std::vector<std::string>*>(user_data)->push_back(std::to_string(level) + line);
  };
  REQUIRE(posthaste_set_log(engine.get(), keep, &lines) == POSTHASTE_OK);
  CHECK(posthaste_log(engine.get(), POSTHASTE_LOG_INFO, " two\nlines") == POSTHASTE_OK);
  CHECK(lines == std::vector<std::string>{"3 two lines"});
  CHECK(posthaste_log(engine.get(), 0, "x") == POSTHASTE_E_INVALID);
  CHECK(posthaste_log(engine.get(), 5, "x") == POSTHASTE_E_INVALID);
  CHECK(lines.size() == 1);
}
