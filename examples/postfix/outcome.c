/*
 * Reading answers. Codes come first (RFC 3463); words only decide where the codes leave it open.
 */
#include "outcome.h"

#include <string.h>

static int is_digit(char character) {
  return character >= '0' && character <= '9';
}

static int contains(struct span text, const char* words) {
  return span_find(text, 0, words) < text.size;
}

struct span outcome_reply(struct span text) {
  static const char kSaid[] = " said: ";
  static const char kInReply[] = " (in reply to ";
  size_t said = span_find(text, 0, kSaid);
  if (!span_starts_with(text, "host ") || said == text.size) return text;
  struct span reply = span_part(text, said + strlen(kSaid), text.size);
  /* The last one is Postfix's: the other side may have written the words before. */
  size_t end = reply.size;
  for (size_t at = span_find(reply, 0, kInReply); at < reply.size;
       at = span_find(reply, at + 1, kInReply))
    end = at;
  return span_part(reply, 0, end);
}

unsigned outcome_code(struct span reply) {
  if (reply.size < 3 || reply.data[0] < '2' || reply.data[0] > '5') return 0;
  if (!is_digit(reply.data[1]) || !is_digit(reply.data[2])) return 0;
  if (reply.size > 3 && reply.data[3] != ' ' && reply.data[3] != '-') return 0;
  return (unsigned)((reply.data[0] - '0') * 100 + (reply.data[1] - '0') * 10 +
                    (reply.data[2] - '0'));
}

/* What the words of a policy's refusal are about. */
static int class_of_policy(struct span reply) {
  if (contains(reply, "relay")) return 54;
  if (contains(reply, "spam")) return 51;
  return 50;
}

int outcome_bounce_class(struct span dsn, struct span reply) {
  static const struct {
    const char* code; /* behind the first digit */
    int bounce_class;
  } kClasses[] = {
      {"1.0", 10}, {"1.1", 10}, {"1.2", 10}, {"1.3", 10}, {"1.6", 10}, {"1.10", 10},
      {"2.1", 10}, {"2.2", 22}, {"2.3", 23}, {"3.4", 23}, {"4.1", 24}, {"4.2", 24},
      {"4.7", 24}, {"4.3", 21}, {"4.4", 21}, {"3.5", 25}, {"4.6", 25}, {"5.2", 25},
  };
  if (dsn.size > 2) {
    struct span rest = span_part(dsn, 2, dsn.size);
    if (span_starts_with(rest, "7.")) return class_of_policy(reply);
    for (size_t i = 0; i < sizeof kClasses / sizeof kClasses[0]; i++) {
      if (span_equals(rest, kClasses[i].code)) return kClasses[i].bounce_class;
    }
  }
  char first = dsn.size > 0 ? dsn.data[0] : (outcome_code(reply) > 0 ? reply.data[0] : '5');
  return first == '4' ? 70 : 1;
}

/* The size of an IPv4 address at the front; 0 when there is none. */
static size_t ipv4_size(struct span text) {
  size_t i = 0;
  for (int part = 0; part < 4; part++) {
    size_t begin = i;
    while (i < text.size && i - begin < 3 && is_digit(text.data[i])) i++;
    if (i == begin) return 0;
    if (part == 3) break;
    if (i == text.size || text.data[i] != '.') return 0;
    i++;
  }
  int is_longer = i < text.size && is_digit(text.data[i]);
  int has_fifth = i + 1 < text.size && text.data[i] == '.' && is_digit(text.data[i + 1]);
  return is_longer || has_fifth ? 0 : i;
}

/* The size of a mailbox in angle brackets at the front; 0 when there is none. */
static size_t mailbox_size(struct span text) {
  if (text.data[0] != '<') return 0;
  size_t end = span_find(text, 0, ">");
  struct span inside = span_part(text, 0, end);
  if (end == text.size || !contains(inside, "@") || contains(inside, " ")) return 0;
  return end + 1;
}

void outcome_normalise(struct span reply, struct buffer* out) {
  size_t i = 0;
  while (i < reply.size) {
    struct span rest = span_part(reply, i, reply.size);
    int is_inside_number = i > 0 && (is_digit(reply.data[i - 1]) || reply.data[i - 1] == '.');
    size_t ip = is_inside_number ? 0 : ipv4_size(rest);
    size_t mailbox = mailbox_size(rest);
    if (ip > 0) {
      buffer_append_text(out, "a.b.c.d");
      i += ip;
    } else if (mailbox > 0) {
      buffer_append_text(out, "<user@domain>");
      i += mailbox;
    } else {
      buffer_append(out, reply.data + i, 1);
      i++;
    }
  }
}
