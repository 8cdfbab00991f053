// Damaged spools through the C API: each ends in an engine that works or in an error that says what
// to do, and an engine whose spool is damaged while it runs is never alive but dead. The corpus and
// its words are in tests/corpus/spool.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "support/host.h"
#include "support/receiver.h"
#include "support/spool_damage.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

using Ids = std::set<std::string>;

Settings settings_for(const std::string& directory, const Settings& more = {}) {
  Settings settings = {{"spool.dir", directory}, {"spool.file_bytes", "64KiB"},
                       {"batch.max_age", "5ms"}, {"retry.base", "20ms"},
                       {"retry.max", "20ms"},    {"webhook.activation_delay", "0s"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

// From the id on. One group is large.
std::string payload_end(const std::string& id) {
  const size_t padding = id.starts_with("c2-") ? 56'000 : 0;
  return id + "\",\"padding\":\"" + std::string(padding, 'x') + "\"}";
}

std::string payload(const std::string& id) {
  return "{\"event_id\":\"" + payload_end(id);
}

std::string id_of(const std::string& group, int number) {
  return group + "-" + std::to_string(number);
}

// The groups of events that a spool of the corpus holds, and how many are in each: `b` is a batch
// that waits for its next attempt, the others are synced but in no batch, each a frame; c2 is
// large, it and c3 are in the second file of the journal.
const std::map<std::string, int> kGroups = {{"b", 10}, {"c1", 1}, {"c2", 1}, {"c3", 1}};

Ids ids_of(const std::string& groups) {
  Ids ids;
  std::istringstream words(groups);
  for (std::string group; words >> group;) {
    for (int i = 0; i < kGroups.at(group); ++i) ids.insert(id_of(group, i));
  }
  return ids;
}

// Of all events that the receiver took. An event that was never pushed, or arrives changed, fails.
Ids arrived(const Receiver& receiver) {
  Ids ids;
  static constexpr std::string_view kKey = "\"event_id\":\"";
  for (const Request& request : receiver.log().requests()) {
    if (request.answered_status != 200) continue;
    for (size_t at = 0; (at = request.body.find(kKey, at)) != std::string::npos;) {
      at += kKey.size();
      const std::string id = request.body.substr(at, request.body.find('"', at) - at);
      const bool is_whole = request.body.find(payload_end(id), at) == at;
      ids.insert(is_whole ? id : "changed " + id);
    }
  }
  return ids;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

void must_sync(Host& host) {
  host.must(posthaste_sync(host.get(), 10'000, host.error()));
}

void fill_and_die(const std::string& directory, const Receiver& receiver, bool is_idle) {
  Host host(settings_for(directory, {{"batch.max_age", "1h"},
                                     {"batch.max_events", "10"},
                                     {"retry.base", "1h"},
                                     {"retry.max", "1h"}}));
  host.put("w", receiver.url()).start();
  for (const auto& [group, count] : kGroups) {
    for (int i = 0; i < count; ++i) {
      host.push_all("delivery", payload(id_of(group, i)));
    }
    must_sync(host);
    if (group == "b" && !wait_until([&] { return host.stat("failed") > 0; })) ::_exit(1);
  }
  // Long enough for the log to be moved into the database.
  if (is_idle) std::this_thread::sleep_for(2500ms);
  ::kill(::getpid(), SIGKILL);
}

// What a killed engine left; the receiver is where its webhook sends to.
class Seed {
 public:
  Seed(Receiver& receiver, bool is_idle) {
    receiver.answer_with(503);
    const std::string path = directory_.path("spool");
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        fill_and_die(path, receiver, is_idle);
      } catch (const std::exception& failure) {
        std::fprintf(stderr, "%s\n", failure.what());
      }
      ::_exit(1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    receiver.behave();
  }
  void copy_to(const std::string& path) const { copy_spool(directory_.path("spool"), path); }

 private:
  TemporaryDirectory directory_;
};

// Everything in a directory, to see that a refused spool stays as it was.
std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    // The lock is ours, and the index of SQLite's log is made anew at each opening.
    std::string bytes = read_bytes(entry.path());
    if (name == "lock" || name == "spool.db-shm" || bytes.empty()) continue;
    files[name] = std::move(bytes);
  }
  return files;
}

struct Outcome {
  int32_t code = POSTHASTE_OK;  // of the start
  std::string message;
  Ids arrived;
  std::vector<std::string> remarks;  // messages of reports about the spool
  uint64_t dropped_events = 0;
  bool is_alive = true;  // a fresh event passed
};

// The event that was pushed last arrives after all before it. The disk is as good as new, or the
// host is told what to do: damage may show only now.
bool lives(Host& host, const std::string& policy, const Receiver& receiver,
           const std::string& fresh) {
  const bool is_synced =
      wait_until([&] { return posthaste_sync(host.get(), 10'000, host.error()) == POSTHASTE_OK; },
                 policy == "refuse" ? 0s : 20s);
  const bool says_why =
      policy == "refuse" && host.message().find("quarantine") != std::string::npos;
  return (is_synced || says_why) &&
         wait_until([&] { return arrived(receiver).count(fresh) == 1; }) &&
         (!is_synced || host.flush() == POSTHASTE_OK);
}

// Opens the spool, waits for all that it has, and pushes one more event.
Outcome open_spool(const std::string& directory, const std::string& policy, Receiver& receiver) {
  static std::atomic<int> fresh_count{0};
  Outcome outcome;
  receiver.forget_requests();
  Host host(settings_for(directory, {{"spool.on_damage", policy}}));
  host.put("w", receiver.url());
  outcome.code = posthaste_start(host.get(), host.error());
  if (outcome.code != POSTHASTE_OK) {
    outcome.message = host.message();
    return outcome;
  }
  const std::string fresh = id_of("fresh", ++fresh_count);
  host.push_all("delivery", payload(fresh));
  outcome.is_alive = lives(host, policy, receiver, fresh);
  outcome.arrived = arrived(receiver);
  outcome.arrived.erase(fresh);
  for (const ReportHandle& report : host.take_reports()) {
    if (posthaste_report_kind(report.get()) == POSTHASTE_REPORT_SPOOL)
      outcome.remarks.emplace_back(posthaste_report_message(report.get()));
    if (posthaste_report_kind(report.get()) == POSTHASTE_REPORT_DROPPED)
      outcome.dropped_events += posthaste_report_events(report.get());
  }
  const int32_t closed = host.close();
  outcome.is_alive = outcome.is_alive && (closed == POSTHASTE_OK || policy == "refuse");
  return outcome;
}

std::string text_of(const Outcome& outcome) {
  std::string text = "code " + std::to_string(outcome.code) + " " + outcome.message + "; arrived:";
  for (const std::string& id : outcome.arrived) text += ' ' + id;
  for (const std::string& remark : outcome.remarks) text += "; " + remark;
  return text + "; dropped " + std::to_string(outcome.dropped_events);
}

// Compares with `works <groups>`, `salvaged <groups>`, `unsupported <words>` or `error <words>`.
void check_outcome(const Outcome& outcome, const std::string& expected,
                   const std::string& directory) {
  INFO(text_of(outcome));
  INFO("expected: " << expected);
  const size_t space = std::min(expected.find(' '), expected.size());
  const std::string kind = expected.substr(0, space);
  const std::string rest = space < expected.size() ? expected.substr(space + 1) : "";
  if (kind == "error" || kind == "unsupported") {
    CHECK(outcome.code == (kind == "error" ? POSTHASTE_E_SPOOL_IO : POSTHASTE_E_UNSUPPORTED));
    CHECK(outcome.message.find(directory) != std::string::npos);
    CHECK(outcome.message.find(rest) != std::string::npos);
    CHECK(outcome.message.find('\n') == std::string::npos);
    return;
  }
  REQUIRE((kind == "works" || kind == "salvaged"));
  CHECK(outcome.code == POSTHASTE_OK);
  CHECK(outcome.is_alive);
  CHECK(outcome.arrived == ids_of(rest));
  // What is no damage is not called so.
  CHECK(outcome.remarks.empty() == (kind == "works"));
  for (const std::string& remark : outcome.remarks) {
    CHECK(remark.find(directory) != std::string::npos);
  }
}

struct Variant {
  std::string name, seed, damage, refuse, quarantine;
};

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// Lines of `name | seed | damage | outcome with refuse | outcome with quarantine`.
std::vector<Variant> read_corpus(const std::string& name) {
  std::vector<Variant> variants;
  std::ifstream file(std::string(POSTHASTE_CORPUS) + "/spool/" + name);
  REQUIRE(file);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream parts(line);
    Variant variant;
    for (std::string* part :
         {&variant.name, &variant.seed, &variant.damage, &variant.refuse, &variant.quarantine}) {
      std::getline(parts, *part, '|');
      *part = trimmed(*part);
    }
    variants.push_back(std::move(variant));
  }
  return variants;
}

// Opens a damaged copy with both policies; what a quarantine accepted once is sound afterwards.
void run_variant(const Variant& variant, const Seed& seed, Receiver& receiver) {
  INFO(variant.name << ": " << variant.damage);
  TemporaryDirectory parent;
  const std::string path = parent.path("spool");
  seed.copy_to(path);
  damage_spool(path, variant.damage);
  const auto before = contents(path);
  const Outcome refused = open_spool(path, "refuse", receiver);
  check_outcome(refused, variant.refuse, path);
  if (refused.code == POSTHASTE_OK) return;
  CHECK((contents(path) == before));
  const Outcome accepted = open_spool(path, "quarantine", receiver);
  check_outcome(accepted, variant.quarantine, path);
  if (accepted.code != POSTHASTE_OK) return;
  check_outcome(open_spool(path, "refuse", receiver), "works", path);
}

}  // namespace

TEST_CASE("Each damaged spool of the corpus ends as it should", "[integration][damage]") {
  Receiver receiver;
  const Seed idle(receiver, true);
  const Seed busy(receiver, false);
  const std::vector<Variant> variants = read_corpus("variants.txt");
  CHECK(variants.size() > 30);
  for (const Variant& variant : variants) {
    run_variant(variant, variant.seed == "idle" ? idle : busy, receiver);
  }
}

namespace {

// Whatever happened to the spool: no event that was never pushed, and an engine that lives or an
// error that names the place.
void check_any_damage(const Seed& seed, const std::string& damage, const std::string& policy,
                      Receiver& receiver) {
  INFO(policy << ": " << damage);
  TemporaryDirectory parent;
  const std::string path = parent.path("spool");
  seed.copy_to(path);
  damage_spool(path, damage);
  const Outcome outcome = open_spool(path, policy, receiver);
  INFO(text_of(outcome));
  if (outcome.code != POSTHASTE_OK) {
    CHECK((outcome.code == POSTHASTE_E_SPOOL_IO || outcome.code == POSTHASTE_E_UNSUPPORTED));
    CHECK(outcome.message.find(path) != std::string::npos);
    const bool is_not_ours = outcome.message.find("library that wrote it") != std::string::npos ||
                             outcome.message.find("not a spool") != std::string::npos;
    CHECK((policy == "refuse" || is_not_ours));
    return;
  }
  CHECK(outcome.is_alive);
  const Ids all = ids_of("b c1 c2 c3");
  CHECK(std::includes(all.begin(), all.end(), outcome.arrived.begin(), outcome.arrived.end()));
}

}  // namespace

TEST_CASE("Random damage ends in an engine that works or in a clear error",
          "[integration][damage]") {
  const char* const wish = std::getenv("POSTHASTE_DAMAGE_ROUNDS");
  const uint64_t rounds = wish ? std::strtoull(wish, nullptr, 10) : 120;
  const char* const first = std::getenv("POSTHASTE_DAMAGE_SEED");
  const uint64_t first_seed = first ? std::strtoull(first, nullptr, 10) : 1;
  Receiver receiver;
  const Seed idle(receiver, true);
  const Seed busy(receiver, false);
  for (const Variant& found : read_corpus("found.txt")) {
    for (const char* policy : {"refuse", "quarantine"}) {
      check_any_damage(found.seed == "idle" ? idle : busy, found.damage, policy, receiver);
    }
  }
  for (uint64_t seed = first_seed; seed < first_seed + rounds; ++seed) {
    INFO("POSTHASTE_DAMAGE_SEED=" << seed);
    const Seed& spool = seed % 2 == 0 ? idle : busy;
    TemporaryDirectory look;
    spool.copy_to(look.path("spool"));
    const std::string damage = random_damage(look.path("spool"), seed);
    check_any_damage(spool, damage, seed % 4 < 3 ? "quarantine" : "refuse", receiver);
  }
}

namespace {

constexpr int kWaiting = 24'000;
// Of the one webhook.
constexpr const char* kNothingWaits = "\"waiting\":{\"batches\":0";

// Pages of the database, from another process, since closing the file would take SQLite's locks
// away in this one. Its beginning, with the tables that an engine cannot do without, stays.
void damage_pages(const std::string& path, size_t first_page, size_t every) {
  const size_t pages = fs::file_size(path) / 4096;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::FILE* file = std::fopen(path.c_str(), "r+b");
    const std::string garbage(4096, '\x5a');
    for (size_t page = first_page; file && page < pages; page += every) {
      std::fseek(file, static_cast<long>(page * 4096), SEEK_SET);
      std::fwrite(garbage.data(), 1, garbage.size(), file);
    }
    if (file) std::fclose(file);
    ::_exit(file ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
}

// The ids that a receiver was sent since it answers with 200: a log of so many requests is too much
// to search again and again. Threads: any.
class Arrivals {
 public:
  void note(const Request& request) {
    if (!is_counting_) return;
    static constexpr std::string_view kKey = "\"event_id\":\"";
    const size_t at = request.body.find(kKey) + kKey.size();
    const std::lock_guard lock(mutex_);
    ids_.insert(request.body.substr(at, request.body.find('"', at) - at));
  }
  void begin() { is_counting_ = true; }
  bool has(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    return ids_.count(id) == 1;
  }
  size_t count() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }

 private:
  std::atomic<bool> is_counting_{false};
  mutable std::mutex mutex_;  // guards ids_
  Ids ids_;
};

ReceiverOptions counted_by(Arrivals& arrivals) {
  ReceiverOptions options;
  options.on_request = [&arrivals](const Request& request) { arrivals.note(request); };
  return options;
}

// An engine with many batches that wait, and its database damaged underneath, in more pages than
// any cache has.
void damage_while_running(Host& host, Receiver& receiver, Arrivals& arrivals,
                          const std::string& directory) {
  receiver.answer_with(503);
  host.put("w", receiver.url()).start();
  for (int i = 0; i < kWaiting; ++i) host.push_all("delivery", payload(id_of("early", i)));
  must_sync(host);
  const std::string database = directory + "/spool.db";
  // The log is moved into the database when nothing else happens.
  REQUIRE(wait_until([&] {
    return fs::file_size(database) > (2u << 20) && fs::file_size(database + "-wal") == 0;
  }));
  damage_pages(database, 40, 2);
  arrivals.begin();
  receiver.behave();
  host.must(posthaste_retry_now(host.get(), nullptr, host.error()));
}

bool arrives(Host& host, const Arrivals& arrivals, const std::string& id) {
  host.push_all("delivery", payload(id));
  return wait_until([&] { return arrivals.has(id); }, 60s);
}

// The message of the next report of the spool that contains the words.
std::string remark_with(const Host& host, const std::string& words) {
  while (const ReportHandle report = host.next_report(POSTHASTE_REPORT_SPOOL)) {
    const std::string message = posthaste_report_message(report.get());
    if (message.find(words) != std::string::npos) return message;
  }
  return "no such report";
}

Settings many_batches(const std::string& directory, const std::string& policy) {
  return settings_for(directory, {{"spool.on_damage", policy},
                                  {"batch.max_events", "1"},
                                  {"retry.base", "1h"},
                                  {"retry.max", "1h"},
                                  {"report.max_bytes", "64MiB"},
                                  {"spool.max_bytes", "1GiB"},
                                  {"spool.file_bytes", "4MiB"}});
}

}  // namespace

TEST_CASE("A database that is damaged while the engine runs is replaced with quarantine",
          "[integration][damage]") {
  TemporaryDirectory parent;
  const std::string directory = parent.path("spool");
  Arrivals arrivals;
  Receiver receiver(counted_by(arrivals));
  {
    Host host(many_batches(directory, "quarantine"));
    damage_while_running(host, receiver, arrivals, directory);
    CHECK(remark_with(host, "it is kept as").find(directory) != std::string::npos);
    CHECK(arrives(host, arrivals, "late-0"));
    CHECK(wait_until(
        [&] { return posthaste_sync(host.get(), 10'000, host.error()) == POSTHASTE_OK; }));
    CHECK(arrives(host, arrivals, "late-1"));
    // Each event arrives or is reported as lost.
    CHECK(wait_until([&] { return host.stats().find(kNothingWaits) != std::string::npos; }, 60s));
    CHECK(arrivals.count() + host.stat("unreadable") >= kWaiting + 2);
    CHECK(host.close() == POSTHASTE_OK);
  }
  const Outcome again = open_spool(directory, "refuse", receiver);
  INFO(text_of(again));
  CHECK(again.code == POSTHASTE_OK);
  CHECK(again.is_alive);
  CHECK(again.remarks.empty());
}

TEST_CASE("A database that is damaged while the engine runs does not stop deliveries with refuse",
          "[integration][damage]") {
  TemporaryDirectory parent;
  const std::string directory = parent.path("spool");
  Arrivals arrivals;
  Receiver receiver(counted_by(arrivals));
  {
    Host host(many_batches(directory, "refuse"));
    damage_while_running(host, receiver, arrivals, directory);
    CHECK(remark_with(host, "is damaged").find("quarantine") != std::string::npos);
    CHECK(posthaste_sync(host.get(), 10'000, host.error()) == POSTHASTE_E_SPOOL_IO);
    CHECK(host.message().find("spool.on_damage=quarantine") != std::string::npos);
    CHECK(arrives(host, arrivals, "late"));
    const ReportHandle unsecured = host.next_report(POSTHASTE_REPORT_SPOOL);
    REQUIRE(unsecured);
    CHECK(posthaste_report_reason(unsecured.get()) == POSTHASTE_REASON_UNSECURED);
    CHECK(posthaste_report_webhook_id(unsecured.get()) == std::string("w"));
    host.close();
  }
  const Outcome refused = open_spool(directory, "refuse", receiver);
  CHECK(refused.code == POSTHASTE_E_SPOOL_IO);
  const Outcome accepted = open_spool(directory, "quarantine", receiver);
  INFO(text_of(accepted));
  CHECK(accepted.code == POSTHASTE_OK);
  CHECK(accepted.is_alive);
  CHECK_FALSE(accepted.remarks.empty());
}
