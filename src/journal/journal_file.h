// What is known about one file of the journal, shared by the journal and its readers, and the names
// that files have.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stream.h"

namespace posthaste::journal {

// A file in use holds frames; a spare one waits for use and its contents mean nothing; a damaged
// one was set aside as it was, for people to look at.
enum class FileKind { InUse, Spare, Damaged };

struct FileName {
  FileKind kind = FileKind::InUse;
  uint64_t number = 0;
};

std::string file_name(FileName name);
// None: not a file of the journal.
std::optional<FileName> parse_file_name(std::string_view name);

// Where a frame begins: in the stream and in its file.
struct Checkpoint {
  core::StreamPosition position = 0;
  uint64_t offset = 0;
};

// Purpose: one file in use. Ownership: shared by the journal and the readers that pin it. Threads:
// what is const and checkpoints any; `end` is the spool thread's, who changes it under the
// journal's mutex; `is_suspect` and `is_damaged` its own. Invariants: while anybody but the journal
// holds it, the file keeps its name and contents.
class JournalFile {
 public:
  JournalFile(uint64_t number_, std::string path_, uint64_t size_bytes_, uint64_t salt_,
              core::StreamPosition first_)
      : number(number_),
        path(std::move(path_)),
        size_bytes(size_bytes_),
        salt(salt_),
        first(first_),
        end(first_) {}

  const uint64_t number;
  const std::string path;
  const uint64_t size_bytes;
  const uint64_t salt;
  const core::StreamPosition first;
  // Behind the last record that counts; of a file that recovery did not read, an upper bound.
  core::StreamPosition end;
  bool is_suspect = false;  // it failed once, and is removed rather than used again
  bool is_damaged = false;  // recovery missed frames in it: it is set aside rather than used again

  // A frame begins there; remembered for one in every megabyte or so.
  void note_frame(Checkpoint frame);
  // The last checkpoint at or before a position; the first frame's place when there is none.
  Checkpoint checkpoint_before(core::StreamPosition position) const;

 private:
  mutable std::mutex mutex_;             // guards checkpoints_
  std::vector<Checkpoint> checkpoints_;  // ascending
};

}  // namespace posthaste::journal
