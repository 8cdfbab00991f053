// The lines of the ledger, as hosts write them, with one blank between fields. A kill may cut the
// last line of a host short; the first line of the next one then makes it one that nobody reads.
//
//   event <id> <hash> <key>...                about to be pushed, for these webhooks
//   synced <id>                               this event and those before it in its cycle are safe
//   freed <webhook>.<incarnation>             removed with its batches: owed nothing any more
//   drops <webhook> <reason> <events>         a report of a loss
//   closed <cycle>                            the engine was closed in good order
//   problem <cycle> <text>                    what must not happen
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::torture {

struct EventId {
  uint64_t cycle = 0;
  uint64_t number = 0;  // among the events of the cycle, from 1 on

  std::string text() const { return fmt::format("{}-{}", cycle, number); }
  uint64_t packed() const { return cycle << 32 | number; }
  static EventId unpacked(uint64_t packed) { return {packed >> 32, packed & 0xffffffff}; }
  static std::optional<EventId> parse(std::string_view text) {
    EventId id;
    const char* const end = text.data() + text.size();
    const auto cycle = std::from_chars(text.data(), end, id.cycle);
    if (cycle.ec != std::errc() || cycle.ptr == end || *cycle.ptr != '-') return std::nullopt;
    const auto number = std::from_chars(cycle.ptr + 1, end, id.number);
    if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
    return id;
  }
};

inline constexpr const char* kNewHostLine = "~\n";

inline std::string event_line(EventId id, uint64_t hash, const std::vector<std::string>& keys) {
  return fmt::format("event {} {:x} {}\n", id.text(), hash, fmt::join(keys, " "));
}
inline std::string synced_line(EventId id) {
  return fmt::format("synced {}\n", id.text());
}
inline std::string freed_line(std::string_view webhook_id, uint64_t incarnation) {
  return fmt::format("freed {}.{}\n", webhook_id, incarnation);
}
inline std::string drops_line(std::string_view webhook_id, int32_t reason, uint64_t events) {
  return fmt::format("drops {} {} {}\n", webhook_id, reason, events);
}
inline std::string closed_line(uint64_t cycle) {
  return fmt::format("closed {}\n", cycle);
}
inline std::string problem_line(uint64_t cycle, std::string_view text) {
  return fmt::format("problem {} {}\n", cycle, text);
}

}  // namespace posthaste::torture
