// Large blocks of memory that are written from end to end and used over and over, such as the
// intake's segments.
#pragma once

#include <cstddef>
#include <memory>

namespace posthaste::platform {

// Size and alignment of a huge page on the platforms we know; elsewhere just a large block.
inline constexpr size_t kHugePage = size_t{2} << 20;

struct FreeBlock {
  void operator()(char* memory) const;
};
using BlockMemory = std::unique_ptr<char[], FreeBlock>;

// kHugePage bytes, aligned to their size, on one huge page where the kernel has one to give: the
// first pass over small pages costs more than the copying does. Throws std::bad_alloc. Threads:
// any.
BlockMemory allocate_block();

}  // namespace posthaste::platform
