// The listener's requests: what libmicrohttpd calls while it reads one and writes its answer.
#include <strings.h>

#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "admin/gzip.h"
#include "admin/listener.h"
#include "admin/page.h"

namespace posthaste::admin {
namespace {

using std::chrono::milliseconds;

// A body that is too large is read and thrown away up to this, so that the client sees the answer
// rather than a reset connection.
constexpr uint64_t kDrainMax = 8u << 20;
// A body beyond this takes turns with the other large ones.
constexpr uint64_t kSmallBodyMax = 32u << 10;
constexpr size_t kLoggedPathMax = 256;
constexpr char kCorsMethods[] = "GET, POST, PUT, DELETE";
constexpr char kCorsHeaders[] = "Authorization, Content-Type, X-MSYS-SUBACCOUNT";

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> texts) {
  for (const std::string_view other : texts) {
    if (text == other) return true;
  }
  return false;
}

bool is_events_path(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path == "/api/v1/events";
}

// Calls that wait for a receiver, or for much work of the disk.
bool waits(const Exchange& exchange) {
  const std::string_view path = exchange.path();
  if (exchange.mount) return exchange.method == "POST";
  if (exchange.method == "POST" || exchange.method == "PUT") {
    return path.starts_with("/api/v1/webhooks") || path.starts_with("/api/v1/dead-letters");
  }
  return exchange.method == "DELETE" && path.starts_with("/api/v1/dead-letters");
}

uint64_t declared_size(const Exchange& exchange) {
  const std::string* const text = exchange.header("Content-Length");
  uint64_t size = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), size);
  return size;
}

Answer refused_size(uint64_t limit) {
  return error_answer(413, "Request body is too large",
                      "the body may have " + std::to_string(limit) + " bytes");
}

Answer overloaded(const char* what) {
  Answer answer = error_answer(503, "Service Unavailable", what);
  answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

void free_body(void* body) {
  delete static_cast<std::string*>(body);
}

}  // namespace

void* Listener::on_request_line(void* self, const char* target, MHD_Connection* http) {
  auto* const listener = static_cast<Listener*>(self);
  try {
    auto exchange = std::make_unique<ExchangePointer>(std::make_shared<Exchange>());
    Exchange& made = **exchange;
    made.target = target;
    made.http = http;
    made.is_https = listener->settings_.has_tls();
    made.began = listener->now();
    const auto* info = MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    made.connection = static_cast<Connection*>(info->socket_context);
    made.peer = made.connection->peer;
    if (made.connection->stage == Stage::Idle) {
      ConnectionTable::enter(*made.connection, Stage::Reading, made.began);
    }
    return exchange.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

MHD_Result Listener::on_request(void* self, MHD_Connection*, const char*, const char* method,
                                const char*, const char* upload, size_t* upload_size,
                                void** state) {
  auto* const listener = static_cast<Listener*>(self);
  if (!*state || listener->is_ending_) return MHD_NO;
  const ExchangePointer exchange = *static_cast<ExchangePointer*>(*state);
  try {
    if (!exchange->was_judged) return listener->begin_request(exchange, method);
    if (*upload_size > 0) return listener->take_body(exchange, upload, upload_size);
    return listener->finish_request(exchange);
  } catch (const std::bad_alloc&) {
    return MHD_NO;
  }
}

void Listener::on_completed(void* self, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
  auto* const listener = static_cast<Listener*>(self);
  const std::unique_ptr<ExchangePointer> exchange(static_cast<ExchangePointer*>(*state));
  *state = nullptr;
  if (!exchange) return;
  Exchange& done = **exchange;
  // A worker may still have it.
  done.http = nullptr;
  listener->bodies_bytes_ -= done.connection->body_bytes;
  done.connection->body_bytes = 0;
  ConnectionTable::enter(*done.connection, Stage::Idle, listener->now());
}

void Listener::on_connection(void* self, MHD_Connection* http, void** socket_context,
                             MHD_ConnectionNotificationCode what) {
  auto* const listener = static_cast<Listener*>(self);
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    listener->arriving_->http = http;
    *socket_context = listener->arriving_;
    listener->arriving_ = nullptr;
  } else if (*socket_context) {
    listener->table_.remove(*static_cast<Connection*>(*socket_context));
    *socket_context = nullptr;
  }
}

MHD_Result Listener::on_header(void* exchange, MHD_ValueKind, const char* name, const char* value) {
  try {
    static_cast<Exchange*>(exchange)->headers.emplace_back(name, value ? value : "");
    return MHD_YES;
  } catch (const std::bad_alloc&) {
    return MHD_NO;
  }
}

// What libmicrohttpd says is about single clients: nothing that an operator must read.
void Listener::on_log(void* self, const char* format, va_list arguments) {
  char line[512];
  const int size = std::vsnprintf(line, sizeof line, format, arguments);
  if (size <= 0) return;
  line[std::min<size_t>(static_cast<size_t>(size), sizeof line) - 1] = '\0';
  posthaste_log(static_cast<Listener*>(self)->engine_, POSTHASTE_LOG_DEBUG, line);
}

MHD_Result Listener::begin_request(const ExchangePointer& exchange, const char* method) {
  exchange->was_judged = true;
  exchange->method = method;
  exchange->mount = find_mount(exchange->path());
  MHD_get_connection_values(exchange->http, MHD_HEADER_KIND, &on_header, exchange.get());
  const std::string* const coding = exchange->header("Accept-Encoding");
  exchange->accepts_gzip = settings_.has_gzip && coding && allows_gzip(*coding);
  exchange->body_bytes_max = body_limit(*exchange);
  exchange->answer = judge(*exchange);
  if (exchange->answer.status == 0) {
    const std::string* const origin = exchange->header("Origin");
    if (origin && rules_.is_listed_origin(*origin)) exchange->origin = *origin;
    judge_body_size(*exchange);
  }
  // A client that waits for leave to send its body, or would send without end, is answered now.
  const bool is_refused = exchange->answer.status != 0;
  if (is_refused && (exchange->header("Expect") || declared_size(*exchange) > kDrainMax)) {
    return send(*exchange);
  }
  return MHD_YES;
}

// Null: the path is the listener's own.
const Mount* Listener::find_mount(std::string_view path) const {
  for (const Mount& mount : settings_.mounts) {
    if (path.starts_with(mount.prefix)) return &mount;
  }
  return nullptr;
}

// Status 0: it may pass.
Answer Listener::judge(const Exchange& exchange) const {
  size_t headers_bytes = exchange.target.size();
  for (const auto& [name, value] : exchange.headers) headers_bytes += name.size() + value.size();
  if (headers_bytes > settings_.headers_bytes_max) {
    return error_answer(431, "Request Header Fields Too Large",
                        "they may have " + std::to_string(settings_.headers_bytes_max) + " bytes");
  }
  // The host gave it to everybody. Browsers send `Origin: null` from a page without a referrer.
  if (exchange.mount) return {};
  const std::string* const host = exchange.header("Host");
  if (!host || !rules_.accepts_host(*host, exchange.connection->local)) {
    return error_answer(
        403, "Forbidden",
        "the Host header names none of this server's addresses or configured hosts");
  }
  const std::string* const origin = exchange.header("Origin");
  if (origin && !HostRules::is_own_origin(*origin, *host) && !rules_.is_listed_origin(*origin)) {
    return error_answer(403, "Forbidden",
                        "the Origin header names neither this server nor a configured origin");
  }
  return {};
}

uint64_t Listener::body_limit(const Exchange& exchange) const {
  const bool is_events = exchange.method == "POST" && is_events_path(exchange.path());
  return is_events ? settings_.events_bytes_max : settings_.body_bytes_max;
}

void Listener::judge_body_size(Exchange& exchange) const {
  if (declared_size(exchange) > exchange.body_bytes_max) {
    exchange.answer = refused_size(exchange.body_bytes_max);
  }
}

MHD_Result Listener::take_body(const ExchangePointer& taker, const char* upload,
                               size_t* upload_size) {
  Exchange& exchange = *taker;
  const size_t size = *upload_size;
  *upload_size = 0;
  Connection& connection = *exchange.connection;
  judge_more_body(exchange, size);
  exchange.received_bytes += size;
  if (exchange.answer.status != 0) {
    bodies_bytes_ -= connection.body_bytes;
    connection.body_bytes = 0;
    exchange.body = std::string();
    if (exchange.received_bytes > exchange.body_bytes_max + kDrainMax) return MHD_NO;
  } else {
    exchange.body.append(upload, size);
    connection.body_bytes += size;
    bodies_bytes_ += size;
  }
  // The next chunk of a chunked body may come while it rests already.
  if (exchange.received_bytes > kSmallBodyMax && !exchange.is_resting) {
    exchange.is_resting = true;
    MHD_suspend_connection(exchange.http);
    resting_.push_back(taker);
  }
  return MHD_YES;
}

// Whether `size` bytes more may be taken; if not, the exchange has its answer.
void Listener::judge_more_body(Exchange& exchange, size_t size) {
  if (exchange.answer.status != 0) return;
  if (exchange.body.size() + size > exchange.body_bytes_max) {
    exchange.answer = refused_size(exchange.body_bytes_max);
    return;
  }
  if (bodies_bytes_ + size <= settings_.bodies_bytes_max) return;
  // Also when it is the one that grows: else who trickles the oldest would push out all others.
  Connection* const oldest = table_.oldest_with_body();
  cut(oldest);
  if (oldest && oldest != exchange.connection) {
    // It is closed in a later run of libmicrohttpd, but gone already for what counts here.
    bodies_bytes_ -= oldest->body_bytes;
    oldest->body_bytes = 0;
  }
  if (oldest == exchange.connection || bodies_bytes_ + size > settings_.bodies_bytes_max) {
    exchange.answer = overloaded("too many request bodies at once");
  }
}

MHD_Result Listener::finish_request(const ExchangePointer& exchange) {
  if (exchange->answer.status != 0) return send(*exchange);
  if (exchange->mount) return hand_over(exchange);
  if (exchange->method == "OPTIONS") {
    exchange->answer = Answer{204, {{"Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS"}}, {}};
    return send(*exchange);
  }
  const std::string_view path = exchange->path();
  if (settings_.has_page && (path == "/" || path.starts_with("/assets/"))) {
    return send_page(*exchange);
  }
  return hand_over(exchange);
}

MHD_Result Listener::hand_over(const ExchangePointer& exchange) {
  Lane& lane = waits(*exchange) ? waiting_lane_ : quick_lane_;
  // Before the hand-over: the answer may come before submit returns.
  ConnectionTable::enter(*exchange->connection, Stage::Working, now());
  MHD_suspend_connection(exchange->http);
  if (lane.submit(exchange)) return MHD_YES;
  exchange->answer = overloaded("too many requests wait");
  const std::lock_guard lock(mutex_);
  finished_.push_back(exchange);
  wake();
  return MHD_YES;
}

// On a worker's thread.
void Listener::finish_work(const ExchangePointer& exchange) {
  const HandlerCall call{engine_, static_cast<int32_t>(settings_.handler_timeout_ms),
                         settings_.has_gzip};
  answer_by_handler(call, *exchange);
  const std::lock_guard lock(mutex_);
  finished_.push_back(exchange);
  wake();
}

MHD_Result Listener::send(Exchange& exchange) {
  auto body = std::make_unique<std::string>(std::move(exchange.answer.body));
  MHD_Response* const response = MHD_create_response_from_buffer_with_free_callback_cls(
      body->size(), body->data(), &free_body, body.get());
  if (!response) return MHD_NO;
  // The response frees it.
  static_cast<void>(body.release());
  for (const auto& [name, value] : exchange.answer.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  if (!MHD_get_response_header(response, "Cache-Control")) {
    MHD_add_response_header(response, "Cache-Control", "no-store");
  }
  // What follows a large body that was not wanted is no next request.
  if (exchange.answer.status >= 400 && exchange.received_bytes > kSmallBodyMax) {
    MHD_add_response_header(response, "Connection", "close");
  }
  if (!exchange.origin.empty()) {
    MHD_add_response_header(response, "Access-Control-Allow-Origin", exchange.origin.c_str());
    MHD_add_response_header(response, "Vary", "Origin");
    if (exchange.method == "OPTIONS") {
      MHD_add_response_header(response, "Access-Control-Allow-Methods", kCorsMethods);
      MHD_add_response_header(response, "Access-Control-Allow-Headers", kCorsHeaders);
    }
  }
  return queue(exchange, exchange.answer.status, response);
}

MHD_Result Listener::send_page(Exchange& exchange) {
  const PageFile* const file = find_page_file(exchange.path());
  if (!file) {
    exchange.answer = error_answer(404, "Resource could not be found");
    return send(exchange);
  }
  if (!is_one_of(exchange.method, {"GET", "HEAD"})) {
    exchange.answer = error_answer(405, "Method Not Allowed");
    return send(exchange);
  }
  const PageAnswer answer = page_answer(*file, exchange);
  // Static bytes, which libmicrohttpd does not write to.
  MHD_Response* const response = MHD_create_response_from_buffer(
      answer.size, const_cast<unsigned char*>(answer.data), MHD_RESPMEM_PERSISTENT);
  if (!response) return MHD_NO;
  for (const auto& [name, value] : answer.headers) {
    MHD_add_response_header(response, name.c_str(), value.c_str());
  }
  return queue(exchange, answer.status, response);
}

MHD_Result Listener::queue(Exchange& exchange, int status, MHD_Response* response) {
  if (!MHD_get_response_header(response, "X-Content-Type-Options")) {
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  }
  const MHD_Result queued =
      MHD_queue_response(exchange.http, static_cast<unsigned int>(status), response);
  MHD_destroy_response(response);
  exchange.answer.status = status;
  ConnectionTable::enter(*exchange.connection, Stage::Writing, now());
  if (settings_.has_access_log) write_access_line(exchange);
  return queued;
}

void Listener::write_access_line(const Exchange& exchange) {
  const bool is_read = exchange.method == "GET" || exchange.method == "HEAD";
  const bool is_routine = is_read && exchange.answer.status < 400;
  const auto took = std::chrono::duration_cast<milliseconds>(now() - exchange.began);
  // What follows a mounted prefix may be a secret.
  const std::string path = exchange.mount ? exchange.mount->prefix + "..."
                                          : std::string(exchange.path().substr(0, kLoggedPathMax));
  const std::string line = "http: " + exchange.peer + ' ' + exchange.method + ' ' + path + ' ' +
                           std::to_string(exchange.answer.status) + ' ' +
                           std::to_string(took.count()) + " ms";
  posthaste_log(engine_, is_routine ? POSTHASTE_LOG_DEBUG : POSTHASTE_LOG_INFO, line.c_str());
}

}  // namespace posthaste::admin
