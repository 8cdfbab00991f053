#include "owned.h"

using namespace posthaste::testing;

namespace {

using FilterHandle = Owned<posthaste_filter_t>;

std::string key_of(const ErrorHandle& error) {
  return posthaste_error_key(error.get());
}

}  // namespace

TEST_CASE("A filter takes its keys, clears them by null, and names a bad one", "[capi][spool]") {
  const FilterHandle filter(posthaste_filter_new());
  const ErrorHandle error = make_error();
  const auto set = [&](const char* key, const char* value) {
    return posthaste_filter_set(filter.get(), key, value, error.get());
  };
  CHECK(set("webhook_id", "hook") == POSTHASTE_OK);
  CHECK(set("batch_id", "032d3305-4029-11e4-98f0-000000000000") == POSTHASTE_OK);
  CHECK(set("from_ms", "1406756288007") == POSTHASTE_OK);
  CHECK(set("before_ms", "7258118400000") == POSTHASTE_OK);
  CHECK(set("status", "0") == POSTHASTE_OK);
  CHECK(filter->filter.webhook_id == "hook");
  CHECK(filter->filter.batch_id == "032d3305-4029-11e4-98f0-000000000000");
  CHECK(posthaste::core::unix_ms(filter->filter.died_from.value()) == 1406756288007);
  CHECK(posthaste::core::unix_ms(filter->filter.died_before.value()) == 7258118400000);
  CHECK(filter->filter.status == 0);

  const char* const bad[][2] = {{"webhook_id", ""}, {"from_ms", "yesterday"},
                                {"from_ms", "-1"},  {"before_ms", "7258118400001"},
                                {"status", "1000"}, {"status", "503x"},
                                {"before_ms", ""},  {"batch_id", ""}};
  for (const auto& [key, value] : bad) {
    INFO(key << " = " << value);
    CHECK(set(key, value) == POSTHASTE_E_BAD_VALUE);
    CHECK(key_of(error) == key);
  }
  CHECK(set("webhook", "hook") == POSTHASTE_E_UNKNOWN_KEY);
  CHECK(key_of(error) == "webhook");
  CHECK(filter->filter.status == 0);

  for (const char* key : {"webhook_id", "batch_id", "from_ms", "before_ms", "status"}) {
    CHECK(set(key, nullptr) == POSTHASTE_OK);
  }
  CHECK_FALSE(filter->filter.webhook_id);
  CHECK_FALSE(filter->filter.batch_id);
  CHECK_FALSE(filter->filter.died_from);
  CHECK_FALSE(filter->filter.died_before);
  CHECK_FALSE(filter->filter.status);
}

TEST_CASE("In memory mode what needs a spool says so, and retry now needs a start",
          "[capi][spool]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  const FilterHandle filter(posthaste_filter_new());
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  posthaste_t* const ph = engine.get();
  posthaste_error_t* const e = error.get();
  posthaste_text_t* text = nullptr;
  uint64_t count = 7;
  const auto write = [](const char*, size_t, void*) { return int32_t{0}; };
  const int32_t codes[] = {
      posthaste_waiting_list(ph, nullptr, 0, 0, &text, e),
      posthaste_waiting_find(ph, "b", &text, e),
      posthaste_dead_letter_list(ph, nullptr, 0, 0, &text, e),
      posthaste_dead_letter_find(ph, "b", &text, e),
      posthaste_dead_letter_replay(ph, filter.get(), 0, &count, e),
      posthaste_dead_letter_remove(ph, filter.get(), 0, &count, e),
      posthaste_purge(ph, "hook", 0, &count, nullptr, e),
      posthaste_batch_export(ph, "b", &count, e, write, nullptr),
      posthaste_spool_check(ph, 0, &text, e),
  };
  for (const int32_t code : codes) CHECK(code == POSTHASTE_E_STATE);
  CHECK(posthaste_error_message(e) ==
        std::string("there is no spool in memory mode; spool.dir sets one"));
  CHECK(key_of(error) == "spool.dir");
  CHECK(text == nullptr);
  CHECK(count == 0);
  CHECK(posthaste_retry_now(ph, nullptr, e) == POSTHASTE_E_STATE);
  CHECK(posthaste_error_message(e) == std::string("the engine is not started"));
}
