// An engine in virtual time with what tests of the delivery step ask of it: numbered events, an
// answer for each request, and everything that happened kept in order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/report.h"
#include "support/sim_engine.h"

namespace posthaste::test {

inline constexpr const char* kTarget = "http://127.0.0.1:8080/hook";

inline core::EngineSettings exact_settings() {
  core::EngineSettings settings;
  settings.webhook.retry_jitter = core::RetryJitter::None;
  return settings;
}

inline core::WebhookSpec spec_of(std::string target = kTarget,
                                 std::vector<std::string> events = {"*"}) {
  core::WebhookSpec spec;
  spec.target = std::move(target);
  spec.events = std::move(events);
  return spec;
}

inline SimAnswer status(int32_t code) {
  SimAnswer answer;
  answer.status = code;
  return answer;
}

inline SimAnswer fault(SimFault kind) {
  SimAnswer answer;
  answer.fault = kind;
  return answer;
}

// Purpose: a SimEngine that remembers. Threads: one.
class DeliveryFixture : public SimObserver {
 public:
  explicit DeliveryFixture(const core::EngineSettings& settings = exact_settings())
      : engine(settings, 1, this) {
    engine.transport().set_script(
        [this](const transport::Request& request) { return answer(request); });
  }

  void on_begin(const SimExchange& exchange) override { begun.push_back(exchange); }
  void on_end(const SimExchange& exchange) override { ended.push_back(exchange); }

  // Pushes records {"n":0},{"n":1}... of that type; their numbers go on over all calls.
  core::ErrorCode push(std::string_view type, size_t count = 1, size_t padding = 0) {
    const core::EventTypeId id = engine.catalogue().find(type).id;
    for (size_t i = 0; i < count; ++i) {
      const core::ErrorCode code = engine.push(id, record(pushed_count, padding));
      if (code != core::ErrorCode::Ok) return code;
      ++pushed_count;
    }
    return core::ErrorCode::Ok;
  }
  static std::string record(size_t number, size_t padding = 0) {
    return "{\"n\":" + std::to_string(number) + std::string(padding, ' ') + "},";
  }
  // The body of records [first, first + count).
  static std::string body(size_t first, size_t count, size_t padding = 0) {
    std::string text = "[";
    for (size_t i = first; i < first + count; ++i) text += record(i, padding);
    text.back() = ']';
    return text;
  }

  void run_for(core::Duration duration) { engine.run_for(duration); }
  void step() { run_for(core::Duration::zero()); }
  // Seals and sends what is open; true when the flush was answered at once.
  bool flush() {
    const auto is_done = std::make_shared<bool>(false);
    engine.flush([is_done](const engine::Outcome&) { *is_done = true; });
    step();
    return *is_done;
  }

  std::vector<engine::Report> reports(engine::ReportKind kind) {
    while (auto report = engine.reports().poll(core::Duration::zero())) {
      all_reports_.push_back(std::move(*report));
    }
    std::vector<engine::Report> result;
    for (const engine::Report& report : all_reports_) {
      if (report.kind == kind) result.push_back(report);
    }
    return result;
  }
  std::vector<std::string> states() {
    std::vector<std::string> result;
    for (const engine::Report& report : reports(engine::ReportKind::State)) {
      result.push_back(report.message);
    }
    return result;
  }
  std::vector<std::string> bodies() const {
    std::vector<std::string> result;
    for (const SimExchange& exchange : ended) result.push_back(exchange.body);
    return result;
  }
  metrics::WebhookCounters& counters(const std::string& id) const {
    return *engine.counters_of(engine.registry().find(id)->generation);
  }
  static std::string header(const SimExchange& exchange, std::string_view name) {
    std::string found;
    for (const transport::HeaderField& field : exchange.request.headers) {
      if (field.name == name) found += (found.empty() ? "" : ",") + field.value;
    }
    return found;
  }
  static std::string batch_id(const SimExchange& exchange) {
    return header(exchange, "X-MessageSystems-Batch-ID");
  }

  // What a request is answered with; 200 at once by default.
  std::function<SimAnswer(const transport::Request&)> answer = [](const transport::Request&) {
    return SimAnswer{};
  };
  std::vector<SimExchange> begun;
  std::vector<SimExchange> ended;
  size_t pushed_count = 0;
  SimEngine engine;

 private:
  std::vector<engine::Report> all_reports_;
};

}  // namespace posthaste::test
