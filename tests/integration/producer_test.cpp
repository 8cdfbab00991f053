// Producers in other processes: short-lived, of several users, killed, stopped, forked. What was
// accepted arrives, and nobody waits for anybody.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <thread>

#include "support/host.h"
#include "support/receiver.h"
#include "support/temporary_directory.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

const std::string kNobody = "65534";

// A spool directory below a temporary one that other users may pass.
struct Place {
  Place() { REQUIRE(::chmod(directory.path().c_str(), 0755) == 0); }
  std::string spool() const { return directory.path("spool"); }

  TemporaryDirectory directory;
};

Settings deliverer(const Place& place, const Settings& more = {}) {
  Settings settings = {
      {"spool.dir", place.spool()}, {"batch.max_age", "100ms"}, {"webhook.activation_delay", "0s"}};
  for (const auto& [key, value] : more) settings[key] = value;
  return settings;
}

Settings shared(Settings settings) {
  settings["spool.group"] = kNobody;
  settings["spool.file_mode"] = "0660";
  return settings;
}

std::vector<std::string> ids_in(const std::string& body) {
  static constexpr std::string_view kKey = "\"event_id\":\"";
  std::vector<std::string> ids;
  for (size_t at = 0; (at = body.find(kKey, at)) != std::string::npos;) {
    at += kKey.size();
    ids.push_back(body.substr(at, body.find('"', at) - at));
  }
  return ids;
}

// The ids that were accepted by the receiver, each with how often.
std::map<std::string, int> arrived_ids(const Receiver& receiver) {
  std::map<std::string, int> ids;
  for (const Request& request : receiver.log().requests()) {
    if (request.answered_status != 200) continue;
    for (const std::string& id : ids_in(request.body)) ++ids[id];
  }
  return ids;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 20s) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

// A process that runs the test program; what it writes goes to `out`.
pid_t run_producer(const std::vector<std::string>& arguments, int out) {
  std::vector<std::string> texts = {POSTHASTE_PRODUCER_PROGRAM};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const pid_t process = ::vfork();
  if (process == 0) {
    ::dup2(out, STDOUT_FILENO);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  return process;
}

int wait_for(pid_t process) {
  int status = 0;
  ::waitpid(process, &status, 0);
  return status;
}

// What processes wrote, read while they run.
class Lines {
 public:
  Lines() {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    reader_ = std::thread([this] {
      char bytes[4096];
      for (ssize_t size = 0; (size = ::read(ends_[0], bytes, sizeof bytes)) > 0;) {
        text_.append(bytes, static_cast<size_t>(size));
      }
    });
  }
  ~Lines() { finish(); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  int end() const { return ends_[1]; }
  // After the last process.
  const std::string& finish() {
    if (reader_.joinable()) {
      ::close(ends_[1]);
      reader_.join();
      ::close(ends_[0]);
    }
    return text_;
  }

 private:
  int ends_[2] = {};
  std::string text_;
  std::thread reader_;
};

struct Pushed {
  std::set<std::string> accepted;
  long refused_count = 0;
  long longest_us = 0;
};

Pushed parse(const std::string& text) {
  Pushed pushed;
  std::istringstream lines(text);
  std::string id;
  for (long microseconds = 0; lines >> id >> microseconds;) {
    pushed.longest_us = std::max(pushed.longest_us, microseconds);
    if (id[0] == '-') {
      ++pushed.refused_count;
    } else {
      pushed.accepted.insert(id);
    }
  }
  return pushed;
}

std::vector<uint64_t> producer_file_sizes(const Place& place) {
  std::vector<uint64_t> sizes;
  for (const auto& entry : std::filesystem::directory_iterator(place.spool())) {
    if (entry.path().filename().string().starts_with("producer-")) {
      sizes.push_back(entry.file_size());
    }
  }
  return sizes;
}

size_t producer_files_count(const Place& place) {
  return producer_file_sizes(place).size();
}

uint64_t producer_files_bytes(const Place& place) {
  const auto sizes = producer_file_sizes(place);
  return std::accumulate(sizes.begin(), sizes.end(), uint64_t{0});
}

// A process that holds the lock of a producer file and was stopped.
class StoppedHolder {
 public:
  explicit StoppedHolder(const std::string& path) {
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      const int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
      struct flock range {};
      range.l_type = F_WRLCK;
      while (::fcntl(fd, F_OFD_SETLK, &range) != 0) ::usleep(100);
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(process_, &status, WUNTRACED) == process_);
    REQUIRE(WIFSTOPPED(status));
  }
  ~StoppedHolder() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  StoppedHolder(const StoppedHolder&) = delete;
  StoppedHolder& operator=(const StoppedHolder&) = delete;

 private:
  pid_t process_ = 0;
};

size_t threads_count() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

std::string payload(const std::string& id) {
  return "{\"event_id\":\"" + id + "\"}";
}

}  // namespace

TEST_CASE("An event of a process that leaves by _exit at once arrives within seconds",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  Lines lines;
  const pid_t process = run_producer({place.spool(), "", "0", "1", "1", "10"}, lines.end());
  CHECK(wait_for(process) == 0);
  CHECK(parse(lines.finish()).accepted == std::set<std::string>{"1"});
  CHECK(wait_until([&] { return arrived_ids(receiver).size() == 1; }));
}

TEST_CASE("Events that were produced while no engine delivered arrive when one starts, once",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  {
    Host host(deliverer(place));
    host.put("w", receiver.url()).start();
  }
  Lines lines;
  CHECK(wait_for(run_producer({place.spool(), "", "0", "0", "100", "10"}, lines.end())) == 0);
  for (int start = 0; start < 3; ++start) {
    Host host(deliverer(place));
    host.start();
    CHECK(wait_until([&] { return arrived_ids(receiver).size() == 100; }));
  }
  for (const auto& [id, count] : arrived_ids(receiver)) CHECK(count == 1);
}

// [unsanitized]: fifty instrumented processes are too slow for its bounds.
TEST_CASE("Fifty producers of two users, some killed, one stopped with a file: nothing is lost",
          "[integration][producer][unsanitized]") {
  if (::getuid() != 0) {
    WARN("not run as root: all producers have one user");
  }
  const bool has_users = ::getuid() == 0;
  const Place place;
  Receiver receiver;
  Host host(has_users ? shared(deliverer(place)) : deliverer(place));
  host.put("w", receiver.url()).start();
  Lines first;
  const std::string group = has_users ? kNobody : "";
  CHECK(wait_for(run_producer({place.spool(), group, "0", "1", "1", "10"}, first.end())) == 0);
  const StoppedHolder stopped(place.spool() + "/producer-00");

  Lines lines;
  std::vector<pid_t> processes;
  for (int i = 0; i < 50; ++i) {
    const std::string uid = has_users && i % 2 == 1 ? kNobody : "0";
    // Each fifth one has much to write, and is killed on the way.
    const std::string count = i % 5 == 0 ? "100000" : "20";
    const std::string from = std::to_string(1'000'000 * (i + 1));
    processes.push_back(
        run_producer({place.spool(), group, uid, from, count, "5000"}, lines.end()));
    std::this_thread::sleep_for(2ms);
  }
  for (size_t i = 0; i < processes.size(); i += 5) {
    std::this_thread::sleep_for(7ms);
    ::kill(processes[i], SIGKILL);
  }
  for (size_t i = 0; i < processes.size(); ++i) {
    const int status = wait_for(processes[i]);
    CHECK((i % 5 == 0 ? WIFSIGNALED(status) : status == 0));
  }
  const Pushed pushed = parse(lines.finish());
  INFO("longest push " << pushed.longest_us << " us, " << pushed.refused_count << " refused, "
                       << pushed.accepted.size() << " accepted");
  CHECK(pushed.accepted.size() + static_cast<size_t>(pushed.refused_count) >= 40 * 20);
  // The lock time-out is 50 ms; the rest is what a busy machine adds.
  CHECK(pushed.longest_us < 1'000'000);
  CHECK(producer_files_count(place) <= 16);
  const auto has_arrived = [&] {
    const auto arrived = arrived_ids(receiver);
    return std::all_of(pushed.accepted.begin(), pushed.accepted.end(),
                       [&](const std::string& id) { return arrived.contains(id); });
  };
  CHECK(wait_until(has_arrived));
  for (const auto& [id, count] : arrived_ids(receiver)) CHECK(count == 1);
}

// [unsanitized]: ThreadSanitizer ends a forked child that starts a thread.
TEST_CASE("Over kills of the deliverer every event of a producer is in exactly one batch",
          "[integration][producer][unsanitized]") {
  const Place place;
  Receiver receiver;
  {
    Host host(deliverer(place));
    host.put("w", receiver.url()).start();
  }
  Lines lines;
  std::thread producers([&] {
    for (int i = 0; i < 60; ++i) {
      const std::string from = std::to_string(1000 * (i + 1));
      wait_for(run_producer({place.spool(), "", "0", from, "20", "1000"}, lines.end()));
      std::this_thread::sleep_for(20ms);
    }
  });
  for (int round = 0; round < 8; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      Host host(deliverer(place));
      host.start();
      std::this_thread::sleep_for(1min);
      ::_exit(0);
    }
    std::this_thread::sleep_for(100ms + 37ms * round);
    ::kill(child, SIGKILL);
    wait_for(child);
  }
  producers.join();
  const Pushed pushed = parse(lines.finish());
  CHECK(pushed.accepted.size() == 60 * 20);
  Host host(deliverer(place));
  host.start();
  CHECK(wait_until([&] { return arrived_ids(receiver).size() == pushed.accepted.size(); }));
  // A batch whose outcome was not written comes again, with the same id.
  std::map<std::string, std::set<std::string>> batches;
  for (const Request& request : receiver.log().requests()) {
    const std::string batch = request.header("X-MessageSystems-Batch-ID").value_or("");
    for (const std::string& id : ids_in(request.body)) batches[id].insert(batch);
  }
  for (const auto& [id, of_event] : batches) {
    INFO("event " << id);
    CHECK(of_event.size() == 1);
  }
}

TEST_CASE("An engine with role=producer pushes to one that delivers, and has no webhooks",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  CHECK(producer.push("delivery", payload("0")) == POSTHASTE_E_STATE);
  producer.start();
  CHECK(posthaste_wants(producer.get(), "delivery") == 1);
  CHECK(producer.push("delivery", payload("1")) == POSTHASTE_OK);
  CHECK(posthaste_sync(producer.get(), 1000, producer.error()) == POSTHASTE_OK);
  const WebhookHandle webhook = producer.webhook(receiver.url());
  CHECK(posthaste_put(producer.get(), "x", webhook.get(), producer.error()) == POSTHASTE_E_STATE);
  CHECK(producer.flush() == POSTHASTE_E_STATE);

  // A forked child goes on with files of its own.
  const pid_t child = ::fork();
  if (child == 0) ::_exit(producer.push("delivery", payload("2")) == POSTHASTE_OK ? 0 : 1);
  CHECK(wait_for(child) == 0);
  CHECK(producer.push("delivery", payload("3")) == POSTHASTE_OK);
  CHECK(producer.close() == POSTHASTE_OK);
  CHECK(producer.push("delivery", payload("4")) == POSTHASTE_E_STATE);
  CHECK(wait_until([&] { return arrived_ids(receiver).size() == 3; }));
}

TEST_CASE("An event of a producer is noticed within a second", "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  producer.start();
  // The machine may be slow now and then, not each time.
  Clock::duration best = 1h;
  for (size_t i = 1; i <= 5; ++i) {
    std::this_thread::sleep_for(200ms);
    const auto begin = Clock::now();
    REQUIRE(producer.push("delivery", payload(std::to_string(i))) == POSTHASTE_OK);
    REQUIRE(wait_until([&] { return host.stat("from_producers") == i; }));
    best = std::min(best, Clock::now() - begin);
  }
  CHECK(best < 1s);
  CHECK(host.stat("accepted") == 5);
}

TEST_CASE("Functions on webhooks and batches answer state in a producer, which wants everything",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  producer.start();
  posthaste_t* const ph = producer.get();
  posthaste_error_t* const error = producer.error();
  const WebhookHandle webhook = producer.webhook(receiver.url());
  uint64_t ticket = 0;
  posthaste_webhook_t* found = nullptr;
  posthaste_webhook_list_t* list = nullptr;
  posthaste_text_t* text = nullptr;
  const int32_t codes[] = {
      posthaste_create(ph, webhook.get(), 10, &found, error),
      posthaste_create_ticket(ph, webhook.get(), &ticket, error),
      posthaste_put(ph, "w", webhook.get(), error),
      posthaste_update(ph, "w", webhook.get(), 10, error),
      posthaste_update_ticket(ph, "w", webhook.get(), &ticket, error),
      posthaste_remove(ph, "w", POSTHASTE_REMOVE_DROP, error),
      posthaste_pause(ph, "w", error),
      posthaste_resume(ph, "w", error),
      posthaste_verify(ph, "w", 10, error),
      posthaste_verify_ticket(ph, "w", &ticket, error),
      posthaste_find(ph, "w", &found, error),
      posthaste_list(ph, &list, error),
      posthaste_batch_status(ph, "w", 10, POSTHASTE_STATUS_ALL, &text, error),
      posthaste_load(ph, "none", &text, error),
      posthaste_flush(ph, 10, error),
      posthaste_flush_ticket(ph, &ticket, error),
      posthaste_sync_ticket(ph, &ticket, error),
      posthaste_open_batch(ph, "w", nullptr, nullptr, error),
      posthaste_retry_now(ph, "w", error),
      posthaste_spool_check(ph, 10, &text, error),
  };
  for (size_t i = 0; i < std::size(codes); ++i) {
    INFO("call " << i);
    CHECK(codes[i] == POSTHASTE_E_STATE);
  }
  for (const char* const type : {"delivery", "no_such_type"}) {
    CHECK(posthaste_wants(ph, type) == 1);
  }
}

TEST_CASE("A producer has no thread", "[integration][producer]") {
  const Place place;
  const size_t before = threads_count();
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  producer.start();
  REQUIRE(producer.push("delivery", "{}") == POSTHASTE_OK);
  CHECK(threads_count() == before);
}

TEST_CASE("Stopped processes that hold all files make a push queue full within the lock time-out",
          "[integration][producer]") {
  const Place place;
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  producer.start();
  std::vector<std::unique_ptr<StoppedHolder>> holders;
  for (int i = 0; i < 16; ++i) {
    const std::string number = std::to_string(i);
    holders.push_back(std::make_unique<StoppedHolder>(
        place.spool() + "/producer-" + std::string(2 - number.size(), '0') + number));
  }
  const auto begin = Clock::now();
  CHECK(producer.push("delivery", payload("1")) == POSTHASTE_E_QUEUE_FULL);
  const auto took = Clock::now() - begin;
  CHECK(took >= 50ms);
  CHECK(took < 2s);
  CHECK(producer_files_count(place) == 16);
  holders.pop_back();
  CHECK(producer.push("delivery", payload("1")) == POSTHASTE_OK);
}

TEST_CASE("Full producer files answer queue full until a deliverer has copied them",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host producer(
      {{"role", "producer"}, {"spool.dir", place.spool()}, {"producer.max_bytes", "1MiB"}});
  producer.start();
  size_t accepted_count = 0;
  const std::string padding(8'000, 'x');
  int32_t code = POSTHASTE_OK;
  for (; accepted_count < 1000; ++accepted_count) {
    const std::string event = R"({"event_id":")" + std::to_string(accepted_count) +
                              R"(","padding":")" + padding + R"("})";
    if ((code = producer.push("delivery", event)) != POSTHASTE_OK) break;
  }
  CHECK(code == POSTHASTE_E_QUEUE_FULL);
  CHECK(accepted_count >= 16);
  CHECK(producer_files_bytes(place) <= (1u << 20));
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  CHECK(wait_until([&] { return producer.push("delivery", payload("last")) == POSTHASTE_OK; }));
  CHECK(wait_until([&] { return arrived_ids(receiver).size() == accepted_count + 1; }));
}

TEST_CASE("The deliverer's sync waits for its own pushes, not for producers",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  Lines lines;
  std::vector<pid_t> processes;
  for (int i = 0; i < 4; ++i) {
    const std::string from = std::to_string(1'000'000 * (i + 1));
    processes.push_back(
        run_producer({place.spool(), "", "0", from, "100000000", "100"}, lines.end()));
  }
  CHECK(wait_until([&] { return host.stat("from_producers") > 0; }));
  for (int i = 0; i < 5; ++i) {
    REQUIRE(host.push("delivery", payload(std::to_string(i))) == POSTHASTE_OK);
    CHECK(posthaste_sync(host.get(), 20'000, host.error()) == POSTHASTE_OK);
  }
  for (const pid_t process : processes) {
    ::kill(process, SIGKILL);
    CHECK(WIFSIGNALED(wait_for(process)));
  }
}

TEST_CASE("An event type that a producer and the deliverer define arrives as such",
          "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.must(posthaste_define_type(host.get(), "my_type", "my_class", host.error()));
  host.put("w", receiver.url(), {{"events", "my_type"}}).start();
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  CHECK(producer.push("my_type", payload("0")) == POSTHASTE_E_STATE);
  producer.must(posthaste_define_type(producer.get(), "my_type", "my_class", producer.error()));
  producer.start();
  Host other({{"role", "producer"}, {"spool.dir", place.spool()}});
  other.start();
  CHECK(other.push("my_type", payload("1")) == POSTHASTE_E_UNKNOWN_TYPE);
  CHECK(producer.push("my_type", payload("2")) == POSTHASTE_OK);
  CHECK(producer.push("delivery", payload("3")) == POSTHASTE_OK);
  CHECK(wait_until([&] { return arrived_ids(receiver).contains("2"); }));
  CHECK(wait_until([&] { return host.stat("from_producers") == 2; }));
  CHECK(arrived_ids(receiver).size() == 1);
}

TEST_CASE("A parent and its forked child never make equal event ids", "[integration][producer]") {
  const Place place;
  Receiver receiver;
  Host host(deliverer(place));
  host.put("w", receiver.url()).start();
  Host producer({{"role", "producer"}, {"spool.dir", place.spool()}});
  producer.start();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(producer.push("delivery", "{}") == POSTHASTE_OK ? 0 : 1);
  CHECK(wait_for(child) == 0);
  CHECK(producer.push("delivery", "{}") == POSTHASTE_OK);
  CHECK(wait_until([&] { return arrived_ids(receiver).size() == 2; }));
}

TEST_CASE("Loading the producer library loads neither libcurl nor SQLite",
          "[integration][producer]") {
  const std::string command = std::string("ldd ") + POSTHASTE_PRODUCER_PROGRAM;
  FILE* const output = ::popen(command.c_str(), "r");
  REQUIRE(output);
  std::string text;
  char bytes[4096];
  while (std::fgets(bytes, sizeof bytes, output)) text += bytes;
  REQUIRE(::pclose(output) == 0);
  CHECK(text.find("libposthaste_producer") != std::string::npos);
  for (const char* const library : {"libcurl", "libsqlite3", "libssl", "libcrypto"}) {
    CHECK(text.find(library) == std::string::npos);
  }
}

// Not a promise of a test but the figure itself: run it by its tag.
TEST_CASE("The time of a process that pushes one event, beside one that does nothing",
          "[.][producer_time]") {
  const Place place;
  Host host(deliverer(place));
  host.start();
  Lines lines;
  constexpr int kRounds = 200;
  for (const char* const count : {"0", "1", "0", "1"}) {
    const auto begin = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
      wait_for(run_producer({place.spool(), "", "0", "1", count, "500"}, lines.end()));
    }
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    WARN((count[0] == '0' ? "nothing: " : "one event: ") << took.count() / kRounds << " ms");
  }
}
