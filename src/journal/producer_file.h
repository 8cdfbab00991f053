// One file that processes other than the deliverer append records to. The producers' side
// (ProducerWriter) and the deliverer's (spool/producer_intake) share it; which file to take, and
// what becomes of the frames, is theirs. docs/spool-format.md has the bytes.
//
// Invariants. Bytes below the committed end are not written again during one use of the file. The
// header is written under the lock, the place of the deliverer (how far it copied) by the deliverer
// alone. Only the deliverer begins a new use, and only when everything committed was copied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "journal/file_system.h"
#include "journal/frame.h"

namespace posthaste::journal {

inline constexpr uint32_t kProducerFilesMax = 16;
// Frames follow the page of the header.
inline constexpr uint64_t kProducerFramesOffset = kPageSize;
// In Error::key, when the header cannot be what a producer wrote.
inline constexpr const char* kDamagedKey = "damaged";

std::string producer_file_name(uint32_t number);

struct ProducerHeader {
  uint32_t number = 0;  // as in the file's name
  uint32_t use = 0;     // each use of the file has the next
  uint64_t salt = 0;    // random, of this use
  // Frames lie from kProducerFramesOffset to here; what lies behind means nothing.
  uint64_t committed_end = kProducerFramesOffset;
  uint64_t synced_end = 0;  // a bad frame that begins behind it is the torn tail of a power cut

  bool operator==(const ProducerHeader&) const = default;
};

// How a copy of the frame at `offset` names where it came from.
FrameSource source_of(const ProducerHeader& header, uint64_t offset);
// The file's number in a source that is not empty.
uint32_t producer_number_of(const FrameSource& source);

// Purpose: one producer file, open. Ownership: owns the open file; the file system outlives it.
// Threads: one at a time, but sync and is_gone any.
class ProducerFile {
 public:
  enum class Mode { Existing, Create };

  // Null: with Existing there is no such file. Create takes one that is there, too.
  static core::Result<std::unique_ptr<ProducerFile>> open(FileSystem& file_system,
                                                          const std::string& directory,
                                                          uint32_t number, Mode mode,
                                                          const FileAccess& access);
  ProducerFile(const ProducerFile&) = delete;
  ProducerFile& operator=(const ProducerFile&) = delete;

  const std::string& path() const { return path_; }
  // Closes the file and frees no lock of another process: for a forked child, whose open file is
  // its parent's, too. Nothing else may be called afterwards.
  void abandon() { file_.reset(); }

  // False: somebody else has it. Never waits.
  bool try_lock() { return file_->try_lock(); }
  void unlock() { file_->unlock(); }
  // The file was removed under us.
  bool is_gone() const { return file_->is_gone(); }

  // None: nobody used the file yet. SpoolIo with kDamagedKey when it is not a header; without the
  // lock that may pass, since it may be in the middle of a change.
  core::Result<std::optional<ProducerHeader>> header() const;

  // The lock is held for the following four.

  // Throws away all frames. `salt` is the new use's.
  core::Result<ProducerHeader> begin_use(uint32_t use, uint64_t salt);
  // Writes a frame at the committed end, then moves that. On failure nothing was added.
  core::Result<> append(ProducerHeader& header, std::string_view frame);
  // The frames up to the end are known to be synced.
  core::Result<> note_synced(ProducerHeader& header, uint64_t end);

  // Writes what lies below the end once more, as it is: after a failed sync the kernel believes
  // that the disk has it.
  core::Result<> write_anew(uint64_t end);

  // What was written survives a power cut.
  core::Result<> sync() { return file_->sync(); }

  // The deliverer's: how far this use of the file was copied. No lock is needed.
  core::Result<uint64_t> copied_end(const ProducerHeader& header) const;
  core::Result<> set_copied_end(const ProducerHeader& header, uint64_t end);

 private:
  ProducerFile(std::unique_ptr<File> file, std::string path, uint32_t number);

  core::Result<> write_header(const ProducerHeader& header);
  core::Result<std::string> read_at(uint64_t offset, size_t size) const;

  std::unique_ptr<File> file_;  // null: abandoned
  const std::string path_;
  const uint32_t number_;
};

}  // namespace posthaste::journal
