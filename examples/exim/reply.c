/* Reading SMTP answers. */
#include "reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

int reply_code(const char* reply) {
  if (reply[0] < '2' || reply[0] > '5' || !is_digit(reply[1]) || !is_digit(reply[2])) return 0;
  if (reply[3] != ' ' && reply[3] != '-' && reply[3] != '\0') return 0;
  return (reply[0] - '0') * 100 + (reply[1] - '0') * 10 + (reply[2] - '0');
}

const char* reply_find(const char* text) {
  if (reply_code(text) != 0) return text;
  for (const char* found = strstr(text, ": "); found != NULL; found = strstr(found + 1, ": ")) {
    if (reply_code(found + 2) != 0) return found + 2;
  }
  return text;
}

/* Subject and detail of an enhanced status code, and the class that it means. A detail of -1 is
 * any. */
static const struct {
  int subject, detail, bounce_class;
} kClasses[] = {
    {1, 1, 10},  /* bad mailbox */
    {1, 6, 10},  /* mailbox has moved */
    {1, 2, 21},  /* bad system */
    {1, 10, 10}, /* null MX */
    {2, 2, 22},  /* mailbox full */
    {2, 3, 23},  /* message too long */
    {2, -1, 20}, /* other mailbox status */
    {3, 4, 23},  /* message too big for the system */
    {4, 4, 21},  /* unable to route */
    {4, 7, 24},  /* delivery time expired */
    {4, -1, 70}, /* other network status */
    {7, 1, 50},  /* delivery not authorised */
    {7, -1, 50}, /* other security status */
};

static int class_of_status(int subject, int detail) {
  for (size_t i = 0; i < sizeof kClasses / sizeof kClasses[0]; i++) {
    if (kClasses[i].subject != subject) continue;
    if (kClasses[i].detail == -1 || kClasses[i].detail == detail) return kClasses[i].bounce_class;
  }
  return 1;
}

int reply_bounce_class(const char* reply) {
  int code = reply_code(reply), kind, subject, detail;
  if (code == 0) return 1;
  if (reply[3] != '\0' && sscanf(reply + 4, "%1d.%3d.%3d", &kind, &subject, &detail) == 3) {
    return class_of_status(subject, detail);
  }
  if (code == 552 || code == 452) return 22;
  if (code == 421 || code == 450 || code == 451) return 70;
  return 1;
}

/* Returns the size of the IPv4 address that a text begins with; 0 when it begins with none. */
static size_t address_size(const char* text) {
  const char* at = text;
  for (int part = 0; part < 4; part++) {
    size_t digits = 0;
    while (is_digit(at[digits])) digits++;
    if (digits == 0 || digits > 3) return 0;
    at += digits;
    if (part < 3 && *at++ != '.') return 0;
  }
  return (size_t)(at - text);
}

void reply_normalise(const char* text, char* out, size_t room) {
  size_t used = 0;
  const char* previous = NULL;
  while (*text != '\0' && used + sizeof "a.b.c.d" < room) {
    int is_inside = previous != NULL && (isalnum((unsigned char)*previous) || *previous == '.');
    size_t size = is_inside ? 0 : address_size(text);
    const char* end = *text == '<' ? strchr(text, '>') : NULL;
    previous = text;
    if (size > 0) {
      memcpy(out + used, "a.b.c.d", strlen("a.b.c.d"));
      used += strlen("a.b.c.d");
      text += size;
    } else if (end != NULL) {
      memcpy(out + used, "<>", 2);
      used += 2;
      text = end + 1;
    } else {
      out[used++] = *text++;
    }
  }
  out[used] = '\0';
}
