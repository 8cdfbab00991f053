#include "cli/serve.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "cli/console.h"
#include "cli/handles.h"
#include "cli/ingest.h"
#include "cli/json_members.h"
#include "cli/key_file.h"
#include "cli/serve_settings.h"
#include "cli/service_notice.h"
#include "cli/tracking_links.h"
#include "posthaste/admin.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;
using core::Result;

constexpr char kUnixPrefix[] = "unix:";
constexpr char kKeyFileName[] = "first-api-key";
constexpr char kMemoryWarning[] =
    "memory mode: what waits, webhooks and API keys are lost when this process ends";
// With the longest sync of a client together less than what the unit's TimeoutStopSec allows.
constexpr int32_t kAdminStopMs = 10'000;
constexpr int32_t kCloseMs = 25'000;

void log_line(int32_t level, const char* line, void*) {
  static constexpr const char* kNames[] = {"", "error", "warning", "info", "debug"};
  const char* name = level >= 1 && level <= 4 ? kNames[level] : "";
  // One write a line, since library threads call this at the same time.
  const std::string text = fmt::format("posthaste: {}: {}\n", name, printable(line));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

struct AdminFree {
  void operator()(posthaste_admin_t* admin) const { posthaste_admin_free(admin); }
  void operator()(posthaste_admin_conf_t* conf) const { posthaste_admin_conf_free(conf); }
};
using Admin = std::unique_ptr<posthaste_admin_t, AdminFree>;
using AdminConf = std::unique_ptr<posthaste_admin_conf_t, AdminFree>;

// An error with the status that goes with it.
struct Failure {
  Exit status = Exit::Ok;
  std::string message;
};

// Purpose: the running server. Ownership: owns engine, listener and ingest, which end in the
// opposite order. Threads: the main thread; others are those of its parts. Invariants: keys that
// came from the key file are exactly `file_keys_`.
class Serve {
 public:
  explicit Serve(const ServeOptions& options) : options_(options) {}

  Failure start();
  void reload();
  Failure end();
  std::string url() const { return posthaste_admin_url(admin_.get()); }

 private:
  Failure start_engine();
  Failure start_listener();
  Failure start_ingest();
  Failure set_up_keys();
  Failure make_first_key();
  Result<> load_keys(const std::string& path);
  Result<> load_webhooks(const std::string& path);
  Result<> reload_settings(const ServeSettings& fresh);
  Result<> reload_links(const ServeSettings& fresh);
  Failure failed(Exit status) const { return {status, error_.message()}; }

  const ServeOptions options_;
  ServeSettings settings_;
  ErrorText error_;
  StopSignal stop_;
  Engine engine_;
  TrackingLinks links_;
  Admin admin_;
  std::vector<std::unique_ptr<SocketIngest>> sockets_;
  std::unique_ptr<StdinIngest> stdin_;
  std::set<std::string> file_keys_;  // ids
};

Failure Serve::start() {
  auto settings = read_serve_settings(options_);
  if (!settings) return {Exit::Usage, settings.error().message};
  settings_ = std::move(*settings);
  if (!stop_.is_open()) return {Exit::Failed, "cannot make a pipe"};
  if (settings_.spool_dir.empty()) warn(kMemoryWarning);
  // What is wrong with keys is told before anything is begun.
  if (auto done = links_.set(settings_.links); !done) return {Exit::Usage, done.error().message};
  if (!settings_.api_key_file.empty()) {
    if (auto keys = read_key_file(settings_.api_key_file); !keys) {
      return {Exit::Usage, keys.error().message};
    }
  }
  for (const auto& step :
       {&Serve::start_engine, &Serve::set_up_keys, &Serve::start_listener, &Serve::start_ingest}) {
    if (Failure failure = (this->*step)(); failure.status != Exit::Ok) return failure;
  }
  return {};
}

Failure Serve::start_engine() {
  const Conf conf(posthaste_conf_new());
  SettingsList all = settings_.engine;
  if (!settings_.spool_dir.empty()) all.push_back({"spool.dir", settings_.spool_dir});
  if (auto done = apply_settings(all, conf.get()); !done)
    return {Exit::Usage, done.error().message};
  posthaste_t* raw = nullptr;
  if (posthaste_new(conf.get(), &raw, error_) != POSTHASTE_OK) return failed(Exit::Usage);
  engine_.reset(raw);
  posthaste_set_log(raw, log_line, nullptr);
  if (!settings_.webhooks_file.empty()) {
    if (auto done = load_webhooks(settings_.webhooks_file); !done) {
      return {Exit::Usage, done.error().message};
    }
  }
  const int32_t code = posthaste_start(raw, error_);
  if (code == POSTHASTE_E_STATE) return failed(Exit::Busy);
  return code == POSTHASTE_OK ? Failure{} : failed(Exit::Failed);
}

Result<> Serve::load_webhooks(const std::string& path) {
  Text text;
  if (posthaste_load(engine_.get(), path.c_str(), text.out(), error_) != POSTHASTE_OK) {
    return {ErrorCode::BadFile, path + ": " + error_.message()};
  }
  warn(path + ": webhooks " + std::string(text.view()));
  return {};
}

Failure Serve::start_listener() {
  const AdminConf conf(posthaste_admin_conf_new());
  if (auto done = links_.mount(conf.get()); !done) return {Exit::Usage, done.error().message};
  SettingsList all = settings_.admin;
  all.push_back({"listen", settings_.listen});
  for (const Setting& setting : all) {
    if (posthaste_admin_conf_set(conf.get(), setting.key.c_str(), setting.value.c_str(), error_) !=
        POSTHASTE_OK) {
      return failed(Exit::Usage);
    }
  }
  posthaste_admin_t* raw = nullptr;
  const int32_t code = posthaste_admin_start(engine_.get(), conf.get(), &raw, error_);
  admin_.reset(raw);
  if (code == POSTHASTE_OK) return {};
  return failed(code == POSTHASTE_E_BAD_VALUE ? Exit::Usage : Exit::Failed);
}

Failure Serve::start_ingest() {
  for (const std::string& ingest : settings_.ingest) {
    if (ingest == "stdin" && !stdin_) stdin_ = std::make_unique<StdinIngest>(engine_.get(), stop_);
    if (!ingest.starts_with(kUnixPrefix)) continue;
    auto socket = SocketIngest::listen(engine_.get(), stop_, ingest.substr(sizeof kUnixPrefix - 1));
    if (!socket) return {Exit::Failed, socket.error().message};
    sockets_.push_back(std::move(*socket));
  }
  return {};
}

Failure Serve::set_up_keys() {
  if (!settings_.api_key_file.empty()) {
    auto done = load_keys(settings_.api_key_file);
    return done ? Failure{} : Failure{Exit::Usage, done.error().message};
  }
  Text text;
  if (posthaste_key_list(engine_.get(), text.out(), error_) != POSTHASTE_OK) {
    return failed(Exit::Failed);
  }
  const auto keys = parse_answer(text.view());
  const bool has_keys = keys && keys->as_array() && !keys->as_array()->empty();
  return has_keys ? Failure{} : make_first_key();
}

Failure Serve::make_first_key() {
  Text text;
  if (posthaste_key_create(engine_.get(), "first key", POSTHASTE_GRANT_MODIFY, -1, text.out(),
                           error_) != POSTHASTE_OK) {
    return failed(Exit::Failed);
  }
  const auto key = parse_answer(text.view());
  if (!key) return {Exit::Failed, key.error().message};
  const std::string directory = settings_.spool_dir.empty() ? "." : settings_.spool_dir;
  const std::string path = directory + "/" + kKeyFileName;
  if (auto written = write_private_file(path, text_member(*key, "key")); !written) {
    posthaste_key_revoke(engine_.get(), text_member(*key, "id").c_str(), nullptr);
    return {Exit::Failed, written.error().message};
  }
  print_line("first API key is in " + path);
  return {};
}

// Adds what the file has and revokes what it had.
Result<> Serve::load_keys(const std::string& path) {
  const auto keys = read_key_file(path);
  if (!keys) return keys.error();
  std::set<std::string> ids;
  for (const KeyLine& key : *keys) {
    Text text;
    const int32_t code = posthaste_key_put(engine_.get(), "key file", key.key.c_str(), key.grant,
                                           key.subaccount, text.out(), error_);
    if (code != POSTHASTE_OK) return {ErrorCode::BadFile, path + ": " + error_.message()};
    const auto answer = parse_answer(text.view());
    if (answer) ids.insert(text_member(*answer, "id"));
  }
  // Those of an earlier run are known by their name.
  Text text;
  if (posthaste_key_list(engine_.get(), text.out(), error_) == POSTHASTE_OK) {
    const auto list = parse_answer(text.view());
    const json::Value::Array* all = list ? list->as_array() : nullptr;
    for (const json::Value& key : all ? *all : json::Value::Array()) {
      if (text_member(key, "name") == "key file") file_keys_.insert(text_member(key, "id"));
    }
  }
  for (const std::string& id : file_keys_) {
    if (!ids.contains(id)) posthaste_key_revoke(engine_.get(), id.c_str(), nullptr);
  }
  file_keys_ = std::move(ids);
  return {};
}

// The last value that a list gives a key; nothing when it has none.
std::optional<std::string> value_of(const SettingsList& settings, const std::string& key) {
  std::optional<std::string> value;
  for (const Setting& setting : settings) {
    if (setting.key == key) value = setting.value;
  }
  return value;
}

Result<> Serve::reload_settings(const ServeSettings& fresh) {
  // All of it is checked before any of it is taken.
  const Conf scratch(posthaste_conf_new());
  if (auto done = apply_settings(fresh.engine, scratch.get()); !done) {
    return {done.code(), "nothing changed: " + done.error().message};
  }
  std::set<std::string> keys;
  for (const SettingsList& list : {std::as_const(settings_.engine), fresh.engine}) {
    for (const Setting& setting : list) keys.insert(setting.key);
  }
  for (const std::string& key : keys) {
    const auto value = value_of(fresh.engine, key);
    if (value == value_of(settings_.engine, key)) continue;
    const int32_t code =
        posthaste_set(engine_.get(), key.c_str(), value ? value->c_str() : nullptr, error_);
    if (code == POSTHASTE_E_NOT_CHANGEABLE) {
      warn("reload: " + key + " changes at the next start only");
    } else if (code != POSTHASTE_OK) {
      return {ErrorCode::BadValue, error_.message()};
    }
  }
  const bool is_same_place = fresh.listen == settings_.listen &&
                             fresh.spool_dir == settings_.spool_dir &&
                             fresh.ingest == settings_.ingest;
  if (!is_same_place) warn("reload: listen, ingest and spool.dir change at the next start only");
  return {};
}

// A new set forgets which first opens were told, so one that is the same stays.
Result<> Serve::reload_links(const ServeSettings& fresh) {
  if (fresh.links == settings_.links) return {};
  const auto prefixes = links_.prefixes();
  if (auto done = links_.set(fresh.links); !done) return done;
  settings_.links = fresh.links;
  if (links_.prefixes() != prefixes) {
    warn("reload: the paths of tracking links change at the next start only");
  }
  return {};
}

void Serve::reload() {
  auto fresh = read_serve_settings(options_);
  if (!fresh) {
    warn("reload: nothing changed: " + fresh.error().message);
    return;
  }
  if (auto done = reload_settings(*fresh); !done) {
    warn("reload: not all of it: " + done.error().message);
    return;
  }
  settings_.engine = fresh->engine;
  if (auto done = reload_links(*fresh); !done) {
    warn("reload: tracking links stay: " + done.error().message);
  }
  if (!fresh->webhooks_file.empty()) {
    if (auto done = load_webhooks(fresh->webhooks_file); !done) {
      warn("reload: webhooks stay: " + done.error().message);
    }
  }
  if (!fresh->api_key_file.empty()) {
    if (auto done = load_keys(fresh->api_key_file); !done) {
      warn("reload: keys stay: " + done.error().message);
    }
  }
  warn("reloaded");
}

Failure Serve::end() {
  stop_.stop();
  stdin_.reset();
  sockets_.clear();
  if (admin_) posthaste_admin_stop(admin_.get(), kAdminStopMs, nullptr);
  const int32_t code = posthaste_close(engine_.get(), kCloseMs, error_);
  const Failure failure = code == POSTHASTE_OK ? Failure{} : failed(Exit::Failed);
  admin_.reset();
  engine_.reset();
  return failure;
}

}  // namespace

Result<std::string> parse_ingest(const std::string& text) {
  const bool is_unix = text.starts_with(kUnixPrefix) && text.size() > sizeof kUnixPrefix - 1;
  if (is_unix || text == "stdin" || text == "http") return text;
  return {ErrorCode::BadValue, "'" + text + "' is not stdin, http or unix:PATH"};
}

Exit run_serve(const ServeOptions& options) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Serve serve(options);
  if (const Failure failure = serve.start(); failure.status != Exit::Ok) {
    fail(failure.status, failure.message);
    serve.end();
    return failure.status;
  }
  print_line("listening on " + serve.url());
  std::fflush(stdout);
  notify_service("READY=1\nSTATUS=listening on " + serve.url());
  for (int number = SIGHUP; number == SIGHUP;) {
    sigwait(&signals, &number);
    if (number != SIGHUP) break;
    notify_reloading();
    serve.reload();
    notify_service("READY=1");
  }
  notify_service("STOPPING=1");
  const Failure failure = serve.end();
  return failure.status == Exit::Ok ? Exit::Ok : fail(failure.status, failure.message);
}

}  // namespace posthaste::cli
