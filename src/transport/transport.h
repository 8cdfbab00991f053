// The seam between the engine and the network: one POST is a Request, its end is a Completion. The
// engine's delivery thread owns a Transport and waits in it; the simulation puts a scripted one in
// its place. Nothing here knows of batches, retries or webhooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/address_policy.h"
#include "core/settings.h"
#include "core/time.h"

namespace posthaste::transport {

struct HeaderField {
  std::string name;
  std::string value;
};

// Where a request's body comes from. Read by offset, so that the owner may move the bytes between
// two reads.
//
// Ownership: the caller of Transport::begin keeps it alive until the completion or the return of
// cancel. Threads: used only on the thread that calls Transport.
class BodySource {
 public:
  virtual ~BodySource() = default;
  virtual uint64_t size_bytes() const = 0;
  // Copies up to `room` bytes from `offset` on; less only at the end.
  virtual size_t read(uint64_t offset, char* out, size_t room) = 0;
};

// As ConnectionOptions::proxy: http_proxy and its relatives in the environment are honoured.
inline constexpr std::string_view kEnvironmentProxy = "env";

// What a connection may be reused for: requests with unequal options never share one.
struct ConnectionOptions {
  std::string ca_file;       // PEM bundle instead of the system's; empty: the system's
  std::string client_cert;   // PEM file with the chain behind it; empty: none
  std::string client_key;    // PEM file; empty: client_cert holds the key as well
  std::string key_password;  // of the key's file
  bool tls_verify = true;    // false: certificate and name are not checked
  bool keep_alive = true;    // false: `Connection: close`, a connection for each request
  core::TlsVersion tls_min_version = core::TlsVersion::V1_2;
  std::string proxy;     // http, https, socks5 or socks5h URL, or kEnvironmentProxy; empty: none
  std::string no_proxy;  // hosts to reach without it, see proxy.h

  bool operator==(const ConnectionOptions&) const = default;
};

struct Request {
  uint64_t id = 0;  // the caller's, unique among those running
  std::string url;  // http or https, already checked
  // In order, without Host, Content-Length, Connection and Expect, which are the transport's.
  std::vector<HeaderField> headers;
  BodySource* body = nullptr;
  ConnectionOptions connection;
  core::Duration connect_timeout{};       // DNS to TLS
  core::Duration request_timeout{};       // last byte sent to last byte of the answer; longest
                                          // stand-still of the upload
  core::Duration max_time{};              // the whole
  bool keep_response = false;             // keep all response headers and the begin of the body
  size_t kept_body_bytes_max = 4u << 10;  // of the body then
  // Which addresses it may be connected to; null: all. Looked at again for a kept connection.
  std::shared_ptr<const core::AddressPolicy> addresses;
};

// How far an attempt came; equal to POSTHASTE_PHASE_*.
enum class Phase : int32_t { None = 0, Dns = 1, Connect = 2, Tls = 3, Timeout = 4, Http = 5 };

// Could the receiver have got the body; equal to POSTHASTE_REACHED_*.
enum class Reached : int32_t { No = 0, Maybe = 1, Yes = 2 };

// Since the start of the attempt; zero when that point was not reached.
struct Timings {
  core::Duration dns{};
  core::Duration connect{};
  core::Duration tls{};
  core::Duration first_byte{};
  core::Duration total{};
};

struct Completion {
  uint64_t id = 0;
  // An HTTP status was received and the answer is complete (or its first 64 KiB are): status is
  // set, phase None. Otherwise status is 0 and phase says where it ended; Phase::Http means an
  // answer that is not HTTP or broke off.
  int32_t status = 0;
  Phase phase = Phase::None;
  Reached reached = Reached::No;
  bool connected = false;      // the connection stood (TLS included)
  bool upload_began = false;   // at least one byte of the body was handed to the connection
  bool timed_out = false;      // one of the three time-outs of the request
  std::string network_name;    // Node.js style: ECONNREFUSED, ENOTFOUND, ETIMEDOUT, ECONNRESET,
                               // EPROTO, ...; or empty
  std::string detail;          // one line for people; no header value, no credentials of the URL
  std::string remote_address;  // numeric, empty when there was no connection
  std::string retry_after;     // value of Retry-After, empty when absent
  std::string location;        // value of Location, empty when absent
  std::vector<HeaderField> response_headers;  // with keep_response
  std::string response_body;                  // with keep_response, its begin
  Timings timings;
};

// Purpose: runs POST requests concurrently. Ownership: belongs to one delivery thread.
// Threads: wake() from any thread, everything else from the owner only.
// Invariants: each begun request has exactly one completion, or one cancel that returned.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void begin(const Request& request) = 0;
  // Ends a request without a completion; its connection is shut down, so that the receiver sees it.
  virtual void cancel(uint64_t id) = 0;
  // Drives the transfers until something completed, wake() was called, or the deadline; appends to
  // `out`. The only place where the delivery thread waits. A deadline in the past means: drive
  // once, do not wait.
  virtual void wait(core::Instant deadline, std::vector<Completion>& out) = 0;
  // Makes a running or the next wait return soon.
  virtual void wake() = 0;
};

}  // namespace posthaste::transport
