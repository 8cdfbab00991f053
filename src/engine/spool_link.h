// What the delivery step sees of the spool: the store's operations, bodies that are not in memory,
// and how the disk is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/time.h"
#include "spool/store.h"

namespace posthaste::engine {

// The body of a batch in the spool. Holds little memory, whatever its size. Threads: one.
class StoredBody {
 public:
  virtual ~StoredBody() = default;
  // As transport::BodySource::read; 0 before the end: it cannot be read.
  virtual size_t read(uint64_t offset, char* out, size_t room) = 0;
  // After it could not be read: no later attempt can.
  virtual bool is_lost() const = 0;
};

// Purpose: the spool as the delivery thread uses it; nothing here waits for the disk but reading a
// body. Ownership: refers to the store. Threads: the delivery thread.
class SpoolLink {
 public:
  explicit SpoolLink(spool::DurableStore& store) : store_(store) {}
  virtual ~SpoolLink() = default;

  spool::DurableStore& store() { return store_; }
  virtual std::unique_ptr<StoredBody> open_body(uint64_t sequence) = 0;
  // Since when rows cannot be written; kNever: they can.
  virtual core::Instant failing_since() const = 0;
  // Ok, or what push and sync answer while the disk is bad.
  virtual core::ErrorCode health() const = 0;
  // The engine closes: nothing waits for a disk that fails.
  virtual bool is_hurried() const = 0;
  // Of all files of the spool, without what is free in them.
  virtual uint64_t disk_bytes() const = 0;
  virtual void set_max_bytes(uint64_t max_bytes) = 0;
  // How often files that nobody needs were given back.
  virtual uint64_t maintained_count() const = 0;
  // Recovery would start at `low` now: journal files before it may be given back.
  virtual void cursor_written(core::StreamPosition low) = 0;
  // There is something to commit.
  virtual void wake() = 0;

 private:
  spool::DurableStore& store_;
};

}  // namespace posthaste::engine
