// The journal: every record that the spool takes, in one endless stream of bytes that lies in
// append-only files of reserved size. The spool thread writes it and gives files back; deliveries
// read ranges of it. It knows neither batches nor SQLite. docs/spool-format.md has the invariants
// and the bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "journal/file_pool.h"
#include "journal/file_system.h"
#include "journal/frame.h"
#include "journal/journal_file.h"
#include "journal/range_reader.h"
#include "journal/recovery.h"
#include "journal/recovery_reader.h"

namespace posthaste::journal {

// Whole records, one behind the other, cut into pieces anywhere; one entry for each record.
struct RecordGroup {
  std::span<const std::string_view> pieces;
  std::span<const IndexEntry> index;
  FrameSource source;  // a group that has one becomes exactly one frame
  // The pieces stay as they are until a sync that covers them succeeded, or keep_unsynced().
  bool is_lent = false;
};

struct JournalFileInfo {
  uint64_t number = 0;
  core::StreamPosition first = 0;
  core::StreamPosition end = 0;  // behind its last record; an upper bound if it lies before `low`
  uint64_t size_bytes = 0;
  bool is_current = false;  // the one being written; it cannot be released
};

// Purpose: appends records, makes them durable, finds them again. Ownership: owns the directory's
// journal files; refers to the file system. Threads: reader() and disk_bytes() any, everything else
// the spool thread. Invariants: positions never go back; what a successful sync() covered stays as
// it is until its file is released; what is not synced is in memory, too (with `syncs`).
class Journal {
 public:
  // Changes nothing on disk: a caller that does not accept the findings destroys the journal and
  // finds the directory as it was. It syncs nothing either, so synced_end() may be less than end()
  // until the first sync().
  static core::Result<std::unique_ptr<Journal>> open(FileSystem& file_system,
                                                     JournalOptions options,
                                                     const JournalKnown& known,
                                                     SaltSource salt_source,
                                                     JournalFindings& findings);

  // What open() found, from the frame that holds `low` on. Before the first append.
  RecoveryReader recovered() const;

  // Writes the records and returns the position of the first. On failure none of them is in the
  // journal (though after a crash they may be found) and a later call may succeed: SpoolFull when
  // the disk or max_bytes is exhausted, SpoolIo, or TooLarge for a record, or a group with a
  // source, of more than kFrameWireMax.
  core::Result<core::StreamPosition> append(const RecordGroup& group);

  // With `syncs`, on success: all that was appended survives a power cut. On failure nothing is
  // known about what was appended since the last success; the next call writes it elsewhere.
  core::Result<> sync();
  // Copies what was lent and is not synced: its owner wants it back.
  void keep_unsynced();

  // The position of the next record.
  core::StreamPosition end() const { return next_; }
  // What lies before it survives a power cut or, without `syncs`, the end of the process. At most
  // the end of the last record, which is less than end() when recovery left a gap.
  core::StreamPosition synced_end() const;
  // Of the frames that are not synced and held in memory, lent or not.
  uint64_t unsynced_bytes() const { return unsynced_bytes_; }

  // The greatest number of a file that is in use; 0: none.
  uint64_t newest_file() const;
  // Ascending.
  std::vector<JournalFileInfo> files() const;
  // What all files take, spare ones included.
  uint64_t disk_bytes() const { return pool_.disk_bytes(); }

  // Nobody needs the file's records any more, and that is safe on disk: it may be used again once
  // its readers are gone. False: no such file, or it is being written.
  bool release(uint64_t number);
  // Gives the space of files that wait for use back to a disk that is full.
  void remove_spares() { pool_.remove_spares(); }

  // Reads the ranges one behind the other. SpoolIo (key `lost`) when a part of them is in no file.
  core::Result<std::unique_ptr<RangeReader>> reader(
      std::span<const core::StreamRange> ranges) const;

 private:
  // A frame as it is written: header, records, index with padding.
  struct Frame {
    FrameHeader header;
    std::string_view lent;  // the records, unless they are `own`
    std::string own;
    std::string index;

    std::string_view wire() const { return own.empty() ? lent : std::string_view(own); }
    std::string_view index_entries() const {
      return std::string_view(index).substr(0, header.records_count * kIndexEntrySize);
    }
  };
  class PieceCursor;

  Journal(FileSystem& file_system, JournalOptions options, core::StreamPosition low,
          SaltSource salt_source);

  core::Result<> prepare();
  core::Result<> open_unsynced_files();
  core::Result<> load_unsynced_frames();
  core::Result<> complete_headers();
  core::Result<> write_again(const RecoveredFrame& recovered);

  core::Result<> provide_for(const RecordGroup& group);
  core::Result<> append_frames(const RecordGroup& group);
  Frame& add_frame(core::StreamPosition position, std::span<const IndexEntry> index,
                   const FrameSource& source);
  core::Result<> write_frame(Frame& frame);
  core::Result<> write_to(OpenFile& file, Frame& frame) const;
  static core::Result<> write_parts(File& file, uint64_t offset, const Frame& frame, uint64_t salt);
  FilePool::Limit limit() const;
  core::Result<> change_file(const FrameHeader& next);
  void adopt(std::shared_ptr<OpenFile> file);
  bool fits_current(uint64_t frames_bytes) const;

  core::Result<> sync_files();
  void note_synced(core::StreamPosition end);
  core::Result<> rewrite();
  void give_up_files_from(core::StreamPosition position);
  void drop_last_frame();
  void drop_first_frame();

  FileSystem& file_system_;
  const JournalOptions options_;
  const core::StreamPosition low_;
  FilePool pool_;

  RecoveredJournal recovered_;
  bool is_prepared_ = false;
  core::StreamPosition log_end_ = 0;  // behind the last record written
  core::StreamPosition next_ = 0;     // log_end_, or behind a gap that recovery left
  core::StreamPosition synced_ = 0;   // known to survive a power cut
  bool must_rewrite_ = false;         // unsynced frames are only in memory
  std::shared_ptr<OpenFile> current_;
  std::vector<std::shared_ptr<JournalFile>> void_files_;  // kept until a newer file is in use
  std::deque<std::shared_ptr<OpenFile>> unsynced_files_;  // ascending
  std::deque<Frame> unsynced_frames_;                     // ascending
  uint64_t unsynced_bytes_ = 0;

  mutable std::mutex mutex_;                         // guards files_ and the ends that they state
  std::vector<std::shared_ptr<JournalFile>> files_;  // ascending
};

}  // namespace posthaste::journal
