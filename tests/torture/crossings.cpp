#include "torture/crossings.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace posthaste::torture {

const char* const kCrashPoints[] = {
#include "crash_points.inc"
};
const size_t kCrashPointsCount = std::size(kCrashPoints);

Crossings::Crossings(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const size_t size = sizeof(Counts) * kCrashPointsCount;
  void* place = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(size)) == 0) {
    place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (place == MAP_FAILED) {
    std::perror(path.c_str());
    std::exit(2);
  }
  close(fd);
  // Zeroed pages are counters at zero.
  counts_ = static_cast<Counts*>(place);
}

Crossings::~Crossings() {
  munmap(counts_, sizeof(Counts) * kCrashPointsCount);
}

size_t Crossings::index_of(std::string_view name) {
  size_t index = 0;
  while (index < kCrashPointsCount && name != kCrashPoints[index]) ++index;
  return index;
}

}  // namespace posthaste::torture
