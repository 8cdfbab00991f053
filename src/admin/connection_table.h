// The open connections of a listener, and which of them gives way when there are too many. Knows
// nothing of sockets or libmicrohttpd: the listener tells it what happens and does the cutting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "core/time.h"

struct MHD_Connection;

namespace posthaste::admin {

// What a connection is doing. Only Working is safe from giving way: its request is complete and an
// answer is being made, which the queues bound.
enum class Stage : uint8_t { Idle, Reading, Working, Writing };

struct Connection {
  MHD_Connection* http = nullptr;
  int fd = -1;
  std::string peer;        // the client's numeric address
  std::string peer_group;  // what per-address limits count by
  std::string local;       // the address it came in at
  Stage stage = Stage::Reading;
  core::Instant since{};    // when the stage began
  uint64_t body_bytes = 0;  // held of a request's body
  bool is_leaving = false;  // cut, and not closed yet
  std::list<Connection>::iterator place;
};

// Purpose: who is connected, and since when it keeps us waiting. Ownership: owns the entries.
// Threads: the listener's only. Invariants: addresses of entries are stable; leaving entries count
// no more.
class ConnectionTable {
 public:
  Connection& add(Connection connection);
  // Its request is complete, or the like.
  static void enter(Connection& connection, Stage stage, core::Instant now);
  // It was cut.
  void mark_leaving(Connection& connection);
  void remove(Connection& connection);

  size_t count() const { return entries_.size() - leaving_count_; }
  size_t leaving_count() const { return leaving_count_; }
  size_t count_of(const std::string& peer_group) const;

  // The one that has been longest in a stage other than Working; null when there is none.
  Connection* oldest_incomplete();
  Connection* oldest_incomplete_of(const std::string& peer_group);
  // Likewise among those that hold part of a body.
  Connection* oldest_with_body();

  struct Limits {
    core::Duration idle;
    core::Duration request;
  };
  // Those over their time.
  std::vector<Connection*> overdue(core::Instant now, const Limits& limits);
  // Those in a stage.
  std::vector<Connection*> in_stage(Stage stage);

 private:
  template <typename Condition>
  Connection* oldest(const Condition& condition);
  void uncount(const Connection& connection);

  std::list<Connection> entries_;
  std::map<std::string, size_t> counts_;  // by peer group, of those not leaving
  size_t leaving_count_ = 0;
};

// What limits per address count by: an IPv4 address, or the /64 of an IPv6 address, which is what
// one subscriber has.
std::string peer_group_of(const std::string& address);

}  // namespace posthaste::admin
