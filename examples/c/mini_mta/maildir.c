/*
 * Writing messages into Maildirs: tmp, then synced, then renamed into new.
 */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_directory(const char* path) {
  return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

int maildir_create_parent(const char* directory) {
  return make_directory(directory);
}

int maildir_create(const char* directory) {
  static const char* const kParts[] = {"", "/tmp", "/new", "/cur"};
  int code = 0;
  for (size_t i = 0; i < sizeof kParts / sizeof kParts[0] && code == 0; i++) {
    struct buffer path = {0};
    buffer_format(&path, "%s%s", directory, kParts[i]);
    code = make_directory(path.data);
    buffer_free(&path);
  }
  return code;
}

/* Returns 0, or an errno value. */
static int write_all(int fd, struct span bytes) {
  size_t done = 0;
  while (done < bytes.size) {
    ssize_t count = write(fd, bytes.data + done, bytes.size - done);
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) done += (size_t)count;
  }
  return fsync(fd) == 0 ? 0 : errno;
}

static void append_with_lf(struct span message, struct buffer* out) {
  for (size_t i = 0; i < message.size; i++) {
    int is_line_end =
        message.data[i] == '\r' && i + 1 < message.size && message.data[i + 1] == '\n';
    if (!is_line_end) buffer_append(out, message.data + i, 1);
  }
}

/* A rename is on disk only once its directory is. */
static int sync_directory(const char* path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  int code = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return code;
}

static int write_and_rename(const char* tmp, const char* final, struct span bytes) {
  int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int code = write_all(fd, bytes);
  if (close(fd) != 0 && code == 0) code = errno;
  if (code == 0 && rename(tmp, final) != 0) code = errno;
  if (code != 0) unlink(tmp);
  return code;
}

int maildir_deliver(const char* directory, struct span message) {
  static unsigned sequence = 0;
  char host[64] = "localhost";
  char name[128];
  gethostname(host, sizeof host - 1);
  snprintf(name, sizeof name, "%lld.P%ldQ%u.%s", (long long)wall_ms(), (long)getpid(), ++sequence,
           host);
  struct buffer tmp = {0};
  struct buffer final = {0};
  struct buffer bytes = {0};
  buffer_format(&tmp, "%s/tmp/%s", directory, name);
  buffer_format(&final, "%s/new", directory);
  append_with_lf(message, &bytes);
  struct buffer file = {0};
  buffer_format(&file, "%s/%s", final.data, name);
  int code = write_and_rename(tmp.data, file.data, buffer_span(&bytes));
  if (code == 0) code = sync_directory(final.data);
  buffer_free(&file);
  buffer_free(&tmp);
  buffer_free(&final);
  buffer_free(&bytes);
  return code;
}
