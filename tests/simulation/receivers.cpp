#include "simulation/receivers.h"

#include <chrono>

#include "simulation/durable_ledger.h"
#include "simulation/random_settings.h"
#include "simulation/requests.h"
#include "simulation/token_watch.h"

namespace posthaste::simulation {

using test::SimAnswer;
using test::SimFault;
using namespace std::chrono_literals;

SimAnswer Receivers::answer(const transport::Request& request) {
  if (is_token_request(request)) return token_for(request);
  SimAnswer answer = taken();
  const std::string webhook = webhook_of(request.url);
  if (is_healed_ || webhook == "all") return answer;
  if (webhook == "dead") {
    answer.status = 503;
    return answer;
  }
  behave(request, receiver_at(request.url), answer);
  return answer;
}

Receivers::Receiver& Receivers::receiver_at(const std::string& url) {
  Receiver& receiver = receivers_[url];
  if (chance_.one_in(8)) {
    receiver.mood =
        chance_.of({Mood::Healthy, Mood::Healthy, Mood::Flaky, Mood::Down, Mood::Refusing,
                    Mood::Hanging, Mood::Strict, Mood::Plain, Mood::Revoking});
    receiver.wanted = chance_.of(kSecrets);
    receiver.first_token = tokens_count_ + 1;
  }
  return receiver;
}

void Receivers::behave(const transport::Request& request, const Receiver& receiver,
                       SimAnswer& answer) {
  const Mood mood = receiver.mood;
  const bool fails = mood == Mood::Down || (mood == Mood::Flaky && chance_.one_in(3));
  if (fails) {
    answer.fault =
        chance_.of({SimFault::Refused, SimFault::Reset, SimFault::AnswerHangs, SimFault::Garbled});
  } else if (mood == Mood::Refusing || (mood == Mood::Flaky && chance_.one_in(3))) {
    answer.status = chance_.of({400, 404, 413, 429, 500, 503});
  } else if (mood == Mood::Hanging) {
    answer.fault = chance_.of({SimFault::ConnectHangs, SimFault::UploadHangs});
  } else if (mood == Mood::Strict && !carries(request, receiver.wanted)) {
    answer.status = chance_.of({401, 403});
  } else if (mood == Mood::Plain && !header_of(request, "Content-Encoding").empty()) {
    answer.status = 415;
  } else if (mood == Mood::Revoking && token_number_of(request) < receiver.first_token) {
    answer.status = chance_.of({400, 401});
  }
}

// A token, or what goes wrong with it.
SimAnswer Receivers::token_for(const transport::Request& request) {
  SimAnswer answer = taken();
  answer.status = 200;
  answer.body =
      token_answer(request, ++tokens_count_, is_healed_ ? 3600 : chance_.of({0, 5, 45, 600, 7200}));
  if (is_healed_) return answer;
  const Receiver& server = receiver_at(request.url);
  if (server.mood == Mood::Plain) {
    answer.body = "no JSON";
  } else if (server.mood == Mood::Strict) {
    answer.status = 401;
  } else if (server.mood != Mood::Revoking) {
    behave(request, server, answer);
  }
  return answer;
}

SimAnswer Receivers::taken() {
  SimAnswer answer;
  answer.status = chance_.of({200, 200, 204});
  if (chance_.one_in(2)) answer.connect = chance_.up_to(20ms);
  if (chance_.one_in(2)) answer.upload = chance_.up_to(20ms);
  if (chance_.one_in(2)) answer.response = chance_.up_to(100ms);
  answer.pieces_count = static_cast<uint32_t>(chance_.between(1, 3));
  return answer;
}

}  // namespace posthaste::simulation
