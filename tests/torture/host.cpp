#include "torture/host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "support/receiver_body.h"
#include "torture/ledger_text.h"

namespace posthaste::torture {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kTypes[] = {"delivery", "bounce", "click", "open"};
constexpr uint32_t kTypesCount = 4;
constexpr uint32_t kAllTypes = (1u << kTypesCount) - 1;
// What few events are and one webhook alone wants, which so keeps many files of the journal.
constexpr uint32_t kRareType = 3;
// What one more webhook wants, which takes nothing in time: it all dies, and lives again.
constexpr uint32_t kDeadType = 2;
// What a host pushes at most, so that the spool as a whole is never over its limit.
constexpr uint64_t kEventsMax = 250;
constexpr const char* kSlots[] = {"w0", "w1", "w2", "w3"};

std::string events_of(uint32_t types) {
  if (types == kAllTypes) return "*";
  std::string text;
  for (uint32_t i = 0; i < kTypesCount; ++i) {
    if ((types >> i & 1) != 0) text += (text.empty() ? "" : ",") + std::string(kTypes[i]);
  }
  return text;
}

uint32_t types_of(std::string_view events) {
  if (events == "*") return kAllTypes;
  uint32_t types = 0;
  for (uint32_t i = 0; i < kTypesCount; ++i) {
    if (events.find(kTypes[i]) != std::string_view::npos) types |= 1u << i;
  }
  return types;
}

void pause_for(uint64_t length_ms) {
  std::this_thread::sleep_for(milliseconds(length_ms));
}

void log_line(int32_t /*level*/, const char* line, void* /*user_data*/) {
  std::fprintf(stderr, "%s\n", line);
}

}  // namespace

std::string Host::Hook::key() const {
  return fmt::format("/{}.{}/{}", id, incarnation, revision);
}

Host::Host(const HostOptions& options)
    : options_(options),
      chance_(options.seed),
      error_(posthaste_error_new()),
      last_incarnation_(options.cycle * 1000) {
  ledger_ = ::open(options.ledger.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (ledger_ < 0) give_up(options.ledger + ": " + std::strerror(errno));
  write(kNewHostLine);
  std::fprintf(stderr, "cycle %llu\n", static_cast<unsigned long long>(options.cycle));
}

Host::~Host() {
  posthaste_free(engine_);
  posthaste_error_free(error_);
  ::close(ledger_);
}

void Host::live() {
  open();
  // Whoever waits for it may kill from here on.
  if (::write(STDOUT_FILENO, "r", 1) != 1) give_up("nobody waits for the start");
  switch (options_.mode) {
    case HostMode::Run:
      work();
      break;
    case HostMode::Recover:
      idle();
      break;
    case HostMode::Drain:
      drain();
      break;
  }
  take_reports();
  if (options_.ending == HostEnding::Kill) ::kill(::getpid(), SIGKILL);
  must(posthaste_close(engine_, 20'000, error_), "close");
  // That the host was told of them is on disk now, and nobody will be told again.
  for (const auto& [drop, events] : drops_) write(drops_line(drop.first, drop.second, events));
  write(closed_line(options_.cycle));
}

// Small and ever changing, so that everything happens all the time.
posthaste_conf_t* Host::settings() {
  posthaste_conf_t* const conf = posthaste_conf_new();
  const auto set = [&](const char* key, const std::string& value) {
    must(posthaste_conf_set(conf, key, value.c_str(), error_), key);
  };
  const auto number = [&](const char* key, uint64_t least, uint64_t most, const char* unit) {
    set(key, std::to_string(chance_.between(least, most)) + unit);
  };
  set("spool.dir", options_.directory);
  set("spool.file_bytes", chance_.one_in(5) ? "128KiB" : "64KiB");
  set("spool.max_bytes", "24MiB");
  set("spool.sync", chance_.one_in(3) ? "normal" : "full");
  number("spool.commit_interval", 1, 20, "ms");
  number("batch.max_events", 1, 40, "");
  // Long ones are open when their host is killed, and when the next one is.
  number("batch.max_age", 5, chance_.one_in(2) ? 150 : 3000, "ms");
  pushes_large_ = chance_.one_in(4);
  set("event.max_bytes", pushes_large_ ? "160KiB" : "4KiB");
  const uint64_t batch_kib = pushes_large_ ? chance_.between(160, 320) : chance_.between(4, 64);
  set("batch.max_bytes", std::to_string(batch_kib) + "KiB");
  number("retry.base", 5, 30, "ms");
  number("retry.max", 50, 100, "ms");
  set("request.timeout", "300ms");
  number("request.max_in_flight", 1, 4, "");
  number("connections.max", 2, 16, "");
  // As little memory as is allowed, so that bodies are read from the disk.
  if (chance_.one_in(2)) {
    set("webhook.max_waiting_bytes", std::to_string(4 * batch_kib) + "KiB");
  }
  set("log.level", "debug");
  // Of the others, drops stay in the spool: who is killed may have told of them or not.
  set("report.kinds", options_.ending == HostEnding::Close ? "all" : "spool");
  return conf;
}

void Host::open() {
  posthaste_conf_t* const conf = settings();
  must(posthaste_new(conf, &engine_, error_), "new");
  posthaste_conf_free(conf);
  must(posthaste_set_log(engine_, &log_line, nullptr), "set_log");
  // As a mail server does at every start.
  Hook all{"all", 1, 1, kAllTypes, true, false, 0};
  Hook rare{"rare", 1, 1, 1u << kRareType, true, false, 0};
  Hook dead{"dead", 1, 1, 1u << kDeadType, true, false, 0};
  put(all);
  put(rare);
  put(dead);
  must(posthaste_start(engine_, error_), "start");
  learn_webhooks();
}

// What the spool has kept of the registry.
void Host::learn_webhooks() {
  posthaste_webhook_list_t* list = nullptr;
  must(posthaste_list(engine_, &list, error_), "list");
  for (size_t i = 0; i < posthaste_webhook_list_count(list); ++i) {
    const posthaste_webhook_t* const webhook = posthaste_webhook_list_at(list, i);
    Hook hook;
    hook.id = posthaste_webhook_get(webhook, "id");
    const std::string target = posthaste_webhook_get(webhook, "target");
    const size_t dot = target.rfind('.');
    char* end = nullptr;
    hook.incarnation = std::strtoull(target.c_str() + dot + 1, &end, 10);
    hook.revision = std::strtoull(end + 1, nullptr, 10);
    hook.types = types_of(posthaste_webhook_get(webhook, "events"));
    hook.is_paused = std::string_view(posthaste_webhook_get(webhook, "state")) == "paused";
    const char* const active = posthaste_webhook_get(webhook, "active");
    hook.is_active = !active || std::string_view(active) == "true";
    const char* const events_max = posthaste_webhook_get(webhook, "batch.max_events");
    if (events_max) hook.events_max = std::strtoull(events_max, nullptr, 10);
    hooks_.push_back(hook);
  }
  posthaste_webhook_list_free(list);
}

void Host::work() {
  const auto end = Clock::now() + milliseconds(options_.work_ms);
  while (Clock::now() < end) {
    if (chance_.one_in(3)) {
      change_something();
      // Covers the change, and what is pushed at once.
      push_some(1, kAllTypes);
      if (chance_.one_in(2)) sync();
    }
    if (last_number_ < kEventsMax) push_some(chance_.between(1, 20), kAllTypes);
    if (chance_.one_in(2)) sync();
    if (chance_.one_in(20)) posthaste_flush(engine_, 20, nullptr);
    if (chance_.one_in(20)) posthaste_retry_now(engine_, nullptr, nullptr);
    if (chance_.one_in(10)) replay();
    take_reports();
    pause_for(chance_.below(6));
  }
}

void Host::idle() {
  const auto end = Clock::now() + milliseconds(options_.work_ms);
  while (Clock::now() < end) {
    take_reports();
    pause_for(5);
  }
}

void Host::drain() {
  for (Hook& hook : hooks_) set_paused(hook, false);
  // Fresh events still pass.
  for (uint32_t i = 0; i < kTypesCount; ++i) push_some(1, 1u << i);
  sync();
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (::poll(&input, 1, 20) == 0) {
    // Those that died before, and those whose time had passed when this host started.
    replay();
    take_reports();
  }
}

// What `dead` did not take in time.
void Host::replay() {
  posthaste_filter_t* const all = posthaste_filter_new();
  must(posthaste_dead_letter_replay(engine_, all, 20'000, nullptr, error_), "replay");
  posthaste_filter_free(all);
}

// Pushes so many events of one of the types each.
void Host::push_some(uint64_t count, uint32_t types) {
  struct Push {
    uint64_t number;
    uint32_t type;
    std::string payload;
  };
  std::vector<Push> pushes;
  std::string lines;
  for (uint64_t i = 0; i < count; ++i) {
    Push push;
    push.number = ++last_number_;
    do {
      push.type = chance_.one_in(6) ? kRareType : static_cast<uint32_t>(chance_.below(kRareType));
    } while ((types >> push.type & 1) == 0 && types != 1u << kRareType);
    if (types == 1u << kRareType) push.type = kRareType;
    const EventId id{options_.cycle, push.number};
    push.payload =
        fmt::format(R"({{"type":"{}","event_id":"{}","timestamp":"1","rcpt_meta":{{"x":")",
                    kTypes[push.type], id.text());
    const uint64_t size = pushes_large_ && chance_.one_in(60) ? chance_.between(50'000, 150'000)
                                                              : chance_.between(0, 1200);
    for (uint64_t at = 0; at < size; ++at) {
      push.payload += static_cast<char>('a' + chance_.below(26));
    }
    push.payload += "\"}}";
    testing::BodyHash hash;
    hash.add(push.payload);
    std::vector<std::string> keys;
    for (const Hook& hook : hooks_) {
      if (hook.is_active && (hook.types >> push.type & 1) != 0) keys.push_back(hook.key());
    }
    lines += event_line(id, hash.value(), keys);
    pushes.push_back(std::move(push));
  }
  write(lines);
  for (const Push& push : pushes) push_one(push.number, push.type, push.payload);
}

void Host::push_one(uint64_t number, uint32_t type, const std::string& payload) {
  const auto end = Clock::now() + milliseconds(20'000);
  for (;;) {
    const int32_t code = posthaste_push(engine_, kTypes[type], payload.data(), payload.size());
    if (code == POSTHASTE_OK) return;
    if (code != POSTHASTE_E_QUEUE_FULL || Clock::now() > end) {
      give_up(fmt::format("push of event {}: {}", number, posthaste_error_name(code)));
    }
    pause_for(1);
  }
}

void Host::sync() {
  const uint64_t number = last_number_;
  must(posthaste_sync(engine_, 20'000, error_), "sync");
  write(synced_line({options_.cycle, number}));
}

void Host::change_something() {
  std::vector<size_t> own;  // those that change
  for (size_t i = 0; i < hooks_.size(); ++i) {
    if (hooks_[i].id[0] == 'w') own.push_back(i);
  }
  if (own.empty() || (own.size() < std::size(kSlots) && chance_.one_in(3))) return put_new();
  const size_t index = chance_.of(own);
  const uint64_t dice = chance_.below(10);
  if (dice < 2) {
    remove(index);
  } else if (dice < 5) {
    set_paused(hooks_[index], !hooks_[index].is_paused);
  } else {
    edit(hooks_[index]);
  }
}

void Host::put(const Hook& hook) {
  posthaste_webhook_t* const webhook = posthaste_webhook_new();
  const auto set = [&](const char* key, const std::string& value) {
    must(posthaste_webhook_set(webhook, key, value.c_str(), error_), key);
  };
  set("name", hook.id);
  set("target", "http://127.0.0.1:" + options_.port + hook.key());
  set("events", events_of(hook.types));
  if (!hook.is_active) set("active", "false");
  if (hook.events_max > 0) set("batch.max_events", std::to_string(hook.events_max));
  if (hook.id == "rare") set("webhook.max_spool_bytes", "1MiB");
  if (hook.id == "dead") {
    set("retry.max_age", "100ms");
    set("dead_letter", "true");
  }
  must(posthaste_put(engine_, hook.id.c_str(), webhook, error_), "put");
  posthaste_webhook_free(webhook);
}

void Host::put_new() {
  Hook hook;
  for (const char* slot : kSlots) {
    const bool is_taken = std::any_of(hooks_.begin(), hooks_.end(),
                                      [&](const Hook& other) { return other.id == slot; });
    if (!is_taken) hook.id = slot;
  }
  hook.incarnation = ++last_incarnation_;
  hook.revision = 1;
  hook.types = static_cast<uint32_t>(chance_.between(1, kAllTypes));
  if (chance_.one_in(2)) hook.events_max = chance_.between(1, 30);
  put(hook);
  hooks_.push_back(hook);
}

void Host::edit(Hook& hook) {
  switch (chance_.below(4)) {
    case 0:
      ++hook.revision;
      break;
    case 1:
      hook.types = static_cast<uint32_t>(chance_.between(1, kAllTypes));
      break;
    case 2:
      hook.events_max = chance_.between(1, 30);
      break;
    default:
      hook.is_active = !hook.is_active;
  }
  put(hook);
}

void Host::remove(size_t index) {
  const bool drops = chance_.one_in(2);
  const Hook hook = hooks_[index];
  // What waits may still go out, until the call has returned and beyond.
  if (drops) write(freed_line(hook.id, hook.incarnation));
  must(posthaste_remove(engine_, hook.id.c_str(),
                        drops ? POSTHASTE_REMOVE_DROP : POSTHASTE_REMOVE_DRAIN, error_),
       "remove");
  hooks_.erase(hooks_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Host::set_paused(Hook& hook, bool is_paused) {
  const char* const id = hook.id.c_str();
  must(is_paused ? posthaste_pause(engine_, id, error_) : posthaste_resume(engine_, id, error_),
       is_paused ? "pause" : "resume");
  hook.is_paused = is_paused;
}

void Host::take_reports() {
  posthaste_report_t* report = nullptr;
  while (posthaste_poll(engine_, 0, &report) == POSTHASTE_OK) {
    const int32_t kind = posthaste_report_kind(report);
    if (kind == POSTHASTE_REPORT_SPOOL || kind == POSTHASTE_REPORT_OVERFLOW) {
      write(problem_line(options_.cycle, posthaste_report_message(report)));
    } else if (kind == POSTHASTE_REPORT_DROPPED) {
      drops_[{posthaste_report_webhook_id(report), posthaste_report_reason(report)}] +=
          posthaste_report_events(report);
    }
    posthaste_report_free(report);
  }
}

void Host::write(const std::string& lines) {
  if (::write(ledger_, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size())) return;
  give_up("cannot write the ledger");
}

void Host::must(int32_t code, const char* what) {
  if (code == POSTHASTE_OK) return;
  give_up(
      fmt::format("{}: {}: {}", what, posthaste_error_name(code), posthaste_error_message(error_)));
}

void Host::give_up(const std::string& what) {
  if (ledger_ >= 0) {
    const std::string line = problem_line(options_.cycle, what);
    // Without it the status tells.
    if (::write(ledger_, line.data(), line.size()) < 0) ::_exit(4);
  }
  ::_exit(3);
}

}  // namespace posthaste::torture
