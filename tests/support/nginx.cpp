#include "nginx.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace posthaste::testing {
namespace {

using namespace std::chrono_literals;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// One that nobody listens on at the moment.
uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool is_bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(socket);
  if (!is_bound) throw std::runtime_error("no port is free");
  return ntohs(address.sin_port);
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Nginx::Nginx(const NginxOptions& options) : port_(free_port()) {
  write_configuration(options);
  start();
}

Nginx::~Nginx() {
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
}

std::string Nginx::url(const std::string& target) const {
  return "https://127.0.0.1:" + std::to_string(port_) + target;
}

void Nginx::write_configuration(const NginxOptions& options) const {
  write_pem(directory_.path(), "server", options.server);
  if (!options.client_authority_pem.empty()) {
    std::ofstream(directory_.path("clients.pem")) << options.client_authority_pem;
  }
  std::ofstream out(directory_.path("nginx.conf"));
  const std::string& path = directory_.path();
  // One process, as the user of the test.
  out << "daemon off; master_process off; pid " << path << "/pid; error_log " << path << "/log;\n"
      << "events {}\nhttp { access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    out << kind << "_temp_path " << path << "/" << kind << ";\n";
  }
  out << "server { listen 127.0.0.1:" << port_ << " ssl;\n"
      << "ssl_certificate " << path << "/server.pem; ssl_certificate_key " << path
      << "/server.key;\n";
  if (!options.client_authority_pem.empty()) {
    out << "ssl_client_certificate " << path << "/clients.pem; ssl_verify_client on;\n";
  }
  out << "location / { proxy_pass http://127.0.0.1:" << options.upstream_port << ";\n"
      << "proxy_set_header X-Client-Name $ssl_client_s_dn; } } }\n";
}

void Nginx::start() {
  const std::string configuration = directory_.path("nginx.conf");
  const std::string log = directory_.path("log");
  // Debian has it where only root looks.
  std::string program = "/usr/sbin/nginx";
  std::string arguments[] = {program, "-p", directory_.path(), "-e", log, "-c", configuration};
  char* argv[] = {
      arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(),
      arguments[4].data(), arguments[5].data(), arguments[6].data(), nullptr};
  if (::posix_spawn(&process_, program.c_str(), nullptr, nullptr, argv, environ) != 0) {
    throw std::runtime_error("nginx is not installed; scripts/test.sh installs it");
  }
  for (const auto end = std::chrono::steady_clock::now() + 20s; !is_listening();) {
    const bool has_ended = ::waitpid(process_, nullptr, WNOHANG) == process_;
    if (has_ended || std::chrono::steady_clock::now() > end) {
      if (!has_ended) ::kill(process_, SIGKILL);
      throw std::runtime_error("nginx does not start: " + text_of(log));
    }
    std::this_thread::sleep_for(10ms);
  }
}

bool Nginx::is_listening() const {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  const bool is_connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return is_connected;
}

}  // namespace posthaste::testing
