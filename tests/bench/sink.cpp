// The benchmarks' receiver, their measuring instrument: swallows HTTP/1.1 request bodies, counts
// requests, bytes and markers, and can be told by the request path to delay, fail, hang or drop.
// It listens on 127.0.0.1 only. README.md beside this file tells its options and directives.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "sink_worker.h"

namespace posthaste::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[noreturn]] void explain() {
  std::fputs(
      "usage: bench_sink [--port N] [--threads N] [--buffer BYTES] [--rcvbuf BYTES] [--trunc]\n"
      "                  [--marker STRING [--ids [--max-id N] | --ages]] [--prefix PATH] [--dump "
      "FILE]\n",
      stderr);
  std::exit(2);
}

SinkOptions read_options(int argc, char** argv) {
  constexpr uint64_t kBufferMin = 4096;
  SinkOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto text = [&]() -> const char* { return ++i < argc ? argv[i] : (explain(), ""); };
    const auto number = [&] { return std::strtoull(text(), nullptr, 10); };
    if (name == "--port") {
      options.port = static_cast<int>(number());
    } else if (name == "--threads") {
      options.threads = std::max(1, static_cast<int>(number()));
    } else if (name == "--buffer") {
      options.buffer_bytes = std::max<uint64_t>(kBufferMin, number());
    } else if (name == "--rcvbuf") {
      options.receive_buffer_bytes = static_cast<int>(number());
    } else if (name == "--trunc") {
      options.discards = true;
    } else if (name == "--marker") {
      options.marker = text();
    } else if (name == "--ids") {
      options.has_ids = true;
    } else if (name == "--ages") {
      options.has_ages = true;
    } else if (name == "--max-id") {
      options.id_max = number();
    } else if (name == "--prefix") {
      options.prefix = text();
    } else if (name == "--dump") {
      options.dump_path = text();
    } else {
      explain();
    }
  }
  if (options.marker.size() > kMarkerSizeMax) explain();
  if ((options.has_ids || options.has_ages) && options.marker.empty()) explain();
  if (options.has_ids && options.has_ages) explain();
  return options;
}

int listen_on(int port, const SinkOptions& options) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.threads > 1) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const int buffer_bytes = options.receive_buffer_bytes;
  if (buffer_bytes) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr int kBacklog = 1024;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, kBacklog) != 0) {
    fail("sink: bind, listen");
  }
  return fd;
}

int port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// Until SIGINT or SIGTERM; then the counters are printed.
[[noreturn]] void run(const SinkOptions& options) {
  SinkCounters counters;
  std::function<void(uint64_t)> on_id;
  if (options.has_ids) {
    counters.keep_ids(options.id_max);
    on_id = [&counters](uint64_t id) { counters.saw_id(id); };
  } else if (options.has_ages) {
    on_id = [&counters](uint64_t made_ns) { counters.saw_age(made_ns); };
  }
  const SinkMarker marker(options.marker, on_id);
  int dump_fd = -1;
  if (!options.dump_path.empty()) {
    dump_fd = open(options.dump_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (dump_fd < 0) fail("sink: --dump");
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  int port = options.port;
  for (int i = 0; i < options.threads; ++i) {
    const int fd = listen_on(port, options);
    port = port_of(fd);
    std::thread([&options, &marker, &counters, fd, dump_fd] {
      SinkWorker(options, marker, counters, fd, dump_fd).run();
    }).detach();
  }
  std::printf("listening 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  std::fputs(counters.json().c_str(), stdout);
  std::fflush(stdout);
  // The threads still use what this function owns.
  _exit(0);
}

}  // namespace
}  // namespace posthaste::bench

int main(int argc, char** argv) {
  posthaste::bench::run(posthaste::bench::read_options(argc, argv));
}
