#include "admin/connection_table.h"

#include <catch2/catch.hpp>

using namespace posthaste::admin;
using posthaste::core::Instant;
using std::chrono::seconds;

namespace {

Instant at(int second) {
  return Instant(seconds(second));
}

Connection& connect(ConnectionTable& table, const std::string& peer, int second) {
  Connection connection;
  connection.peer = peer;
  connection.peer_group = peer_group_of(peer);
  connection.since = at(second);
  return table.add(connection);
}

}  // namespace

TEST_CASE("The connection that has been longest incomplete gives way", "[admin][table]") {
  ConnectionTable table;
  CHECK(table.oldest_incomplete() == nullptr);
  Connection& first = connect(table, "192.0.2.1", 1);
  Connection& second = connect(table, "192.0.2.2", 2);
  CHECK(table.oldest_incomplete() == &first);
  // Its request is complete: it is not what keeps us waiting.
  ConnectionTable::enter(first, Stage::Working, at(3));
  CHECK(table.oldest_incomplete() == &second);
  ConnectionTable::enter(first, Stage::Writing, at(4));
  CHECK(table.oldest_incomplete() == &second);
  table.mark_leaving(second);
  CHECK(table.oldest_incomplete() == &first);
  CHECK(table.count() == 1);
  CHECK(table.leaving_count() == 1);
  table.remove(second);
  table.remove(first);
  CHECK(table.count() == 0);
  CHECK(table.leaving_count() == 0);
}

TEST_CASE("An address's own connections give way at its limit", "[admin][table]") {
  ConnectionTable table;
  connect(table, "192.0.2.1", 1);
  Connection& other = connect(table, "192.0.2.2", 2);
  CHECK(table.count_of("192.0.2.2") == 1);
  CHECK(table.oldest_incomplete_of("192.0.2.2") == &other);
  table.mark_leaving(other);
  CHECK(table.count_of("192.0.2.2") == 0);
  CHECK(table.oldest_incomplete_of("192.0.2.2") == nullptr);
}

TEST_CASE("A subscriber's IPv6 network counts as one address", "[admin][table]") {
  CHECK(peer_group_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::");
  CHECK(peer_group_of("2001:db8:1:2::9") == peer_group_of("2001:db8:1:2:ffff::1"));
  CHECK(peer_group_of("2001:db8:1:3::9") != peer_group_of("2001:db8:1:2::9"));
  CHECK(peer_group_of("192.0.2.1") == "192.0.2.1");
}

TEST_CASE("Idle connections and slow requests have limits of their own", "[admin][table]") {
  ConnectionTable table;
  Connection& reading = connect(table, "a", 0);
  Connection& idle = connect(table, "b", 0);
  Connection& working = connect(table, "c", 0);
  ConnectionTable::enter(idle, Stage::Idle, at(0));
  ConnectionTable::enter(working, Stage::Working, at(0));
  const ConnectionTable::Limits limits{seconds(60), seconds(30)};
  CHECK(table.overdue(at(29), limits).empty());
  CHECK(table.overdue(at(30), limits) == std::vector<Connection*>{&reading});
  CHECK(table.overdue(at(60), limits) == std::vector<Connection*>{&reading, &idle});
}

TEST_CASE("Among those that hold bodies the oldest gives way", "[admin][table]") {
  ConnectionTable table;
  Connection& first = connect(table, "a", 1);
  Connection& second = connect(table, "b", 2);
  CHECK(table.oldest_with_body() == nullptr);
  second.body_bytes = 10;
  CHECK(table.oldest_with_body() == &second);
  first.body_bytes = 10;
  CHECK(table.oldest_with_body() == &first);
}
