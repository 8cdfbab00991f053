// A file that only takes up room, given back when the disk is full: rows and outcomes can still be
// written then, batches go out and free space. Without it a full disk would stop the very thing
// that empties it.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "journal/file_system.h"

namespace posthaste::spool {

// Purpose: reserves space and gives it back. Ownership: refers to the file system; the file stays
// when it is destroyed. Threads: the spool thread.
class Ballast {
 public:
  static constexpr uint64_t kSize = uint64_t{16} << 20;

  Ballast(journal::FileSystem& file_system, std::string directory, journal::FileAccess access);

  // Takes up room, unless the disk has little left.
  void reserve();
  // False when there is none to give.
  bool give_back();

 private:
  journal::FileSystem& file_system_;
  const std::string directory_;
  const std::string path_;
  const journal::FileAccess access_;
  bool is_reserved_ = false;
};

}  // namespace posthaste::spool
