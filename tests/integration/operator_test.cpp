// What operators do with a spool through the C API: look, export, replay, delete, purge, retry now,
// check.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "support/host.h"
#include "support/receiver.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

// Nobody listens there.
const char* const kDeadTarget = "http://127.0.0.1:9/hook";
constexpr int32_t kTimeoutMs = 10'000;

using FilterHandle = std::unique_ptr<posthaste_filter_t, Releaser<posthaste_filter_free>>;

Settings durable(const TemporaryDirectory& directory, const Settings& more = {}) {
  Settings settings = {{"spool.dir", directory.path()}, {"spool.file_bytes", "1MiB"},
                       {"batch.max_age", "50ms"},       {"retry.base", "50ms"},
                       {"retry.max", "100ms"},          {"webhook.activation_delay", "0s"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

// What could not be delivered within 300 ms is a dead letter.
Settings short_lived(const TemporaryDirectory& directory) {
  return durable(directory, {{"retry.max_age", "300ms"}, {"dead_letter", "on"}});
}

// Nothing goes out for long after the first failure.
Settings patient(const TemporaryDirectory& directory) {
  return durable(directory, {{"retry.base", "1h"}, {"retry.max", "1h"}});
}

void push_range(const Host& host, int first, int count, const char* type = "delivery") {
  for (int i = first; i < first + count; ++i) {
    host.push_all(type, "{\"event_id\":\"" + std::to_string(i) + "\"}");
  }
}

bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit = 20s) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

FilterHandle filter(const Settings& keys = {}) {
  FilterHandle made(posthaste_filter_new());
  for (const auto& [key, value] : keys) {
    REQUIRE(posthaste_filter_set(made.get(), key.c_str(), value.c_str(), nullptr) == POSTHASTE_OK);
  }
  return made;
}

std::string take(posthaste_text_t* text) {
  const TextHandle owner(text);
  return posthaste_text_data(text);
}

std::string waiting(const Host& host, const Settings& keys = {}, uint64_t after = 0,
                    size_t limit = 0) {
  posthaste_text_t* text = nullptr;
  host.must(
      posthaste_waiting_list(host.get(), filter(keys).get(), after, limit, &text, host.error()));
  return take(text);
}

std::string dead_letters(const Host& host, const Settings& keys = {}, uint64_t after = 0,
                         size_t limit = 0) {
  posthaste_text_t* text = nullptr;
  host.must(posthaste_dead_letter_list(host.get(), filter(keys).get(), after, limit, &text,
                                       host.error()));
  return take(text);
}

// The values of a member over all rows of a list, quotes taken off.
std::vector<std::string> values(const std::string& list, const std::string& member) {
  std::vector<std::string> found;
  const std::string key = "\"" + member + "\":";
  for (size_t at = list.find(key); at != std::string::npos; at = list.find(key, at)) {
    at += key.size();
    std::string value = list.substr(at, list.find_first_of(",}", at) - at);
    value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
    found.push_back(std::move(value));
  }
  return found;
}

// The number behind a member of the spool's part of the statistics.
uint64_t spool_stat(const Host& host, const std::string& member, const std::string& within = "") {
  const std::string stats = host.stats();
  size_t at = stats.find("\"spool\":{");
  if (!within.empty()) at = stats.find("\"" + within + "\":", at);
  at = stats.find("\"" + member + "\":", at) + member.size() + 3;
  return std::stoull(stats.substr(at));
}

struct Exported {
  std::string text;
  int calls_count = 0;
  int calls_max = 1'000'000;
};

int32_t collect(const char* data, size_t size, void* user_data) {
  Exported& out = *static_cast<Exported*>(user_data);
  if (++out.calls_count > out.calls_max) return 1;
  out.text.append(data, size);
  return 0;
}

std::string lines_of(const Host& host, const std::string& batch_id, uint64_t* out_events) {
  Exported exported;
  host.must(posthaste_batch_export(host.get(), batch_id.c_str(), out_events, host.error(), &collect,
                                   &exported));
  return exported.text;
}

// A body as the receiver got it, as lines.
std::string lines_of(const std::string& body) {
  std::string lines = body.substr(1, body.size() - 2) + "\n";
  for (size_t at = 0; (at = lines.find(",{\"msys\"", at)) != std::string::npos;) lines[at] = '\n';
  return lines;
}

// Has `count` batches with one event each die, event ids from `first` on.
void make_dead_letters(Host& host, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    push_range(host, i, 1);
    host.must(host.flush());
  }
  uint64_t died = 0;
  while (died < static_cast<uint64_t>(count)) {
    const ReportHandle report = host.next_report(POSTHASTE_REPORT_DEAD_LETTERED);
    REQUIRE(report);
    died += posthaste_report_count(report.get());
  }
  host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
}

}  // namespace

TEST_CASE("Waiting batches are listed in pages, found and filtered, also after a restart",
          "[integration][operator]") {
  TemporaryDirectory directory;
  {
    Host host(patient(directory));
    host.put("a", kDeadTarget).put("b", kDeadTarget, {{"events", "bounce"}}).start();
    for (int i = 0; i < 5; ++i) {
      push_range(host, i, 1, i == 2 ? "bounce" : "delivery");
      host.must(host.flush());
    }
    host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
    CHECK(values(waiting(host), "webhook_id") ==
          std::vector<std::string>{"a", "a", "a", "b", "a", "a"});
    host.close(0);
  }
  Host host(patient(directory));
  host.start();
  const std::string all = waiting(host);
  const std::vector<std::string> ids = values(all, "batch_id");
  REQUIRE(ids.size() == 6);
  CHECK(values(all, "events") == std::vector<std::string>(6, "1"));
  CHECK(values(waiting(host, {{"webhook_id", "b"}}), "batch_id").size() == 1);
  CHECK(waiting(host, {{"webhook_id", "nobody"}}) == "[]");
  CHECK(values(waiting(host, {{"batch_id", ids[4]}}), "batch_id") ==
        std::vector<std::string>{ids[4]});

  std::vector<std::string> paged;
  for (uint64_t after = 0;;) {
    const std::string page = waiting(host, {}, after, 4);
    for (const std::string& id : values(page, "batch_id")) paged.push_back(id);
    const std::vector<std::string> sequences = values(page, "sequence");
    if (sequences.empty()) break;
    CHECK(sequences.size() <= 4);
    after = std::stoull(sequences.back());
  }
  CHECK(paged == ids);

  const std::vector<std::string> sealed = values(all, "sealed_ms");
  const std::string later = std::to_string(std::stoull(sealed.back()) + 1);
  CHECK(values(waiting(host, {{"from_ms", sealed.front()}, {"before_ms", later}}), "batch_id") ==
        ids);
  CHECK(waiting(host, {{"from_ms", later}}) == "[]");
  CHECK(waiting(host, {{"before_ms", sealed.front()}}) == "[]");

  posthaste_text_t* text = nullptr;
  host.must(posthaste_waiting_find(host.get(), ids[1].c_str(), &text, host.error()));
  CHECK(values(take(text), "batch_id") == std::vector<std::string>{ids[1]});
  CHECK(posthaste_waiting_find(host.get(), "nothing", &text, host.error()) ==
        POSTHASTE_E_NOT_FOUND);
  CHECK(text == nullptr);
  CHECK(posthaste_waiting_list(host.get(), filter({{"status", "503"}}).get(), 0, 0, &text,
                               host.error()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_error_key(host.error()) == std::string("status"));
}

TEST_CASE("Batch status by webhook is there after a restart", "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  const auto status = [](const Host& host) {
    posthaste_text_t* text = nullptr;
    host.must(
        posthaste_batch_status(host.get(), "w", 0, POSTHASTE_STATUS_FAILED, &text, host.error()));
    return take(text);
  };
  std::string before;
  {
    Host host(patient(directory));
    host.put("w", receiver.url()).start();
    push_range(host, 0, 3);
    REQUIRE(host.next_report(POSTHASTE_REPORT_RETRYING));
    before = status(host);
    CHECK(values(before, "response_code") == std::vector<std::string>{"503"});
    CHECK(values(before, "batch_size") == std::vector<std::string>{"3"});
    host.close(0);
  }
  receiver.hang();
  Host host(patient(directory));
  host.start();
  CHECK(status(host) == before);
}

TEST_CASE(
    "A dead letter is replayed under its id with its bytes and a fresh clock, to the target "
    "of now",
    "[integration][operator]") {
  const bool restarts = GENERATE(false, true);
  TemporaryDirectory directory;
  Receiver before;
  before.answer_with(503);
  Receiver after;
  auto host = std::make_unique<Host>(short_lived(directory));
  host->put("w", before.url()).start();
  push_range(*host, 0, 4);
  const ReportHandle died = host->next_report(POSTHASTE_REPORT_DEAD_LETTERED);
  REQUIRE(died);
  host->must(posthaste_sync(host->get(), kTimeoutMs, host->error()));
  if (restarts) {
    host->close(0);
    host = std::make_unique<Host>(short_lived(directory));
    host->start();
  }
  const std::string list = dead_letters(*host);
  CHECK(values(list, "batch_id") ==
        std::vector<std::string>{posthaste_report_batch_id(died.get())});
  CHECK(values(list, "status") == std::vector<std::string>{"503"});
  CHECK(values(list, "reason") == std::vector<std::string>{"expired"});
  CHECK(values(list, "events") == std::vector<std::string>{"4"});
  CHECK(spool_stat(*host, "events", "dead_letters") == 4);

  // A batch that waits for the old target keeps that one alive.
  host->must(posthaste_pause(host->get(), "w", host->error()));
  push_range(*host, 10, 1);
  host->must(host->flush());
  host->put("w", after.url("/new"));
  uint64_t count = 0;
  host->must(posthaste_dead_letter_replay(host->get(), filter({{"webhook_id", "w"}}).get(),
                                          kTimeoutMs, &count, host->error()));
  CHECK(count == 1);
  CHECK(dead_letters(*host) == "[]");
  host->must(posthaste_resume(host->get(), "w", host->error()));
  const ReportHandle delivered = host->next_report(POSTHASTE_REPORT_DELIVERED);
  REQUIRE(delivered);
  CHECK(posthaste_report_attempts(delivered.get()) == 1);
  const Request first = before.log().requests().at(0);
  const Request last = after.log().requests().at(0);
  CHECK(last.target == "/new");
  CHECK(last.body == first.body);
  CHECK(last.header("X-MessageSystems-Batch-ID") == first.header("X-MessageSystems-Batch-ID"));
  CHECK(host->stat("replayed") == 4);
}

TEST_CASE("A replayed batch that fails again has its whole time, and dies again",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Host host(short_lived(directory));
  host.put("w", kDeadTarget).start();
  make_dead_letters(host, 0, 1);
  const auto begin = Clock::now();
  uint64_t count = 0;
  host.must(
      posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, &count, host.error()));
  CHECK(count == 1);
  const ReportHandle report = host.next_report(POSTHASTE_REPORT_DEAD_LETTERED);
  REQUIRE(report);
  CHECK(Clock::now() - begin >= 290ms);
  host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
  CHECK(values(dead_letters(host), "batch_id").size() == 1);
}

TEST_CASE("A replay that is on disk survives a restart", "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  {
    Host host(short_lived(directory));
    host.put("w", kDeadTarget).start();
    make_dead_letters(host, 0, 3);
    host.must(posthaste_pause(host.get(), "w", host.error()));
    uint64_t count = 0;
    host.must(
        posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, &count, host.error()));
    CHECK(count == 3);
    CHECK(values(waiting(host), "batch_id").size() == 3);
    host.close(0);
  }
  Host host(short_lived(directory));
  host.put("w", receiver.url()).start();
  CHECK(values(waiting(host), "attempts") == std::vector<std::string>(3, "0"));
  CHECK(dead_letters(host) == "[]");
}

TEST_CASE("Replay and delete choose by webhook, batch, time and status",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  Host host(short_lived(directory));
  host.put("refused", receiver.url()).put("gone", kDeadTarget).start();
  make_dead_letters(host, 0, 4);
  const auto ids = [&](const Settings& keys) {
    std::vector<std::string> found = values(dead_letters(host, keys), "batch_id");
    return found;
  };
  REQUIRE(wait_until([&] { return ids({}).size() == 8; }));
  host.must(posthaste_pause(host.get(), "refused", host.error()));
  host.must(posthaste_pause(host.get(), "gone", host.error()));
  const std::vector<std::string> refused = ids({{"webhook_id", "refused"}});
  const std::vector<std::string> gone = ids({{"webhook_id", "gone"}});
  REQUIRE(refused.size() == 4);
  // Some may have died before their first attempt.
  const std::vector<std::string> answered = ids({{"status", "503"}});
  CHECK_FALSE(answered.empty());
  CHECK(std::includes(refused.begin(), refused.end(), answered.begin(), answered.end()));
  CHECK(ids({{"status", "0"}}).size() == 8 - answered.size());
  CHECK(ids({{"status", "404"}}).empty());
  const std::string died = values(dead_letters(host, {{"batch_id", refused[3]}}), "died_ms").at(0);

  const auto replay = [&](const Settings& keys) {
    uint64_t count = 99;
    host.must(posthaste_dead_letter_replay(host.get(), filter(keys).get(), kTimeoutMs, &count,
                                           host.error()));
    return count;
  };
  const auto remove = [&](const Settings& keys) {
    uint64_t count = 99;
    host.must(posthaste_dead_letter_remove(host.get(), filter(keys).get(), kTimeoutMs, &count,
                                           host.error()));
    return count;
  };
  CHECK(replay({{"batch_id", refused[0]}}) == 1);
  CHECK(replay({{"batch_id", refused[0]}}) == 0);
  CHECK(replay({{"status", "404"}}) == 0);
  CHECK(remove({{"before_ms", "1000"}}) == 0);
  CHECK(remove({{"webhook_id", "gone"}, {"status", "503"}}) == 0);
  CHECK(remove({{"batch_id", gone[0]}, {"status", "0"}}) == 1);
  CHECK(ids({}).size() == 6);
  CHECK(remove({{"webhook_id", "gone"}}) == 3);
  CHECK(replay({{"webhook_id", "refused"}, {"from_ms", died}}) >= 1);
  replay({});
  CHECK(ids({}).empty());
  CHECK(values(waiting(host), "batch_id") == refused);
}

TEST_CASE("Dead letters of a removed webhook are listed and deleted, and not replayed",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Host host(short_lived(directory));
  host.put("w", kDeadTarget).start();
  make_dead_letters(host, 0, 2);
  host.must(posthaste_remove(host.get(), "w", POSTHASTE_REMOVE_DRAIN, host.error()));
  CHECK(values(dead_letters(host, {{"webhook_id", "w"}}), "batch_id").size() == 2);
  uint64_t count = 9;
  CHECK(posthaste_dead_letter_replay(host.get(), filter({{"webhook_id", "w"}}).get(), kTimeoutMs,
                                     &count, host.error()) == POSTHASTE_E_NOT_FOUND);
  CHECK(count == 0);
  host.must(
      posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, &count, host.error()));
  CHECK(count == 0);
  host.must(posthaste_dead_letter_remove(host.get(), filter({{"webhook_id", "w"}}).get(),
                                         kTimeoutMs, &count, host.error()));
  CHECK(count == 2);
  CHECK(dead_letters(host) == "[]");
}

TEST_CASE("More dead letters than fit a page are replayed, each once, by two threads at a time",
          "[integration][operator]") {
  TemporaryDirectory directory;
  constexpr size_t kLetters = 600;
  Settings settings = short_lived(directory);
  settings["batch.max_events"] = "1";
  Host host(settings);
  host.put("w", kDeadTarget).start();
  push_range(host, 0, kLetters);
  REQUIRE(wait_until([&] { return spool_stat(host, "batches", "dead_letters") == kLetters; }));
  host.must(posthaste_pause(host.get(), "w", host.error()));
  uint64_t counts[2] = {};
  {
    const auto replay = [&](uint64_t& count) {
      const ErrorHandle error(posthaste_error_new());
      posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, &count, error.get());
    };
    std::thread other([&] { replay(counts[1]); });
    replay(counts[0]);
    other.join();
  }
  CHECK(counts[0] + counts[1] == kLetters);
  CHECK(values(waiting(host, {}, 0, 1000), "batch_id").size() == kLetters);
  CHECK(spool_stat(host, "batches", "dead_letters") == 0);
  Receiver receiver;
  host.put("w", receiver.url());
  CHECK(spool_stat(host, "batches", "waiting") == kLetters);
}

TEST_CASE("A replay beside a delete brings back only what was not deleted",
          "[integration][operator]") {
  TemporaryDirectory directory;
  constexpr size_t kLetters = 300;
  Settings settings = short_lived(directory);
  settings["batch.max_events"] = "1";
  Host host(settings);
  host.put("w", kDeadTarget).start();
  push_range(host, 0, kLetters);
  REQUIRE(wait_until([&] { return spool_stat(host, "batches", "dead_letters") == kLetters; }));
  host.must(posthaste_pause(host.get(), "w", host.error()));
  uint64_t removed = 0;
  std::thread other([&] {
    const ErrorHandle error(posthaste_error_new());
    posthaste_dead_letter_remove(host.get(), filter().get(), kTimeoutMs, &removed, error.get());
  });
  uint64_t replayed = 0;
  const int32_t code =
      posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, &replayed, host.error());
  other.join();
  CHECK(code == POSTHASTE_OK);
  CHECK(values(waiting(host), "batch_id").size() == replayed);
  CHECK(spool_stat(host, "batches", "waiting") == replayed);
  CHECK(dead_letters(host) == "[]");
}

TEST_CASE("Retry now tries at once, in both modes", "[integration][operator]") {
  const bool is_durable = GENERATE(false, true);
  const bool names_it = GENERATE(false, true);
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.fail_first(1);
  Settings settings = patient(directory);
  if (!is_durable) settings.erase("spool.dir");
  Host host(settings);
  host.put("w", receiver.url()).start();
  push_range(host, 0, 1);
  REQUIRE(host.next_report(POSTHASTE_REPORT_RETRYING));
  CHECK(posthaste_retry_now(host.get(), "nobody", host.error()) == POSTHASTE_E_NOT_FOUND);
  host.must(posthaste_retry_now(host.get(), names_it ? "w" : nullptr, host.error()));
  CHECK(host.next_report(POSTHASTE_REPORT_DELIVERED, 5'000));
  host.close();
  CHECK(posthaste_retry_now(host.get(), nullptr, host.error()) == POSTHASTE_E_STATE);
}

TEST_CASE("A purge gives up all that waits, is open or under way, and nothing of other webhooks",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.hang();
  Settings settings = patient(directory);
  settings["batch.max_age"] = "1h";
  {
    Host host(settings);
    host.put("w", receiver.url()).put("other", kDeadTarget).start();
    for (int i = 0; i < 3; ++i) {
      push_range(host, i * 10, 10);
      static_cast<void>(host.flush(100));
    }
    REQUIRE(receiver.log().wait_for_requests(1, 10s));
    push_range(host, 30, 5);
    uint64_t batches = 0;
    uint64_t events = 0;
    host.must(posthaste_purge(host.get(), "w", kTimeoutMs, &batches, &events, host.error()));
    CHECK(batches == 4);
    CHECK(events == 35);
    uint64_t reported = 0;
    while (const ReportHandle report = host.next_report(POSTHASTE_REPORT_DROPPED, 0)) {
      CHECK(posthaste_report_reason(report.get()) == POSTHASTE_REASON_PURGED);
      CHECK(posthaste_report_webhook_id(report.get()) == std::string("w"));
      reported += posthaste_report_events(report.get());
    }
    CHECK(reported == 35);
    CHECK(host.stat("purged") == 35);
    CHECK(waiting(host, {{"webhook_id", "w"}}) == "[]");
    CHECK(values(waiting(host, {{"webhook_id", "other"}}), "events").size() >= 3);
    host.must(posthaste_purge(host.get(), "w", kTimeoutMs, &batches, &events, host.error()));
    CHECK(events == 0);
    CHECK(posthaste_purge(host.get(), "nobody", kTimeoutMs, &batches, nullptr, host.error()) ==
          POSTHASTE_E_NOT_FOUND);
    push_range(host, 100, 1);
    host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
    host.close(0);
  }
  receiver.behave();
  receiver.forget_requests();
  Host host(durable(directory));
  host.start();
  REQUIRE(receiver.log().wait_for_accepted_events(1, 10s));
  std::this_thread::sleep_for(200ms);
  CHECK(receiver.log().totals().accepted_events == 1);
  CHECK_THAT(receiver.log().requests().at(0).body, Catch::Contains("\"100\""));
}

TEST_CASE("An export is what went over the wire, a line for each event",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  receiver.answer_with(503);
  Host host(durable(directory, {{"retry.max_age", "2s"}, {"dead_letter", "on"}}));
  host.put("w", receiver.url()).start();
  const std::string long_text(100, 'x');
  for (int i = 0; i < 3000; ++i) {
    host.push_all("delivery", "{\"event_id\":\"" + std::to_string(i) +
                                  "\",\"subject\":\"a\\\"],[{" + long_text + "\"}");
  }
  host.must(host.flush());
  host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
  const Request request = receiver.log().requests().at(0);
  const std::string id = request.header("X-MessageSystems-Batch-ID").value();
  uint64_t events = 0;
  const std::string live = lines_of(host, id, &events);
  CHECK(live == lines_of(request.body));
  CHECK(events == request.event_count);
  CHECK(static_cast<uint64_t>(std::count(live.begin(), live.end(), '\n')) == events);

  Exported stopped;
  stopped.calls_max = 1;
  CHECK(posthaste_batch_export(host.get(), id.c_str(), &events, host.error(), &collect, &stopped) ==
        POSTHASTE_E_SYSTEM);
  CHECK(events == 0);
  CHECK(stopped.calls_count == 2);
  CHECK(stopped.text.size() < live.size());

  REQUIRE(host.next_report(POSTHASTE_REPORT_DEAD_LETTERED));
  host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
  CHECK(lines_of(host, id, nullptr) == live);
  CHECK(posthaste_batch_export(host.get(), "nothing", nullptr, host.error(), &collect, &stopped) ==
        POSTHASTE_E_NOT_FOUND);
}

TEST_CASE("A check finds nothing in a sound spool, and names the batch that is damaged",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Host host(patient(directory));
  host.put("w", kDeadTarget).start();
  push_range(host, 0, 200);
  host.must(host.flush());
  host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
  const auto check = [&] {
    posthaste_text_t* text = nullptr;
    host.must(posthaste_spool_check(host.get(), kTimeoutMs, &text, host.error()));
    return take(text);
  };
  CHECK(check() == "[]");
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_spool_check(host.get(), 0, &text, host.error()) == POSTHASTE_E_TIMEOUT);
  CHECK(text == nullptr);

  const std::string id = values(waiting(host), "batch_id").at(0);
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const size_t at = bytes.find("\"event_id\":\"42\"");
    if (at == std::string::npos) continue;
    std::fstream out(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at + 12));
    out.put('7');
  }
  CHECK_THAT(check(), Catch::Contains("batch " + id + " of webhook w cannot be read"));
}

TEST_CASE("Statistics tell how long an outage the spool covers", "[integration][operator]") {
  TemporaryDirectory directory;
  Host host(patient(directory));
  CHECK_THAT(host.stats(), Catch::Contains("\"spool\":null"));
  host.put("w", kDeadTarget).start();
  CHECK_THAT(host.stats(), Catch::Contains("\"spool\":{\"directory\":\"" + directory.path()) &&
                               Catch::Contains("\"health\":\"ok\""));
  int pushed = 0;
  REQUIRE(wait_until([&] {
    push_range(host, pushed, 100);
    pushed += 100;
    const std::string stats = host.stats();
    const std::string key = "\"outage_covered_seconds\":";
    const size_t at = stats.find(key, stats.find("\"spool\":{")) + key.size();
    return stats[at] >= '0' && stats[at] <= '9';
  }));
  host.must(host.flush());
  CHECK(spool_stat(host, "events", "waiting") == static_cast<uint64_t>(pushed));
  CHECK(spool_stat(host, "bytes", "waiting") > 0);
  CHECK(spool_stat(host, "journal_bytes") > 0);
  CHECK(spool_stat(host, "disk_bytes") <= directory.size_bytes());
  CHECK(spool_stat(host, "max_bytes") > 0);
}

TEST_CASE("Operators are told that an engine is not started or closed", "[integration][operator]") {
  TemporaryDirectory directory;
  Host host(patient(directory));
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_waiting_list(host.get(), nullptr, 0, 0, &text, host.error()) ==
        POSTHASTE_E_STATE);
  CHECK(host.message() == "the engine is not started");
  host.start();
  CHECK(waiting(host) == "[]");
  host.close();
  CHECK(posthaste_dead_letter_replay(host.get(), filter().get(), kTimeoutMs, nullptr,
                                     host.error()) == POSTHASTE_E_STATE);
  CHECK(host.message() == "the engine is closed");
}

TEST_CASE("An engine with delivery off opens a spool, sends nothing and lets nothing expire",
          "[integration][operator]") {
  TemporaryDirectory directory;
  Receiver receiver;
  const std::string target = receiver.url("/hook");
  {
    Host host(durable(directory,
                      {{"retry.max_age", "100ms"}, {"retry.base", "1h"}, {"retry.max", "1h"}}));
    receiver.set_default({.status = 503});
    host.put("a", target).put("gone", target).start();
    push_range(host, 0, 3);
    host.must(host.flush());
    host.must(posthaste_remove(host.get(), "gone", POSTHASTE_REMOVE_DRAIN, host.error()));
    host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
  }
  const uint64_t before = receiver.log().totals().requests;
  receiver.set_default({});
  // Longer than the batches may wait.
  std::this_thread::sleep_for(200ms);
  std::string kept;
  {
    Host host(durable(directory, {{"delivery", "off"}, {"retry.max_age", "100ms"}}));
    host.start();
    kept = waiting(host);
    CHECK(values(kept, "batch_id").size() == 2);
    host.must(posthaste_retry_now(host.get(), nullptr, host.error()));
    host.must(posthaste_resume(host.get(), "a", host.error()));
    push_range(host, 3, 1);
    host.must(host.flush());
    host.must(posthaste_sync(host.get(), kTimeoutMs, host.error()));
    CHECK(values(waiting(host), "batch_id").size() == 3);
    CHECK(host.close() == POSTHASTE_OK);
    for (const ReportHandle& report : host.take_reports()) {
      CHECK(posthaste_report_kind(report.get()) != POSTHASTE_REPORT_DROPPED);
    }
  }
  CHECK(receiver.log().totals().requests == before);
  // The next one delivers what waited, under the same ids.
  Host host(durable(directory));
  host.start();
  REQUIRE(wait_until([&] { return values(waiting(host), "batch_id").empty(); }));
  CHECK(receiver.log().totals().requests == before + 3);
}
