// What the transport's tests share: a transport with short time-outs, bodies, and a server that
// sends and receives bare bytes where the receiver would be too well-behaved.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "platform/clock.h"
#include "transport/curl_transport.h"
#include "transport/transport.h"

namespace posthaste::testing {

using namespace std::chrono_literals;

// A body of one string. Threads: one at a time.
class StringBody final : public transport::BodySource {
 public:
  explicit StringBody(std::string text) : text_(std::move(text)) {}
  uint64_t size_bytes() const override { return text_.size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    const size_t size = std::min(room, text_.size() - static_cast<size_t>(offset));
    std::memcpy(out, text_.data() + offset, size);
    return size;
  }

 private:
  std::string text_;
};

// A transport and the requests made with it. Threads: one at a time, wake() of the transport
// excepted.
class TransportFixture {
 public:
  TransportFixture();

  transport::Transport& transport() { return *transport_; }
  // Drops the transport, whatever runs.
  void destroy_transport() { transport_.reset(); }

  // A request with a body of its own, 300 ms time-outs and the next free id.
  transport::Request request(const std::string& url, std::string body = R"([{"msys":{}}])");
  // The same with time-outs that only a broken test meets.
  transport::Request patient_request(const std::string& url);
  transport::Completion post(const transport::Request& request);
  transport::Completion post(const std::string& url) { return post(request(url)); }
  // Everything begun ends within 20 s, or the test fails.
  std::vector<transport::Completion> wait_for(size_t count);
  // Drives the transfers for that long and returns what completed.
  std::vector<transport::Completion> drive_for(core::Duration duration);
  core::Instant now() const { return clock_.now(); }

 private:
  platform::SystemClock clock_;
  std::unique_ptr<transport::Transport> transport_;
  std::vector<std::unique_ptr<StringBody>> bodies_;
  uint64_t next_id_ = 1;
};

// A listener on loopback that hands each connection to a function on one thread, in order of
// arrival, and closes it when that returns. Owns its thread and sockets.
class RawServer {
 public:
  using Serve = std::function<void(int socket)>;

  explicit RawServer(Serve serve);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string url(const std::string& path = "/hook") const;
  uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;
};

// Reads until `size` bytes followed the head, or the peer has closed. Returns all bytes read.
std::string read_request(int socket);
void send_text(int socket, const std::string& text);
// Waits until the peer has closed.
void wait_for_close(int socket);
// Makes the next close send a reset.
void reset_on_close(int socket);
// A port on which nothing listens.
uint16_t closed_port();

core::Duration elapsed_since(std::chrono::steady_clock::time_point start);

}  // namespace posthaste::testing
