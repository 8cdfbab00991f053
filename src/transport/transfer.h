// One request on one libcurl easy handle: its options, its callbacks, its time-outs, and what came
// of it. Made and driven by CurlTransport, which keeps finished ones for the next request. Does not
// know the multi handle.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "platform/clock.h"
#include "transport/network_error.h"
#include "transport/resolver_limit.h"
#include "transport/response.h"
#include "transport/transport.h"

namespace posthaste::transport {

// Purpose: runs one request after the other. Ownership: belongs to a CurlTransport; refers to its
// clock and resolver limit, and between prepare and the end to the request's body. Threads: the
// transport's owner only. Invariants: callbacks run only between prepare and the end; a retry by
// libcurl on a new connection sends the body from its first byte.
class Transfer {
 public:
  // Null when libcurl has no memory.
  static std::unique_ptr<Transfer> make(const platform::Clock& clock,
                                        ResolverLimit& resolver_limit);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Takes on a request. upload_buffer_bytes_max: what a large body's buffer may take. False:
  // libcurl refused an option, nothing may be run.
  bool prepare(const Request& request, core::Instant now, uint64_t upload_buffer_bytes_max);

  uint64_t id() const { return id_; }
  CURL* easy() const { return easy_; }
  bool is_resolving() const { return stage_ == Stage::Resolving; }
  // When the next of the three time-outs is due.
  core::Instant deadline() const;

  // What came of it, after libcurl ended it with this code, or while it still runs and its deadline
  // has passed.
  Completion finish(CURLcode code);
  Completion time_out(core::Instant now);
  // Once it is out of the multi handle: overwrites what it knows of the request's secrets.
  void forget();

 private:
  enum class TimeOut { Connect, Upload, Answer, Whole };

  Transfer(CURL* easy, const platform::Clock& clock, ResolverLimit& resolver_limit)
      : easy_(easy), clock_(clock), resolver_limit_(resolver_limit) {}

  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_resolver_start(void* resolver, void* reserved, void* self);
  static CURLcode on_handshake(CURL* easy, void* context, void* self);
  static int on_connected(void* self, char* remote, char* local, int remote_port, int local_port);
  static size_t on_read(char* out, size_t size, size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static int on_progress(void* self, curl_off_t download_size, curl_off_t downloaded,
                         curl_off_t upload_size, curl_off_t uploaded);
  static size_t on_head(char* line, size_t size, size_t count, void* self);
  static size_t on_body(char* bytes, size_t size, size_t count, void* self);

  template <typename Value>
  void set(CURLoption option, Value value);
  void set_callbacks();
  void set_connection(const Request& request);
  void set_proxy(const ConnectionOptions& options);
  void set_headers(const Request& request);
  void add_header_line(const std::string& name, const std::string& value);

  // Whether the policy lets this address be used; says why not in refusal_.
  bool may_use(const std::optional<core::Address>& address, uint16_t port);
  std::optional<std::string> refusal_behind_proxy(const core::Address& proxy, uint16_t port) const;
  void enter_connecting(Stage stage);
  bool is_upload_complete() const;
  core::Duration time_info(CURLINFO info) const;
  Completion describe(core::Instant now);
  void complete_with_status(Completion& completion) const;
  void complete_with_failure(Completion& completion, CURLcode code) const;
  void complete_with_time_out(Completion& completion, TimeOut time_out) const;
  TimeOut due_time_out(core::Instant now) const;
  std::string time_out_detail(TimeOut time_out) const;

  CURL* const easy_;
  const platform::Clock& clock_;
  ResolverLimit& resolver_limit_;

  uint64_t id_ = 0;
  BodySource* body_ = nullptr;
  uint64_t body_size_bytes_ = 0;
  uint64_t read_offset_ = 0;
  bool are_options_set_ = false;
  bool is_https_ = false;
  std::shared_ptr<const core::AddressPolicy> addresses_;
  std::string refusal_;  // why the policy refused the last address it did refuse
  bool has_opened_socket_ = false;
  // Behind a proxy: the target's address when the URL names one.
  std::optional<core::Address> hidden_address_;
  std::string proxy_;  // its URL; empty: none
  bool is_host_literal_ = false;

  core::Duration connect_timeout_{};
  core::Duration request_timeout_{};
  core::Duration max_time_{};
  core::Instant begun_at_{};
  core::Instant connecting_since_{};
  core::Instant progress_at_{};  // connected, or the last time bytes of the body left

  Stage stage_ = Stage::Started;
  bool has_connected_ = false;
  bool is_resolution_refused_ = false;
  int open_socket_error_ = 0;
  curl_off_t uploaded_bytes_ = 0;  // on the present connection
  bool has_upload_begun_ = false;  // on any connection
  Response response_;

  // The header list libcurl reads: nodes that point into one text.
  std::string header_text_;
  std::vector<size_t> header_offsets_;
  std::vector<curl_slist> header_nodes_;
  char error_text_[CURL_ERROR_SIZE] = {};
};

}  // namespace posthaste::transport
