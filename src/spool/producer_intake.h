// The deliverer's side of the producer files: finds what producers in other processes wrote, so
// that the spool copies it into its own journal, once over crashes, and gives the files back. Part
// of the spool; the journal (journal/producer_file.h) knows the bytes.
//
// Once over crashes: each copy in the journal names its source. How far a file was copied is
// written into that file once the copies are synced, and before anybody routes them; so the journal
// may forget a copy only when the file knows of it. After a restart a file's frames up to the
// greater of both places are not taken again; see docs/decisions/0009.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "journal/file_system.h"
#include "journal/frame_scanner.h"
#include "journal/producer_file.h"

namespace posthaste::spool {

// Purpose: gives out the frames of producer files in the order of each file. Ownership: owns the
// open files; refers to the file system. Threads: the spool thread. Invariants: a frame is given
// out until it is taken, then never again, also after a crash if it is in the journal; a file is
// used again only when it says that all of it was copied; no producer is waited for.
class ProducerIntake {
 public:
  struct Options {
    std::string directory;
    bool syncs = true;  // a power cut must not make the files forget what was copied
  };
  // A record and its event type's name; valid until the next call.
  struct Frame {
    std::string_view type;
    std::string_view record;
    journal::FrameSource source;
  };

  ProducerIntake(journal::FileSystem& file_system, Options options,
                 std::function<uint64_t()> random);

  // A copy that the journal had at the start.
  void note_recovered(const journal::FrameSource& source);
  // All of those were noted: the files are told before the journal may forget them. Before the
  // first look().
  core::Result<> skip_recovered();

  // Finds out what is new, and gives back files of which nothing is. A failure is of the disk; what
  // it keeps back is found later.
  core::Result<> look();
  // Of the files that there are. The count grows with each that appears.
  std::vector<std::string> paths() const;
  uint64_t opened_count() const { return opened_count_; }

  // The next frame; none: nothing is left of what look() found.
  std::optional<Frame> next();
  // The journal has the last frame that next() gave; else that is given again.
  void take();
  // The journal has everything that was taken, and is synced.
  core::Result<> mark_copied();

  // A line for each thing that is damaged or cannot be read; once.
  void remark(std::string text) { remarks_.push_back(std::move(text)); }
  std::vector<std::string> take_remarks() { return std::exchange(remarks_, {}); }

 private:
  // One of the files.
  struct Source {
    std::unique_ptr<journal::ProducerFile> file;  // null: not there
    journal::ProducerHeader header;               // as last seen; of salt 0: of no use yet
    uint64_t next_offset = 0;                     // behind what was taken
    uint64_t marked_end = 0;                      // as the file says
    bool is_mark_kept = true;                     // over a power cut, if that is asked for
    uint64_t skipped_end = 0;                     // frames that begin before it are in the journal
    std::unique_ptr<journal::FrameScanner> scanner;  // over what was not taken
    bool is_ready = false;         // the scanner stands on a frame that was not taken
    bool is_refused = false;       // it was reported that it cannot be read
    bool has_failed_sync = false;  // the kernel may believe that the disk has what it has not
  };

  core::Result<> look_at(uint32_t number);
  core::Result<bool> secure(Source& source, const journal::ProducerHeader& header);
  static core::Result<> sync(Source& source);
  bool open(Source& source, uint32_t number);
  std::optional<journal::ProducerHeader> read_header(Source& source, uint32_t number);
  void adopt(Source& source, const journal::ProducerHeader& header);
  void use_again(Source& source);
  static void forget_scan(Source& source);
  bool find_frame(Source& source);
  void pass_damage(Source& source, uint64_t end);
  void refuse(Source& source, const core::Error& error);

  journal::FileSystem& file_system_;
  const Options options_;
  const std::function<uint64_t()> random_;
  std::map<uint32_t, uint64_t> recovered_;  // by file and use: the last copy's offset
  std::array<Source, journal::kProducerFilesMax> sources_;
  std::vector<std::string> remarks_;
  uint64_t opened_count_ = 0;
  size_t current_ = 0;  // next() is there
};

}  // namespace posthaste::spool
