// A file system in memory that fails, fills up and loses power when a test says so, the same way
// each time for the same seed. It knows of each page whether it was synced, and of each name. For
// tests of the journal and of what stands on it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "journal/file_system.h"

namespace posthaste::test {

// What changes something that may have to survive.
enum class FaultStep { Create, Allocate, Write, Truncate, Sync, Rename, Remove, SyncDirectory };

// Purpose: FileSystem with faults. Ownership: owns all contents; must outlive its open files.
// Threads: one. Invariants: as on Linux, what was not synced survives a power cut in part, page by
// page and in any order; after a failed sync the pages concerned are written by nobody any more,
// and may read as they were before.
class FaultFileSystem final : public journal::FileSystem {
 public:
  static constexpr uint64_t kPageSize = 4096;

  explicit FaultFileSystem(uint64_t seed) : random_(seed) {}
  ~FaultFileSystem() override;

  // Called before each step; what it throws leaves the step undone.
  std::function<void(FaultStep step, const std::string& path)> before_step;

  // The step fails `count` times, after it went well `after` times. `error`: as in errno.
  void fail(FaultStep step, int error, uint64_t count = 1, uint64_t after = 0);
  // The step fails each time with this chance.
  void fail_at_random(FaultStep step, int error, uint32_t per_mille);
  // Reads of this page of the file fail until faults are cleared.
  void fail_reads(const std::string& path, uint64_t page);
  void clear_faults();
  // The disk has room for so many bytes.
  void set_space(uint64_t size_bytes) { space_bytes_ = size_bytes; }

  // The machine stops and starts again. Files that were open answer EIO from now on.
  void power_cut();
  // Decides which of the unsynced pages survive.
  using PageChoice = std::function<bool(const std::string& path, uint64_t page)>;
  void power_cut(const PageChoice& survives);

  bool exists(const std::string& path) const { return names_.contains(path); }
  std::vector<std::string> paths() const;
  std::string bytes(const std::string& path) const;
  // As if the disk had changed by itself: what was synced, too.
  void damage(const std::string& path, uint64_t offset, std::string_view bytes);
  uint64_t steps_count() const { return steps_count_; }

  core::Result<std::unique_ptr<journal::File>> open(const std::string& path, journal::OpenMode mode,
                                                    const journal::FileAccess& access) override;
  core::Result<std::vector<std::string>> list(const std::string& directory) override;
  core::Result<> remove(const std::string& path) override;
  core::Result<> rename(const std::string& from, const std::string& to) override;
  core::Result<> sync_directory(const std::string& directory) override;
  core::Result<uint64_t> free_bytes(const std::string& directory) override;

 private:
  struct Contents;
  class OpenedFile;
  using Names = std::map<std::string, std::shared_ptr<Contents>>;
  // A change of names: from empty for a new file, to empty for one removed.
  struct NameChange {
    std::string from;
    std::string to;
    std::shared_ptr<Contents> contents;
  };
  struct Fault {
    FaultStep step = FaultStep::Write;
    int error = 0;
    uint64_t after = 0;
    uint64_t count = 0;
    uint32_t per_mille = 0;
  };

  int begin(FaultStep step, const std::string& path);
  int grow(Contents& contents, uint64_t size_bytes);
  void change_names(NameChange change);
  void cut(const PageChoice* survives);
  void cut_contents(const std::string& path, Contents& contents, const PageChoice* survives);
  uint64_t used_bytes() const;
  static void apply(const NameChange& change, Names& names);

  core::Random random_;
  Names names_;
  Names synced_names_;
  std::deque<NameChange> unsynced_changes_;
  std::vector<Fault> faults_;
  std::set<std::pair<std::string, uint64_t>> unreadable_pages_;
  uint64_t space_bytes_ = std::numeric_limits<uint64_t>::max();
  uint64_t power_cuts_count_ = 0;
  uint64_t steps_count_ = 0;
};

}  // namespace posthaste::test
