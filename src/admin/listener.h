// The HTTP listener: one thread with libmicrohttpd and every connection, and two lanes of workers
// that ask the engine. A complete request is handed to a lane while its connection is suspended, so
// the listener's thread never waits for anything but sockets.
//
// Connections are accepted here and not by libmicrohttpd, which refuses newcomers when it is full:
// here the connection that has been longest without completing its request gives way. So slow
// clients, however many, keep nobody out (docs/admin.md, "Floods").
#pragma once

#include <microhttpd.h>

#include <atomic>
#include <condition_variable>
#include <cstdarg>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "admin/connection_table.h"
#include "admin/exchange.h"
#include "admin/host_rules.h"
#include "admin/lane.h"
#include "admin/settings.h"
#include "admin/socket.h"
#include "core/result.h"
#include "platform/clock.h"
#include "platform/exit_guard.h"
#include "platform/thread.h"

namespace posthaste::admin {

// Purpose: serves one engine on one port. Ownership: of its sockets and threads; refers to the
// engine, which outlives it. Threads: start once; port, url and stop any; what stands under "The
// listener's thread" is that thread's only. Invariants: libmicrohttpd is used on the listener's
// thread only, before it starts, and after it ended.
class Listener {
 public:
  Listener(posthaste_t* engine, Settings settings);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  core::Result<> start();
  // Timeout when a request was cut.
  core::Result<> stop(core::Duration limit);

  uint16_t port() const { return socket_.port; }
  const std::string& url() const { return url_; }
  bool is_forked() const;
  // In a forked child, instead of the destructor: threads and connections are the parent's.
  void leave_to_parent();

 private:
  using ExchangePointer = std::shared_ptr<Exchange>;

  // listener.cpp
  core::Result<> open();
  core::Result<> start_daemon();
  core::Result<> start_threads();
  void close_descriptors();
  void wake();

  // The listener's thread.
  void run();
  void turn();
  void accept_some();
  bool accept_one();
  void make_room(const std::string& peer_group);
  void cut(Connection* connection);
  void cut_overdue();
  bool is_done_stopping();
  void take_finished();
  void wake_resting();
  int wait_ms() const;
  core::Instant now() const { return clock_.now(); }

  // listener_requests.cpp: what libmicrohttpd calls.
  static void* on_request_line(void* self, const char* target, MHD_Connection* http);
  static MHD_Result on_request(void* self, MHD_Connection* http, const char* url,
                               const char* method, const char* version, const char* upload,
                               size_t* upload_size, void** state);
  static void on_completed(void* self, MHD_Connection* http, void** state,
                           MHD_RequestTerminationCode how);
  static void on_connection(void* self, MHD_Connection* http, void** socket_context,
                            MHD_ConnectionNotificationCode what);
  static MHD_Result on_header(void* exchange, MHD_ValueKind kind, const char* name,
                              const char* value);
  static void on_log(void* self, const char* format, va_list arguments);

  MHD_Result begin_request(const ExchangePointer& exchange, const char* method);
  const Mount* find_mount(std::string_view path) const;
  Answer judge(const Exchange& exchange) const;
  uint64_t body_limit(const Exchange& exchange) const;
  void judge_body_size(Exchange& exchange) const;
  void judge_more_body(Exchange& exchange, size_t size);
  MHD_Result take_body(const ExchangePointer& taker, const char* upload, size_t* upload_size);
  MHD_Result finish_request(const ExchangePointer& exchange);
  MHD_Result hand_over(const ExchangePointer& exchange);
  MHD_Result send(Exchange& exchange);
  MHD_Result send_page(Exchange& exchange);
  MHD_Result queue(Exchange& exchange, int status, MHD_Response* response);
  void finish_work(const ExchangePointer& exchange);
  void write_access_line(const Exchange& exchange);

  posthaste_t* const engine_;
  const Settings settings_;
  const HostRules rules_;
  const platform::SystemClock clock_;
  uint32_t generation_ = 0;  // of the process that it was started in
  std::string certificate_;
  std::string key_;
  std::string url_;
  ListeningSocket socket_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  MHD_Daemon* daemon_ = nullptr;
  Lane quick_lane_;
  Lane waiting_lane_;
  platform::Thread thread_;

  ConnectionTable table_;
  Connection* arriving_ = nullptr;  // while libmicrohttpd is told of it
  uint64_t bodies_bytes_ = 0;
  std::deque<ExchangePointer> resting_;  // suspended in the middle of large bodies
  core::Instant next_look_{};            // for what is overdue
  bool is_closing_ = false;              // the port is closed
  bool is_ending_ = false;               // nothing is read any more

  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<ExchangePointer> finished_;       // guarded by mutex_
  core::Instant stop_deadline_ = core::kNever;  // guarded by mutex_
  bool has_ended_ = false;                      // guarded by mutex_
  bool had_to_cut_ = false;                     // guarded by mutex_
  std::atomic<bool> is_stopping_{false};
};

}  // namespace posthaste::admin
