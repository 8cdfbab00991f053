#include "simulation/durable_ledger.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "simulation/batch_text.h"
#include "simulation/requests.h"
#include "support/decoding.h"
#include "support/sim_records.h"

namespace posthaste::simulation {
namespace {

// The other host's name is as long.
constexpr std::string_view kHost = "http://far-0.example/";
// Nobody changes or fails this one, so its batches come in order.
constexpr std::string_view kSteady = "all";

const std::string& id_of(const test::SimExchange& exchange) {
  return exchange.request.headers[2].value;
}

// As the receiver's framework gives it to the receiver, as far as it came.
std::string json_so_far(const test::SimExchange& exchange) {
  return test::decoded_so_far(header_of(exchange.request, "Content-Encoding"), exchange.body);
}

bool is_success(const test::SimExchange& exchange) {
  return !exchange.is_cancelled && exchange.completion.status / 100 == 2;
}

}  // namespace

std::string incarnation_of(const std::string& url) {
  return url.substr(kHost.size(), url.rfind('/') - kHost.size());
}

std::string webhook_of(const std::string& url) {
  const std::string incarnation = incarnation_of(url);
  return incarnation.substr(0, incarnation.find('.'));
}

void DurableLedger::fail(const char* invariant, std::string text) {
  if (violation_) return;
  trace_.line("violation {} {}", invariant, text);
  violation_ = Violation{invariant, std::move(text)};
}

void DurableLedger::note(const RequestWatch::Finding& finding) {
  if (finding) fail(finding->invariant.c_str(), finding->text);
}

void DurableLedger::on_push(core::EventTypeId type, uint32_t size_bytes,
                            std::vector<std::string> urls) {
  trace_.line("event {}: {} bytes of type {} for {}", events_.size(), size_bytes, type,
              fmt::join(urls, " "));
  events_.push_back({type, size_bytes, life_, false, std::move(urls)});
}

void DurableLedger::on_sync_ended(const Sync& sync) {
  if (sync.life != life_) return;
  for (uint64_t number = life_begin_; number < sync.events_count; ++number) {
    events_[number].is_owed = true;
  }
  for (size_t i = 0; i < sync.batches_count; ++i) batches_[taken_[i]].is_over = true;
  requests_.on_synced(sync.controls_count);
}

void DurableLedger::on_report(const engine::Report& report) {
  if (report.kind == engine::ReportKind::Spool && !report.batch_id.empty()) {
    trace_.line("{} {}", report.batch_id, report.message);
    unsecured_.insert(report.batch_id);
    unsecured_events_[report.webhook_id] += report.events_count;
    doubtful_lives_.insert(life_);
    ++counts_["report unsecured"];
  }
  if (report.kind != engine::ReportKind::Dropped) return;
  dropped_[report.webhook_id] += report.events_count;
  counts_[std::string("events dropped ") + engine::drop_reason_name(report.reason)] +=
      report.events_count;
  const bool is_lost = report.reason == engine::DropReason::Unreadable ||
                       report.reason == engine::DropReason::Salvaged;
  if (is_lost && !may_lose_bodies_)
    fail("unreadable", fmt::format("{} cannot be read", report.webhook_id));
}

void DurableLedger::on_drop(const test::SimDrop& drop) {
  trace_.line("{} is given up after {} attempts: {}", drop.batch_id, drop.attempts_count,
              drop.reason);
  given_up_.insert(drop.batch_id);
}

void DurableLedger::on_begin(const test::SimExchange& exchange, const Moment& moment) {
  note(requests_.on_begin(exchange, moment));
  if (is_token_request(exchange.request)) return;
  const std::string& url = exchange.request.url;
  trace_.line("begin {} {}", url, id_of(exchange));
  Receiver& receiver = receivers_[url];
  ++receiver.running_count;
  if (webhook_of(url) == kSteady && receiver.running_count > 1) {
    fail("in_flight", fmt::format("{} requests to {}", receiver.running_count, url));
  }
  const auto batch = batches_.find({url, id_of(exchange)});
  if (batch == batches_.end() || !batch->second.is_taken) return;
  if (batch->second.is_over || batch->second.life_taken == life_) {
    fail("duplicate", fmt::format("{} was taken by {} and comes again", id_of(exchange), url));
  }
  ++counts_["attempt again after a crash"];
}

void DurableLedger::on_end(const test::SimExchange& exchange, const Moment& moment) {
  const std::string json = json_so_far(exchange);
  note(requests_.on_end(exchange, json, moment.now));
  if (is_token_request(exchange.request)) return;
  const std::string& url = exchange.request.url;
  const std::string& id = id_of(exchange);
  --receivers_[url].running_count;
  const bool is_taken = is_success(exchange);
  trace_.line("{} {} {} {}", url, id, exchange.body.size(),
              exchange.is_cancelled ? -1 : exchange.completion.status);
  note_body(url, id, json, is_taken);
  if (exchange.has_changed_body) fail("bytes", fmt::format("{} changed while it was read", id));
  if (is_taken) note_taken(url, id);
}

// What an attempt showed of a batch.
void DurableLedger::note_body(const std::string& url, const std::string& id,
                              const std::string& body, bool is_whole) {
  Batch& batch = batches_[{url, id}];
  const size_t known = std::min(batch.body.size(), body.size());
  if (batch.body.compare(0, known, body, 0, known) != 0) {
    fail("bytes", fmt::format("batch {} for {} comes with another body", id, url));
  }
  const std::vector<uint64_t> numbers = numbers_in(body);
  Receiver& receiver = receivers_[url];
  for (const uint64_t number : numbers) note_event(receiver, url, id, number);
  if (batch.body.size() < body.size()) batch.body = body;
  if (violation_ || !is_whole) return;
  if (body != body_of(numbers)) {
    fail("bytes", fmt::format("batch {} for {} is not what was pushed", id, url));
  }
}

void DurableLedger::note_event(Receiver& receiver, const std::string& url, const std::string& id,
                               uint64_t number) {
  if (number >= events_.size()) {
    return fail("invented", fmt::format("event {} came to {}", number, url));
  }
  const Event& event = events_[number];
  const bool is_wanted = std::find(event.urls.begin(), event.urls.end(), url) != event.urls.end();
  // A change of a webhook that no sync covers may be undone by a crash; and what the journal
  // refused may be found in it all the same.
  const bool is_certain = event.is_owed && !doubtful_lives_.contains(event.life);
  if (!is_wanted && (is_certain || event.life == life_)) {
    return fail("unwanted", fmt::format("event {} came to {}", number, url));
  }
  std::string& last = receiver.batches[number];
  if (last != id && is_part(id) && !last.empty()) {
    // What a batch held may come in its parts once it was refused, and never again in the batch.
    const Batch& whole = batches_[{url, last}];
    if (!whole.is_taken || whole.life_taken != life_) {
      ++counts_["event in a part"];
      last = id;
      return;
    }
  }
  if (last != id && !last.empty() && !unsecured_.contains(last)) {
    return fail("one_batch",
                fmt::format("event {} came to {} in {} and in {}", number, url, last, id));
  }
  last = id;
}

void DurableLedger::note_taken(const std::string& url, const std::string& id) {
  Batch& batch = batches_[{url, id}];
  Receiver& receiver = receivers_[url];
  if (std::find(receiver.ids.begin(), receiver.ids.end(), id) == receiver.ids.end()) {
    receiver.ids.push_back(id);
  }
  for (const uint64_t number : numbers_in(batch.body)) receiver.taken.insert(number);
  batch.is_taken = true;
  batch.life_taken = life_;
  taken_.push_back({url, id});
}

// But for batches whose end a crash undid, and for those that went out without their rows.
void DurableLedger::check_order(const std::string& url, const Receiver& receiver) {
  uint64_t next = 0;
  for (const std::string& id : receiver.ids) {
    if (given_up_.contains(id) || unsecured_.contains(id)) continue;
    for (const uint64_t number : numbers_in(batches_[{url, id}].body)) {
      if (number < next) {
        return fail("order", fmt::format("event {} came to {} behind {}", number, url, next - 1));
      }
      next = number + 1;
    }
  }
}

// Parts of batches have ids of version 5, sealed batches of version 1.
bool DurableLedger::is_part(const std::string& id) {
  return id.size() > 14 && id[14] == '5';
}

std::string DurableLedger::body_of(const std::vector<uint64_t>& numbers) const {
  std::string body = "[";
  for (const uint64_t number : numbers) {
    const Event& event = events_[number];
    test::append_sim_record(catalogue_, event.type, number, event.size_bytes, body);
  }
  body.back() = ']';
  return body;
}

void DurableLedger::on_crash(const std::map<uint64_t, test::SimExchange>& running,
                             const Moment& moment) {
  for (const auto& [number, exchange] : running) {
    if (is_token_request(exchange.request)) continue;
    note_body(exchange.request.url, id_of(exchange), json_so_far(exchange), false);
  }
  requests_.on_crash(moment.controls_taken_count);
  for (auto& [url, receiver] : receivers_) receiver.running_count = 0;
  taken_.clear();
  life_begin_ = events_.size();
  ++life_;
}

void DurableLedger::on_close(const Moment& moment) {
  on_sync_ended(on_sync_begun());
  on_crash({}, moment);
}

void DurableLedger::check_end() {
  std::map<std::string, uint64_t> missing;  // by webhook
  std::map<std::string, std::string> example;
  uint64_t owed = 0;
  for (uint64_t number = 0; number < events_.size(); ++number) {
    const Event& event = events_[number];
    if (!event.is_owed) continue;
    for (const std::string& url : event.urls) {
      if (freed_.contains(incarnation_of(url))) continue;
      ++owed;
      if (receivers_[url].taken.contains(number)) continue;
      const std::string webhook = webhook_of(url);
      if (missing[webhook]++ == 0) example[webhook] = fmt::format("event {} for {}", number, url);
    }
  }
  counts_["events owed"] += owed;
  for (const auto& [url, receiver] : receivers_) {
    if (webhook_of(url) == kSteady) check_order(url, receiver);
  }
  for (const auto& [webhook, count] : missing) {
    const uint64_t reported = dropped_[webhook] + unsecured_events_[webhook];
    if (count <= reported) continue;
    fail("owed", fmt::format("{} owed events never came to {}, and {} were reported; {}", count,
                             webhook, reported, example[webhook]));
  }
}

}  // namespace posthaste::simulation
