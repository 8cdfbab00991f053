#include "transport_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <stdexcept>

#include "transport/curl_library.h"

namespace posthaste::testing {
namespace {

struct Listener {
  int socket;
  uint16_t port;
};

Listener listen_on_loopback() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket, generic, size) != 0 || ::listen(socket, 64) != 0 ||
      ::getsockname(socket, generic, &size) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  return {socket, ntohs(address.sin_port)};
}

}  // namespace

TransportFixture::TransportFixture() {
  REQUIRE(transport::CurlLibrary::acquire().ok());
  auto made = transport::make_curl_transport(clock_);
  REQUIRE(made.ok());
  transport_ = std::move(*made);
}

transport::Request TransportFixture::request(const std::string& url, std::string body) {
  bodies_.push_back(std::make_unique<StringBody>(std::move(body)));
  transport::Request request;
  request.id = next_id_++;
  request.url = url;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = bodies_.back().get();
  request.connect_timeout = 2s;
  request.request_timeout = 300ms;
  request.max_time = 10s;
  return request;
}

transport::Request TransportFixture::patient_request(const std::string& url) {
  transport::Request made = request(url);
  made.connect_timeout = made.request_timeout = made.max_time = 10s;
  return made;
}

transport::Completion TransportFixture::post(const transport::Request& request) {
  transport_->begin(request);
  auto completions = wait_for(1);
  CHECK(completions[0].id == request.id);
  return completions[0];
}

std::vector<transport::Completion> TransportFixture::wait_for(size_t count) {
  std::vector<transport::Completion> completions;
  const core::Instant end = clock_.now() + 20s;
  while (completions.size() < count && clock_.now() < end) transport_->wait(end, completions);
  REQUIRE(completions.size() == count);
  return completions;
}

std::vector<transport::Completion> TransportFixture::drive_for(core::Duration duration) {
  std::vector<transport::Completion> completions;
  const core::Instant end = clock_.now() + duration;
  while (clock_.now() < end) transport_->wait(end, completions);
  return completions;
}

RawServer::RawServer(Serve serve) {
  const Listener listener = listen_on_loopback();
  listener_ = listener.socket;
  port_ = listener.port;
  thread_ = std::thread([this, serve = std::move(serve)] {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      serve(socket);
      ::close(socket);
    }
  });
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::string RawServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::string read_request(int socket) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const size_t head_end = text.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const size_t field = text.find("Content-Length: ");
      const size_t size = field < head_end ? std::strtoul(&text[field + 16], nullptr, 10) : 0;
      if (text.size() >= head_end + 4 + size) return text;
    }
    const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
    if (count <= 0) return text;
    text.append(buffer, static_cast<size_t>(count));
  }
}

void send_text(int socket, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = ::send(socket, &text[sent], text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void wait_for_close(int socket) {
  char buffer[65536];
  while (::recv(socket, buffer, sizeof buffer, 0) > 0) {
  }
}

void reset_on_close(int socket) {
  const linger now{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

uint16_t closed_port() {
  const Listener listener = listen_on_loopback();
  ::close(listener.socket);
  return listener.port;
}

core::Duration elapsed_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::steady_clock::now() - start;
}

}  // namespace posthaste::testing
