#include "admin/listener.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "platform/fork_guard.h"

namespace posthaste::admin {
namespace {

using std::chrono::milliseconds;

// Connections accepted in one turn, so that those that are open get their turn too.
constexpr int kAcceptsPerTurn = 16;
// Connections that read on in large bodies in one turn: senders of such, however many, make a turn
// longer by no more than this.
constexpr int kBodiesPerTurn = 1;
// Cut connections that libmicrohttpd has not closed yet.
constexpr unsigned int kLeavingMax = 64;
// How often the loop looks for what is overdue.
constexpr milliseconds kLookInterval{250};
// Beyond what the header fields may take: the pool also holds the request line and the answer's
// header.
constexpr uint64_t kPoolExtra = 16u << 10;
// What a request line or header field may grow by in one turn.
constexpr size_t kReadIncrement = 4096;
// Certificates and keys.
constexpr std::streamsize kPemSizeMax = 1 << 20;

core::Result<std::string> read_pem(const std::string& path, const char* key) {
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<size_t>(kPemSizeMax), '\0');
  file.read(text.data(), kPemSizeMax);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.empty()) {
    return {core::ErrorCode::System, std::string(key) + ": cannot read " + path, key};
  }
  return text;
}

// A child forked in the middle finds -1 rather than a number that stands for something else by now.
void close_once(int& fd) {
  if (const int old = std::exchange(fd, -1); old >= 0) close(old);
}

std::string url_text(const Settings& settings, uint16_t port) {
  const std::string& host = settings.listen.host;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return std::string(settings.has_tls() ? "https://" : "http://") +
         (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace

Listener::Listener(posthaste_t* engine, Settings settings)
    : engine_(engine),
      settings_(std::move(settings)),
      rules_(settings_.hosts, settings_.origins),
      quick_lane_("posthaste-api", settings_.quick_threads, settings_.queue_max,
                  [this](const ExchangePointer& exchange) { finish_work(exchange); }),
      waiting_lane_("posthaste-wait", settings_.waiting_threads, settings_.queue_max,
                    [this](const ExchangePointer& exchange) { finish_work(exchange); }) {}

Listener::~Listener() {
  static_cast<void>(stop({}));
  quick_lane_.stop();
  waiting_lane_.stop();
  close_descriptors();
}

bool Listener::is_forked() const {
  return generation_ != platform::fork_generation();
}

// The copy of the port would keep it open when the parent ends without a stop.
void Listener::leave_to_parent() {
  close_once(socket_.fd);
}

core::Result<> Listener::start() {
  if (auto guarded = platform::install_fork_guard(); !guarded) return guarded;
  generation_ = platform::fork_generation();
  if (auto opened = open(); !opened) return opened;
  if (auto started = start_daemon(); !started) return started;
  return start_threads();
}

core::Result<> Listener::open() {
  if (settings_.has_tls()) {
    auto certificate = read_pem(settings_.tls_certificate_file, "tls.certificate");
    if (!certificate) return certificate.error();
    auto key = read_pem(settings_.tls_key_file, "tls.key");
    if (!key) return key.error();
    certificate_ = std::move(*certificate);
    key_ = std::move(*key);
  }
  auto listening = listen_at(settings_.listen);
  if (!listening) return listening.error();
  socket_ = *listening;
  url_ = url_text(settings_, socket_.port);
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_fd_ < 0 || wake_fd_ < 0) {
    return {core::ErrorCode::System, std::string("epoll: ") + strerrordesc_np(errno)};
  }
  return {};
}

core::Result<> Listener::start_daemon() {
  unsigned int flags =
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  std::vector<MHD_OptionItem> tls;
  if (settings_.has_tls()) {
    flags |= MHD_USE_TLS;
    tls.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, certificate_.data()});
    tls.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, key_.data()});
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    tls.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, priorities});
  }
  tls.push_back({MHD_OPTION_END, 0, nullptr});
  daemon_ = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &on_request, this, MHD_OPTION_EXTERNAL_LOGGER, &on_log, this,
      MHD_OPTION_URI_LOG_CALLBACK, &on_request_line, this, MHD_OPTION_NOTIFY_COMPLETED,
      &on_completed, this, MHD_OPTION_NOTIFY_CONNECTION, &on_connection, this,
      MHD_OPTION_CONNECTION_LIMIT,
      static_cast<unsigned int>(settings_.connections_max) + kLeavingMax,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      static_cast<size_t>(settings_.headers_bytes_max + kPoolExtra), MHD_OPTION_CONNECTION_TIMEOUT,
      0u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      // Our threads block SIGPIPE.
      MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls.data(), MHD_OPTION_END);
  if (!daemon_) {
    const char* const what = settings_.has_tls()
                                 ? "tls.certificate and tls.key do not fit, or no memory"
                                 : "libmicrohttpd did not start";
    return {core::ErrorCode::System, what, settings_.has_tls() ? "tls.certificate" : ""};
  }
  const MHD_DaemonInfo* const info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  for (const int fd : {info->epoll_fd, socket_.fd, wake_fd_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return {core::ErrorCode::System, std::string("epoll: ") + strerrordesc_np(errno)};
    }
  }
  return {};
}

core::Result<> Listener::start_threads() {
  // GnuTLS has a destructor of its own that exit runs.
  if (auto installed = platform::ExitGuard::install(); !installed) return installed;
  if (auto started = quick_lane_.start(); !started) return started;
  if (auto started = waiting_lane_.start(); !started) return started;
  auto thread = platform::Thread::start("posthaste-http", [this] { run(); });
  if (!thread) return thread.error();
  thread_ = std::move(*thread);
  return {};
}

void Listener::close_descriptors() {
  if (daemon_) MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
  close_once(socket_.fd);
  close_once(wake_fd_);
  close_once(epoll_fd_);
}

void Listener::wake() {
  const uint64_t one = 1;
  // Full means that it is readable already.
  if (write(wake_fd_, &one, sizeof one) < 0) return;
}

core::Result<> Listener::stop(core::Duration limit) {
  std::unique_lock lock(mutex_);
  if (!thread_.is_joinable()) return {};
  stop_deadline_ = std::min(stop_deadline_, now() + limit);
  is_stopping_.store(true, std::memory_order_release);
  wake();
  ended_.wait(lock, [this] { return has_ended_; });
  if (thread_.is_joinable()) thread_.join();
  if (had_to_cut_) return {core::ErrorCode::Timeout, "a request was cut"};
  return {};
}

void Listener::run() {
  platform::ExitGuard guard([this] { wake(); });
  while (!is_done_stopping()) {
    guard.park_if_exiting();
    turn();
  }
  // Suspended connections must not be left when libmicrohttpd stops, nor come anew.
  is_ending_ = true;
  for (Connection* connection : table_.in_stage(Stage::Working)) {
    MHD_resume_connection(connection->http);
  }
  while (!resting_.empty()) wake_resting();
  MHD_run(daemon_);
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  ended_.notify_all();
}

int Listener::wait_ms() const {
  if (!resting_.empty()) return 0;
  MHD_UNSIGNED_LONG_LONG limit_ms = 0;
  const auto look_ms = static_cast<int>(kLookInterval.count());
  if (MHD_get_timeout(daemon_, &limit_ms) != MHD_YES) return look_ms;
  return static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(limit_ms, kLookInterval.count()));
}

void Listener::turn() {
  epoll_event events[3];
  const int count = epoll_wait(epoll_fd_, events, static_cast<int>(std::size(events)), wait_ms());
  for (int i = 0; i < count; ++i) {
    uint64_t unused = 0;
    if (events[i].data.fd == wake_fd_ && read(wake_fd_, &unused, sizeof unused) < 0) continue;
    if (events[i].data.fd == socket_.fd) accept_some();
  }
  take_finished();
  wake_resting();
  MHD_run(daemon_);
  if (now() >= next_look_) {
    next_look_ = now() + kLookInterval;
    cut_overdue();
  }
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && table_.leaving_count() < kLeavingMax; ++i) {
    if (!accept_one()) return;
  }
}

bool Listener::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int fd = accept4(socket_.fd, reinterpret_cast<sockaddr*>(&address), &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    // Out of descriptors: one connection less makes room for the next turn's.
    if (errno == EMFILE || errno == ENFILE) cut(table_.oldest_incomplete());
    return false;
  }
  Connection arrived;
  arrived.fd = fd;
  arrived.peer = address_text(address);
  arrived.peer_group = peer_group_of(arrived.peer);
  arrived.local = local_address_text(fd);
  arrived.since = now();
  make_room(arrived.peer_group);
  arriving_ = &table_.add(std::move(arrived));
  const MHD_Result added =
      MHD_add_connection(daemon_, fd, reinterpret_cast<sockaddr*>(&address), size);
  // Refused before the callback took it; the descriptor is closed.
  if (added != MHD_YES && arriving_) table_.remove(*arriving_);
  arriving_ = nullptr;
  return true;
}

void Listener::make_room(const std::string& peer_group) {
  if (table_.count_of(peer_group) >= settings_.connections_per_address_max) {
    cut(table_.oldest_incomplete_of(peer_group));
  }
  if (table_.count() >= settings_.connections_max) cut(table_.oldest_incomplete());
}

void Listener::cut(Connection* connection) {
  if (!connection) return;
  // libmicrohttpd sees the end and closes it in the next run.
  shutdown(connection->fd, SHUT_RDWR);
  table_.mark_leaving(*connection);
}

void Listener::cut_overdue() {
  const ConnectionTable::Limits limits{milliseconds(settings_.idle_timeout_ms),
                                       milliseconds(settings_.request_timeout_ms)};
  for (Connection* connection : table_.overdue(now(), limits)) cut(connection);
}

bool Listener::is_done_stopping() {
  if (!is_stopping_.load(std::memory_order_acquire)) return false;
  if (!is_closing_) {
    is_closing_ = true;
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, socket_.fd, nullptr);
    // A forked child may hold a copy, which would keep the port open.
    shutdown(socket_.fd, SHUT_RDWR);
    close_once(socket_.fd);
  }
  for (const Stage stage : {Stage::Idle, Stage::Reading}) {
    for (Connection* connection : table_.in_stage(stage)) cut(connection);
  }
  const bool is_quiet =
      table_.in_stage(Stage::Working).empty() && table_.in_stage(Stage::Writing).empty();
  const std::lock_guard lock(mutex_);
  if (is_quiet) return true;
  had_to_cut_ = now() >= stop_deadline_;
  return had_to_cut_;
}

void Listener::take_finished() {
  std::vector<ExchangePointer> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const ExchangePointer& exchange : finished) {
    if (exchange->http) MHD_resume_connection(exchange->http);
  }
}

void Listener::wake_resting() {
  for (int i = 0; i < kBodiesPerTurn && !resting_.empty(); ++i) {
    Exchange& exchange = *resting_.front();
    exchange.is_resting = false;
    if (exchange.http) MHD_resume_connection(exchange.http);
    resting_.pop_front();
  }
}

}  // namespace posthaste::admin
