// The keys of the REST API in a spool directory: one small file, written anew with each change. It
// stands beside the database so that damage to one leaves the other whole, and an operator who lost
// his key can delete it. docs/spool-format.md describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "journal/file_system.h"

namespace posthaste::spool {

// A key, of which only the hash is known.
struct ApiKey {
  std::string id;
  std::string name;  // for people
  std::string hash;  // of the key, as text
  bool may_modify = false;
  std::optional<uint32_t> subaccount;  // the only one it may act for; none: all
  core::WallTime created{};
};

// Purpose: reads and replaces the file. Ownership: refers to the file system. Threads: one at a
// time. Invariants: what write() returned from survives a power cut; a reader finds the old keys or
// the new ones, whole.
class ApiKeyFile {
 public:
  ApiKeyFile(journal::FileSystem& file_system, std::string directory, journal::FileAccess access);

  // No file is no keys. BadFile when it is not what write() made.
  core::Result<std::vector<ApiKey>> read() const;
  core::Result<> write(const std::vector<ApiKey>& keys);
  // Of a file that cannot be read: gives it another name, which is returned.
  core::Result<std::string> set_aside();

 private:
  journal::FileSystem& file_system_;
  const std::string directory_;
  const std::string path_;
  const journal::FileAccess access_;
};

}  // namespace posthaste::spool
