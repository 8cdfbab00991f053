// The delivery step's own bookkeeping, shared by its source files and by nothing else.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/wipe.h"
#include "engine/delivery.h"

namespace posthaste::engine {

// One target that a webhook has or had, with the batches sealed for it.
struct Delivery::Target {
  core::Endpoint endpoint;
  Record* record = nullptr;
  core::WebhookPtr webhook;  // as it was when this was last its target
  uint32_t pending_count = 0;
  core::EndpointHealth reported_health = core::EndpointHealth::Healthy;

  bool is_idle() const { return endpoint.is_idle() && pending_count == 0; }
};

// A sealed batch whose row is not on disk yet.
struct Delivery::Pending {
  uint64_t operation = 0;
  core::Instant since{};
  std::unique_ptr<core::Batch> batch;
  Target* target = nullptr;
};

// Dead letters that become batches again once that is on disk.
struct Delivery::Replay {
  uint64_t operation = 0;
  std::vector<std::pair<std::unique_ptr<core::Batch>, Target*>> batches;
  std::shared_ptr<spool::Sums> sums;
  Done done;  // empty: the host was told
};

// One webhook, from its registration until its last batch is over.
struct Delivery::Record {
  core::WebhookPtr webhook;  // as it is now; when removed, as it was
  core::Subscriber subscriber;
  std::vector<std::unique_ptr<Target>> targets;  // the last one is that of now
  std::shared_ptr<metrics::WebhookCounters> counters;
  uint64_t charged_bytes = 0;  // memory of its sealed batches
  uint64_t spooled_bytes = 0;  // bodies of its batches in the spool
  uint64_t sealed_bytes = 0;   // ever
  metrics::RateMeter spool_rate;
  core::Instant last_start{};  // of an attempt
  core::RateClock rate;
  core::Instant failing_since = core::kNever;  // nothing but failure since then
  bool is_warned = false;                      // that it will be disabled
  bool is_removed = false;
  bool drops_failed = false;  // removed with its batches: what is in flight has its last attempt

  uint64_t memory_bytes() const { return charged_bytes + subscriber.open.owned_bytes(); }
};

// A batch's body while the encoder reads it, on another thread. The delivery thread may move the
// bytes meanwhile (detach), under the same lock; it takes the batch back before that goes.
struct Delivery::LentBody final : CodingInput {
  LentBody(std::mutex& mutex, core::Batch& lent, SpoolLink* link)
      : lent_mutex(mutex),
        body_size_bytes(lent.body.size_bytes()),
        sequence(lent.sequence),
        spool(link),
        batch(&lent) {}

  std::mutex& lent_mutex;
  const uint64_t body_size_bytes;
  const uint64_t sequence;
  SpoolLink* const spool;
  core::Batch* batch;                  // null: taken back
  std::unique_ptr<StoredBody> stored;  // the encoder's
  bool is_lost = false;                // its body is gone for good

  uint64_t size_bytes() const override { return body_size_bytes; }
  size_t read(uint64_t offset, char* out, size_t room) override {
    {
      const std::lock_guard lock(lent_mutex);
      if (!batch) return 0;
      if (!batch->body.is_released()) return batch->body.read(offset, out, room);
    }
    // The disk may take its time, so not under the lock.
    if (!stored) stored = spool->open_body(sequence);
    const size_t size = stored->read(offset, out, room);
    is_lost = size == 0 && stored->is_lost();
    return size;
  }
  void take_back() {
    const std::lock_guard lock(lent_mutex);
    batch = nullptr;
  }
};

// A POST of a webhook's that may have to wait for a token.
struct Delivery::Outgoing : transport::BodySource {
  core::WebhookPtr webhook;    // whose credentials it carries
  transport::Request request;  // to send when its body is coded, or when there is a token
  std::string token_key;       // under which the token is kept; empty: it needs none
  std::string token;           // that it went out with
  bool is_second_try = false;  // its first token was refused

  ~Outgoing() override {
    core::wipe(token);
    core::wipe(token_key);
    for (transport::HeaderField& header : request.headers) core::wipe(header.value);
  }
};

// A token request, and who waits for its end.
struct Delivery::TokenFetch final : transport::BodySource {
  std::string token_key;
  std::string url;
  std::string body;
  std::vector<std::string> secrets;  // that the answer may repeat
  std::vector<uint64_t> waiting;     // requests; those that were cancelled as well

  ~TokenFetch() override {
    core::wipe(body);
    core::wipe(token_key);
    for (std::string& secret : secrets) core::wipe(secret);
  }
  uint64_t size_bytes() const override { return body.size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    return std::string_view(body).substr(static_cast<size_t>(offset)).copy(out, room);
  }
};

// One POST of a batch, and the way its body is read.
struct Delivery::Attempt final : Outgoing {
  ~Attempt() override {
    if (lent) lent->take_back();
  }

  core::Batch* batch = nullptr;
  SpoolLink* spool = nullptr;
  // While the encoder has its body, and the request waits for it.
  std::shared_ptr<LentBody> lent;
  core::Compression compression = core::Compression::None;
  CodedBytes coded;                    // what is sent; null: the JSON
  std::unique_ptr<StoredBody> stored;  // once the memory is given up
  bool is_unreadable = false;          // its body is gone for good
  bool is_cut_short = false;           // its body could not be read this time

  uint64_t size_bytes() const override { return coded ? coded->size() : batch->body.size_bytes(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    if (coded) return coded->copy(out, room, static_cast<size_t>(offset));
    if (!batch->body.is_released()) return batch->body.read(offset, out, room);
    if (!stored) stored = spool->open_body(batch->sequence);
    const size_t size = stored->read(offset, out, room);
    if (size == 0 && room > 0 && offset < size_bytes()) {
      (stored->is_lost() ? is_unreadable : is_cut_short) = true;
    }
    return size;
  }
};

// One test POST.
struct Delivery::Verification final : Outgoing {
  std::string json;
  Done done;
  CodedBytes coded;                      // what is sent; null: the JSON
  std::shared_ptr<VerifyAnswer> answer;  // filled as far as the request is known
  bool is_token_missing = false;         // it was never sent
  int32_t token_status = 0;              // of the answer to the token request; 0: there was none
  std::string token_network_name;        // why there was none

  std::string_view body() const { return coded ? std::string_view(*coded) : json; }
  uint64_t size_bytes() const override { return body().size(); }
  size_t read(uint64_t offset, char* out, size_t room) override {
    return body().copy(out, room, static_cast<size_t>(offset));
  }
};

}  // namespace posthaste::engine
