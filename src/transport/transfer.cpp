#include "transport/transfer.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>

#include "core/wipe.h"
#include "platform/exit_guard.h"
#include "transport/connection_socket.h"
#include "transport/proxy.h"
#include "transport/target.h"

namespace posthaste::transport {
namespace {

// The smallest buffer of a running upload; 16 KiB for large bodies would halve the throughput.
constexpr uint64_t kUploadBufferBytesMin = 16u << 10;

constexpr long kKeepAliveIdleSeconds = 60;
constexpr long kKeepAliveIntervalSeconds = 15;

core::Instant add(core::Instant start, core::Duration duration) {
  return duration > core::kNever - start ? core::kNever : start + duration;
}

int64_t to_ms(core::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool is_named(const HeaderField& header, const char* name) {
  return strcasecmp(header.name.c_str(), name) == 0;
}

long curl_version_of(core::TlsVersion version) {
  switch (version) {
    case core::TlsVersion::V1_0:
      return CURL_SSLVERSION_TLSv1_0;
    case core::TlsVersion::V1_1:
      return CURL_SSLVERSION_TLSv1_1;
    case core::TlsVersion::V1_2:
      return CURL_SSLVERSION_TLSv1_2;
    case core::TlsVersion::V1_3:
      return CURL_SSLVERSION_TLSv1_3;
  }
  return CURL_SSLVERSION_TLSv1_2;
}

// Nothing for another family.
std::optional<core::Address> address_of(const curl_sockaddr& from, uint16_t& port) {
  core::Address address = core::Address::v4(0);
  if (from.family == AF_INET && from.addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in to{};
    std::memcpy(&to, &from.addr, sizeof to);
    port = ntohs(to.sin_port);
    return core::Address::v4(ntohl(to.sin_addr.s_addr));
  }
  if (from.family == AF_INET6 && from.addrlen >= sizeof(sockaddr_in6)) {
    sockaddr_in6 to{};
    std::memcpy(&to, &from.addr, sizeof to);
    port = ntohs(to.sin6_port);
    std::memcpy(address.bytes.data(), &to.sin6_addr, address.bytes.size());
    return address;
  }
  return std::nullopt;
}

// libcurl keeps connections by the certificate's file alone, so another key or password for it
// becomes another path to the same file: a digest of them, a bit for each step that is `/` or `/.`
// (docs/decisions/0011).
std::string certificate_path(const ConnectionOptions& options) {
  if (options.client_key.empty() && options.key_password.empty()) return options.client_cert;
  uint64_t digest = std::hash<std::string>()(options.client_key + '\n' + options.key_password);
  const size_t slash = options.client_cert.rfind('/');
  const bool is_relative = slash == std::string::npos;
  std::string path = is_relative ? "." : options.client_cert.substr(0, slash);
  for (; digest != 0; digest >>= 1) path += (digest & 1) != 0 ? "/." : "/";
  return path + "/" + options.client_cert.substr(is_relative ? 0 : slash + 1);
}

// One line without control characters, for texts that come from libcurl.
std::string one_line(const char* text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return line;
}

}  // namespace

std::unique_ptr<Transfer> Transfer::make(const platform::Clock& clock,
                                         ResolverLimit& resolver_limit) {
  CURL* easy = curl_easy_init();
  if (easy == nullptr) return nullptr;
  return std::unique_ptr<Transfer>(new Transfer(easy, clock, resolver_limit));
}

Transfer::~Transfer() {
  // forget() took it away, and without it libcurl touches the host's action of SIGPIPE here.
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_cleanup(easy_);
}

template <typename Value>
void Transfer::set(CURLoption option, Value value) {
  if (curl_easy_setopt(easy_, option, value) != CURLE_OK) are_options_set_ = false;
}

bool Transfer::prepare(const Request& request, core::Instant now,
                       uint64_t upload_buffer_bytes_max) {
  id_ = request.id;
  body_ = request.body;
  body_size_bytes_ = request.body->size_bytes();
  read_offset_ = 0;
  is_https_ = strncasecmp(request.url.c_str(), "https:", 6) == 0;
  proxy_ = proxy_of(request.connection, request.url);
  is_host_literal_ = proxy_.empty() && is_address_literal_url(request.url);
  connect_timeout_ = request.connect_timeout;
  request_timeout_ = request.request_timeout;
  max_time_ = request.max_time;
  begun_at_ = connecting_since_ = progress_at_ = now;
  stage_ = Stage::Started;
  has_connected_ = is_resolution_refused_ = has_upload_begun_ = false;
  open_socket_error_ = 0;
  uploaded_bytes_ = 0;
  addresses_ = request.addresses;
  refusal_.clear();
  has_opened_socket_ = false;
  hidden_address_ = proxy_.empty() ? std::nullopt : address_of_url(request.url);
  response_.reset(request.keep_response, request.kept_body_bytes_max);

  are_options_set_ = true;
  set_callbacks();
  set_connection(request);
  set_headers(request);
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_size_bytes_));
  set(CURLOPT_UPLOAD_BUFFERSIZE,
      static_cast<long>(
          std::clamp(body_size_bytes_, kUploadBufferBytesMin, upload_buffer_bytes_max)));
  return are_options_set_;
}

void Transfer::set_callbacks() {
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_text_));
  set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &close_connection_socket);
  set(CURLOPT_RESOLVER_START_FUNCTION, &on_resolver_start);
  set(CURLOPT_RESOLVER_START_DATA, this);
  set(CURLOPT_SSL_CTX_FUNCTION, &on_handshake);
  set(CURLOPT_SSL_CTX_DATA, this);
  set(CURLOPT_PREREQFUNCTION, &on_connected);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_READFUNCTION, &on_read);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_SEEKFUNCTION, &on_seek);
  set(CURLOPT_SEEKDATA, this);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, this);
  set(CURLOPT_HEADERFUNCTION, &on_head);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, this);
}

void Transfer::set_connection(const Request& request) {
  const ConnectionOptions& options = request.connection;
  set(CURLOPT_NOSIGNAL, 1L);
  // Without it a transfer that ends while a name is being resolved waits for the resolver, and with
  // it all others.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  // The time-out is ours; libcurl must know it too, to leave time for the second address when the
  // first is mute.
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<int64_t>(1, to_ms(connect_timeout_))));
  set_proxy(options);
  if (!options.keep_alive) {
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
  }
  set(CURLOPT_SSLVERSION, curl_version_of(options.tls_min_version));
  // OpenSSL 3 speaks the old versions below its usual level of security only.
  if (options.tls_min_version < core::TlsVersion::V1_2) {
    set(CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
  }
  if (!options.tls_verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!options.ca_file.empty()) {
    set(CURLOPT_CAINFO, options.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!options.client_cert.empty()) {
    set(CURLOPT_SSLCERT, certificate_path(options).c_str());
    if (!options.client_key.empty()) set(CURLOPT_SSLKEY, options.client_key.c_str());
    if (!options.key_password.empty()) set(CURLOPT_KEYPASSWD, options.key_password.c_str());
  }
}

// Both are always given: what is not, libcurl takes from the environment.
void Transfer::set_proxy(const ConnectionOptions& options) {
  set(CURLOPT_PROXY, proxy_.c_str());
  set(CURLOPT_NOPROXY, "");
  if (proxy_.empty() || options.ca_file.empty()) return;
  set(CURLOPT_PROXY_CAINFO, options.ca_file.c_str());
  set(CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
}

// libcurl adds Host and Content-Length; an entry without a value takes a header of its own away.
void Transfer::set_headers(const Request& request) {
  header_text_.clear();
  header_offsets_.clear();
  const auto is_given = [&request](const char* name) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [name](const HeaderField& header) { return is_named(header, name); });
  };
  for (const HeaderField& header : request.headers) add_header_line(header.name, header.value);
  if (!request.connection.keep_alive) add_header_line("Connection", "close");
  for (const char* name : {"Accept", "Content-Type", "Expect"}) {
    if (is_given(name)) continue;
    header_offsets_.push_back(header_text_.size());
    header_text_.append(name).append(1, ':').append(1, '\0');
  }
  header_nodes_.resize(header_offsets_.size());
  for (size_t i = 0; i < header_nodes_.size(); ++i) {
    header_nodes_[i].data = header_text_.data() + header_offsets_[i];
    header_nodes_[i].next = i + 1 < header_nodes_.size() ? &header_nodes_[i + 1] : nullptr;
  }
  set(CURLOPT_HTTPHEADER, header_nodes_.data());
}

void Transfer::add_header_line(const std::string& name, const std::string& value) {
  header_offsets_.push_back(header_text_.size());
  header_text_.append(name);
  // CURLOPT_HTTPHEADER: a header that is to be sent without a value ends with a semicolon.
  if (value.find_first_not_of(" \t") == std::string::npos) {
    header_text_.append(1, ';');
  } else {
    header_text_.append(": ").append(value);
  }
  header_text_.append(1, '\0');
}

core::Instant Transfer::deadline() const {
  const core::Instant whole = add(begun_at_, max_time_);
  if (stage_ == Stage::Connected) return std::min(whole, add(progress_at_, request_timeout_));
  return std::min(whole, add(connecting_since_, connect_timeout_));
}

// libcurl connects anew when a kept connection turns out to be dead: the time to connect starts
// again.
void Transfer::enter_connecting(Stage stage) {
  if (stage_ == Stage::Connected) connecting_since_ = clock_.now();
  stage_ = stage;
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype /*purpose*/,
                                       curl_sockaddr* address) {
  platform::ExitGuard::park_this_thread_if_exiting();
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.enter_connecting(Stage::Connecting);
  uint16_t port = 0;
  const auto remote = address_of(*address, port);
  if (!transfer.may_use(remote, port)) return CURL_SOCKET_BAD;
  const curl_socket_t socket = open_connection_socket(*address);
  transfer.has_opened_socket_ = true;
  if (socket == CURL_SOCKET_BAD) transfer.open_socket_error_ = errno;
  return socket;
}

bool Transfer::may_use(const std::optional<core::Address>& address, uint16_t port) {
  if (!addresses_) return true;
  const std::optional<std::string> refusal =
      !address          ? "the address is not of the Internet Protocol"
      : !proxy_.empty() ? refusal_behind_proxy(*address, port)
                        : addresses_->refusal(*address, port);
  if (refusal) refusal_ = *refusal;
  return !refusal;
}

// The proxy connects to the target where nobody can look.
std::optional<std::string> Transfer::refusal_behind_proxy(const core::Address& proxy,
                                                          uint16_t port) const {
  if (addresses_->is_restrictive()) {
    return "the target is behind a proxy, where the keys address.* cannot be applied";
  }
  if (hidden_address_) {
    if (auto refusal = addresses_->refusal(*hidden_address_, port)) return refusal;
  }
  return addresses_->refusal(proxy, port);
}

// Called only for names that libcurl has not in its cache, and for address literals.
int Transfer::on_resolver_start(void* /*resolver*/, void* /*reserved*/, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.enter_connecting(Stage::Resolving);
  if (transfer.is_host_literal_ || !transfer.resolver_limit_.is_reached(transfer.clock_.now())) {
    return 0;
  }
  transfer.is_resolution_refused_ = true;
  return 1;
}

// The TCP connection stands and TLS begins.
CURLcode Transfer::on_handshake(CURL* /*easy*/, void* /*context*/, void* self) {
  platform::ExitGuard::park_this_thread_if_exiting();
  static_cast<Transfer*>(self)->stage_ = Stage::Handshaking;
  return CURLE_OK;
}

// The connection stands, TLS included, and the request is about to be sent, for the first time or
// again.
int Transfer::on_connected(void* self, char* remote, char* /*local*/, int remote_port,
                           int /*local_port*/) {
  auto& transfer = *static_cast<Transfer*>(self);
  // A connection may have been kept since before the policy changed.
  if (!transfer.may_use(core::Address::parse(remote), static_cast<uint16_t>(remote_port))) {
    curl_easy_setopt(transfer.easy_, CURLOPT_FORBID_REUSE, 1L);
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.stage_ = Stage::Connected;
  transfer.has_connected_ = true;
  transfer.progress_at_ = transfer.clock_.now();
  transfer.uploaded_bytes_ = 0;
  transfer.read_offset_ = 0;
  return CURL_PREREQFUNC_OK;
}

size_t Transfer::on_read(char* out, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const uint64_t left = transfer.body_size_bytes_ - transfer.read_offset_;
  if (left == 0) return 0;
  const size_t room = static_cast<size_t>(std::min<uint64_t>(size * count, left));
  const size_t read = transfer.body_->read(transfer.read_offset_, out, room);
  // A body shorter than announced would leave the receiver waiting for the rest.
  if (read == 0 || read > room) return CURL_READFUNC_ABORT;
  transfer.read_offset_ += read;
  return read;
}

int Transfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  if (static_cast<uint64_t>(offset) > transfer.body_size_bytes_) return CURL_SEEKFUNC_FAIL;
  transfer.read_offset_ = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int Transfer::on_progress(void* self, curl_off_t /*download_size*/, curl_off_t /*downloaded*/,
                          curl_off_t /*upload_size*/, curl_off_t uploaded) {
  platform::ExitGuard::park_this_thread_if_exiting();
  auto& transfer = *static_cast<Transfer*>(self);
  if (uploaded != transfer.uploaded_bytes_) {
    transfer.uploaded_bytes_ = uploaded;
    if (uploaded > 0) transfer.has_upload_begun_ = true;
    transfer.progress_at_ = transfer.clock_.now();
  }
  return 0;
}

size_t Transfer::on_head(char* line, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto verdict = transfer.response_.take_head_line({line, size * count});
  return verdict == Response::Verdict::More ? size * count : 0;
}

size_t Transfer::on_body(char* bytes, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto verdict = transfer.response_.take_body({bytes, size * count});
  return verdict == Response::Verdict::More ? size * count : 0;
}

bool Transfer::is_upload_complete() const {
  return static_cast<uint64_t>(uploaded_bytes_) >= body_size_bytes_;
}

core::Duration Transfer::time_info(CURLINFO info) const {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy_, info, &microseconds);
  return std::chrono::microseconds(microseconds);
}

// Everything but the outcome.
Completion Transfer::describe(core::Instant now) {
  curl_off_t uploaded = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  uploaded_bytes_ = uploaded;
  if (uploaded > 0) has_upload_begun_ = true;

  Completion completion;
  completion.id = id_;
  completion.connected = has_connected_;
  completion.upload_began = has_upload_begun_;
  completion.reached = response_.has_final_status() ? Reached::Yes
                       : has_upload_begun_          ? Reached::Maybe
                                                    : Reached::No;
  const char* address = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_PRIMARY_IP, &address);
  if (address != nullptr) completion.remote_address = address;
  completion.timings.dns = time_info(CURLINFO_NAMELOOKUP_TIME_T);
  completion.timings.connect = time_info(CURLINFO_CONNECT_TIME_T);
  completion.timings.tls = time_info(CURLINFO_APPCONNECT_TIME_T);
  if (response_.status() != 0) {
    completion.timings.first_byte = time_info(CURLINFO_STARTTRANSFER_TIME_T);
  }
  completion.timings.total = now - begun_at_;
  response_.move_kept_to(completion);
  return completion;
}

Completion Transfer::finish(CURLcode code) {
  const core::Instant now = clock_.now();
  Completion completion = describe(now);
  const bool is_cut_at_limit = code == CURLE_WRITE_ERROR && response_.is_body_at_limit();
  const bool has_ended = code == CURLE_OK || is_cut_at_limit || response_.is_known_complete();
  // libcurl takes an end of the connection within the head for the end of the answer.
  if (code == CURLE_OK && !response_.is_head_complete()) code = CURLE_PARTIAL_FILE;
  if (has_ended && response_.is_head_complete() && response_.has_final_status()) {
    complete_with_status(completion);
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    complete_with_time_out(completion,
                           stage_ == Stage::Connected ? TimeOut::Whole : TimeOut::Connect);
  } else {
    complete_with_failure(completion, code);
  }
  return completion;
}

Completion Transfer::time_out(core::Instant now) {
  Completion completion = describe(now);
  // A receiver that has answered in full but does not read on: its answer stands.
  if (response_.is_known_complete()) {
    complete_with_status(completion);
  } else {
    complete_with_time_out(completion, due_time_out(now));
  }
  return completion;
}

// Whatever this request set is gone for the next one; connections and names resolved stay.
void Transfer::forget() {
  curl_easy_reset(easy_);
  core::wipe(header_text_);
  core::wipe(proxy_);
}

void Transfer::complete_with_status(Completion& completion) const {
  completion.status = response_.status();
}

void Transfer::complete_with_failure(Completion& completion, CURLcode code) const {
  if (is_resolution_refused_) {
    completion.phase = Phase::Dns;
    completion.timed_out = true;
    completion.network_name = "EAI_AGAIN";
    completion.detail = "the name was not looked up: too many look-ups hang";
    return;
  }
  const bool is_refused =
      (code == CURLE_COULDNT_CONNECT && !has_opened_socket_) || code == CURLE_ABORTED_BY_CALLBACK;
  if (is_refused && !refusal_.empty()) {
    completion.phase = Phase::Connect;
    completion.network_name = "EACCES";
    completion.detail = "the address policy refuses the connection: " + refusal_;
    return;
  }
  if (code == CURLE_WRITE_ERROR && response_.is_head_over_limit()) {
    completion.phase = Phase::Http;
    completion.network_name = "HPE_HEADER_OVERFLOW";
    completion.detail =
        fmt::format("the answer's headers have more than {} bytes", kResponseHeadBytesMax);
    return;
  }
  if (code == CURLE_OK) {
    completion.phase = Phase::Http;
    completion.network_name = "EPROTO";
    completion.detail =
        fmt::format("the answer ended with the interim status {}", response_.status());
    return;
  }
  long proxy_status = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (code == CURLE_PROXY || proxy_status >= 300) {
    completion.phase = Phase::Connect;
    completion.network_name = "ERR_PROXY_CONNECTION_FAILED";
    completion.detail = proxy_status != 0 ? fmt::format("the proxy answered HTTP {}", proxy_status)
                                          : "the proxy does not connect: " + one_line(error_text_);
    return;
  }
  long system_error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &system_error);
  Failure failure;
  failure.code = code;
  failure.system_error =
      open_socket_error_ != 0 ? open_socket_error_ : static_cast<int>(system_error);
  curl_easy_getinfo(easy_, CURLINFO_SSL_VERIFYRESULT, &failure.tls_verify_result);
  failure.stage = stage_;
  failure.is_https = is_https_;
  failure.has_status = response_.has_final_status();
  // OpenSSL's words for an alert that it got; libcurl has no code for one after the handshake.
  failure.is_alert = is_https_ && std::strstr(error_text_, " alert ") != nullptr;
  const FailureName name = name_failure(failure);
  completion.phase = name.phase;
  if (name.phase == Phase::Tls) {
    // Whoever refuses the connection has not read what was sent meanwhile.
    completion.upload_began = false;
    completion.reached = Reached::No;
  }
  completion.network_name = name.network_name;
  completion.detail = name.summary;
  // libcurl's own text says more where TLS is concerned, and all there is where the code has no
  // name here.
  if (name.phase == Phase::Tls || completion.detail.empty()) {
    const char* text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
    if (!completion.detail.empty()) completion.detail += ": ";
    completion.detail += one_line(text);
  }
}

Transfer::TimeOut Transfer::due_time_out(core::Instant now) const {
  if (now >= add(begun_at_, max_time_)) return TimeOut::Whole;
  if (stage_ != Stage::Connected) return TimeOut::Connect;
  return is_upload_complete() ? TimeOut::Answer : TimeOut::Upload;
}

void Transfer::complete_with_time_out(Completion& completion, TimeOut time_out) const {
  completion.timed_out = true;
  completion.phase = stage_ == Stage::Connected ? Phase::Timeout : phase_of(stage_);
  // Node.js calls a resolver that does not answer EAI_AGAIN.
  completion.network_name = completion.phase == Phase::Dns ? "EAI_AGAIN" : "ETIMEDOUT";
  completion.detail = time_out_detail(time_out);
}

std::string Transfer::time_out_detail(TimeOut time_out) const {
  switch (time_out) {
    case TimeOut::Connect: {
      const char* what = stage_ == Stage::Resolving     ? "the host name was not resolved"
                         : stage_ == Stage::Handshaking ? "the tls handshake did not end"
                                                        : "no connection";
      return fmt::format("{} within {} ms", what, to_ms(connect_timeout_));
    }
    case TimeOut::Upload:
      return fmt::format("the upload stood still for {} ms at {} of {} bytes",
                         to_ms(request_timeout_), uploaded_bytes_, body_size_bytes_);
    case TimeOut::Answer:
      return fmt::format("{} within {} ms after the last byte was sent",
                         response_.status() == 0 ? "no answer" : "no complete answer",
                         to_ms(request_timeout_));
    case TimeOut::Whole:
      return fmt::format("not finished within {} ms", to_ms(max_time_));
  }
  return {};
}

}  // namespace posthaste::transport
