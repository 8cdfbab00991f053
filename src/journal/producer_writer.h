// How a producer writes: each record goes into one of a few files of the spool directory that
// other processes write to as well, before the call returns. The producer role uses it; the
// deliverer reads the files (spool/producer_intake). No thread, and no memory of what was written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/time.h"
#include "journal/file_pool.h"
#include "journal/producer_file.h"

namespace posthaste::journal {

struct ProducerOptions {
  std::string directory;
  FileAccess access;
  uint64_t max_bytes = uint64_t{256} << 20;  // of all producer files together
  core::Duration lock_timeout = std::chrono::milliseconds(50);
};

// A frame of a producer has two entries: the name of the event's type, since producers and the
// deliverer number types differently, and the record.
inline constexpr uint32_t kProducerEntriesCount = 2;

// Purpose: appends records to the producer files of a directory. Ownership: owns the open files;
// refers to the file system.
// Threads: any, but abandon. Invariants: what append answered Ok for survives the death of the
// process, and with the next sync a power cut; no call waits longer than lock_timeout for another
// process or thread, but a sync, which waits for the disk.
class ProducerWriter {
 public:
  ProducerWriter(FileSystem& file_system, ProducerOptions options, SaltSource salt_source);
  ProducerWriter(const ProducerWriter&) = delete;
  ProducerWriter& operator=(const ProducerWriter&) = delete;

  // `write` fills exactly record_size bytes; it may be called more than once. QueueFull when all
  // files are busy or full, TooLarge when no file could ever hold it, SpoolFull or SpoolIo when the
  // disk says so.
  core::Result<> append(std::string_view type, size_t record_size,
                        const std::function<void(char*)>& write);

  // Of what this object appended before. On SpoolIo nobody knows what of it survives.
  core::Result<> sync();

  // In a forked child: closes what it inherited and leaves all else alone, since another thread of
  // the parent may have been at work. The object must not be used or destroyed afterwards.
  void abandon();

 private:
  enum class Try { Written, Busy, Full };
  // One of the files, as this process uses it.
  struct Slot {
    std::shared_ptr<ProducerFile> file;  // null: not open
    uint64_t unsynced_end = 0;           // of what was appended and not synced; 0: nothing
    uint64_t salt = 0;                   // of the use that it was appended to
    bool has_synced_name = false;
  };
  using Slots = std::array<Slot, kProducerFilesMax>;

  core::Result<Try> try_files(std::string_view type, size_t record_size,
                              const std::function<void(char*)>& write);
  core::Result<Try> try_file(uint32_t number, std::string_view type, size_t record_size,
                             const std::function<void(char*)>& write);
  core::Result<Try> write_locked(Slot& slot, std::string_view type, size_t record_size,
                                 const std::function<void(char*)>& write);
  core::Result<> open(Slot& slot, uint32_t number) const;
  void make_frame(const ProducerHeader& header, std::string_view type, size_t record_size,
                  const std::function<void(char*)>& write);
  void note_synced_names(const Slots& synced);
  void note_synced(const Slot& slot);
  uint64_t intact_end(const Slot& slot) const;

  FileSystem& file_system_;
  const ProducerOptions options_;
  const SaltSource salt_source_;
  std::mutex sync_mutex_;   // taken before mutex_
  std::timed_mutex mutex_;  // guards what follows
  Slots slots_;
  uint32_t preferred_ = 0;
  bool is_half_written_ = false;  // the last try wrote a part at least, and failed
  std::string frame_;
};

}  // namespace posthaste::journal
