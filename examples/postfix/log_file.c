/*
 * Files of a log are told apart by their first bytes, not by name or inode: names move on, a
 * compressed copy has another inode, and a truncated file keeps its own. Log lines begin with their
 * time and carry a process id, so two files that begin alike are one.
 */
#include "log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { kHead_bytes = 256, kPiece_bytes = 65536, kLine_bytes_max = 1 << 20, kFilesMax = 4096 };

/* The first bytes of a file. */
struct head {
  char bytes[kHead_bytes];
  size_t size;
};

/* A place: everything of a file before `offset` is read. */
struct place {
  uint64_t head_hash; /* of the first head_size bytes */
  size_t head_size;
  uint64_t offset;
  int64_t time_ms; /* when it was so; 0 is no place */
};

/* A rotated file, or the log itself. */
struct generation {
  char* path;
  int64_t time_ns; /* of its last change */
  int is_live;
  struct head head;
};

struct log_file {
  char* path;
  struct place place; /* behind the last line that was taken */
  struct buffer data; /* read and not yet taken */
  size_t taken;       /* bytes of it that are taken already */
  uint64_t offset;    /* in the file, of data[taken] */
  int is_final; /* the live file is another one now: what is left of this one is all there is */
  unsigned gaps;

  int fd;           /* of the live file; -1 when there is none */
  gzFile rotated;   /* of a rotated one, compressed or not; null when there is none */
  struct head head; /* of the file that is open */

  struct generation* queue; /* what is to be read after it, oldest first */
  size_t queue_count;
  size_t queue_next;
};

/* FNV-1a. */
static uint64_t hash_of(const char* bytes, size_t size) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static void read_head(int fd, struct head* head) {
  ssize_t count = pread(fd, head->bytes, sizeof head->bytes, 0);
  head->size = count > 0 ? (size_t)count : 0;
}

static int head_matches(const struct head* head, const struct place* place) {
  return place->head_size > 0 && head->size >= place->head_size &&
         hash_of(head->bytes, place->head_size) == place->head_hash;
}

/* ---- The files that there are */

static void free_queue(struct log_file* file) {
  for (size_t i = 0; i < file->queue_count; i++) free(file->queue[i].path);
  free(file->queue);
  file->queue = NULL;
  file->queue_count = 0;
  file->queue_next = 0;
}

static int compare_age(const void* left, const void* right) {
  const struct generation* one = left;
  const struct generation* other = right;
  if (one->is_live != other->is_live) return one->is_live - other->is_live;
  if (one->time_ns != other->time_ns) return one->time_ns < other->time_ns ? -1 : 1;
  return strcmp(one->path, other->path);
}

/* Looks at one file; returns 0 when it cannot be read. */
static int inspect(const char* path, int is_live, struct generation* out) {
  struct stat status;
  memset(out, 0, sizeof *out);
  gzFile opened = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? gzopen(path, "rbe") : NULL;
  if (opened == NULL) return 0;
  int count = gzread(opened, out->head.bytes, sizeof out->head.bytes);
  gzclose(opened);
  if (count < 0) return 0;
  out->head.size = (size_t)count;
  out->path = span_copy(span_of(path));
  out->is_live = is_live;
  out->time_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
  return 1;
}

/* Lists the log and what was rotated away from it, oldest first, in the queue. */
static void list_generations(struct log_file* file) {
  const char* slash = strrchr(file->path, '/');
  size_t folder_size = slash == NULL ? 0 : (size_t)(slash - file->path) + 1;
  const char* name = file->path + folder_size;
  size_t name_size = strlen(name);
  char* folder = span_copy(span_part(span_of(file->path), 0, folder_size));
  DIR* entries = opendir(folder_size == 0 ? "." : folder);
  const struct dirent* entry;
  free_queue(file);
  file->queue = allocate(sizeof *file->queue * kFilesMax);
  while (entries != NULL && file->queue_count < kFilesMax && (entry = readdir(entries)) != NULL) {
    if (strncmp(entry->d_name, name, name_size) != 0) continue;
    char next = entry->d_name[name_size];
    if (next != '\0' && next != '.' && next != '-') continue;
    struct buffer path = {0};
    buffer_format(&path, "%s%s", folder, entry->d_name);
    if (inspect(path.data, next == '\0', &file->queue[file->queue_count])) file->queue_count++;
    buffer_free(&path);
  }
  if (entries != NULL) closedir(entries);
  free(folder);
  qsort(file->queue, file->queue_count, sizeof *file->queue, compare_age);
}

/* How much a file holds, uncompressed. */
static uint64_t content_size(const char* path) {
  char piece[kPiece_bytes];
  uint64_t size = 0;
  int count;
  gzFile opened = gzopen(path, "rbe");
  if (opened == NULL) return 0;
  while ((count = gzread(opened, piece, sizeof piece)) > 0) size += (uint64_t)count;
  gzclose(opened);
  return size;
}

/* Of files that are one (compressed while we look, or copied before it is truncated) the one that
 * holds most stays, the younger one when they hold the same. */
static void drop_twins(struct log_file* file) {
  for (size_t i = 0; i < file->queue_count; i++) {
    for (size_t j = i + 1; j < file->queue_count; j++) {
      struct generation* one = &file->queue[i];
      struct generation* other = &file->queue[j];
      size_t size = one->head.size < other->head.size ? one->head.size : other->head.size;
      if (size == 0 || memcmp(one->head.bytes, other->head.bytes, size) != 0) continue;
      size_t dropped = content_size(other->path) >= content_size(one->path) ? i : j;
      free(file->queue[dropped].path);
      memmove(&file->queue[dropped], &file->queue[dropped + 1],
              (file->queue_count - dropped - 1) * sizeof *file->queue);
      file->queue_count--;
      j = i; /* begin again with what stands here now */
      if (i >= file->queue_count) return;
    }
  }
}

/* Finds the file that the place is in; queue_count when it is gone. */
static size_t find_place(const struct log_file* file) {
  for (size_t i = file->queue_count; i > 0; i--) {
    if (head_matches(&file->queue[i - 1].head, &file->place)) return i - 1;
  }
  return file->queue_count;
}

/* Plans what to read from the place on. is_done: the file that it is in was read to its end. */
static void plan(struct log_file* file, int is_done) {
  list_generations(file);
  drop_twins(file);
  size_t first = find_place(file);
  if (first == file->queue_count) {
    /* Of a place in no file, a log that had not begun, whatever came since is news. */
    if (file->place.head_size > 0 && !is_done) file->gaps++;
    first = 0;
    while (first < file->queue_count && !file->queue[first].is_live &&
           file->queue[first].time_ns / 1000000 <= file->place.time_ms)
      first++;
  }
  file->queue_next = first;
}

/* ---- The file that is open */

static void close_current(struct log_file* file) {
  if (file->fd >= 0) close(file->fd);
  if (file->rotated != NULL) gzclose(file->rotated);
  file->fd = -1;
  file->rotated = NULL;
  file->is_final = 0;
  buffer_clear(&file->data);
  file->taken = 0;
  file->offset = 0;
}

/* Opens the next file of the queue, behind the place when it is in there; returns 0 at its end. */
static int open_next(struct log_file* file) {
  close_current(file);
  while (file->queue_next < file->queue_count) {
    struct generation* next = &file->queue[file->queue_next++];
    uint64_t offset = head_matches(&next->head, &file->place) ? file->place.offset : 0;
    file->head = next->head;
    if (next->is_live) {
      file->fd = open(next->path, O_RDONLY | O_CLOEXEC);
      if (file->fd < 0) continue;
      read_head(file->fd, &file->head);
      /* Rotated since the plan was made: a new plan is needed, since what it planned is a rotated
       * file now. */
      if (file->head.size < next->head.size ||
          memcmp(file->head.bytes, next->head.bytes, next->head.size) != 0 ||
          lseek(file->fd, (off_t)offset, SEEK_SET) < 0) {
        close_current(file);
        return 0;
      }
    } else {
      file->rotated = gzopen(next->path, "rbe");
      if (file->rotated == NULL) continue;
      if (gzseek(file->rotated, (z_off_t)offset, SEEK_SET) < 0) continue;
    }
    file->offset = offset;
    return 1;
  }
  return 0;
}

/* Tells whether the live file is still the one that is open: the same bytes in front, and not
 * shorter than what was read. */
static int is_untouched(struct log_file* file) {
  struct stat status;
  struct head now;
  uint64_t read_up_to = file->offset + file->data.size - file->taken;
  if (fstat(file->fd, &status) != 0 || (uint64_t)status.st_size < read_up_to) return 0;
  read_head(file->fd, &now);
  if (now.size < file->head.size || memcmp(now.bytes, file->head.bytes, file->head.size) != 0)
    return 0;
  file->head = now;
  return 1;
}

/* Tells whether the log has another file that is written to. The old one may get lines until then.
 */
static int is_replaced(const struct log_file* file) {
  struct stat opened;
  struct stat named;
  if (fstat(file->fd, &opened) != 0 || stat(file->path, &named) != 0) return 0;
  return (opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) && named.st_size > 0;
}

/* Reads another piece; returns 0 at the end of what there is. */
static int read_piece(struct log_file* file) {
  char piece[kPiece_bytes];
  if (file->taken > 0) {
    buffer_consume(&file->data, file->taken);
    file->taken = 0;
  }
  ssize_t count = file->rotated != NULL ? gzread(file->rotated, piece, sizeof piece)
                                        : read(file->fd, piece, sizeof piece);
  if (count <= 0) return 0;
  buffer_append(&file->data, piece, (size_t)count);
  return 1;
}

/* Goes on to the next file when this one is done; returns 0 when there is nothing more for now. */
static int move_on(struct log_file* file) {
  if (file->rotated != NULL) return open_next(file);
  if (file->fd < 0) {
    plan(file, 0);
    return open_next(file);
  }
  if (!file->is_final) {
    /* Read once more: lines may have come between the end that was found and now. */
    file->is_final = is_replaced(file);
    return file->is_final;
  }
  plan(file, 1);
  return open_next(file);
}

/* ---- The interface */

struct log_file* log_file_open(const char* path, struct span place) {
  struct log_file* file = allocate(sizeof *file);
  char* text = span_copy(place);
  file->path = span_copy(span_of(path));
  file->fd = -1;
  if (sscanf(text, "file %zu %" SCNx64 " %" SCNu64 " %" SCNd64, &file->place.head_size,
             &file->place.head_hash, &file->place.offset, &file->place.time_ms) != 4) {
    struct stat status;
    memset(&file->place, 0, sizeof file->place);
    file->place.time_ms = wall_ms();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0) {
      struct head head;
      read_head(fd, &head);
      file->place.head_size = head.size;
      file->place.head_hash = hash_of(head.bytes, head.size);
      file->place.offset = (uint64_t)status.st_size;
    }
    if (fd >= 0) close(fd);
  }
  free(text);
  return file;
}

void log_file_close(struct log_file* file) {
  if (file == NULL) return;
  close_current(file);
  free_queue(file);
  buffer_free(&file->data);
  free(file->path);
  free(file);
}

/* Takes a whole line from what was read. */
static int take_line(struct log_file* file, struct span* out_line, uint64_t* out_offset) {
  struct span rest = span_part(buffer_span(&file->data), file->taken, file->data.size);
  const char* feed = rest.size == 0 ? NULL : memchr(rest.data, '\n', rest.size);
  if (feed == NULL && rest.size < kLine_bytes_max) return 0;
  /* A line beyond all bounds is taken in pieces, which mean nothing to the reader. */
  size_t size = feed == NULL ? rest.size : (size_t)(feed - rest.data);
  size_t whole = feed == NULL ? size : size + 1;
  *out_line = span_part(rest, 0, size);
  *out_offset = file->offset;
  file->taken += whole;
  file->offset += whole;
  file->place.offset = file->offset;
  file->place.head_size = file->head.size < file->offset ? file->head.size : (size_t)file->offset;
  file->place.head_hash = hash_of(file->head.bytes, file->place.head_size);
  file->place.time_ms = wall_ms();
  return 1;
}

int log_file_next(struct log_file* file, struct span* out_line, uint64_t* out_offset) {
  for (;;) {
    if (take_line(file, out_line, out_offset)) return 1;
    if (file->fd >= 0 && !is_untouched(file)) {
      plan(file, 0);
      if (!open_next(file)) return 0;
    }
    if ((file->fd >= 0 || file->rotated != NULL) && read_piece(file)) continue;
    if (!move_on(file)) return 0;
  }
}

void log_file_place(const struct log_file* file, struct buffer* out) {
  buffer_format(out, "file %zu %" PRIx64 " %" PRIu64 " %" PRId64, file->place.head_size,
                file->place.head_hash, file->place.offset, file->place.time_ms);
}

unsigned log_file_gaps(const struct log_file* file) {
  return file->gaps;
}
