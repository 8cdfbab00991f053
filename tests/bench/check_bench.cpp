// What the check of one event costs, with and without completion, beside RapidJSON's SAX reader
// with its encoding check and simdjson's DOM (row 4 of the speed targets). Runs interleaved; only
// the ratios of one run mean anything. Usage: check_bench [rounds]
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_catalogue.h"
#include "envelope/event_ids.h"
#include "envelope/record.h"
#include "json/event_scan.h"

#if defined(POSTHASTE_BENCH_SIMDJSON)
#include <simdjson.h>
#endif

namespace {

using namespace posthaste;

struct Ignore : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Ignore> {};

// A delivery event of exactly 500 bytes in 22 flat fields, different for each id.
std::string make_event(uint64_t id) {
  constexpr size_t kSize = 500;
  const unsigned hash = static_cast<unsigned>(id * 2654435761u);
  char buffer[1024];
  const int size = std::snprintf(
      buffer, sizeof buffer,
      R"({"eid":%llu,"type":"delivery","ts":17953%08llu,"tenant":"acme-%02u","queue_id":"4Zq%08X",)"
      R"("message_id":"<20261123070554.%08x@mail.acme.example>","from":"bounce+%u@news.acme.example",)"
      R"("to":"user%u@dest%u.example","domain":"dest%u.example","mx":"mx%u.dest.example",)"
      R"("ip":"198.51.100.%u","port":25,"status":"delivered","code":250,"enhanced":"2.0.0",)"
      R"("response":"250 2.0.0 Ok: queued as %08X","size":%u,"attempts":1,"latency_ms":%u,"tls":true,)"
      R"("score":0.%03u,"campaign":"c)",
      static_cast<unsigned long long>(id), static_cast<unsigned long long>(id % 100000000),
      hash % 100, hash, hash ^ 0x5bd1e995u, hash % 1000000, hash % 10000000, hash % 9000 + 1000,
      hash % 9000 + 1000, hash % 8, hash % 256, ~hash, hash % 90000 + 10000, hash % 9000 + 1000,
      hash % 1000);
  std::string event(buffer, static_cast<size_t>(size));
  while (event.size() + 2 < kSize) event += static_cast<char>('a' + (event.size() * 7 + hash) % 26);
  return event + "\"}";
}

volatile uint64_t accepted;

double time_ns(const std::vector<std::string>& events,
               const std::function<bool(const std::string&)>& check) {
  const auto start = std::chrono::steady_clock::now();
  uint64_t count = 0;
  for (const std::string& event : events) count += check(event) ? 1u : 0u;
  const auto end = std::chrono::steady_clock::now();
  accepted = count;
  if (count != events.size()) std::puts("an event was refused");
  return std::chrono::duration<double, std::nano>(end - start).count() /
         static_cast<double>(events.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Stands for the intake: records are copied one behind the other, over and over.
class Segment {
 public:
  void copy(const envelope::RecordPlan& plan) {
    if (bytes_.size() - used_ < plan.size_bytes()) used_ = 0;
    plan.write_to(bytes_.data() + used_);
    used_ += plan.size_bytes();
  }

 private:
  std::vector<char> bytes_ = std::vector<char>(size_t{1} << 20);
  size_t used_ = 0;
};

struct Row {
  const char* name;
  std::function<bool(const std::string&)> check;
  std::vector<double> times_ns;
};

// The peers, which come first, RapidJSON at the very beginning.
std::vector<Row> peers() {
  std::vector<Row> rows;
  const auto reader = std::make_shared<rapidjson::Reader>();
  rows.push_back({"RapidJSON SAX with encoding check",
                  [reader](const std::string& event) {
                    rapidjson::MemoryStream stream(event.data(), event.size());
                    Ignore handler;
                    constexpr unsigned kFlags = rapidjson::kParseValidateEncodingFlag;
                    return !reader->Parse<kFlags>(stream, handler).IsError();
                  },
                  {}});
#if defined(POSTHASTE_BENCH_SIMDJSON)
  const auto parser = std::make_shared<simdjson::dom::parser>();
  rows.push_back({"simdjson DOM, parser kept",
                  [parser](const std::string& event) {
                    return parser->parse(event.data(), event.size(), false).error() ==
                           simdjson::SUCCESS;
                  },
                  {}});
#endif
  return rows;
}

void add_own(std::vector<Row>& rows, const envelope::RecordSettings& settings, Segment& segment) {
  const core::WallTime now{std::chrono::seconds(1790000000)};
  rows.push_back({"check_event",
                  [&settings](const std::string& event) {
                    json::EventScan scan;
                    return json::check_event(event, settings.limits, scan) == core::ErrorCode::Ok;
                  },
                  {}});
  const auto plan = [&settings, now](const std::string& event, envelope::RecordPlan& out) {
    return envelope::plan_record(settings, "delivery", event, now, out) == core::ErrorCode::Ok;
  };
  rows.push_back({"plan_record: check and completion",
                  [plan](const std::string& event) {
                    envelope::RecordPlan out;
                    return plan(event, out);
                  },
                  {}});
  rows.push_back({"plan_record and the copy into a segment",
                  [plan, &segment](const std::string& event) {
                    envelope::RecordPlan out;
                    if (!plan(event, out)) return false;
                    segment.copy(out);
                    return true;
                  },
                  {}});
  rows.push_back({"plan_trusted and the copy into a segment",
                  [&settings, &segment](const std::string& event) {
                    envelope::RecordPlan out;
                    const core::ErrorCode code =
                        envelope::plan_trusted(settings, "delivery", event, out);
                    if (code != core::ErrorCode::Ok) return false;
                    segment.copy(out);
                    return true;
                  },
                  {}});
}

void print(const std::vector<Row>& rows) {
  const double rapidjson_ns = median(rows[0].times_ns);
  for (const Row& row : rows) {
    const double time = median(row.times_ns);
    std::printf("%-44s %7.1f ns/event  %5.3f x RapidJSON", row.name, time, time / rapidjson_ns);
#if defined(POSTHASTE_BENCH_SIMDJSON)
    std::printf("  %5.3f x simdjson", time / median(rows[1].times_ns));
#endif
    std::puts("");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  std::vector<std::string> events;
  for (uint64_t id = 0; id < 20000; ++id) {
    events.push_back(make_event(id));
    events.back().reserve(events.back().size() + 64);  // simdjson reads that far
  }
  const core::EventCatalogue catalogue;
  envelope::EventIds ids(1, 2);
  const envelope::RecordSettings settings{catalogue, ids, {}};
  Segment segment;
  std::vector<Row> rows = peers();
  add_own(rows, settings, segment);
  for (int round = 0; round < rounds; ++round) {
    for (Row& row : rows) row.times_ns.push_back(time_ns(events, row.check));
  }
  print(rows);
  return 0;
}
