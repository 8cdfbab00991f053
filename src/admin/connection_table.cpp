#include "admin/connection_table.h"

#include <arpa/inet.h>

#include <cstring>
#include <utility>

namespace posthaste::admin {

std::string peer_group_of(const std::string& address) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET6, address.c_str(), bytes) != 1) return address;
  std::memset(bytes + 8, 0, 8);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, bytes, text, sizeof text);
  return text;
}

Connection& ConnectionTable::add(Connection connection) {
  ++counts_[connection.peer_group];
  entries_.push_back(std::move(connection));
  Connection& added = entries_.back();
  added.place = std::prev(entries_.end());
  return added;
}

void ConnectionTable::enter(Connection& connection, Stage stage, core::Instant now) {
  connection.stage = stage;
  connection.since = now;
}

void ConnectionTable::uncount(const Connection& connection) {
  const auto found = counts_.find(connection.peer_group);
  if (--found->second == 0) counts_.erase(found);
}

void ConnectionTable::mark_leaving(Connection& connection) {
  connection.is_leaving = true;
  ++leaving_count_;
  uncount(connection);
}

void ConnectionTable::remove(Connection& connection) {
  if (connection.is_leaving) {
    --leaving_count_;
  } else {
    uncount(connection);
  }
  entries_.erase(connection.place);
}

size_t ConnectionTable::count_of(const std::string& peer_group) const {
  const auto found = counts_.find(peer_group);
  return found == counts_.end() ? 0 : found->second;
}

template <typename Condition>
Connection* ConnectionTable::oldest(const Condition& condition) {
  Connection* result = nullptr;
  for (Connection& entry : entries_) {
    if (entry.is_leaving || entry.stage == Stage::Working || !condition(entry)) continue;
    if (!result || entry.since < result->since) result = &entry;
  }
  return result;
}

Connection* ConnectionTable::oldest_incomplete() {
  return oldest([](const Connection&) { return true; });
}

Connection* ConnectionTable::oldest_incomplete_of(const std::string& peer_group) {
  return oldest([&](const Connection& entry) { return entry.peer_group == peer_group; });
}

Connection* ConnectionTable::oldest_with_body() {
  return oldest([](const Connection& entry) { return entry.body_bytes > 0; });
}

std::vector<Connection*> ConnectionTable::overdue(core::Instant now, const Limits& limits) {
  std::vector<Connection*> result;
  for (Connection& entry : entries_) {
    if (entry.is_leaving || entry.stage == Stage::Working) continue;
    const core::Duration limit = entry.stage == Stage::Idle ? limits.idle : limits.request;
    if (now - entry.since >= limit) result.push_back(&entry);
  }
  return result;
}

std::vector<Connection*> ConnectionTable::in_stage(Stage stage) {
  std::vector<Connection*> result;
  for (Connection& entry : entries_) {
    if (!entry.is_leaving && entry.stage == stage) result.push_back(&entry);
  }
  return result;
}

}  // namespace posthaste::admin
