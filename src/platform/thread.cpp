#include "platform/thread.h"

#include <signal.h>

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

namespace posthaste::platform {

struct Thread::State {
  std::string name;
  std::function<void()> body;

  std::mutex mutex;
  std::condition_variable finished;
  bool is_finished = false;

  void run() {
    // The name is set from inside: from outside it goes through /proc, which a chroot may lack.
    pthread_setname_np(pthread_self(), name.c_str());
    body();
    body = nullptr;
    const std::lock_guard lock(mutex);
    is_finished = true;
    finished.notify_all();
  }

  // An exception cannot cross the C frames below; noexcept ends the process where it was thrown.
  static void* main(void* argument) noexcept {
    const std::unique_ptr<std::shared_ptr<State>> state(
        static_cast<std::shared_ptr<State>*>(argument));
    (*state)->run();
    return nullptr;
  }
};

namespace {

sigset_t blocked_signals() {
  sigset_t signals;
  sigfillset(&signals);
  // Blocking these would leave a fault of the thread undefined.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&signals, signal);
  return signals;
}

core::Error system_error(const std::string& name, int code) {
  return {core::ErrorCode::System, "thread " + name + " was refused: " + strerrordesc_np(code), {}};
}

}  // namespace

core::Result<Thread> Thread::start(std::string name, std::function<void()> body) {
  assert(name.size() <= kNameMax && name.starts_with("posthaste"));
  auto state = std::make_shared<State>();
  state->name = std::move(name);
  state->body = std::move(body);
  auto argument = std::make_unique<std::shared_ptr<State>>(state);

  pthread_attr_t attributes;
  if (const int code = pthread_attr_init(&attributes)) return system_error(state->name, code);
  pthread_attr_setstacksize(&attributes, kStackSize);
  // A new thread inherits the mask of its creator; set inside, it could take a signal of the host
  // first.
  const sigset_t signals = blocked_signals();
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, &signals, &before);
  pthread_t handle{};
  const int code = pthread_create(&handle, &attributes, &State::main, argument.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (code) return system_error(state->name, code);
  // The thread owns it now.
  static_cast<void>(argument.release());

  Thread thread;
  thread.handle_ = handle;
  thread.state_ = std::move(state);
  return thread;
}

Thread::~Thread() {
  assert(!is_joinable());
}

Thread::Thread(Thread&& other) noexcept
    : handle_(other.handle_), state_(std::exchange(other.state_, nullptr)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  assert(!is_joinable());
  handle_ = other.handle_;
  state_ = std::exchange(other.state_, nullptr);
  return *this;
}

void Thread::join() {
  assert(is_joinable());
  pthread_join(handle_, nullptr);
  state_.reset();
}

bool Thread::join_for(core::Duration limit) {
  assert(is_joinable());
  {
    std::unique_lock lock(state_->mutex);
    if (!state_->finished.wait_for(lock, limit, [this] { return state_->is_finished; })) {
      return false;
    }
  }
  join();
  return true;
}

void Thread::detach() {
  assert(is_joinable());
  pthread_detach(handle_);
  state_.reset();
}

}  // namespace posthaste::platform
