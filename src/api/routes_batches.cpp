// Batches: status of the last 24 hours (spec/momentum.md, section 7.7), and beyond the original all
// attempts and the dead letters of durable mode.
#include <fmt/format.h>

#include <algorithm>

#include "api/batch_shape.h"
#include "api/call.h"
#include "json/value.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

constexpr size_t kStatusLimitDefault = 1000;
constexpr size_t kLettersLimitMax = 1000;
// Records of a dead letter that are shown.
constexpr uint64_t kRecordsShown = 100;
constexpr std::string_view kFilterKeys[] = {"webhook_id", "batch_id", "from_ms", "before_ms",
                                            "status"};

// Memory mode has no dead letters, which is the operator's choice and no fault of the request.
HttpAnswer spool_error(const core::Error& error) {
  if (error.code != ErrorCode::State || error.key != "spool.dir") return engine_error(error);
  return error_answer({.status = 409,
                       .message = "resource conflict",
                       .description = error.message,
                       .code = "1602"});
}

void show_status(Call& call, spool::StatusFilter filter) {
  const auto limit = count_parameter(call, "limit");
  if (!limit) return call.reply(bad_parameter(limit.error().message));
  if (auto found = find_visible(call, call.id); !found) {
    return call.reply(engine_error(found.error()));
  }
  const auto attempts =
      call.engine.batch_status(call.id, limit->value_or(kStatusLimitDefault), filter);
  call.reply(attempts ? results_answer(status_json(*attempts)) : engine_error(attempts.error()));
}

// Whether the call may touch a dead letter of that webhook. Those of removed webhooks belong to
// whoever sees everything.
bool may_see(const Call& call, const std::string& webhook_id) {
  if (!call.scope) return true;
  const auto found = call.engine.find(webhook_id);
  return found && is_visible(call, *found->webhook);
}

core::Result<spool::DeadLetter> find_letter(const Call& call) {
  auto letter = call.engine.find_dead_letter(call.id);
  if (letter && !may_see(call, letter->webhook_id)) {
    return {ErrorCode::NotFound, "no dead letter with this id", "batch_id"};
  }
  return letter;
}

// A page of those that the call may see, however many others lie between them.
core::Result<std::vector<spool::DeadLetter>> visible_letters(const Call& call,
                                                             const spool::DeadLetterFilter& filter,
                                                             uint64_t after, size_t limit) {
  if (!call.scope) return call.engine.list_dead_letters(filter, after, limit);
  std::vector<spool::DeadLetter> visible;
  while (visible.size() < limit) {
    auto page = call.engine.list_dead_letters(filter, after, kLettersLimitMax);
    if (!page) return page.error();
    if (page->empty()) break;
    after = page->back().sequence;
    for (spool::DeadLetter& letter : *page) {
      if (may_see(call, letter.webhook_id)) visible.push_back(std::move(letter));
    }
  }
  if (visible.size() > limit) visible.resize(limit);
  return visible;
}

spool::DeadLetterFilter only(const std::string& batch_id) {
  spool::DeadLetterFilter filter;
  filter.batch_id = batch_id;
  return filter;
}

// after: where to go on; 0 when there is nothing more, since sequences begin with 1.
std::string replayed_json(uint64_t count, uint64_t after) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object().uint64("replayed", count).key("after");
  if (after != 0) {
    writer.uint64(after);
  } else {
    writer.null();
  }
  writer.end_object();
  return text;
}

void replay(Call& call, const spool::DeadLetterFilter& filter, uint64_t after) {
  const auto sums = std::make_shared<spool::Sums>();
  // A page whose last one is known before it is done.
  const auto last = std::make_shared<uint64_t>(after);
  const bool is_one = filter.batch_id.has_value();
  const auto has_page = call.engine.begin_replay(
      filter, *last, sums,
      [reply = call.reply, sums, last, is_one](const engine::Outcome& outcome) {
        reply(outcome.error.code == ErrorCode::Ok
                  ? results_answer(replayed_json(sums->batches_count, is_one ? 0 : *last))
                  : engine_error(outcome.error));
      });
  if (!has_page) return call.reply(spool_error(has_page.error()));
  if (!*has_page) call.reply(results_answer(replayed_json(0, 0)));
}

// The filter that a body's members make, texts or numbers; nothing when the reply is given.
std::optional<spool::DeadLetterFilter> filter_of(Call& call, const json::Value& body) {
  spool::DeadLetterFilter filter;
  for (const std::string_view key : kFilterKeys) {
    const json::Value* member = body.find(key);
    if (member == nullptr) continue;
    const std::string text = member->as_int64() != nullptr    ? std::to_string(*member->as_int64())
                             : member->as_string() != nullptr ? *member->as_string()
                                                              : std::string();
    if (auto set = set_filter_key(filter, key, text); !set) {
      call.reply(engine_error(set.error()));
      return std::nullopt;
    }
  }
  return filter;
}

// Where a replay goes on, from the body's `after`; nothing when the reply is given.
std::optional<uint64_t> after_of(Call& call, const json::Value& body) {
  const json::Value* after = body.find("after");
  if (after == nullptr || after->is_null()) return 0;
  const int64_t* number = after->as_int64();
  if (number != nullptr && *number >= 0) return static_cast<uint64_t>(*number);
  call.reply(bad_field("'after' must be a sequence or null"));
  return std::nullopt;
}

}  // namespace

void show_batch_status(Call& call) {
  show_status(call, spool::StatusFilter::FailedOnly);
}

void show_attempts(Call& call) {
  show_status(call, spool::StatusFilter::All);
}

void list_dead_letters(Call& call) {
  spool::DeadLetterFilter filter;
  for (const std::string_view key : kFilterKeys) {
    const auto value = call.target.parameter(key);
    if (!value) continue;
    if (auto set = set_filter_key(filter, key, *value); !set) {
      return call.reply(bad_parameter(set.error().message));
    }
  }
  const auto after = after_parameter(call);
  const auto limit = count_parameter(call, "limit");
  if (!after) return call.reply(bad_parameter(after.error().message));
  if (!limit) return call.reply(bad_parameter(limit.error().message));
  const size_t limit_max = std::min<size_t>(limit->value_or(kLettersLimitMax), kLettersLimitMax);
  const auto letters = visible_letters(call, filter, *after, limit_max);
  if (!letters) return call.reply(spool_error(letters.error()));
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const spool::DeadLetter& letter : *letters) write_batch(writer, letter);
  writer.end_array();
  call.reply(results_answer(text));
}

void show_dead_letter(Call& call) {
  const auto letter = find_letter(call);
  if (!letter) return call.reply(spool_error(letter.error()));
  std::string shape;
  json::Writer shape_writer(shape);
  write_batch(shape_writer, *letter);
  std::string records;
  uint64_t count = 0;
  const auto exported = call.engine.export_events(call.id, [&](std::string_view lines) {
    while (!lines.empty() && count < kRecordsShown) {
      const size_t end = lines.find('\n');
      records += lines.substr(0, end);
      if (end == std::string_view::npos) return true;
      lines.remove_prefix(end + 1);
      if (++count < kRecordsShown) records.push_back(',');
    }
    return count < kRecordsShown;
  });
  // Having enough is no error.
  if (!exported && exported.code() != ErrorCode::System) {
    return call.reply(engine_error(exported.error()));
  }
  if (records.ends_with(',')) records.pop_back();
  shape.pop_back();
  call.reply(results_answer(fmt::format(R"({},"records":[{}]}})", shape, records)));
}

void replay_dead_letter(Call& call) {
  if (auto letter = find_letter(call); !letter) return call.reply(spool_error(letter.error()));
  replay(call, only(call.id), 0);
}

void replay_dead_letters(Call& call) {
  Body body{json::Value(json::Value::Object{}), {}};
  if (!call.request.body.empty()) body = parse_body(call);
  if (!body.value) return call.reply(body.refusal);
  if (body.value->as_object() == nullptr) {
    return call.reply(
        bad_field(fmt::format("the body is {}, not an object", body.value->kind_name())));
  }
  const auto filter = filter_of(call, *body.value);
  if (!filter) return;
  const auto after = after_of(call, *body.value);
  if (!after) return;
  if (call.scope && (!filter->webhook_id || !may_see(call, *filter->webhook_id))) {
    return call.reply(error_answer(not_found()));
  }
  replay(call, *filter, *after);
}

void remove_dead_letter(Call& call) {
  if (auto letter = find_letter(call); !letter) return call.reply(spool_error(letter.error()));
  const auto begun = call.engine.begin_remove_dead_letters(
      only(call.id), [reply = call.reply](const engine::Outcome& outcome) {
        reply(outcome.error.code == ErrorCode::Ok ? empty_answer() : engine_error(outcome.error));
      });
  if (!begun) call.reply(spool_error(begun.error()));
}

}  // namespace posthaste::api
