#include "simulation/far_side.h"

#include <chrono>
#include <string_view>
#include <vector>

#include "core/record_scan.h"
#include "simulation/random_settings.h"
#include "simulation/requests.h"
#include "simulation/token_watch.h"

namespace posthaste::simulation {

using test::SimAnswer;
using test::SimFault;
using namespace std::chrono_literals;

namespace {

// The same for every attempt of a batch, whatever else happens.
uint64_t number_of(const transport::Request& request) {
  uint64_t number = 0;
  for (const transport::HeaderField& header : request.headers) {
    if (header.name != "X-MessageSystems-Batch-ID") continue;
    for (const char letter : header.value) number = number * 31 + static_cast<uint64_t>(letter);
  }
  return number;
}

// Whether an event is in the body that this receiver will never take: one of thirty, by its bytes.
bool has_bad_event(const transport::Request& request, uint64_t bad) {
  const std::string text = json_of(request);
  core::RecordScan scan;
  scan.feed(text);
  const std::vector<uint64_t>& offsets = scan.offsets();
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const uint64_t size = offsets[i + 1] - offsets[i] - (i + 2 < offsets.size() ? 1 : 0);
    const std::string_view record = std::string_view(text).substr(offsets[i], size);
    uint64_t number = 0;
    for (const char letter : record.substr(0, 100)) {
      number = number * 31 + static_cast<unsigned char>(letter);
    }
    if (number % 30 == bad) return true;
  }
  return false;
}

}  // namespace

SimAnswer FarSide::answer(const transport::Request& request) {
  if (is_token_request(request)) return token_for(request);
  if (is_healed_) return {};
  if (is_gentle_) {
    SimAnswer answer = taken();
    answer.response = chance_.up_to(900ms);
    return answer;
  }
  Receiver& receiver = receivers_[request.url];
  if (clock_.now() >= receiver.until) change(receiver);
  SimAnswer answer = taken();
  behave(request, receiver, answer);
  return answer;
}

void FarSide::behave(const transport::Request& request, const Receiver& receiver,
                     SimAnswer& answer) {
  switch (receiver.mood) {
    case Mood::Healthy:
      break;
    case Mood::Slow:
      make_slow(answer);
      break;
    case Mood::Flaky:
      if (chance_.one_in(3)) answer.fault = any_fault();
      if (chance_.one_in(3)) answer.status = any_status();
      break;
    case Mood::Down:
      answer.fault = receiver.fault;
      break;
    case Mood::Refusing:
      answer.status = receiver.status;
      if (chance_.one_in(2))
        answer.retry_after = chance_.of({"1", "30", "600", "86400", "soon", ""});
      break;
    case Mood::Particular:
      if (has_bad_event(request, receiver.bad)) answer.status = receiver.bad % 2 == 0 ? 400 : 500;
      break;
    case Mood::Narrow:
      if (request.body->size_bytes() > receiver.bytes_max) answer.status = 413;
      break;
    case Mood::Overtaxed:
      answer.response =
          std::chrono::microseconds(10) * static_cast<int64_t>(request.body->size_bytes());
      break;
    case Mood::Poisoned:
      if (number_of(request) % 4 == 0) answer.status = 400;
      break;
    case Mood::Hanging:
      answer.fault = chance_.of({SimFault::AnswerHangs, SimFault::UploadHangs});
      break;
    case Mood::Strict:
      if (!carries(request, receiver.wanted)) answer.status = receiver.bad % 2 == 0 ? 401 : 403;
      break;
    case Mood::Plain:
      if (!header_of(request, "Content-Encoding").empty()) answer.status = 415;
      break;
    case Mood::Revoking:
      if (token_number_of(request) < receiver.first_token) {
        answer.status = receiver.bad % 2 == 0 ? 400 : 401;
      }
      break;
  }
}

// A token, or what goes wrong with it.
SimAnswer FarSide::token_for(const transport::Request& request) {
  SimAnswer answer = taken();
  answer.status = 200;
  answer.body = token_answer(request, ++tokens_count_,
                             is_healed_ ? 3600 : chance_.of({0, 5, 45, 90, 600, 7200}));
  if (is_healed_) return answer;
  Receiver& server = receivers_[request.url];
  if (clock_.now() >= server.until) change(server);
  if (server.mood == Mood::Down || server.mood == Mood::Flaky) answer.fault = server.fault;
  if (server.mood == Mood::Refusing || server.mood == Mood::Strict) answer.status = server.status;
  if (server.mood == Mood::Hanging) answer.fault = SimFault::AnswerHangs;
  if (server.mood == Mood::Slow) answer.response = chance_.up_to(5s);
  if (server.mood == Mood::Plain) answer.body = "no JSON";
  return answer;
}

void FarSide::change(Receiver& receiver) {
  receiver.mood =
      chance_.of({Mood::Healthy, Mood::Healthy, Mood::Slow, Mood::Flaky, Mood::Down, Mood::Refusing,
                  Mood::Poisoned, Mood::Hanging, Mood::Particular, Mood::Narrow, Mood::Overtaxed,
                  Mood::Overtaxed, Mood::Strict, Mood::Plain, Mood::Revoking});
  receiver.bad = chance_.below(30);
  receiver.bytes_max = chance_.of<uint64_t>({200, 3000, 50'000});
  receiver.wanted = kSecrets[chance_.below(2)];
  receiver.first_token = tokens_count_ + 1;
  receiver.fault = any_fault();
  receiver.status = any_status();
  const core::Duration most = chance_.of<core::Duration>({1s, 60s, 20min, 5h});
  receiver.until = clock_.now() + chance_.up_to(most) + 1ms;
}

SimAnswer FarSide::taken() {
  SimAnswer answer;
  answer.status = chance_.of({200, 200, 200, 201, 204, 299});
  if (chance_.one_in(2)) answer.connect = chance_.up_to(50ms);
  if (chance_.one_in(2)) answer.upload = chance_.up_to(20ms);
  if (chance_.one_in(2)) answer.response = chance_.up_to(100ms);
  answer.pieces_count = static_cast<uint32_t>(chance_.between(1, 6));
  answer.rewinds = chance_.one_in(10);
  return answer;
}

void FarSide::make_slow(SimAnswer& answer) {
  answer.connect = chance_.up_to(2s);
  answer.upload = chance_.up_to(30s);
  answer.response = chance_.up_to(5s);
}

SimFault FarSide::any_fault() {
  return static_cast<SimFault>(chance_.between(1, test::kSimFaultsCount - 1));
}

int32_t FarSide::any_status() {
  return chance_.of({101, 301, 302, 400, 401, 403, 404, 405, 408, 410, 413,
                     415, 422, 429, 451, 500, 501, 502, 503, 504, 511});
}

}  // namespace posthaste::simulation
