// What the files of a journal say when it is opened: which of them count, where the journal ends,
// and what is damaged. Called by Journal::open; it changes nothing on disk, so that a host may
// refuse a damaged journal and find it as it was.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "journal/file_system.h"
#include "journal/frame.h"
#include "journal/journal_file.h"

namespace posthaste::journal {

// What the caller knows from elsewhere.
struct JournalKnown {
  core::StreamPosition low = 0;       // nothing before it is needed; 0: everything is
  core::StreamPosition at_least = 0;  // no new record gets a position before it
  core::StreamPosition synced = 0;    // what is missing before it is damage; 0: not known
  core::StreamPosition accepted = 0;  // what is missing before it was reported earlier
  // A file with this number or a greater one was in use: the newest is never given back. 0: not
  // known.
  uint64_t newest_file = 0;
};

// Damage is reported, never what a plain power cut leaves behind.
struct JournalFindings {
  std::vector<core::StreamRange> lost;     // ascending; of what was read, from `low` on
  std::vector<std::string> damaged_files;  // paths; also of the newest file when it is gone
  // Not damage: intact frames from here on were given up, since a torn one that nobody was
  // promised comes before them. 0: none.
  core::StreamPosition torn_at = 0;

  bool is_damaged() const { return !lost.empty() || !damaged_files.empty(); }
};

struct SpareFile {
  uint64_t number = 0;
  std::string path;
  uint64_t size_bytes = 0;
};

// A file of which one copy of the header is damaged.
struct HalfHeader {
  std::string path;
  FileHeader header;  // the other copy
};

struct RecoveredJournal {
  std::vector<std::shared_ptr<JournalFile>> files;  // ascending
  std::vector<std::shared_ptr<JournalFile>> void_files;
  std::vector<SpareFile> spares;
  std::vector<SpareFile> unreadable;  // neither header is intact
  std::vector<HalfHeader> half_headers;
  core::StreamPosition log_end = 0;
  core::StreamPosition next = 0;  // of the next record: log_end, or behind a gap
  core::StreamPosition synced = 0;
  uint64_t last_number = 0;
  // Where the last file can take further frames; 0: it cannot.
  uint64_t resume_offset = 0;
};

// Reads headers of all files, and frames from the file that holds `known.low` on. Fails when the
// directory or a file cannot be opened, and with Unsupported when a newer version wrote it.
core::Result<RecoveredJournal> recover_journal(FileSystem& file_system,
                                               const std::string& directory,
                                               const JournalKnown& known,
                                               JournalFindings& findings);

}  // namespace posthaste::journal
