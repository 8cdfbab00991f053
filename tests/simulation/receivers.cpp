#include "simulation/receivers.h"

#include <chrono>

#include "simulation/durable_ledger.h"

namespace posthaste::simulation {

using test::SimAnswer;
using test::SimFault;
using namespace std::chrono_literals;

SimAnswer Receivers::answer(const transport::Request& request) {
  SimAnswer answer = taken();
  const std::string webhook = webhook_of(request.url);
  if (is_healed_ || webhook == "all") return answer;
  if (webhook == "dead") {
    answer.status = 503;
    return answer;
  }
  Mood& mood = moods_[request.url];
  if (chance_.one_in(8)) {
    mood = chance_.of(
        {Mood::Healthy, Mood::Healthy, Mood::Flaky, Mood::Down, Mood::Refusing, Mood::Hanging});
  }
  const bool fails = mood == Mood::Down || (mood == Mood::Flaky && chance_.one_in(3));
  if (fails) {
    answer.fault =
        chance_.of({SimFault::Refused, SimFault::Reset, SimFault::AnswerHangs, SimFault::Garbled});
  } else if (mood == Mood::Refusing || (mood == Mood::Flaky && chance_.one_in(3))) {
    answer.status = chance_.of({400, 404, 413, 429, 500, 503});
  } else if (mood == Mood::Hanging) {
    answer.fault = chance_.of({SimFault::ConnectHangs, SimFault::UploadHangs});
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
