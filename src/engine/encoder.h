// Compresses and signs batches before they are sent. The delivery step gives a job for each attempt
// that needs it and takes the results later; the engine does the jobs on a thread of its own
// (encoder_thread.h), the simulation in the step.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/result.h"
#include "core/webhook_registry.h"

namespace posthaste::engine {

// The JSON of a job, front to back. Threads: one at a time, not the one that gave the job.
class CodingInput {
 public:
  virtual ~CodingInput() = default;
  virtual uint64_t size_bytes() const = 0;
  // Copies up to `room` bytes from `offset` on; 0 before the end: it cannot be read, or nobody
  // wants it any more.
  virtual size_t read(uint64_t offset, char* out, size_t room) = 0;
};

struct CodingJob {
  uint64_t id = 0;  // of the request
  std::shared_ptr<CodingInput> input;
  core::WebhookPtr webhook;  // whose settings say what is to be done
  bool compresses = false;   // false: signed only
  std::string message_id;    // webhook-id
  int64_t timestamp_s = 0;   // webhook-timestamp
};

// Bytes that live as long as somebody holds them, and count as long.
using CodedBytes = std::shared_ptr<const std::string>;

struct CodingResult {
  uint64_t id = 0;
  core::Error error;      // Ok, or why the attempt cannot be made
  bool was_read = true;   // false: the input ended early
  CodedBytes coded;       // null: the JSON is sent as it is
  std::string signature;  // webhook-signature; empty: unsigned
};

// Purpose: keeps compressed bodies within their bound. Ownership: its count outlives it. Threads:
// any. Invariants: what is held is counted, until the last reference goes.
class CodedBudget {
 public:
  explicit CodedBudget(uint64_t bytes_max = core::kCodedBytesMax) : bytes_max_(bytes_max) {}

  bool has_room(uint64_t size) const { return held_->load() + size <= bytes_max_; }
  CodedBytes hold(std::string bytes) const;
  uint64_t held_bytes() const { return held_->load(); }

 private:
  const uint64_t bytes_max_;
  const std::shared_ptr<std::atomic<uint64_t>> held_ = std::make_shared<std::atomic<uint64_t>>(0);
};

// Whether attempts of this webhook need a job.
bool needs_coding(const core::DeliverySettings& settings);

// Does one job, reading its input once. goes_on: asked between two pieces; after a false the result
// is of no use.
CodingResult run_coding(const CodingJob& job, const CodedBudget& budget,
                        const std::function<bool()>& goes_on);

// Purpose: does jobs and hands their results back, in the order of the jobs. Ownership: whoever
// derives from it owns jobs and results until they are taken. Threads: the delivery thread.
// Invariants: one result for each job.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual void begin(CodingJob job) = 0;
  // What is done since the last call; wakes the delivery thread when there is some.
  virtual std::vector<CodingResult> take() = 0;
};

}  // namespace posthaste::engine
