// An HTTP server by libmicrohttpd with a thread for each connection, so that an answer that does
// not come holds up nobody else.
#include "cli/sink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>

#include "cli/body_decoding.h"
#include "cli/console.h"

namespace posthaste::cli {
namespace {

constexpr size_t kBodyMax = size_t{64} << 20;      // as it is sent
constexpr size_t kDecodedMax = size_t{256} << 20;  // bounds what a small body can unfold to
constexpr unsigned kConnectionsMax = 512;
constexpr unsigned kIdleSeconds = 120;

// One request while it arrives.
struct Arriving {
  std::string body;
  bool is_too_large = false;
};

// Purpose: the server's handler and what it needs. Ownership: run_sink, which outlives the daemon.
// Threads: take is called on connection threads.
class Sink {
 public:
  Sink(const SinkOptions& options, int stop_fd)
      : options_(options), stop_fd_(stop_fd), rules_(options.rules), report_(options.output) {}

  MHD_Result take(MHD_Connection* connection, const char* path, const char* method,
                  const Arriving& arriving);
  void print_summary() { report_.print_summary(); }

 private:
  int judge(SinkRequest& request, std::string_view sent);
  const char* check_token(const SinkRequest& request) const;
  MHD_Result answer(MHD_Connection* connection, int status, const SinkRule& rule) const;
  void wait_for_hang_up(MHD_Connection* connection, uint64_t for_ms) const;

  const SinkOptions& options_;
  const int stop_fd_;
  SinkRules rules_;
  SinkReport report_;
};

std::string header(const SinkRequest& request, const char* name) {
  for (const auto& [key, value] : request.headers) {
    if (strcasecmp(key.c_str(), name) == 0) return value;
  }
  return {};
}

MHD_Result keep_header(void* user_data, MHD_ValueKind, const char* name, const char* value) {
  static_cast<SinkRequest*>(user_data)->headers.emplace_back(name, value ? value : "");
  return MHD_YES;
}

int socket_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

std::string peer_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (!info || !info->client_addr) return "?";
  char text[INET6_ADDRSTRLEN] = "?";
  if (info->client_addr->sa_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, info->client_addr, sizeof address);
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(address.sin6_port));
  }
  sockaddr_in address{};
  std::memcpy(&address, info->client_addr, sizeof address);
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

// Sends a reset at once, which closing does not while the library holds the socket.
void reset(MHD_Connection* connection) {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  ::connect(socket_of(connection), &none, sizeof none);
}

const char* Sink::check_token(const SinkRequest& request) const {
  if (options_.token.empty()) return "";
  const std::string token = header(request, options_.token_header.c_str());
  if (token.empty()) return "missing";
  const bool fits = token.size() == options_.token.size() &&
                    CRYPTO_memcmp(token.data(), options_.token.data(), token.size()) == 0;
  return fits ? "ok" : "wrong";
}

// The status that the request itself asks for.
int Sink::judge(SinkRequest& request, std::string_view sent) {
  if (request.method != "POST") return 405;
  request.token = check_token(request);
  request.coding = header(request, "Content-Encoding");
  const auto body = decode_body(request.coding, sent, kDecodedMax);
  if (!body) {
    request.problem = body.error().message;
    return body.code() == core::ErrorCode::Unsupported ? 415 : 400;
  }
  request.body_bytes = body->size();
  if (!options_.keys.empty()) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const SignatureHeaders headers{header(request, "webhook-id"),
                                   header(request, "webhook-timestamp"),
                                   header(request, "webhook-signature")};
    request.signature = signature_state_name(
        check_signature(options_.keys, headers, *body,
                        std::chrono::duration_cast<std::chrono::seconds>(now).count()));
  }
  auto content = read_batch(*body, options_.events_shown);
  if (content) {
    request.content = std::move(*content);
  } else {
    request.problem = content.error().message;
  }
  const bool is_signed = !*request.signature || std::strcmp(request.signature, "valid") == 0;
  const bool is_known = !*request.token || std::strcmp(request.token, "ok") == 0;
  if (!is_signed || !is_known) return 401;
  return request.problem.empty() ? 200 : 400;
}

MHD_Result Sink::answer(MHD_Connection* connection, int status, const SinkRule& rule) const {
  MHD_Response* response = MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
  if (!response) return MHD_NO;
  if (status == 405) MHD_add_response_header(response, "Allow", "POST");
  if (rule.retry_after) {
    MHD_add_response_header(response, "Retry-After", std::to_string(*rule.retry_after).c_str());
  }
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(status), response);
  MHD_destroy_response(response);
  return result;
}

void Sink::wait_for_hang_up(MHD_Connection* connection, uint64_t for_ms) const {
  pollfd ends[] = {{socket_of(connection), POLLRDHUP, 0}, {stop_fd_, POLLIN, 0}};
  constexpr uint64_t kLongest = 1u << 30;
  const auto wait_ms = static_cast<int>(std::min(for_ms, kLongest));
  while (::poll(ends, 2, for_ms == 0 ? -1 : wait_ms) < 0 && errno == EINTR) {
  }
}

MHD_Result Sink::take(MHD_Connection* connection, const char* path, const char* method,
                      const Arriving& arriving) {
  SinkRequest request;
  request.method = method;
  request.path = path;
  request.peer = peer_of(connection);
  MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, &request);
  request.sent_bytes = arriving.body.size();
  request.batch_id = header(request, "X-MessageSystems-Batch-ID");
  if (request.batch_id.empty()) request.batch_id = header(request, "webhook-id");
  int status = 413;
  if (arriving.is_too_large) {
    request.problem = "the body is larger than 64 MiB";
  } else {
    status = judge(request, arriving.body);
  }
  const SinkRule rule = rules_.decide(request.sent_bytes);
  const bool is_timeout = rule.answer == SinkRule::Answer::Timeout;
  if (rule.answer == SinkRule::Answer::Reset) {
    request.answer = "reset";
  } else if (is_timeout && rule.for_ms == 0) {
    request.answer = "timeout";
  } else {
    if (status == 200) status = rule.status;
    request.answer = std::to_string(status);
    request.is_accepted = status < 300;
  }
  report_.take(request);
  if (rule.answer == SinkRule::Answer::Reset) {
    reset(connection);
    return MHD_NO;
  }
  if (is_timeout) wait_for_hang_up(connection, rule.for_ms);
  return is_timeout && rule.for_ms == 0 ? MHD_NO : answer(connection, status, rule);
}

// Called once for the head, for each piece of the body, and at the end.
MHD_Result on_request(void* user_data, MHD_Connection* connection, const char* path,
                      const char* method, const char*, const char* data, size_t* size,
                      void** state) {
  if (!*state) {
    *state = new Arriving;
    return MHD_YES;
  }
  auto& arriving = *static_cast<Arriving*>(*state);
  if (*size > 0) {
    if (arriving.body.size() + *size > kBodyMax) arriving.is_too_large = true;
    if (!arriving.is_too_large) arriving.body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  return static_cast<Sink*>(user_data)->take(connection, path, method, arriving);
}

void on_completed(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
  delete static_cast<Arriving*>(*state);
  *state = nullptr;
}

struct DaemonStop {
  void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
};

// A pipe that is readable once the server is to stop.
struct StopPipe {
  int ends[2] = {-1, -1};

  StopPipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) ends[0] = ends[1] = -1;
  }
  void stop() {
    ::close(ends[1]);  // the end of the pipe is readable for all who wait
    ends[1] = -1;
  }
  ~StopPipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
  StopPipe(const StopPipe&) = delete;
  StopPipe& operator=(const StopPipe&) = delete;
};

void print_listening(const SinkOptions& options, uint16_t port) {
  const std::string url = options.listen.url(port);
  const bool is_json = options.output == SinkOutput::Json;
  print_line(is_json ? "{\"listening\":\"" + url + "\"}" : "listening on " + url);
  std::fflush(stdout);
}

}  // namespace

Exit run_sink(const SinkOptions& options) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  // Before any thread exists: all inherit it, and a script may send one as soon as it reads the
  // first line.
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  StopPipe stop;
  if (stop.ends[0] < 0) return fail(Exit::Failed, "cannot make a pipe");
  Sink sink(options, stop.ends[0]);
  unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
  if (options.listen.address.ss_family == AF_INET6) flags |= MHD_USE_IPv6;
  std::unique_ptr<MHD_Daemon, DaemonStop> daemon(
      MHD_start_daemon(flags, options.listen.port, nullptr, nullptr, on_request, &sink,
                       MHD_OPTION_SOCK_ADDR, &options.listen.address, MHD_OPTION_NOTIFY_COMPLETED,
                       on_completed, nullptr, MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax,
                       MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_END));
  if (!daemon) {
    return fail(Exit::Failed, "cannot listen on " + options.listen.host + " port " +
                                  std::to_string(options.listen.port) + ": " +
                                  std::strerror(errno));
  }
  const MHD_DaemonInfo* bound = MHD_get_daemon_info(daemon.get(), MHD_DAEMON_INFO_BIND_PORT);
  print_listening(options, bound ? bound->port : options.listen.port);
  int number = 0;
  sigwait(&ending, &number);
  stop.stop();
  daemon.reset();
  sink.print_summary();
  return Exit::Ok;
}

}  // namespace posthaste::cli
