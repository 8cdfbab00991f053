#include "platform/block_memory.h"

#include <sys/mman.h>

#include <new>

namespace posthaste::platform {

void FreeBlock::operator()(char* memory) const {
  ::operator delete[](memory, std::align_val_t{kHugePage});
}

BlockMemory allocate_block() {
  char* const memory = static_cast<char*>(::operator new[](kHugePage, std::align_val_t{kHugePage}));
  // A hint; without it the block works all the same.
  ::madvise(memory, kHugePage, MADV_HUGEPAGE);
  return BlockMemory(memory);
}

}  // namespace posthaste::platform
