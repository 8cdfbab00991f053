#include "platform/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace posthaste::platform {

namespace {

core::Error system_error(const std::string& path) {
  return {core::ErrorCode::System,
          "cannot watch " + path + ": " + std::generic_category().message(errno),
          {}};
}

}  // namespace

core::Result<std::unique_ptr<FileWatch>> FileWatch::open(const std::string& directory) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return system_error(directory);
  std::unique_ptr<FileWatch> watch(new FileWatch(fd));
  // Writes are watched file by file: the directory is full of files of our own.
  if (::inotify_add_watch(fd, directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
    return system_error(directory);
  }
  return watch;
}

FileWatch::~FileWatch() {
  ::close(fd_);
}

core::Result<> FileWatch::add(const std::string& path) {
  const bool is_watched =
      ::inotify_add_watch(fd_, path.c_str(), IN_MODIFY | IN_DONT_FOLLOW) >= 0 || errno == ENOENT;
  if (!is_watched) return system_error(path);
  return {};
}

bool FileWatch::take() {
  // What happened does not matter, nor whether the queue ran over: the files themselves tell.
  alignas(inotify_event) char events[4096];
  bool is_news = false;
  while (::read(fd_, events, sizeof events) > 0) is_news = true;
  return is_news;
}

}  // namespace posthaste::platform
