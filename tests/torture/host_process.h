// One life of torture_host: started, watched, killed, waited for.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace posthaste::torture {

// Purpose: a child process. Ownership: owns the child, which is killed if it is left, and the pipes
// to it. Threads: one.
class HostProcess {
 public:
  using Duration = std::chrono::milliseconds;

  // Arguments are key=value; what it says on stderr goes behind `log_path`.
  HostProcess(const std::vector<std::string>& arguments, const std::string& log_path);
  ~HostProcess();
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  // Until it says that it works, or is gone; false when neither came in time.
  bool wait_for_start(Duration timeout);
  void kill_now();
  // Ends what a host that drains waits for.
  void close_input();
  // False when it did not end in time.
  bool wait(Duration timeout);

  bool was_killed() const;     // by SIGKILL
  bool has_succeeded() const;  // ended by itself, with status 0
  std::string ending() const;  // for people

 private:
  pid_t pid_ = -1;
  int input_ = -1;   // we write
  int output_ = -1;  // we read
  bool is_over_ = false;
  int status_ = 0;
};

}  // namespace posthaste::torture
