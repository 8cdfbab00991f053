// What strangers can write into Postfix's log and send as reports: a line is read, and a message is
// read as a report, without a fault, and what they find lies inside what was given.
extern "C" {
#include "c/mini_mta/headers.h"
#include "postfix/log_line.h"
#include "postfix/outcome.h"
#include "postfix/report.h"
}

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <vector>

namespace {

constexpr int64_t kNow = 1795493719;

void require_inside(const span& whole, const span& part) {
  if (part.size > 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
    std::abort();
}

void read_line(const span& text) {
  log_line line = {};
  span message = {};
  if (log_line_split(text, "postfix", kNow, &line, &message) == 0) return;
  require_inside(text, message);
  log_line_read(message, &line);
  for (const span& part : {line.service, line.queue_id, line.message_id, line.sender, line.size,
                           line.recipient, line.original_recipient, line.relay_ip, line.delay,
                           line.dsn, line.text, line.client_ip, line.protocol})
    require_inside(text, part);
  const span reply = outcome_reply(line.text);
  require_inside(text, reply);
  buffer reason = {};
  outcome_normalise(reply, &reason);
  buffer_free(&reason);
  if (outcome_bounce_class(line.dsn, reply) < 1 || outcome_code(reply) > 599) std::abort();
}

void read_report(const span& text) {
  report found = {};
  report_read(text, &found);
  if (found.recipient_count > REPORT_RECIPIENTS_MAX) std::abort();
  if (found.kind == REPORT_BOUNCE && found.recipient_count == 0) std::abort();
  report_free(&found);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of its own, so that a read behind the end is one.
  const std::vector<char> copy(data, data + size);
  const span text = {copy.empty() ? "" : copy.data(), size};
  read_line(text);
  read_report(text);
  buffer decoded = {};
  header_decode(text, &decoded);
  buffer_free(&decoded);
  return 0;
}
