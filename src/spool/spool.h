// The spool as a whole: journal and store of one directory, opened together and kept in step. The
// composition root opens it, the engine's spool thread drives it, deliveries and queries read
// bodies from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event_catalogue.h"
#include "core/record_block.h"
#include "core/result.h"
#include "core/settings.h"
#include "core/time.h"
#include "journal/directory_lock.h"
#include "journal/file_system.h"
#include "journal/journal.h"
#include "spool/api_key_file.h"
#include "spool/ballast.h"
#include "spool/producer_intake.h"
#include "spool/store.h"

namespace posthaste::spool {

class SqliteStore;

struct SpoolOptions {
  std::string directory;
  uint64_t max_bytes = uint64_t{4} << 30;
  uint64_t file_bytes = uint64_t{64} << 20;
  core::SpoolSync sync = core::SpoolSync::Full;
  core::DamagePolicy on_damage = core::DamagePolicy::Refuse;
  std::string group;
  uint32_t file_mode = 0600;
  core::Duration attempts_max_age = std::chrono::hours(24);
  uint64_t attempts_max_bytes = 4u << 20;
  core::Duration dead_letters_max_age = std::chrono::hours(24 * 7);
  uint64_t dead_letters_max_bytes = uint64_t{1} << 30;
  const char* vfs = nullptr;  // name of a SQLite VFS, for tests; null: the system's
};

SpoolOptions spool_options(const core::EngineSettings& settings);
// dead_letter.max_bytes, but no more than a quarter of spool.max_bytes.
uint64_t dead_letters_max_bytes(const core::EngineSettings& settings);

// Reads the body of a batch or a dead letter that is on disk. Ownership: pins journal files; refers
// to the spool. Threads: one at a time. Holds one frame at most.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual uint64_t size_bytes() const = 0;
  // Up to `room` bytes of the body, brackets included, from `offset` on; less only at the end.
  virtual core::Result<size_t> read(uint64_t offset, char* out, size_t room) = 0;
};

// Purpose: the one owner of a spool directory. Ownership: owns lock, journal and store; refers to
// the file system. Threads: open_body, disk_bytes, store (as it says) and set_low_written any,
// everything else the spool thread, or the one that starts it before it runs. Invariants: a journal
// file is used again only when neither a live batch nor the written cursor needs it.
class Spool {
 public:
  // Remarks: one line for each thing that was damaged and what became of it; losses are in the
  // store.
  static core::Result<std::unique_ptr<Spool>> open(journal::FileSystem& file_system,
                                                   const SpoolOptions& options,
                                                   std::function<uint64_t()> random,
                                                   core::WallTime now,
                                                   std::vector<std::string>& remarks);
  ~Spool();

  DurableStore& store();
  ApiKeyFile& api_key_file() { return api_key_file_; }
  const RecoveredState& recovered() const { return recovered_; }

  // Gives every event type its number on disk. Before append and next_recovered. The catalogue
  // outlives the spool.
  core::Result<> define_types(const core::EventCatalogue& catalogue);

  // The records from before the restart that may not be in batches, in order; null at the end. The
  // caller has the one reference to the block. Before the first append.
  struct Recovered {
    core::RecordBlock* block = nullptr;
    core::RecordRun run;
  };
  core::Result<std::optional<Recovered>> next_recovered(core::Instant now);

  // Writes a run's records to the journal; its place there. Nothing is in it after a failure. The
  // block stays until sync_journal() succeeded, or keep_unsynced().
  core::Result<core::StreamPosition> append(const core::RecordBlock& block,
                                            const core::RecordRun& run);
  core::Result<> sync_journal();
  void keep_unsynced() { journal_->keep_unsynced(); }

  // Looks for records of producers in other processes, and gives their files back.
  core::Result<> look_for_produced() { return producers_->look(); }
  // Copies the next of them into the journal; none: nothing is left. The caller has the one
  // reference to the block. Nothing is copied after a failure.
  core::Result<std::optional<Recovered>> next_produced(core::Instant now);
  // After sync_journal, before the copies are handed on: a crash later does not copy them again.
  core::Result<> mark_copied();
  // Of the files of producers that there are; the count grows with each that appears.
  std::vector<std::string> producer_paths() const { return producers_->paths(); }
  uint64_t producer_files_opened() const { return producers_->opened_count(); }
  // A line for each thing that was found or done since the last call: damage of a file, events of a
  // type that is not known.
  std::vector<std::string> take_remarks() { return producers_->take_remarks(); }
  core::StreamPosition end() const { return journal_->end(); }
  // At the start: behind all that was found. What comes next may begin later.
  core::StreamPosition recovered_end() const { return journal_->synced_end(); }

  // One transaction of what is queued in the store; gives up the ballast for it when the disk is
  // full.
  core::Result<CommitOutcome> commit();
  // Gives back the files that neither a live batch nor recovery needs; costs nothing unless the
  // cursor has moved by much since the last time.
  core::Result<> give_back();
  // What is due once in a while: files are given back, long waits moved, the ballast renewed. With
  // on_damage=quarantine a database that was found damaged is replaced by what is readable of it.
  core::Result<CommitOutcome> maintain(core::WallTime now);
  // Long waits keep the journal above its part of the spool: the next maintenance should come soon.
  bool has_more_to_move() const { return has_more_to_move_; }
  // The database was found damaged. Nothing is written to it any more, which could only spread the
  // damage, and commits say what to do.
  bool is_damaged() const { return damage_.code != core::ErrorCode::Ok; }
  // The cursor up to which everything is in batches is on disk.
  void set_low_written(core::StreamPosition low) { low_written_.store(low); }

  core::Result<std::unique_ptr<BodyReader>> open_body(uint64_t sequence) const;
  // Of all files, without what is free in the database.
  uint64_t disk_bytes() const;
  void set_max_bytes(uint64_t max_bytes) { max_bytes_.store(max_bytes); }
  // The engine closes: a check of the store ends.
  void stop_checks();

 private:
  class Records;

  Spool(journal::FileSystem& file_system, const SpoolOptions& options,
        const journal::FileAccess& access);

  core::Result<> open_store(core::WallTime now, std::vector<std::string>& remarks);
  core::Result<> open_journal(std::function<uint64_t()> random, std::vector<std::string>& remarks);
  core::EventTypeId type_of(std::string_view name);
  core::Result<> release_files();
  core::Result<> move_long_waits();
  core::Result<uint64_t> move_oldest();
  bool is_journal_large() const;
  core::Error noted(core::Error error);
  void renew(core::WallTime now);

  journal::FileSystem& file_system_;
  const SpoolOptions options_;
  const journal::FileAccess access_;
  std::unique_ptr<journal::DirectoryLock> lock_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<Records> records_;
  std::unique_ptr<ProducerIntake> producers_;
  const core::EventCatalogue* catalogue_ = nullptr;
  std::set<std::string, std::less<>> unknown_types_;  // that were remarked
  bool is_journal_synced_ = true;
  ApiKeyFile api_key_file_;
  Ballast ballast_;
  RecoveredState recovered_;
  std::optional<journal::RecoveryReader> recovery_;
  std::vector<uint16_t> disk_types_;            // by type of the catalogue
  std::vector<core::EventTypeId> event_types_;  // by number on disk
  std::vector<std::string_view> pieces_;
  std::vector<journal::IndexEntry> index_;
  core::Error damage_;  // of the database, found since it was opened
  int renewals_count_ = 0;
  int turns_until_renewal_ = 0;
  bool has_more_to_move_ = false;
  int recovery_failures_count_ = 0;
  std::atomic<core::StreamPosition> low_written_{0};
  core::StreamPosition given_back_to_ = 0;  // low_written_ when files were given back last
  std::atomic<uint64_t> max_bytes_;
};

}  // namespace posthaste::spool
