// Runs a piece of a test in a forked child, where it may exit, hang or be killed, and tells how it
// ended.
#pragma once

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <functional>

namespace posthaste::platform {

struct ChildEnd {
  bool is_timeout = false;  // it was still running after 10 s and was killed
  int status = -1;          // of exit; -1 when a signal ended it
  std::chrono::nanoseconds duration{};
};

// body: what it returns is given to _exit, so no exit handler runs unless it calls exit itself.
inline ChildEnd run_in_child(const std::function<int()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    // A child that hangs ends by itself.
    alarm(10);
    _exit(body());
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) continue;
  ChildEnd end;
  end.duration = std::chrono::steady_clock::now() - begin;
  end.is_timeout = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  if (WIFEXITED(status)) end.status = WEXITSTATUS(status);
  return end;
}

}  // namespace posthaste::platform
