// The event that all benchmarks push: a delivery as a mail server reports it, 22 flat fields in
// exactly 500 bytes, different for each id. "eid" is a number that the sink can collect.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace posthaste::bench {

inline constexpr size_t kEventSize = 500;
inline constexpr const char* kEventType = "delivery";

// Writes event `id` to out, kEventSize bytes without a NUL.
inline void write_event(uint64_t id, char* out) {
  const unsigned hash = static_cast<unsigned>(id * 2654435761u);
  char fields[1024];
  const int written = std::snprintf(
      fields, sizeof fields,
      R"({"eid":%llu,"type":"delivery","ts":17953%08llu,"tenant":"acme-%02u","queue":"4Zq%08X",)"
      R"("message_id":"<20261123070554.%08x@mail.acme.example>","from":"bounce+%u@news.acme.example",)"
      R"("to":"user%u@dest%u.example","domain":"dest%u.example","mx":"mx%u.dest.example",)"
      R"("ip":"198.51.100.%u","port":25,"status":"delivered","code":250,"enhanced":"2.0.0",)"
      R"("response":"250 2.0.0 Ok: queued as %08X","size":%u,"attempts":1,"latency_ms":%u,"tls":true,)"
      R"("score":0.%03u,"tag":"c)",
      static_cast<unsigned long long>(id), static_cast<unsigned long long>(id % 100000000),
      hash % 100, hash, hash ^ 0x5bd1e995u, hash % 1000000, hash % 10000000, hash % 9000 + 1000,
      hash % 9000 + 1000, hash % 8, hash % 256, ~hash, hash % 90000 + 10000, hash % 9000 + 1000,
      hash % 1000);
  // 18 digits of id still leave room for the end.
  size_t size = std::min(static_cast<size_t>(written), kEventSize - 2);
  std::memcpy(out, fields, size);
  for (; size + 2 < kEventSize; ++size) out[size] = static_cast<char>('a' + (size * 7 + hash) % 26);
  std::memcpy(out + size, "\"}", 2);
}

}  // namespace posthaste::bench
