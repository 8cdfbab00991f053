// Reads what the hosts of a round promised and were promised, and compares it with what arrived.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "torture/arrivals.h"

namespace posthaste::torture {

struct LedgerSums {
  uint64_t events = 0;       // pushed
  uint64_t obligations = 0;  // pairs of an event that was synced and a webhook that is owed it
  uint64_t duplicates = 0;   // batches that were accepted once more
  uint64_t dropped = 0;      // events that were reported as dropped for want of room
};

// Purpose: the conservation of events over one round. Ownership: copies. Threads: one.
class Ledger {
 public:
  // The file that the hosts of the round wrote.
  void read(const std::string& path);

  // Every rule; the first few failures.
  std::vector<Failure> check(const Arrivals& arrivals);
  const LedgerSums& sums() const { return sums_; }
  // What hosts said must not happen.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Event {
    uint64_t hash = 0;
    std::vector<uint32_t> keys;  // indexes, of the webhooks that are owed it
  };

  void read_line(std::string_view line);
  uint32_t key_index(std::string_view key);
  bool is_synced(EventId id) const;
  bool is_freed(const std::string& key) const;
  void check_obligations(const Arrivals& arrivals);
  void check_events(const Arrivals& arrivals);
  void check_duplicates(const Arrivals& arrivals);
  void check_drops(const Arrivals& arrivals);
  uint64_t count_wanted(const Arrivals& arrivals, const std::string& key);
  uint64_t count_accepted(const Arrivals& arrivals, const std::string& key) const;
  void fail(std::string check, std::string text);

  std::unordered_map<uint64_t, Event> events_;
  std::vector<std::string> keys_;
  std::map<std::string, uint32_t, std::less<>> key_indexes_;
  std::map<uint64_t, uint64_t> synced_;  // last number, by cycle
  std::set<std::string, std::less<>> freed_;
  std::set<uint64_t> closed_;                                              // cycles
  std::map<std::string, std::map<int32_t, uint64_t>, std::less<>> drops_;  // by webhook and reason
  std::vector<std::string> problems_;
  std::vector<Failure> failures_;
  LedgerSums sums_;
};

}  // namespace posthaste::torture
