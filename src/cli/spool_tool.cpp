// The engine is opened with `delivery` off and quotas so wide that looking at a spool changes
// nothing in it.
#include "cli/spool_tool.h"

#include <fmt/core.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>

#include "cli/console.h"
#include "cli/json_members.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;
using json::Value;

constexpr size_t kPageSize = 1000;
constexpr int32_t kCloseMs = 30'000;

Exit exit_of(int32_t code) {
  if (code == POSTHASTE_E_BAD_VALUE || code == POSTHASTE_E_UNKNOWN_KEY) return Exit::Usage;
  return Exit::Failed;
}

// Files that are made keep owner, group and mode of what is there.
core::Result<SettingsList> access_of(const std::string& directory) {
  struct stat folder {};
  struct stat database {};
  if (::stat(directory.c_str(), &folder) != 0) {
    return {ErrorCode::BadFile, "cannot look at " + directory + ": " + std::strerror(errno)};
  }
  if (::stat((directory + "/spool.db").c_str(), &database) != 0) {
    return {ErrorCode::BadFile, "no spool in " + directory};
  }
  if (database.st_uid != ::geteuid()) {
    return {ErrorCode::State,
            fmt::format("the spool in {} belongs to user {}; run this as that user", directory,
                        database.st_uid)};
  }
  SettingsList settings;
  const unsigned mode = database.st_mode & 0660u;
  settings.push_back({"spool.file_mode", fmt::format("0{:o}", mode | 0600u)});
  if ((folder.st_mode & 0070u) != 0) {
    settings.push_back({"spool.group", std::to_string(folder.st_gid)});
  }
  return settings;
}

// So that nothing is given up while somebody looks.
SettingsList wide_open(const std::string& directory) {
  return {{"spool.dir", directory},          {"delivery", "off"},
          {"spool.max_bytes", "1024TiB"},    {"webhook.max_spool_bytes", "1TiB"},
          {"dead_letter.max_bytes", "1TiB"}, {"dead_letter.max_age", "365d"},
          {"attempts.max_bytes", "1GiB"},    {"attempts.max_age", "30d"},
          {"retry.max_age", "30d"}};
}

// Purpose: an open spool for the run of one subcommand. Ownership: owns the engine. Threads: one.
class Spool {
 public:
  static core::Result<Spool> open(const SpoolOptions& options, Exit& status) {
    auto engine = open_spool(options.directory, options.settings, status);
    if (!engine) return engine.error();
    return Spool(std::move(*engine));
  }

  posthaste_t* engine() const { return engine_.get(); }
  posthaste_error_t* error() const { return error_; }
  std::string message() const { return error_.message(); }
  // What an answered code means to the user.
  Exit failed(int32_t code) const { return fail(exit_of(code), message()); }

  // Leaves what is open to the spool.
  Exit close(Exit status) {
    const int32_t code = posthaste_close(engine_.get(), kCloseMs, error_);
    if (code == POSTHASTE_OK || status != Exit::Ok) return status;
    return fail(Exit::Failed, message());
  }

 private:
  explicit Spool(Engine engine) : engine_(std::move(engine)) {}

  Engine engine_;
  ErrorText error_;
};

Exit with_spool(const SpoolOptions& options, const std::function<Exit(Spool&)>& use) {
  Exit status = Exit::Ok;
  auto spool = Spool::open(options, status);
  if (!spool) return fail(status, spool.error().message);
  return spool->close(use(*spool));
}

Filter filter_of(const SpoolOptions& options, const std::string& batch_id) {
  Filter filter(posthaste_filter_new());
  const auto set = [&](const char* key, const std::string& value) {
    posthaste_filter_set(filter.get(), key, value.c_str(), nullptr);
  };
  if (!batch_id.empty()) set("batch_id", batch_id);
  if (!options.webhook_id.empty()) set("webhook_id", options.webhook_id);
  if (options.from_ms) set("from_ms", std::to_string(*options.from_ms));
  if (options.before_ms) set("before_ms", std::to_string(*options.before_ms));
  if (options.status) set("status", std::to_string(*options.status));
  return filter;
}

using ListFunction = int32_t (*)(const posthaste_t*, const posthaste_filter_t*, uint64_t, size_t,
                                 posthaste_text_t**, posthaste_error_t*);

// All pages up to the limit.
int32_t read_list(const Spool& spool, const SpoolOptions& options, ListFunction list,
                  Value::Array& out) {
  const Filter filter = filter_of(options, "");
  uint64_t after = 0;
  while (out.size() < options.limit) {
    Text text;
    const size_t room =
        static_cast<size_t>(std::min<uint64_t>(options.limit - out.size(), kPageSize));
    const int32_t code = list(spool.engine(), filter.get(), after, room, text.out(), spool.error());
    if (code != POSTHASTE_OK) return code;
    const auto page = parse_answer(text.view());
    const Value::Array* rows = page ? page->as_array() : nullptr;
    if (!rows || rows->empty()) break;
    after = static_cast<uint64_t>(int_member(rows->back(), "sequence"));
    out.insert(out.end(), rows->begin(), rows->end());
  }
  return POSTHASTE_OK;
}

std::vector<std::string> row_of(const Value& batch, const char* kind) {
  const bool is_dead = std::strcmp(kind, "dead") == 0;
  std::string last = text_member(batch, "network_name");
  if (last.empty() && int_member(batch, "status") > 0) last = text_member(batch, "status");
  return {kind,
          text_member(batch, "batch_id"),
          text_member(batch, "webhook_id"),
          time_text(int_member(batch, is_dead ? "died_ms" : "sealed_ms")),
          text_member(batch, "events"),
          bytes_text(static_cast<uint64_t>(int_member(batch, "bytes"))),
          text_member(batch, "attempts"),
          last.empty() ? "-" : last};
}

Value object(Value::Object members) {
  return Value(std::move(members));
}

// Keeps the first lines of an export.
struct FirstLines {
  uint64_t left = 0;
  std::string text;
};

int32_t keep_lines(const char* data, size_t size, void* user_data) {
  auto& lines = *static_cast<FirstLines*>(user_data);
  for (size_t i = 0; i < size && lines.left > 0; ++i) {
    lines.text += data[i];
    if (data[i] == '\n') --lines.left;
  }
  return lines.left == 0;
}

int32_t write_file(const char* data, size_t size, void* user_data) {
  return std::fwrite(data, 1, size, static_cast<FILE*>(user_data)) != size;
}

bool names_some(const SpoolOptions& options) {
  return !options.batch_ids.empty() || !options.webhook_id.empty() || options.from_ms ||
         options.before_ms || options.status || options.is_all;
}

using ChangeFunction = int32_t (*)(posthaste_t*, const posthaste_filter_t*, int32_t, uint64_t*,
                                   posthaste_error_t*);

Exit change_dead_letters(const SpoolOptions& options, ChangeFunction change, const char* what) {
  if (!names_some(options)) {
    return fail(Exit::Usage, "name batches, filter them, or say --all");
  }
  return with_spool(options, [&](Spool& spool) {
    uint64_t sum = 0;
    std::vector<std::string> ids = options.batch_ids;
    if (ids.empty()) ids.emplace_back();
    for (const std::string& id : ids) {
      uint64_t count = 0;
      const Filter filter = filter_of(options, id);
      const int32_t code = change(spool.engine(), filter.get(),
                                  static_cast<int32_t>(options.timeout_ms), &count, spool.error());
      if (code != POSTHASTE_OK) return spool.failed(code);
      if (count == 0 && !id.empty()) {
        return fail(Exit::Failed, "no dead letter " + id + " that can be " + what);
      }
      sum += count;
    }
    print_line(options.is_json ? fmt::format("{{\"{}\": {}}}", what, sum)
                               : fmt::format("{} dead letters {}", sum, what));
    return Exit::Ok;
  });
}

}  // namespace

core::Result<Engine> open_spool(const std::string& directory, const SettingsList& settings,
                                Exit& status) {
  status = Exit::Failed;
  const auto access = access_of(directory);
  if (!access) return access.error();
  const Conf conf(posthaste_conf_new());
  for (const SettingsList& list : {wide_open(directory), *access}) {
    if (auto done = apply_settings(list, conf.get()); !done) return done.error();
  }
  if (auto done = apply_settings(settings, conf.get()); !done) {
    status = Exit::Usage;
    return done.error();
  }
  ErrorText error;
  posthaste_t* raw = nullptr;
  int32_t code = posthaste_new(conf.get(), &raw, error);
  Engine engine(raw);
  if (code == POSTHASTE_OK) code = posthaste_start(raw, error);
  if (code == POSTHASTE_OK) return engine;
  if (code != POSTHASTE_E_STATE) return {ErrorCode::Invalid, error.message()};
  status = Exit::Busy;
  return {ErrorCode::State,
          error.message() + "; stop that server first, or ask it over its REST API"};
}

Exit spool_stats(const SpoolOptions& options) {
  return with_spool(options, [&](Spool& spool) {
    Text text;
    posthaste_stats_json(spool.engine(), text.out());
    const auto stats = parse_answer(text.view());
    if (!stats) return fail(Exit::Failed, stats.error().message);
    const Value* part = stats->find("spool");
    if (options.is_json) {
      Value::Object out{{"spool", part ? *part : Value()}};
      if (const Value* webhooks = stats->find("webhooks")) out.emplace_back("webhooks", *webhooks);
      print_line(pretty(object(std::move(out))));
      return Exit::Ok;
    }
    const auto sums = [&](const char* name) {
      const Value* value = part ? part->find(name) : nullptr;
      if (!value) return std::string("-");
      return fmt::format("{} batches, {} events, {}", text_member(*value, "batches"),
                         text_member(*value, "events"),
                         bytes_text(static_cast<uint64_t>(int_member(*value, "bytes"))));
    };
    if (part) {
      print_line("disk          " +
                 bytes_text(static_cast<uint64_t>(int_member(*part, "disk_bytes"))));
    }
    print_line("waiting       " + sums("waiting"));
    print_line("dead letters  " + sums("dead_letters"));
    std::vector<std::vector<std::string>> rows;
    for (const Value& webhook : array_member(*stats, "webhooks")) {
      const Value* waiting = webhook.find("waiting");
      rows.push_back({text_member(webhook, "id"), text_member(webhook, "name"),
                      text_member(webhook, "state"),
                      waiting ? text_member(*waiting, "batches") : "",
                      waiting ? text_member(*waiting, "events") : ""});
    }
    if (!rows.empty()) print("\n" + table({"WEBHOOK", "NAME", "STATE", "WAITING", "EVENTS"}, rows));
    return Exit::Ok;
  });
}

Exit spool_list(const SpoolOptions& options) {
  if (options.status && options.kind != SpoolOptions::Kind::Dead) {
    return fail(Exit::Usage, "--status is of dead letters: it needs --dead");
  }
  return with_spool(options, [&](Spool& spool) {
    Value::Array waiting;
    Value::Array dead;
    int32_t code = POSTHASTE_OK;
    if (options.kind != SpoolOptions::Kind::Dead) {
      code = read_list(spool, options, posthaste_waiting_list, waiting);
    }
    if (code == POSTHASTE_OK && options.kind != SpoolOptions::Kind::Waiting) {
      code = read_list(spool, options, posthaste_dead_letter_list, dead);
    }
    if (code != POSTHASTE_OK) return spool.failed(code);
    if (options.is_json) {
      Value::Object out{{"waiting", Value(std::move(waiting))},
                        {"dead_letters", Value(std::move(dead))}};
      print_line(pretty(object(std::move(out))));
      return Exit::Ok;
    }
    std::vector<std::vector<std::string>> rows;
    for (const Value& batch : waiting) rows.push_back(row_of(batch, "waiting"));
    for (const Value& batch : dead) rows.push_back(row_of(batch, "dead"));
    print(table({"KIND", "BATCH", "WEBHOOK", "SINCE (UTC)", "EVENTS", "SIZE", "ATTEMPTS", "LAST"},
                rows));
    return Exit::Ok;
  });
}

Exit spool_show(const SpoolOptions& options) {
  return with_spool(options, [&](Spool& spool) {
    const std::string& id = options.batch_ids.front();
    Text text;
    int32_t code = posthaste_waiting_find(spool.engine(), id.c_str(), text.out(), spool.error());
    const bool is_waiting = code == POSTHASTE_OK;
    if (!is_waiting) {
      code = posthaste_dead_letter_find(spool.engine(), id.c_str(), text.out(), spool.error());
    }
    if (code != POSTHASTE_OK) return fail(Exit::Failed, "no batch " + id + " in the spool");
    const auto batch = parse_answer(text.view());
    if (!batch) return fail(Exit::Failed, batch.error().message);
    FirstLines lines{options.events_shown, {}};
    code = lines.left == 0 ? POSTHASTE_OK
                           : posthaste_batch_export(spool.engine(), id.c_str(), nullptr,
                                                    spool.error(), keep_lines, &lines);
    if (code != POSTHASTE_OK && code != POSTHASTE_E_SYSTEM) return spool.failed(code);
    if (options.is_json) {
      Value::Object out{{"kind", Value(std::string(is_waiting ? "waiting" : "dead"))},
                        {"batch", *batch}};
      Value::Array records;
      for (std::string_view rest = lines.text; !rest.empty();) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        if (auto record = parse_answer(rest.substr(0, end))) records.push_back(std::move(*record));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      out.emplace_back("records", Value(std::move(records)));
      print_line(pretty(object(std::move(out))));
      return Exit::Ok;
    }
    print_line(is_waiting ? "waiting batch" : "dead letter");
    for (const auto& [name, value] : *batch->as_object()) {
      const bool is_time = name.ends_with("_ms");
      const std::string shown =
          is_time ? time_text(int_member(*batch, name)) : printable(text_of(&value));
      print_line(
          fmt::format("  {:<17} {}", is_time ? name.substr(0, name.size() - 3) : name, shown));
    }
    print(printable(lines.text, Lines::Keep));
    return Exit::Ok;
  });
}

Exit spool_replay(const SpoolOptions& options) {
  return change_dead_letters(options, posthaste_dead_letter_replay, "replayed");
}

Exit spool_drop(const SpoolOptions& options) {
  return change_dead_letters(options, posthaste_dead_letter_remove, "dropped");
}

Exit spool_purge(const SpoolOptions& options) {
  return with_spool(options, [&](Spool& spool) {
    uint64_t batches = 0;
    uint64_t events = 0;
    const int32_t code =
        posthaste_purge(spool.engine(), options.webhook_id.c_str(),
                        static_cast<int32_t>(options.timeout_ms), &batches, &events, spool.error());
    if (code != POSTHASTE_OK) return spool.failed(code);
    print_line(options.is_json
                   ? fmt::format("{{\"batches\": {}, \"events\": {}}}", batches, events)
                   : fmt::format("{} batches with {} events given up", batches, events));
    return Exit::Ok;
  });
}

Exit spool_check(const SpoolOptions& options) {
  return with_spool(options, [&](Spool& spool) {
    Text text;
    const int32_t code = posthaste_spool_check(
        spool.engine(), static_cast<int32_t>(options.timeout_ms), text.out(), spool.error());
    if (code != POSTHASTE_OK) return spool.failed(code);
    const auto found = parse_answer(text.view());
    const Value::Array* problems = found ? found->as_array() : nullptr;
    if (!problems) return fail(Exit::Failed, "the check answered nothing that can be read");
    if (options.is_json) {
      print_line(pretty(*found));
    } else if (problems->empty()) {
      print_line("the spool is sound");
    } else {
      for (const Value& problem : *problems) print_line(printable(text_of(&problem)));
    }
    if (problems->empty()) return Exit::Ok;
    return fail(Exit::Failed,
                fmt::format("{} problems in {}", problems->size(), options.directory));
  });
}

Exit spool_export(const SpoolOptions& options) {
  return with_spool(options, [&](Spool& spool) {
    const bool is_file = !options.output.empty();
    FILE* out = is_file ? std::fopen(options.output.c_str(), "wxe") : stdout;
    if (!out) {
      return fail(Exit::Failed, "cannot make " + options.output + ": " + std::strerror(errno));
    }
    Exit status = Exit::Ok;
    for (const std::string& id : options.batch_ids) {
      const int32_t code = posthaste_batch_export(spool.engine(), id.c_str(), nullptr,
                                                  spool.error(), write_file, out);
      if (code == POSTHASTE_OK) continue;
      status = spool.failed(code);
      break;
    }
    if (is_file && std::fclose(out) != 0 && status == Exit::Ok) {
      status = fail(Exit::Failed, "cannot write " + options.output);
    }
    return status;
  });
}

}  // namespace posthaste::cli
