// Worker threads as a guest may have them (c-api.md, "Guest rules"): small stacks, names, and no
// signals of the host. Every thread of the library is started here.
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"

namespace posthaste::platform {

// Purpose: one running thread. Ownership: of the thread, until join or detach; one of them, or a
// join_for that answered true, must precede the destructor. Threads: one at a time. Invariants:
// from its first instruction on the thread has every signal blocked except SIGSEGV, SIGBUS, SIGFPE
// and SIGILL.
class Thread {
 public:
  static constexpr size_t kStackSize = size_t{512} << 10;
  static constexpr size_t kNameMax = 15;

  // name: at most kNameMax characters, starting with "posthaste". body: runs on the thread; an
  // exception that leaves it ends the process, so a body handles its own. Fails with System when
  // the system refuses a thread.
  static core::Result<Thread> start(std::string name, std::function<void()> body);

  Thread() = default;
  ~Thread();
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;

  bool is_joinable() const { return state_ != nullptr; }
  // Waits until the body has returned.
  void join();
  // Likewise, but no longer than `limit`; false: it still runs and is still joinable.
  bool join_for(core::Duration limit);
  // Lets it run on without an owner.
  void detach();

 private:
  struct State;

  pthread_t handle_{};
  std::shared_ptr<State> state_;  // null: no thread
};

}  // namespace posthaste::platform
