/* The recipients of one message of which the last word was said. */
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exim_api.h"

/* Lines of outcome and address, as in the file; those of this process and, at the end, the file's.
 */
static char* lines;
static size_t lines_size;
/* The message that they are of. */
static char told_id[64];

static void append(const char* text, size_t size) {
  char* grown = realloc(lines, lines_size + size + 1);
  if (grown == NULL) return;
  lines = grown;
  memcpy(lines + lines_size, text, size);
  lines_size += size;
  lines[lines_size] = '\0';
}

static void forget(void) {
  free(lines);
  lines = NULL;
  lines_size = 0;
  told_id[0] = '\0';
}

/* A process may be at one message after the other. */
static void turn_to_message(void) {
  const char* id = exim_value("$message_exim_id");
  if (strcmp(id, told_id) == 0) return;
  forget();
  snprintf(told_id, sizeof told_id, "%s", id);
}

/* Local parts may be of either case; the same mailbox in two cases is one to Exim, too. */
static int has_line(char outcome, const char* address) {
  size_t size = strlen(address);
  for (const char* line = lines; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
    int is_same = strncasecmp(line + 1, address, size) == 0 && line[1 + size] == '\n';
    if (is_same && (outcome == 0 || line[0] == outcome)) return 1;
  }
  return 0;
}

/* Writes the name of the message's file; returns 0 when it does not fit. The folder is made for
 * Exim's own user, since root comes here as well. */
static int file_name(char* out, size_t room, int is_made) {
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s/posthaste", exim_value("$spool_directory"));
  if (is_made && mkdir(folder, 0750) == 0 && geteuid() == 0) {
    uid_t user = (uid_t)strtoul(exim_value("$exim_uid"), NULL, 10);
    gid_t group = (gid_t)strtoul(exim_value("$exim_gid"), NULL, 10);
    if (chown(folder, user, group) != 0) {
      log_write(0, LOG_MAIN, "posthaste: cannot give %s to Exim: %s", folder, strerror(errno));
    }
  }
  return snprintf(out, room, "%s/%s", folder, told_id) < (int)room;
}

static void write_line(const char* line, size_t size) {
  char name[PATH_MAX];
  if (!file_name(name, sizeof name, 1)) return;
  int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
  if (fd >= 0 && geteuid() == 0) {
    gid_t group = (gid_t)strtoul(exim_value("$exim_gid"), NULL, 10);
    if (fchown(fd, (uid_t)-1, group) != 0 || fchmod(fd, 0660) != 0) errno = EPERM;
  }
  if (fd < 0 || write(fd, line, size) != (ssize_t)size) {
    log_write(0, LOG_MAIN, "posthaste: cannot write %s: %s", name, strerror(errno));
  }
  if (fd >= 0) close(fd);
}

int told_has(const char* recipient, enum told_outcome outcome) {
  turn_to_message();
  return has_line((char)outcome, recipient);
}

void told_note(const char* recipient, enum told_outcome outcome) {
  size_t size = strlen(recipient) + 2;
  char* line = malloc(size + 1);
  if (line == NULL) return;
  turn_to_message();
  snprintf(line, size + 1, "%c%s\n", (char)outcome, recipient);
  append(line, size);
  if (recipients_count > 1) write_line(line, size);
  free(line);
}

/* The file has what this process noted, and what those before it did. */
static void read_file(const char* name) {
  char part[4096];
  ssize_t size;
  int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  while ((size = read(fd, part, sizeof part)) > 0) append(part, (size_t)size);
  close(fd);
  /* A crash may have cut the last line. */
  if (lines_size > 0 && lines[lines_size - 1] != '\n') append("\n", 1);
}

static int is_recipient(const char* address, size_t size) {
  for (int i = 0; i < recipients_count; i++) {
    const char* recipient = (const char*)recipients_list[i].address;
    if (strlen(recipient) == size && strncasecmp(recipient, address, size) == 0) return 1;
  }
  return 0;
}

static int has_redirected(void) {
  for (const char* line = lines; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
    if (!is_recipient(line + 1, strcspn(line + 1, "\n"))) return 1;
  }
  return 0;
}

void told_complete(void (*found)(const char* recipient)) {
  char name[PATH_MAX];
  turn_to_message();
  if (recipients_count > 1 && file_name(name, sizeof name, 0)) {
    read_file(name);
    unlink(name);
  }
  if (!has_redirected()) {
    for (int i = 0; i < recipients_count; i++) {
      const char* recipient = (const char*)recipients_list[i].address;
      if (has_line(0, recipient)) continue;
      found(recipient);
      /* The envelope may have the same recipient twice. */
      append("D", 1);
      append(recipient, strlen(recipient));
      append("\n", 1);
    }
  }
  forget();
}
