// The journal's files apart from what they hold: taking one into use, giving it back, and how much
// they are together. Used by the journal only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "journal/file_system.h"
#include "journal/frame.h"
#include "journal/journal_file.h"
#include "journal/recovery.h"

namespace posthaste::journal {

struct JournalOptions {
  std::string directory;
  uint64_t file_bytes = uint64_t{64} << 20;  // reserved for each file
  // Of all files together, spare ones included.
  uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  // True: sync() survives a power cut. False: it waits for nothing, and a file is synced when it
  // is full.
  bool syncs = true;
  FileAccess access;
  size_t spares_max = 4;  // files kept for the next use
};

// Random, and not to be guessed by who makes payloads: platform::random_seed.
using SaltSource = std::function<uint64_t()>;

// A file that is being written, or was and is not synced.
struct OpenFile {
  std::shared_ptr<JournalFile> file;
  std::unique_ptr<File> handle;
  uint64_t offset = kFramesOffset;  // of the next frame
  core::StreamPosition end = 0;     // of the last frame
};

// Purpose: files in use come from here and return here. Ownership: owns spare files and those that
// wait for their readers; refers to the file system. Threads: disk_bytes any, the rest the spool
// thread. Invariants: a file has the name of one in use only while its header is intact and synced,
// whatever survives a power cut, so an unreadable header is always damage; a file that a reader
// holds keeps its name and contents.
class FilePool {
 public:
  enum class Limit { Enforced, Ignored };

  FilePool(FileSystem& file_system, const JournalOptions& options, SaltSource salt_source);

  void adopt_spares(std::vector<SpareFile> spares, uint64_t last_number);
  // Counts a file that is not the pool's.
  void count(uint64_t size_bytes) { disk_bytes_ += size_bytes; }
  // Gives a damaged file a name that the journal leaves alone; of those only the newest are kept.
  // False: it could not, and the file is found damaged again.
  bool set_aside(const std::string& path, uint64_t number);

  // Sees to a spare file that has room for so many bytes of frames. SpoolFull when that would
  // exceed max_bytes or the disk.
  core::Result<> provide(uint64_t frames_bytes, Limit limit);
  // Takes one into use; number and salt are the pool's to choose. What `fill` writes (it may be
  // empty) is on disk before the file is in use. A file that fails on the way is removed.
  using Fill = std::function<core::Result<>(OpenFile& file)>;
  core::Result<std::shared_ptr<OpenFile>> take(FileHeader header, uint64_t frames_bytes,
                                               Limit limit, const Fill& fill);
  // Nobody needs it any more, readers apart.
  void retire(std::shared_ptr<JournalFile> file);
  void remove_spares();

  uint64_t disk_bytes() const { return disk_bytes_.load(std::memory_order_relaxed); }

 private:
  std::string path_of(FileKind kind, uint64_t number) const;
  bool is_over_limit(uint64_t size_bytes) const;
  core::Result<> create_spare(uint64_t size_bytes);
  core::Result<> start(const SpareFile& spare, const FileHeader& header, const Fill& fill,
                       OpenFile& file);
  void recycle();
  void make_spare(const JournalFile& file);
  void limit_set_aside();
  bool remove(const std::string& path, uint64_t size_bytes);

  FileSystem& file_system_;
  const JournalOptions& options_;
  const SaltSource salt_source_;
  std::vector<SpareFile> spares_;
  std::vector<std::shared_ptr<JournalFile>> retired_;
  uint64_t last_number_ = 0;
  bool has_unsynced_spares_ = false;  // after a power cut some may have their former names
  std::atomic<uint64_t> disk_bytes_{0};
};

}  // namespace posthaste::journal
