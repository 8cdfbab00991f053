// What `posthaste sink` says of the requests it got: each as it comes, and all in a summary.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"

namespace posthaste::cli {

enum class SinkOutput { Text, Json, Quiet };

// What a body holds, read as a batch.
struct BatchContent {
  bool is_test = false;  // `[{"msys":{}}]`
  uint64_t events_count = 0;
  std::map<std::string, uint64_t> types;  // events of each
  std::vector<std::string> first;         // the first ones, as JSON
};

// Invalid when the body is no array of records. first_max: how many events to keep.
core::Result<BatchContent> read_batch(std::string_view body, size_t first_max);

// One request and its answer.
struct SinkRequest {
  std::string method;
  std::string path;
  std::string peer;
  std::vector<std::pair<std::string, std::string>> headers;
  uint64_t sent_bytes = 0;  // of the body, as it came
  uint64_t body_bytes = 0;  // decoded
  std::string batch_id;
  std::string coding;
  const char* signature = "";  // how its check ended; empty: not checked
  const char* token = "";      // likewise
  std::string problem;         // why the body was not understood
  BatchContent content;
  std::string answer;  // "200", "timeout", "reset"
  bool is_accepted = false;
};

// Purpose: prints and counts. Ownership: what it counted. Threads: any, one request at a time.
class SinkReport {
 public:
  explicit SinkReport(SinkOutput output) : output_(output) {}

  void take(const SinkRequest& request);
  void print_summary();

 private:
  // What is known of a batch id.
  struct Known {
    uint64_t first_request = 0;
    bool is_accepted = false;
  };

  void print_text(const SinkRequest& request, const Known& known) const;
  void print_json(const SinkRequest& request, const Known& known) const;

  const SinkOutput output_;
  std::mutex mutex_;  // guards all below, and the order of lines
  uint64_t requests_count_ = 0;
  uint64_t accepted_count_ = 0;
  uint64_t accepted_events_ = 0;
  uint64_t repeated_count_ = 0;    // a batch again
  uint64_t duplicates_count_ = 0;  // of those, after it was accepted
  uint64_t duplicate_events_ = 0;
  uint64_t bad_signatures_ = 0;
  uint64_t bad_tokens_ = 0;
  uint64_t bad_bodies_ = 0;
  std::map<std::string, uint64_t> types_;  // of accepted events, each batch once
  std::map<std::string, uint64_t> answers_;
  std::unordered_map<std::string, Known> batches_;
};

}  // namespace posthaste::cli
