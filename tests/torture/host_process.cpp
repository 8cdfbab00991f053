#include "torture/host_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

extern char** environ;

namespace posthaste::torture {

HostProcess::HostProcess(const std::vector<std::string>& arguments, const std::string& log_path) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe to a host");
  }
  input_ = input[1];
  output_ = output[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  std::string program = TORTURE_HOST_PROGRAM;
  std::vector<std::string> owned = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int result = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  if (result != 0) throw std::runtime_error("cannot start " + program);
}

HostProcess::~HostProcess() {
  if (!is_over_) {
    kill_now();
    waitpid(pid_, &status_, 0);
  }
  close_input();
  close(output_);
}

bool HostProcess::wait_for_start(Duration timeout) {
  pollfd ready{output_, POLLIN, 0};
  return poll(&ready, 1, static_cast<int>(timeout.count())) == 1;
}

void HostProcess::kill_now() {
  kill(pid_, SIGKILL);
}

void HostProcess::close_input() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

bool HostProcess::wait(Duration timeout) {
  // Its end closes the pipe; whoever reads "r" before looks again.
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!is_over_) {
    is_over_ = waitpid(pid_, &status_, WNOHANG) == pid_;
    if (is_over_) break;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool HostProcess::was_killed() const {
  return is_over_ && WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
}

bool HostProcess::has_succeeded() const {
  return is_over_ && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

std::string HostProcess::ending() const {
  if (!is_over_) return "still runs";
  return WIFSIGNALED(status_) ? fmt::format("ended by signal {}", WTERMSIG(status_))
                              : fmt::format("ended with status {}", WEXITSTATUS(status_));
}

}  // namespace posthaste::torture
