#include "spool/ballast.h"

#include <utility>

namespace posthaste::spool {

Ballast::Ballast(journal::FileSystem& file_system, std::string directory,
                 journal::FileAccess access)
    : file_system_(file_system),
      directory_(std::move(directory)),
      path_(directory_ + "/ballast"),
      access_(access) {}

void Ballast::reserve() {
  if (is_reserved_) return;
  // Twice its size must be free, else it would be taken and given back in turns.
  const auto free = file_system_.free_bytes(directory_);
  if (!free || *free < 2 * kSize) return;
  auto file = file_system_.open(path_, journal::OpenMode::Create, access_);
  // It is there from an earlier run.
  if (!file) file = file_system_.open(path_, journal::OpenMode::Write, access_);
  if (!file) return;
  is_reserved_ = (*file)->allocate(kSize).ok();
  if (!is_reserved_) give_back();
}

bool Ballast::give_back() {
  const bool was_reserved = std::exchange(is_reserved_, false);
  return file_system_.remove(path_).ok() && was_reserved;
}

}  // namespace posthaste::spool
