// Events: their documentation and samples (spec/momentum.md, sections 7.8 and 7.9), and pushing
// them over HTTP for software that cannot link the library.
#include <fmt/format.h>

#include <memory>

#include "api/call.h"
#include "core/event_catalogue.h"
#include "json/writer.h"

namespace posthaste::api {
namespace {

using core::ErrorCode;

// Refused lines that are explained; all are counted.
constexpr size_t kErrorsMax = 100;

void write_type(json::Writer& writer, const core::EventTypeInfo& type) {
  writer.key(type.name).begin_object();
  writer.string("display_name", type.display_name);
  writer.string("description", type.description);
  writer.key("event").begin_object();
  for (const core::EventFieldInfo& field : type.fields) {
    writer.key(field.name).begin_object();
    writer.string("description", field.description);
    writer.raw("sampleValue",
               field.name == "type" ? fmt::format("\"{}\"", type.name) : std::string(field.sample));
    writer.end_object();
  }
  writer.end_object().end_object();
}

void write_sample(json::Writer& writer, std::string_view class_name,
                  const core::EventTypeInfo& type) {
  writer.begin_object().key("msys").begin_object().key(class_name).begin_object();
  if (type.fields.empty()) writer.string("type", type.name);
  for (const core::EventFieldInfo& field : type.fields) {
    writer.raw(field.name,
               field.name == "type" ? fmt::format("\"{}\"", type.name) : std::string(field.sample));
  }
  writer.end_object().end_object().end_object();
}

// A line of NDJSON: an event's payload, or a whole record.
bool is_record(std::string_view line) {
  const size_t brace = line.find_first_not_of(" \t\r");
  if (brace == std::string_view::npos || line[brace] != '{') return false;
  const size_t key = line.find_first_not_of(" \t\r", brace + 1);
  return key != std::string_view::npos && line.substr(key).starts_with("\"msys\"");
}

struct Pushed {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t lines = 0;  // done, empty ones included
  std::string errors = "[";
  ErrorCode stop = ErrorCode::Ok;  // why the rest was not looked at
};

void refuse_line(Pushed& pushed, const std::string& message) {
  if (++pushed.refused > kErrorsMax) return;
  if (pushed.errors.size() > 1) pushed.errors.push_back(',');
  json::Writer(pushed.errors)
      .begin_object()
      .uint64("line", pushed.lines + 1)
      .string("message", message)
      .end_object();
}

// Each line alone; stops before the first that there is no room for.
Pushed push_lines(engine::Engine& engine, std::string_view text) {
  Pushed pushed;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const bool is_empty = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (!is_empty) {
      const ErrorCode code =
          is_record(line) ? engine.push_enveloped(line) : engine.push(std::nullopt, line);
      const auto number = static_cast<int32_t>(code);
      const bool is_stop = code == ErrorCode::QueueFull || code == ErrorCode::SpoolFull ||
                           code == ErrorCode::SpoolIo || (number > 0 && number < 100);
      if (is_stop) {
        pushed.stop = code;
        break;
      }
      if (code == ErrorCode::Ok) {
        ++pushed.accepted;
      } else {
        refuse_line(pushed, engine.explain(line, is_record(line)).message);
      }
    }
    ++pushed.lines;
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  pushed.errors.push_back(']');
  return pushed;
}

HttpAnswer pushed_answer(const Pushed& pushed) {
  std::string text;
  json::Writer(text)
      .begin_object()
      .uint64("accepted", pushed.accepted)
      .uint64("refused", pushed.refused)
      .uint64("lines", pushed.lines)
      .raw("errors", pushed.errors)
      .end_object();
  HttpAnswer answer = results_answer(text);
  if (pushed.stop != ErrorCode::Ok) {
    answer.status = 503;
    answer.headers.push_back({"Retry-After", "1"});
  }
  return answer;
}

}  // namespace

void document_events(Call& call) {
  const core::EventCatalogue& catalogue = call.engine.catalogue();
  std::string text;
  json::Writer writer(text);
  writer.begin_object();
  for (core::EventClassId id = 0; id < catalogue.class_count(); ++id) {
    const core::EventClassInfo info = catalogue.class_info(id);
    writer.key(info.name).begin_object();
    writer.string("display_name", info.display_name);
    writer.string("description", info.description);
    writer.key("events").begin_object();
    for (core::EventTypeId type = 0; type < catalogue.type_count(); ++type) {
      if (catalogue.class_id(type) == id) write_type(writer, catalogue.type_info(type));
    }
    writer.end_object().end_object();
  }
  writer.end_object();
  call.reply(results_answer(text));
}

void show_samples(Call& call) {
  const core::EventCatalogue& catalogue = call.engine.catalogue();
  core::TypeSet wanted = catalogue.all_types();
  if (auto names = call.target.parameter("events"); names && !names->empty()) {
    wanted.reset();
    for (std::string_view rest = *names; !rest.empty();) {
      const std::string_view name = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      const core::EventTypeId id = catalogue.find(name).id;
      if (id == core::kNoEventType) {
        return call.reply(bad_parameter("events names a type that does not exist"));
      }
      wanted.set(id);
    }
  }
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (core::EventTypeId type = 0; type < catalogue.type_count(); ++type) {
    if (wanted[type]) write_sample(writer, catalogue.class_name(type), catalogue.type_info(type));
  }
  writer.end_array();
  call.reply(results_answer(text));
}

void push_events(Call& call) {
  // Its owner would push events of others.
  if (call.identity.subaccount) return call.reply(error_answer(forbidden()));
  const auto type = call.request.header("Content-Type");
  if (type && !is_content_type(*type, "application/x-ndjson")) {
    return call.reply(error_answer({.status = 415,
                                    .message = "Unsupported Media Type",
                                    .description = "the body must be application/x-ndjson",
                                    .code = "1700"}));
  }
  const auto sync = call.target.parameter("sync").value_or("false");
  if (sync != "true" && sync != "false")
    return call.reply(bad_parameter("sync must be true or false"));
  if (sync == "true" && !call.engine.has_spool()) {
    return call.reply(error_answer({.status = 409,
                                    .message = "resource conflict",
                                    .description = "there is no disk to sync to in memory mode",
                                    .code = "1602"}));
  }
  const auto pushed = std::make_shared<const Pushed>(push_lines(call.engine, call.request.body));
  if (pushed->stop != ErrorCode::Ok && pushed->stop != ErrorCode::QueueFull &&
      pushed->accepted + pushed->refused == 0) {
    return call.reply(engine_error({pushed->stop, "the event cannot be taken", {}}));
  }
  if (sync == "false" || pushed->accepted == 0) return call.reply(pushed_answer(*pushed));
  call.engine.begin_sync([reply = call.reply, pushed](const engine::Outcome& outcome) {
    reply(outcome.error.code == ErrorCode::Ok ? pushed_answer(*pushed)
                                              : engine_error(outcome.error));
  });
}

}  // namespace posthaste::api
