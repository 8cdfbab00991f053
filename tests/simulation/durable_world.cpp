#include "simulation/durable_world.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/conf.h"
#include "core/crash_point.h"
#include "simulation/chance.h"
#include "simulation/durable_ledger.h"
#include "simulation/random_settings.h"
#include "simulation/receivers.h"
#include "support/sim_records.h"
#include "support/sim_spool_engine.h"

namespace posthaste::simulation {
namespace {

using core::Duration;
using core::ErrorCode;
using test::SimCrash;
using test::SimSpoolEngine;
using namespace std::chrono_literals;

constexpr std::array<const char*, 5> kTypes = {"delivery", "bounce", "click", "open", "injection"};
constexpr uint64_t kWebhooksMax = 4;
constexpr Duration kDrainMax = 30min;
// In one life: a backlog that is tried again and again takes more time than it shows.
constexpr uint64_t kEventsMax = 800;

// How a life of the engine ends.
enum class Ending {
  Now,       // between two steps
  Point,     // at a crash point
  DiskStep,  // when it changes the disk
  Close      // in good order
};

// Purpose: the run. Ownership: owns everything. Threads: one. Invariants: every choice is made of
// the seed.
class DurableWorld final : public test::SimObserver {
 public:
  DurableWorld(uint64_t seed, std::FILE* trace, Counts& counts);
  ~DurableWorld() override;

  RunResult run();

  void on_control(const engine::Control& control) override { ledger_.on_control(control); }
  void on_begin(const test::SimExchange& exchange) override {
    ledger_.on_begin(exchange, moment());
  }
  void on_end(const test::SimExchange& exchange) override { ledger_.on_end(exchange, moment()); }
  void on_drop(const test::SimDrop& drop) override { ledger_.on_drop(drop); }

 private:
  bool failed() const { return ledger_.violation().has_value(); }
  Moment moment() const {
    return {engine_->controls_taken_count(), engine_->clock().now(), engine_->clock().wall_now()};
  }
  core::EngineSettings choose_settings();

  // Lives.
  bool open();
  bool try_open();
  void live();
  void arm(Ending ending, bool is_opening);
  void disarm();
  void end(Ending ending);
  void crash(const char* what);
  void close();
  void drain();
  void check_store();
  static void at_crash_point(const char* name);

  // What the host does.
  void act();
  void push_some();
  void push(uint32_t size_bytes);
  void sync();
  void poll();
  void change_webhook();
  void put(const std::string& id);
  void edit(const std::string& id);
  void change_disk();
  void suffer();
  void note(const char* action, const std::string& id, const core::Result<>& result);
  std::string new_target(const std::string& incarnation);
  core::WebhookSpec spec(const std::string& id);

  Chance chance_;
  Trace trace_;
  Counts& counts_;
  core::EngineSettings settings_;
  const bool loses_power_ever_;  // else only what survives a killed process is promised
  DurableLedger ledger_;
  test::SimDisk disk_;
  Receivers receivers_;
  std::unique_ptr<SimSpoolEngine> engine_;
  uint64_t engines_count_ = 0;
  core::WallTime wall_ = test::SimClock::kWallStart;
  Duration elapsed_{};
  size_t steps_count_ = 0;
  uint64_t pushed_count_ = 0;  // in this life
  uint64_t incarnations_count_ = 0;
  uint64_t targets_count_ = 0;

  // The crash that was ordered.
  std::vector<std::string> points_;  // crash points that were crossed, in order of the first time
  std::string armed_point_;          // empty: any
  uint64_t crossings_left_ = 0;      // 0: none is ordered
};

DurableWorld* current = nullptr;

DurableWorld::DurableWorld(uint64_t seed, std::FILE* trace, Counts& counts)
    : chance_(seed),
      trace_(trace),
      counts_(counts),
      settings_(choose_settings()),
      loses_power_ever_(settings_.spool_sync == core::SpoolSync::Full),
      ledger_(trace_, counts, !loses_power_ever_),
      disk_(seed),
      receivers_(seed) {
  current = this;
  core::crash_point_hook = &DurableWorld::at_crash_point;
}

DurableWorld::~DurableWorld() {
  core::crash_point_hook = nullptr;
  current = nullptr;
}

core::EngineSettings DurableWorld::choose_settings() {
  for (;;) {
    config::Conf conf;
    const auto set = [&](const char* key, std::initializer_list<const char*> values) {
      (void)conf.set(key, chance_.of(values));
    };
    set("spool.dir", {"spool"});
    set("spool.max_bytes", {"1MiB", "2MiB", "16MiB"});
    set("spool.file_bytes", {"64KiB", "64KiB", "256KiB"});
    set("spool.commit_interval", {"1ms", "20ms", "200ms"});
    set("spool.sync", {"full", "full", "full", "normal"});
    set("batch.max_events", {"1", "5", "20", "100"});
    set("batch.max_age", {"1ms", "50ms", "500ms", "3s"});
    set("batch.max_bytes", {"20KiB", "64KiB"});
    set("event.max_bytes", {"16KiB"});
    set("intake.max_bytes", {"4MiB"});
    set("waiting.max_bytes", {"1MiB", "4MiB"});
    set("webhook.max_waiting_bytes", {"64KiB", "1MiB"});
    set("retry.base", {"10ms", "100ms", "1s"});
    set("retry.max", {"1s", "5s"});
    set("retry.max_age", {"4h", "4h", "4h", "10s"});
    set("connect.timeout", {"500ms"});
    set("request.timeout", {"1s"});
    set("webhook.activation_delay", {"200ms", "2s"});
    if (auto settings = conf.finalize()) return *settings;
  }
}

RunResult DurableWorld::run() {
  if (open()) {
    put("all");
    put("dead");
    const uint64_t lives = chance_.between(4, 9);
    for (uint64_t i = 0; i < lives && !failed(); ++i) {
      live();
      if (!failed() && !open()) break;
    }
    if (!failed()) drain();
  }
  engine_.reset();
  RunResult result;
  result.violation = ledger_.violation();
  const test::SimDiskCounts& disk = disk_.counts();
  counts_["disk: write failed"] += disk.failed_writes;
  counts_["disk: write torn"] += disk.torn_writes;
  counts_["disk: sync failed"] += disk.failed_syncs;
  counts_["disk: names failed"] += disk.failed_names;
  counts_["disk: database found it full"] += disk.full;
  trace_.line("{} disk steps", disk_.steps_count());
  result.trace_hash = trace_.hash();
  result.virtual_time = elapsed_;
  result.steps_count = steps_count_;
  return result;
}

// ---- Lives

// Until it is open, whatever comes in between.
bool DurableWorld::open() {
  for (int i = 0; !failed(); ++i) {
    if (chance_.one_in(4)) {
      const Duration by = chance_.of<Duration>({-1h, -5s, 5s, 1h});
      ++counts_[by < 0s ? "clock set back" : "clock set forward"];
      wall_ += by;
    }
    if (i < 3 && chance_.one_in(3)) arm(chance_.of({Ending::Point, Ending::DiskStep}), true);
    if (i < 3 && chance_.one_in(6)) change_disk();
    if (i >= 3) disk_.heal();
    try {
      const bool is_open = try_open();
      disarm();
      if (is_open) return true;
    } catch (const SimCrash&) {
      crash("while opening");
    }
  }
  return false;
}

bool DurableWorld::try_open() {
  const bool may_fail = disk_.has_faults();
  auto opened = SimSpoolEngine::open(disk_, settings_, ++engines_count_, wall_, this);
  if (disk_.is_stopped()) throw SimCrash();
  trace_.line("open {}", opened ? "ok" : "failed");
  if (!opened) {
    ++counts_["open failed"];
    if (!may_fail) ledger_.fail("open", opened.error().message);
    disk_.heal();
    return false;
  }
  engine_ = std::move(*opened);
  pushed_count_ = 0;
  for (const std::string& remark : engine_->remarks()) ledger_.fail("open", remark);
  for (const core::WebhookPtr& webhook : engine_->registry().list()) {
    trace_.line("found {} active {} paused {} events {} activates {}", webhook->target,
                webhook->active, webhook->is_paused, fmt::join(webhook->events, " "),
                webhook->activates_at < test::SimClock::kStart
                    ? -1
                    : (webhook->activates_at - test::SimClock::kStart).count());
  }
  ledger_.on_open(engine_->registry().list());
  engine_->transport().set_script(
      [this](const transport::Request& request) { return receivers_.answer(request); });
  return true;
}

void DurableWorld::live() {
  const Ending ending = chance_.of({Ending::Now, Ending::Point, Ending::Point, Ending::DiskStep,
                                    Ending::DiskStep, Ending::DiskStep, Ending::Close});
  const Duration length = chance_.up_to(chance_.of<Duration>({20ms, 1s, 6s}));
  const core::Instant armed_at = engine_->clock().now() + chance_.up_to(length);
  const core::Instant until = engine_->clock().now() + length;
  bool is_armed = false;
  try {
    while (!failed() && engine_->clock().now() < until) {
      if (!is_armed && engine_->clock().now() >= armed_at) {
        is_armed = true;
        arm(ending, false);
      }
      act();
      if (chance_.one_in(3)) engine_->run_for(chance_.up_to(chance_.of<Duration>({2ms, 60ms})));
    }
    if (!failed()) end(ending);
  } catch (const SimCrash&) {
    crash(ending == Ending::Point ? "at a crash point" : "in a disk step");
  }
}

void DurableWorld::arm(Ending ending, bool is_opening) {
  if (ending == Ending::DiskStep) {
    disk_.stop_after(chance_.below(is_opening ? 20 : chance_.of({3u, 30u, 300u})));
  } else if (ending == Ending::Point) {
    const bool is_any = is_opening || points_.empty() || chance_.one_in(4);
    armed_point_ = is_any ? std::string() : chance_.of(points_);
    crossings_left_ = is_any ? chance_.between(1, is_opening ? 30 : 200) : chance_.between(1, 3);
  }
}

void DurableWorld::disarm() {
  crossings_left_ = 0;
  disk_.go_on();
}

void DurableWorld::at_crash_point(const char* name) {
  DurableWorld& self = *current;
  if (std::find(self.points_.begin(), self.points_.end(), name) == self.points_.end()) {
    self.points_.emplace_back(name);
  }
  if (self.crossings_left_ == 0 || self.disk_.is_stopped()) return;
  if (!self.armed_point_.empty() && self.armed_point_ != name) return;
  if (--self.crossings_left_ > 0) return;
  ++self.counts_[std::string("crash at ") + name];
  self.disk_.stop();
  throw SimCrash();
}

void DurableWorld::end(Ending ending) {
  if (ending == Ending::Close) {
    close();
  } else {
    crash("between steps");
  }
}

// The process is gone, or the machine.
void DurableWorld::crash(const char* what) {
  const bool loses_power = loses_power_ever_ && chance_.one_in(2);
  crossings_left_ = 0;
  disk_.stop();
  ++counts_[std::string(loses_power ? "power cut " : "kill ") + what];
  trace_.line("{} {} {}", elapsed_.count(), loses_power ? "power cut" : "kill", what);
  if (engine_) {
    while (auto report = engine_->reports().poll(Duration::zero())) {
      // What is not reported yet will be after the restart; what was sent unsecured will not.
      if (report->kind == engine::ReportKind::Spool) ledger_.on_report(*report);
    }
    ledger_.on_crash(engine_->transport().running(), moment());
    elapsed_ += engine_->clock().elapsed();
    wall_ = engine_->clock().wall_now();
    steps_count_ += engine_->steps_count();
  }
  engine_.reset();
  disk_.restart(loses_power);
  if (chance_.one_in(2)) disk_.heal();
  if (chance_.one_in(3)) {
    const core::SpoolSync sync = settings_.spool_sync;
    settings_ = choose_settings();
    settings_.spool_sync = sync;
    ++counts_["other limits"];
  }
}

void DurableWorld::close() {
  if (chance_.one_in(2)) disk_.heal();
  engine_->stall({});
  const core::Instant deadline = engine_->clock().now() + chance_.up_to(3s);
  engine_->close(deadline);
  engine_->run_until(deadline + 1s);
  if (!engine_->is_closed()) return ledger_.fail("close", "it does not end");
  const bool is_written =
      engine_->worker().health() == ErrorCode::Ok && !engine_->spool().store().has_work();
  trace_.line("{} close {}", elapsed_.count(), is_written);
  ++counts_[is_written ? "close" : "close with a bad disk"];
  poll();
  if (is_written) ledger_.on_close(moment());
  crash("after a close");
}

// Faults stop: everything must come to its end.
void DurableWorld::drain() {
  trace_.line("drain");
  disk_.heal();
  receivers_.heal();
  for (const core::WebhookPtr& webhook : std::vector(engine_->registry().list())) {
    if (webhook->is_paused) note("resume", webhook->id, engine_->set_paused(webhook->id, false));
  }
  push_some();
  if (const core::Error error = engine_->sync_within(1min); error.code != ErrorCode::Ok) {
    return ledger_.fail("drain", "sync: " + error.message);
  }
  sync();
  bool is_flushed = false;
  engine_->flush([&](const engine::Outcome&) { is_flushed = true; });
  const core::Instant limit = engine_->clock().now() + kDrainMax;
  while (!is_flushed || !engine_->delivery().scheduler().batches().empty()) {
    if (engine_->clock().now() >= limit) {
      return ledger_.fail("drain", fmt::format("{} batches are left",
                                               engine_->delivery().scheduler().batches().size()));
    }
    engine_->run_for(10ms);
    poll();
    if (failed()) return;
  }
  close();
  if (failed() || !open()) return;
  engine_->run_for(2s);
  poll();
  check_store();
  if (!failed()) ledger_.check_end();
}

// Nothing is left behind, and nothing is wrong.
void DurableWorld::check_store() {
  const auto sums = engine_->spool().store().live_sums();
  if (!sums || !sums->empty()) ledger_.fail("drain", "batches are left in the database");
  const auto findings = engine_->spool().store().check();
  if (!findings) return ledger_.fail("store", findings.error().message);
  for (const std::string& finding : *findings) ledger_.fail("store", finding);
}

// ---- The host

void DurableWorld::act() {
  const uint64_t dice = chance_.below(100);
  if (dice < 50) return push_some();
  if (dice < 60) return sync();
  if (dice < 72) return poll();
  if (dice < 86) return change_webhook();
  if (dice < 92) return change_disk();
  if (dice < 93 && chance_.one_in(8)) return suffer();
  if (dice < 94) {
    ++counts_["disk stalls"];
    return engine_->stall(chance_.up_to(chance_.of<Duration>({100ms, 3s})));
  }
  if (dice < 97) return engine_->set_wake_delay(chance_.of<Duration>({0s, 0s, 1ms, 30ms}));
  engine_->flush([](const engine::Outcome&) {});
  note("flush", {}, {});
}

void DurableWorld::push_some() {
  const uint64_t count = chance_.of<uint64_t>({1, 3, chance_.below(40)});
  const uint32_t most = chance_.of({150u, 1000u, 8000u});
  for (uint64_t i = 0; i < count; ++i) push(static_cast<uint32_t>(chance_.between(100, most)));
}

void DurableWorld::push(uint32_t size_bytes) {
  if (pushed_count_++ >= kEventsMax) return;
  const core::EventTypeId type = engine_->catalogue().find(chance_.of(kTypes)).id;
  std::vector<std::string> urls;
  for (const core::WebhookPtr& webhook : engine_->registry().list()) {
    const bool is_owed =
        webhook->active && webhook->types[type] && webhook->activates_at <= engine_->clock().now();
    if (is_owed) urls.push_back(webhook->target);
  }
  std::string record;
  test::append_sim_record(engine_->catalogue(), type, ledger_.next_event_number(), size_bytes,
                          record);
  const ErrorCode code = engine_->push(type, record);
  trace_.line("{} push {}", engine_->clock().elapsed().count(), static_cast<int>(code));
  if (code == ErrorCode::Ok) {
    ++counts_["push"];
    return ledger_.on_push(type, size_bytes, std::move(urls));
  }
  ++counts_[code == ErrorCode::SpoolFull ? "push: spool full"
            : code == ErrorCode::SpoolIo ? "push: spool fails"
                                         : "push: queue full"];
}

void DurableWorld::sync() {
  engine_->sync([this, sync = ledger_.on_sync_begun()](const engine::Outcome& outcome) {
    trace_.line("{} sync {}", engine_->clock().elapsed().count(),
                static_cast<int>(outcome.error.code));
    const bool is_done = outcome.error.code == ErrorCode::Ok;
    ++counts_[is_done ? "sync" : "sync refused"];
    if (is_done) ledger_.on_sync_ended(sync);
  });
}

void DurableWorld::poll() {
  while (auto report = engine_->poll()) ledger_.on_report(*report);
}

void DurableWorld::change_webhook() {
  const std::string id =
      std::string("hook-") + static_cast<char>('a' + chance_.below(kWebhooksMax));
  const core::WebhookPtr webhook = engine_->registry().find(id);
  if (!webhook) return put(id);
  switch (chance_.below(6)) {
    case 0:
    case 1:
      return note(webhook->is_paused ? "resume" : "pause", id,
                  engine_->set_paused(id, !webhook->is_paused));
    case 2: {
      const bool drops = chance_.one_in(2);
      if (drops) ledger_.on_removed_with_batches(incarnation_of(webhook->target));
      return note(drops ? "remove with batches" : "remove", id, engine_->remove(id, drops));
    }
    default:
      return edit(id);
  }
}

core::WebhookSpec DurableWorld::spec(const std::string& id) {
  core::WebhookSpec spec;
  spec.target = new_target(fmt::format("{}.{}", id, ++incarnations_count_));
  spec.events = std::vector<std::string>{"*"};
  if (id.starts_with("hook") && chance_.one_in(2)) {
    spec.events = std::vector<std::string>{chance_.of(kTypes), chance_.of(kTypes)};
  }
  if (chance_.one_in(2)) spec.auth_token = chance_.of(kSecrets);
  if (chance_.one_in(2)) add_random_coding(chance_, spec);
  // Nothing of it fails, and a token request might.
  if (id != "all" && chance_.one_in(2)) add_random_credentials(chance_, spec);
  return spec;
}

std::string DurableWorld::new_target(const std::string& incarnation) {
  return fmt::format("http://far-{}.example/{}/{}", chance_.below(2), incarnation,
                     ++targets_count_);
}

void DurableWorld::put(const std::string& id) {
  const bool waits = id.starts_with("hook") && chance_.one_in(4);
  note(waits ? "create" : "put", id,
       waits ? engine_->create(id, spec(id)) : engine_->put(id, spec(id)));
}

void DurableWorld::edit(const std::string& id) {
  const core::WebhookPtr webhook = engine_->registry().find(id);
  core::WebhookSpec change;
  const char* what = "";
  switch (chance_.below(6)) {
    case 4:
      what = "edit credentials";
      add_random_credentials(chance_, change);
      break;
    case 3:
      what = "edit coding";
      add_random_coding(chance_, change);
      break;
    case 0:
    case 5:
      what = "edit target";
      change.target = new_target(incarnation_of(webhook->target));
      break;
    case 1:
      what = "edit types";
      change.events = std::vector<std::string>{chance_.of(kTypes), chance_.of(kTypes)};
      break;
    default:
      what = webhook->active ? "deactivate" : "activate";
      change.active = !webhook->active;
      break;
  }
  note(what, id, engine_->update(id, change));
}

void DurableWorld::change_disk() {
  if (chance_.one_in(2)) return disk_.heal();
  if (chance_.one_in(3)) {
    trace_.line("disk full");
    return disk_.set_space(disk_.used_bytes() + chance_.below(chance_.of({1u, 300'000u})));
  }
  test::SimDiskFaults faults;
  const uint32_t chance = chance_.of({5u, 100u, 1000u});
  if (chance_.one_in(2)) faults.write_fails = chance;
  // With sync=normal that loses what a power cut would.
  if (chance_.one_in(2) && loses_power_ever_) faults.sync_fails = chance;
  if (chance_.one_in(4)) faults.names_fail = chance;
  faults.hits_journal = chance_.one_in(2);
  faults.hits_database = !faults.hits_journal || chance_.one_in(2);
  trace_.line("disk {} {} {}", faults.write_fails, faults.sync_fails, faults.names_fail);
  disk_.set_faults(faults);
}

// The disk refuses everything for longer than batches wait for their rows.
void DurableWorld::suffer() {
  trace_.line("disk refuses");
  ++counts_["disk refuses for long"];
  test::SimDiskFaults faults;
  faults.write_fails = 1000;
  faults.hits_journal = chance_.one_in(2);
  disk_.set_faults(faults);
  push_some();
  engine_->run_for(6s);
  push_some();
  engine_->run_for(chance_.up_to(6s));
  if (chance_.one_in(2)) disk_.heal();
}

void DurableWorld::note(const char* action, const std::string& id, const core::Result<>& result) {
  trace_.line("{} {} {} {}", engine_->clock().elapsed().count(), action, id,
              result ? "ok" : result.error().message);
  ++counts_[std::string("host ") + action];
}

}  // namespace

RunResult run_durable_seed(uint64_t seed, std::FILE* trace, Counts& counts) {
  return DurableWorld(seed, trace, counts).run();
}

}  // namespace posthaste::simulation
