#include "platform/asymmetric_fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace posthaste::platform {
namespace {

bool membarrier(int command) {
  return ::syscall(SYS_membarrier, command, 0, 0) == 0;
}

}  // namespace

constinit std::atomic<bool> AsymmetricFence::is_expedited_{false};

void AsymmetricFence::install() {
  is_expedited_.store(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
}

bool AsymmetricFence::heavy() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!is_expedited_.load(std::memory_order_relaxed)) return true;
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  is_expedited_.store(false);
  return false;
}

}  // namespace posthaste::platform
