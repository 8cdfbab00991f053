// The driver's part that no pushing thread runs through.
#include "drive.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

namespace posthaste::bench {

Args::Args(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "%s: not name=value: %s\n", argv[0], argv[i]);
      std::exit(2);
    }
    values_[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
}

int64_t Args::number(const std::string& key, int64_t otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : std::strtoll(found->second.c_str(), nullptr, 10);
}

std::string Args::text(const std::string& key, const std::string& otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

std::string get_from_sink(int port, const std::string& target) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: sink\r\nConnection: close\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char piece[4096];
      for (;;) {
        const ssize_t received = recv(fd, piece, sizeof piece, 0);
        if (received <= 0) break;
        answer.append(piece, static_cast<size_t>(received));
      }
    }
  }
  close(fd);
  const size_t end_of_head = answer.find("\r\n\r\n");
  return end_of_head == std::string::npos ? "" : answer.substr(end_of_head + 4);
}

uint64_t number_in(const std::string& json, const std::string& name) {
  const std::string member = "\"" + name + "\":";
  const size_t at = json.find(member);
  return at == std::string::npos ? 0 : std::strtoull(&json[at + member.size()], nullptr, 10);
}

Drive::Drive(const Args& args)
    : event_size_(kEventSize),
      port_(static_cast<int>(args.number("port", 18080))),
      count_(static_cast<size_t>(args.number("n", 1'000'000))),
      distinct_count_(std::min(count_, static_cast<size_t>(args.number("distinct", INT64_MAX)))),
      threads_count_(static_cast<size_t>(args.number("threads", 2))),
      expected_count_(count_ * static_cast<uint64_t>(args.number("webhooks", 1))),
      rate_(static_cast<double>(args.number("rate", 0))),
      idle_s_(static_cast<double>(args.number("idle", 8))) {
  if (distinct_count_ == 0 || threads_count_ == 0) {
    std::fputs("n, distinct and threads must be above 0\n", stderr);
    std::exit(2);
  }
  make_events();
  for (size_t i = 0; i < threads_count_; ++i) {
    samples_.emplace_back(count_ / threads_count_ / kTimedTurns + 2);
  }
  pin(static_cast<int>(args.number("cpu", -1)));
  resident_before_kib_ = resident_kib();
}

// Before the clock starts, for they would come from the host; by two threads, which are not pinned
// yet, since it takes longer than some runs.
void Drive::make_events() {
  // Not initialised: the two threads touch it first.
  events_.reset(new char[distinct_count_ * kEventSize]);
  const auto make_range = [this](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) write_event(i, events_.get() + i * kEventSize);
  };
  std::thread other(make_range, 0, distinct_count_ / 2);
  make_range(distinct_count_ / 2, distinct_count_);
  other.join();
}

void Drive::pace(uint64_t begin_ns, size_t turn) const {
  constexpr uint64_t kNotWorthSleepingNs = 50'000;
  const double due_s = static_cast<double>(turn * threads_count_) / rate_;
  const uint64_t due_ns = begin_ns + static_cast<uint64_t>(due_s * 1e9);
  const uint64_t present_ns = now_ns();
  if (present_ns + kNotWorthSleepingNs < due_ns) {
    usleep(static_cast<useconds_t>((due_ns - present_ns) / 1000));
  }
}

void Drive::wait_for_sink(uint64_t start_ns, DriveResult& result) const {
  constexpr useconds_t kPollUs = 20'000;
  uint64_t last_news_ns = now_ns();
  std::string stats;
  for (;;) {
    stats = get_from_sink(port_, "/stats");
    const uint64_t seen_count = number_in(stats, "events");
    if (seen_count != result.delivered_count) last_news_ns = now_ns();
    result.delivered_count = seen_count;
    if (seen_count >= expected_count_) break;
    if (static_cast<double>(now_ns() - last_news_ns) * 1e-9 > idle_s_) break;
    usleep(kPollUs);
  }
  result.is_complete = result.delivered_count == expected_count_ && refused_count_ == 0;
  result.requests_count = number_in(stats, "requests");
  const uint64_t last_ns = number_in(stats, "last_ns");
  if (last_ns > start_ns) result.delivered_s = static_cast<double>(last_ns - start_ns) * 1e-9;
}

Samples Drive::calls() const {
  Samples calls(threads_count_ * (count_ / threads_count_ / kTimedTurns + 2));
  for (const Samples& samples : samples_) calls.put_all(samples);
  return calls;
}

void Drive::print(const char* name, const DriveResult& result, const std::string& more) {
  const int64_t added_kib = this->added_kib();
  Samples calls = this->calls();
  const double delivered = static_cast<double>(std::max<uint64_t>(result.delivered_count, 1));
  const double delivered_s = std::max(result.delivered_s, 1e-9);
  std::printf(
      "{\"program\":\"%s\",\"complete\":%s,\"events\":%zu,\"threads\":%zu,\"delivered\":%llu,"
      "\"given_up\":%llu,\"requests\":%llu,\"pushed_per_s\":%.0f,\"delivered_per_s\":%.0f,"
      "\"cpu_us_per_event\":%.4f,\"memory_added_kib\":%lld,\"call_p50_ns\":%u,\"call_p90_ns\":%u,"
      "\"call_p99_ns\":%u,\"call_p999_ns\":%u,\"call_max_ns\":%u%s}\n",
      name, result.is_complete ? "true" : "false", count_, threads_count_,
      static_cast<unsigned long long>(result.delivered_count),
      static_cast<unsigned long long>(refused_count_.load()),
      static_cast<unsigned long long>(result.requests_count),
      static_cast<double>(count_) / result.pushed_s, delivered / delivered_s,
      result.cpu_s / delivered * 1e6, static_cast<long long>(added_kib), calls.at(.5), calls.at(.9),
      calls.at(.99), calls.at(.999), calls.at(1), more.c_str());
}

}  // namespace posthaste::bench
