#include "producer/producer.h"

#include <utility>

#include "journal/directory.h"
#include "platform/fork_guard.h"
#include "platform/random_seed.h"

namespace posthaste::producer {

using core::ErrorCode;
using core::Result;

Producer::Process::Process(journal::FileSystem& file_system,
                           const journal::ProducerOptions& options, uint32_t generation_,
                           Process* inherited_)
    : generation(generation_),
      inherited(inherited_),
      event_ids(platform::random_seed(), platform::random_seed()),
      writer(file_system, options, &platform::random_seed) {}

Producer::Producer(const core::EngineSettings& settings) : settings_(settings) {}

Producer::~Producer() {
  // In a child that did nothing with it, it is the parent's.
  Process* const current = process_.load();
  if (current && current->generation == platform::fork_generation()) delete current;
}

Result<> Producer::start() {
  const std::lock_guard lock(life_mutex_);
  if (state_.load() != State::New) {
    return {ErrorCode::State, "the producer was started or closed already"};
  }
  if (settings_.spool_dir.empty()) {
    return {ErrorCode::BadValue, "a producer needs spool.dir", "spool.dir"};
  }
  if (auto done = platform::install_fork_guard(); !done) return done;
  options_.directory = settings_.spool_dir;
  options_.access.mode = settings_.spool_file_mode;
  options_.max_bytes = settings_.producer_max_bytes;
  options_.lock_timeout = settings_.producer_lock_timeout;
  if (!settings_.spool_group.empty()) {
    auto group = journal::group_number(settings_.spool_group);
    if (!group) return group.error();
    options_.access.group = *group;
  }
  auto done = journal::prepare_directory(options_.directory, options_.access);
  if (!done) return done;
  process_.store(new Process(files_, options_, platform::fork_generation(), nullptr));
  state_.store(State::Started, std::memory_order_release);
  return {};
}

Result<> Producer::define_type(std::string_view type, std::string_view class_name) {
  const std::lock_guard lock(life_mutex_);
  if (state_.load() != State::New) {
    return {ErrorCode::State, "event types are defined before start"};
  }
  if (auto id = catalogue_.define(type, class_name); !id) return id.error();
  return {};
}

Result<> Producer::check_started() const {
  const State state = state_.load(std::memory_order_acquire);
  if (state == State::Started) return {};
  return {ErrorCode::State,
          state == State::New ? "the producer is not started" : "the producer is closed"};
}

// That of this process; a forked child gets one of its own.
Producer::Process& Producer::process() {
  const uint32_t generation = platform::fork_generation();
  Process* current = process_.load(std::memory_order_acquire);
  if (current->generation == generation) return *current;
  auto own = std::make_unique<Process>(files_, options_, generation, current);
  if (!process_.compare_exchange_strong(current, own.get())) return *current;
  own->inherited->writer.abandon();
  return *own.release();
}

ErrorCode Producer::push(std::optional<std::string_view> type, std::string_view payload) {
  if (state_.load(std::memory_order_acquire) != State::Started) return ErrorCode::State;
  if (payload.size() > settings_.event_max_bytes) return ErrorCode::TooLarge;
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_record({catalogue_, process().event_ids, {}}, type, payload,
                                               clock_.coarse_wall_now(), plan);
  return code == ErrorCode::Ok ? write(plan) : code;
}

ErrorCode Producer::push_trusted(std::string_view type, std::string_view payload) {
  if (state_.load(std::memory_order_acquire) != State::Started) return ErrorCode::State;
  if (payload.size() > settings_.event_max_bytes) return ErrorCode::TooLarge;
  envelope::RecordPlan plan;
  const ErrorCode code =
      envelope::plan_trusted({catalogue_, process().event_ids, {}}, type, payload, plan);
  return code == ErrorCode::Ok ? write(plan) : code;
}

ErrorCode Producer::push_enveloped(std::string_view record) {
  if (state_.load(std::memory_order_acquire) != State::Started) return ErrorCode::State;
  if (record.size() > settings_.event_max_bytes) return ErrorCode::TooLarge;
  envelope::RecordPlan plan;
  const ErrorCode code = envelope::plan_enveloped(
      {catalogue_, process().event_ids, {}}, std::nullopt, record, clock_.coarse_wall_now(), plan);
  return code == ErrorCode::Ok ? write(plan) : code;
}

ErrorCode Producer::write(const envelope::RecordPlan& plan) {
  return process()
      .writer
      .append(catalogue_.name(plan.type()), plan.size_bytes(),
              [&](char* out) { plan.write_to(out); })
      .code();
}

Result<> Producer::check(std::optional<std::string_view> type, std::string_view payload) const {
  if (payload.size() > settings_.event_max_bytes) {
    return {ErrorCode::TooLarge, "the payload has " + std::to_string(payload.size()) +
                                     " bytes, event.max_bytes is " +
                                     std::to_string(settings_.event_max_bytes)};
  }
  // The ids that a check uses up go nowhere.
  envelope::EventIds ids(0, 0);
  envelope::RecordPlan plan;
  const ErrorCode code =
      envelope::plan_record({catalogue_, ids, {}}, type, payload, clock_.coarse_wall_now(), plan);
  if (code == ErrorCode::Ok) return {};
  return plan.error();
}

Result<> Producer::sync() {
  if (auto started = check_started(); !started) return started;
  return process().writer.sync();
}

}  // namespace posthaste::producer
