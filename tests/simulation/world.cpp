#include "simulation/world.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "simulation/random_settings.h"
#include "support/sim_records.h"

namespace posthaste::simulation {

using core::Duration;
using core::Instant;
using namespace std::chrono_literals;

namespace {

// A run ends when it has used so many steps, bytes or events, however short its time was.
constexpr size_t kStepsMax = 3'000;
constexpr uint64_t kBytesMax = 48u << 20;
constexpr uint64_t kEventsMax = 15'000;
constexpr size_t kActionsMax = 1'200;
constexpr size_t kCloseStepsMax = 2'000;
constexpr size_t kDrainStepsMax = 200'000;
constexpr size_t kWebhooksMax = 7;

constexpr const char* kTypes[] = {"delivery", "open", "click", "bounce", "injection"};

}  // namespace

// Purpose: one run. Ownership: owns everything of it. Threads: one.
class World {
 public:
  World(uint64_t seed, std::FILE* trace, Counts& counts)
      : counts_(counts),
        trace_(trace),
        chance_(seed),
        is_gentle_(chance_.one_in(5)),
        ledger_(trace_, counts),
        engine_(random_settings(chance_, is_gentle_), seed + 1, &ledger_),
        far_side_(engine_.clock(), seed + 2, is_gentle_) {
    ledger_.attach(engine_);
    engine_.transport().set_script(
        [this](const transport::Request& request) { return far_side_.answer(request); });
    // The real coarse clock is ahead by up to a tick.
    if (chance_.one_in(3)) engine_.clock().set_coarse_lead(chance_.up_to(4ms));
    for (const char* name : kTypes) types_.push_back(engine_.catalogue().find(name).id);
    polls_ = chance_.one_in(3) ? 0 : chance_.of({1u, 3u, 1000u});
  }

  RunResult run() {
    live();
    if (!failed()) {
      if (chance_.one_in(3)) {
        close(chance_.of<Duration>({0s, 1s, 90s, 1h}), true);
      } else {
        drain();
        close(10s, false);
      }
    }
    return {ledger_.violation(), trace_.hash(), engine_.clock().elapsed(), engine_.steps_count()};
  }

 private:
  bool failed() const { return ledger_.violation().has_value(); }
  Instant now() const { return engine_.clock().now(); }

  void live();
  void stall();
  void hold_encoder(bool is_held);
  void step();
  void act();
  Duration pause();
  void push_some();
  void push(uint32_t size_bytes);
  void put();
  void create();
  void edit();
  void remove();
  void pause_or_resume();
  void flush();
  void verify(bool creates);
  void change_setting();
  void poll(size_t count);
  void drain();
  void close(Duration within, bool gives_up);
  core::WebhookSpec spec();
  std::string some_id();
  std::string some_target();
  std::vector<std::string> some_events();
  void note(const char* action, const std::string& id, const core::Result<>& result);

  Counts& counts_;
  Trace trace_;
  Chance chance_;
  // One webhook, traffic, and receivers that are merely slow.
  const bool is_gentle_;
  Ledger ledger_;
  test::SimEngine engine_;
  FarSide far_side_;
  std::vector<core::EventTypeId> types_;
  uint64_t pushed_bytes_ = 0;
  unsigned polls_ = 0;
  bool is_living_ = true;
  bool is_encoder_held_ = false;
  int pace_ = 0;
  size_t pace_left_ = 0;
};

void World::live() {
  put();
  step();
  Instant next_action = now();
  size_t actions = 0;
  while (!failed() && engine_.steps_count() < kStepsMax && actions < kActionsMax &&
         pushed_bytes_ < kBytesMax && ledger_.next_event_number() < kEventsMax) {
    const bool is_time = engine_.wait(next_action);
    while (now() >= next_action && actions < kActionsMax) {
      act();
      ++actions;
      next_action = std::max(now(), next_action) + pause();
    }
    if (is_time) step();
  }
}

// The delivery thread gets no time, while the host goes on.
void World::stall() {
  ++counts_["stall"];
  const Instant until = now() + chance_.up_to(200ms);
  for (size_t i = 0; i < 5 && now() < until; ++i) {
    engine_.clock().advance(chance_.up_to(50ms));
    act();
  }
}

void World::step() {
  if (is_living_ && chance_.one_in(60)) stall();
  if (is_living_ && chance_.one_in(20)) hold_encoder(!is_encoder_held_);
  engine_.step();
  ledger_.after_step();
  trace_.line("{} step {} {}", engine_.clock().elapsed().count(), engine_.last_step().had_events,
              engine_.last_step().deadline.time_since_epoch().count());
  if (polls_ > 0 && chance_.one_in(4)) poll(polls_);
}

// The thread that codes gets no time, or gets it again.
void World::hold_encoder(bool is_held) {
  if (is_held == is_encoder_held_) return;
  if (is_held) ++counts_["encoder held"];
  is_encoder_held_ = is_held;
  engine_.encoder().hold(is_held);
  engine_.transport().wake();
}

// Bursts, traffic, trickles and silence follow one another.
Duration World::pause() {
  if (pace_left_ == 0) {
    pace_ = static_cast<int>(chance_.below(is_gentle_ ? 2 : 5));
    pace_left_ = chance_.between(5, 60);
  }
  --pace_left_;
  switch (pace_) {
    case 0:
      return chance_.up_to(1ms);
    case 1:
      return chance_.up_to(500ms);
    case 2:
      return chance_.up_to(20s);
    case 3:
      return chance_.up_to(10min);
    default:
      return chance_.one_in(2) ? 0ms : chance_.up_to(1h);
  }
}

void World::act() {
  if (is_gentle_ && !chance_.one_in(10)) return push_some();
  const uint64_t choice = chance_.below(100);
  if (choice < 62) return push_some();
  if (choice < 66) return put();
  if (choice < 76) return edit();
  if (choice < 79) return remove();
  if (choice < 85) return pause_or_resume();
  if (choice < 90) return flush();
  if (choice < 93) return verify(chance_.one_in(2));
  if (choice < 94) return create();
  if (choice < 98) return change_setting();
  poll(chance_.one_in(4) ? 100'000 : 5);
}

void World::push_some() {
  const uint64_t most = engine_.settings().event_max_bytes;
  const bool is_large = chance_.one_in(12);
  const uint64_t count =
      is_large ? chance_.between(1, 12) : chance_.of<uint64_t>({1, 1, 3, 20, chance_.below(800)});
  const uint64_t limit =
      is_large ? most : std::min<uint64_t>(most, chance_.of({120u, 600u, 4000u}));
  for (uint64_t i = 0; i < count; ++i) {
    push(static_cast<uint32_t>(chance_.between(is_large ? limit / 2 : 0, limit)));
  }
}

void World::push(uint32_t size_bytes) {
  size_bytes = std::max(size_bytes, test::kSimRecordSizeMin);
  const core::EventTypeId type = chance_.of(types_);
  const bool is_wanted = engine_.registry().wanted_types()[type];
  std::string record;
  test::append_sim_record(engine_.catalogue(), type, ledger_.next_event_number(), size_bytes,
                          record);
  const core::ErrorCode code = engine_.push(type, record);
  if (!is_wanted) {
    ++counts_["push unwanted"];
    return;
  }
  pushed_bytes_ += size_bytes;
  ledger_.on_push(type, size_bytes, code);
}

std::string World::some_id() {
  return std::string("hook-") +
         static_cast<char>('a' + chance_.below(is_gentle_ ? 1 : kWebhooksMax));
}

// Few enough that targets come back.
std::string World::some_target() {
  return fmt::format("http://receiver-{}.example/{}", chance_.below(6), chance_.below(2));
}

std::vector<std::string> World::some_events() {
  if (chance_.one_in(4)) return {"*"};
  std::vector<std::string> events;
  do {
    events.emplace_back(chance_.of(kTypes));
  } while (chance_.one_in(2));
  return events;
}

core::WebhookSpec World::spec() {
  core::WebhookSpec spec;
  spec.target = some_target();
  spec.events = some_events();
  if (chance_.one_in(2)) spec.auth_token = chance_.of(kSecrets);
  if (is_gentle_) return spec;
  if (chance_.one_in(2)) add_random_credentials(chance_, spec);
  add_random_overrides(chance_, spec);
  return spec;
}

void World::note(const char* action, const std::string& id, const core::Result<>& result) {
  trace_.line("{} {} {} {}", engine_.clock().elapsed().count(), action, id,
              result ? "ok" : result.error().message);
  ++counts_[std::string("host ") + action + (result ? "" : " refused")];
}

void World::put() {
  const std::string id = some_id();
  const bool is_known = engine_.registry().find(id) != nullptr;
  note(is_known ? "put again" : "put", id, engine_.put(id, spec()));
}

void World::create() {
  const std::string id = some_id();
  if (!engine_.registry().find(id)) note("create", id, engine_.create(id, spec()));
}

void World::edit() {
  const std::string id = some_id();
  const core::WebhookPtr webhook = engine_.registry().find(id);
  if (!webhook) return;
  core::WebhookSpec change;
  const char* what = "";
  switch (chance_.below(5)) {
    case 4:
      what = "edit credentials";
      add_random_credentials(chance_, change);
      break;
    case 0:
      what = "edit target";
      change.target = some_target();
      break;
    case 1:
      what = "edit types";
      change.events = some_events();
      break;
    case 2:
      what = webhook->active ? "deactivate" : "activate";
      change.active = !webhook->active;
      break;
    default:
      what = "edit settings";
      add_random_overrides(chance_, change);
      break;
  }
  note(what, id, engine_.update(id, change));
}

void World::remove() {
  const std::string id = some_id();
  if (!engine_.registry().find(id)) return;
  const bool drops = chance_.one_in(2);
  note(drops ? "remove with batches" : "remove", id, engine_.remove(id, drops));
}

void World::pause_or_resume() {
  const std::string id = some_id();
  const core::WebhookPtr webhook = engine_.registry().find(id);
  if (!webhook) return;
  note(webhook->is_paused ? "resume" : "pause", id, engine_.set_paused(id, !webhook->is_paused));
}

void World::flush() {
  const size_t number = ledger_.flushes_count();
  engine_.flush([this, number](const engine::Outcome&) { ledger_.on_flush_done(number); });
  note("flush", {}, {});
}

void World::verify(bool creates) {
  const std::string id = some_id();
  const std::string new_id = creates ? some_id() : std::string();
  const bool is_posted = engine_.verify(id, [this, new_id](const engine::Outcome& outcome) {
    const bool is_good = outcome.error.code == core::ErrorCode::Ok;
    ++counts_[is_good ? "verification passed" : "verification failed"];
    trace_.line("verified {}", outcome.error.message);
    // As the engine does when a verified creation is committed.
    if (!is_good || new_id.empty() || engine_.registry().find(new_id)) return;
    note("create", new_id, engine_.create(new_id, spec()));
  });
  if (is_posted) note("verify", id, {});
}

void World::change_setting() {
  const auto [key, value] = random_live_change(chance_);
  trace_.line("set {} {}", key, value);
  note("set", key, engine_.set(key, value));
}

void World::poll(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto report = engine_.reports().poll(Duration::zero());
    if (!report) return;
    ledger_.on_report(*report);
  }
}

// Faults stop: everything that was accepted must come through, or end by its own clock.
void World::drain() {
  is_living_ = false;
  far_side_.heal();
  hold_encoder(false);
  for (const core::WebhookPtr& webhook : std::vector(engine_.registry().list())) {
    if (webhook->is_paused) note("resume", webhook->id, engine_.set_paused(webhook->id, false));
  }
  flush();
  const Instant limit = now() + ledger_.max_age_seen() + 25h;
  const size_t steps_max = engine_.steps_count() + kDrainStepsMax;
  while (!failed() && !ledger_.is_drained()) {
    if (now() >= limit || engine_.steps_count() >= steps_max) {
      ledger_.check_end(false);
      return;
    }
    if (engine_.wait(limit)) step();
  }
}

void World::close(Duration within, bool gives_up) {
  if (failed()) return;
  trace_.line("{} close", engine_.clock().elapsed().count());
  is_living_ = false;
  const Instant deadline = now() + within;
  engine_.close(deadline);
  const size_t steps_max = engine_.steps_count() + kCloseStepsMax;
  while (!failed() && !engine_.is_closed()) {
    // Backoff of a millisecond could fill the time with millions of attempts.
    if (engine_.steps_count() > steps_max) engine_.clock().advance_to(deadline);
    if (engine_.wait(deadline)) step();
    if (now() > deadline) break;
  }
  if (failed()) return;
  ++counts_[engine_.delivery().given_up_events_count() > 0 ? "close gives up" : "close in time"];
  poll(~size_t{0});
  ledger_.check_end(gives_up);
}

RunResult run_seed(uint64_t seed, std::FILE* trace, Counts& counts) {
  return World(seed, trace, counts).run();
}

}  // namespace posthaste::simulation
