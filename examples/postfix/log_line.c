/*
 * The lines of Postfix 3.x. Addresses and replies in them are the world's, so each search is
 * anchored where Postfix itself writes, and nothing found inside a reply counts.
 */
#include "log_line.h"

#include <string.h>
#include <time.h>

enum { kDay_s = 86400, kYearsBack = 8 };

static const struct span kEmpty = {"", 0};

static int is_digit(char character) {
  return character >= '0' && character <= '9';
}

/* Takes `size` digits from the front; -1 when they are not there. */
static int take_number(struct span* rest, size_t size) {
  int number = 0;
  if (rest->size < size) return -1;
  for (size_t i = 0; i < size; i++) {
    if (!is_digit(rest->data[i])) return -1;
    number = number * 10 + (rest->data[i] - '0');
  }
  *rest = span_part(*rest, size, rest->size);
  return number;
}

/* Takes `text`, in this case, from the front. */
static int take_text(struct span* rest, const char* text) {
  size_t size = strlen(text);
  if (rest->size < size || memcmp(rest->data, text, size) != 0) return 0;
  *rest = span_part(*rest, size, rest->size);
  return 1;
}

/* Takes what stands before `end`, and `end`. */
static int take_until(struct span* rest, const char* end, struct span* out) {
  size_t at = span_find(*rest, 0, end);
  if (at == rest->size) return 0;
  *out = span_part(*rest, 0, at);
  *rest = span_part(*rest, at + strlen(end), rest->size);
  return 1;
}

/* Days since 1970-01-01 in the Gregorian calendar; counts years from March, so that a leap day is
 * the last of its year. */
static int64_t days_of(int64_t year, int month, int day) {
  int64_t shifted = month > 2 ? year : year - 1;
  int64_t era = shifted / 400;
  int64_t of_era = shifted - era * 400;
  int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* 2026-11-24T04:05:06.123456+01:00, or Z. */
static int take_rfc3339(struct span* rest, int64_t* out_s) {
  struct span text = *rest;
  int year = take_number(&text, 4);
  if (year < 0 || !take_text(&text, "-")) return 0;
  int month = take_number(&text, 2);
  if (month < 1 || month > 12 || !take_text(&text, "-")) return 0;
  int day = take_number(&text, 2);
  if (day < 1 || !take_text(&text, "T")) return 0;
  int hour = take_number(&text, 2);
  if (hour < 0 || !take_text(&text, ":")) return 0;
  int minute = take_number(&text, 2);
  if (minute < 0 || !take_text(&text, ":")) return 0;
  int second = take_number(&text, 2);
  if (second < 0) return 0;
  if (take_text(&text, ".")) {
    while (text.size > 0 && is_digit(text.data[0])) text = span_part(text, 1, text.size);
  }
  int64_t zone_s = 0;
  if (!take_text(&text, "Z")) {
    int sign = take_text(&text, "+") ? 1 : (take_text(&text, "-") ? -1 : 0);
    int zone_hour = take_number(&text, 2);
    if (sign == 0 || zone_hour < 0 || !take_text(&text, ":")) return 0;
    int zone_minute = take_number(&text, 2);
    if (zone_minute < 0) return 0;
    zone_s = sign * (zone_hour * 3600 + zone_minute * 60);
  }
  *out_s = days_of(year, month, day) * kDay_s + hour * 3600 + minute * 60 + second - zone_s;
  *rest = text;
  return 1;
}

/* The last moment of that date and time of day in local time that is at most a day ahead: a line is
 * read at once, or up to a year later, and the clocks that wrote and read it may differ a little.
 */
static int64_t place_in_year(struct tm wanted, int64_t now_s) {
  time_t latest = (time_t)(now_s + kDay_s);
  struct tm local;
  if (localtime_r(&latest, &local) == NULL) return now_s;
  for (int back = 0; back <= kYearsBack; back++) {
    struct tm moment = wanted;
    moment.tm_year = local.tm_year - back;
    moment.tm_isdst = -1;
    time_t found = mktime(&moment);
    /* February 29 of a year without one becomes March 1: not that year. */
    if (found != (time_t)-1 && found <= latest && moment.tm_mon == wanted.tm_mon) return found;
  }
  return now_s;
}

/* Nov  4 04:05:06 */
static int take_traditional(struct span* rest, int64_t now_s, int64_t* out_s) {
  static const char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  struct span text = *rest;
  struct tm moment = {0};
  moment.tm_mon = -1;
  for (int month = 0; month < 12; month++) {
    if (text.size >= 3 && memcmp(text.data, kMonths + month * 3, 3) == 0) moment.tm_mon = month;
  }
  if (moment.tm_mon < 0) return 0;
  text = span_part(text, 3, text.size);
  if (!take_text(&text, " ")) return 0;
  moment.tm_mday = take_text(&text, " ") ? take_number(&text, 1) : take_number(&text, 2);
  if (moment.tm_mday < 1 || moment.tm_mday > 31 || !take_text(&text, " ")) return 0;
  moment.tm_hour = take_number(&text, 2);
  if (moment.tm_hour < 0 || moment.tm_hour > 23 || !take_text(&text, ":")) return 0;
  moment.tm_min = take_number(&text, 2);
  if (moment.tm_min < 0 || moment.tm_min > 59 || !take_text(&text, ":")) return 0;
  moment.tm_sec = take_number(&text, 2);
  if (moment.tm_sec < 0 || moment.tm_sec > 60) return 0;
  *out_s = place_in_year(moment, now_s);
  *rest = text;
  return 1;
}

int log_line_split(struct span line, const char* syslog_name, int64_t now_s, struct log_line* out,
                   struct span* out_message) {
  memset(out, 0, sizeof *out);
  struct span host;
  struct span program;
  if (!take_rfc3339(&line, &out->time_s) && !take_traditional(&line, now_s, &out->time_s)) return 0;
  if (!take_text(&line, " ") || !take_until(&line, " ", &host)) return 0;
  if (!take_until(&line, ": ", &program)) return 0;
  if (!take_text(&program, syslog_name) || !take_text(&program, "/")) return 0;
  size_t end = span_find(program, 0, "[");
  size_t begin = end;
  while (begin > 0 && program.data[begin - 1] != '/') begin--;
  program = span_part(program, begin, end);
  out->service = program;
  *out_message = line;
  return 1;
}

/* Takes an address up to the bracket that ends it; brackets in a quoted local part do not. */
static int take_address(struct span* rest, struct span* out) {
  int in_quotes = 0;
  for (size_t i = 0; i < rest->size; i++) {
    char character = rest->data[i];
    if (character == '\\' && in_quotes) {
      i++;
    } else if (character == '"') {
      in_quotes = !in_quotes;
    } else if (character == '>' && !in_quotes) {
      *out = span_part(*rest, 0, i);
      *rest = span_part(*rest, i + 1, rest->size);
      return 1;
    }
  }
  return 0;
}

/* The address in `name[1.2.3.4]:25`; empty when it is none, as in `none`, `local` or a socket. */
static struct span address_of_relay(struct span relay) {
  size_t open = span_find(relay, 0, "[");
  if (open == relay.size) return kEmpty;
  struct span ip = span_part(relay, open + 1, span_find(relay, open, "]"));
  for (size_t i = 0; i < ip.size; i++) {
    char lower = ascii_lower(ip.data[i]);
    if (!is_digit(lower) && !(lower >= 'a' && lower <= 'f') && lower != '.' && lower != ':')
      return kEmpty;
  }
  return ip;
}

/* to=<a@b>, orig_to=<c@d>, relay=x[1.2.3.4]:25, conn_use=2, delay=1, delays=.., dsn=2.0.0,
 * status=sent (text) */
static void read_attempt(struct span rest, struct log_line* line) {
  struct span relay = kEmpty;
  struct span status;
  if (!take_text(&rest, "to=<") || !take_address(&rest, &line->recipient) ||
      !take_text(&rest, ", "))
    return;
  if (take_text(&rest, "orig_to=<") &&
      (!take_address(&rest, &line->original_recipient) || !take_text(&rest, ", ")))
    return;
  while (!take_text(&rest, "status=")) {
    struct span name;
    struct span value;
    if (!take_until(&rest, "=", &name) || !take_until(&rest, ", ", &value)) return;
    if (span_equals(name, "relay")) relay = value;
    if (span_equals(name, "delay")) line->delay = value;
    if (span_equals(name, "dsn")) line->dsn = value;
  }
  size_t end = span_find(rest, 0, " ");
  status = span_part(rest, 0, end);
  rest = span_trim(span_part(rest, end, rest.size));
  if (rest.size >= 2 && rest.data[0] == '(' && rest.data[rest.size - 1] == ')')
    rest = span_part(rest, 1, rest.size - 1);
  line->text = rest;
  line->relay_ip = address_of_relay(relay);
  if (span_equals(status, "sent")) line->kind = LOG_LINE_SENT;
  if (span_equals(status, "deferred")) line->kind = LOG_LINE_DEFERRED;
  if (span_equals(status, "bounced")) line->kind = LOG_LINE_BOUNCED;
}

/* from=<a@b>, size=356, nrcpt=1 (queue active)   or   from=<a@b>, status=expired, ... */
static void read_queue_manager(struct span rest, struct log_line* line) {
  if (span_equals(rest, "removed")) {
    line->kind = LOG_LINE_REMOVED;
  } else if (take_text(&rest, "from=<") && take_address(&rest, &line->sender)) {
    if (take_text(&rest, ", size=")) {
      line->size = span_part(rest, 0, span_find(rest, 0, ","));
      line->kind = LOG_LINE_QUEUED;
    } else if (take_text(&rest, ", status=expired") || take_text(&rest, ", status=force-expired")) {
      line->kind = LOG_LINE_EXPIRED;
    }
  }
}

/* from=<a@b> to=<c@d> proto=ESMTP helo=<x>; postscreen puts commas between them. */
static void read_envelope(struct span* rest, struct log_line* line) {
  for (;;) {
    while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == ','))
      *rest = span_part(*rest, 1, rest->size);
    struct span ignored;
    if (take_text(rest, "from=<")) {
      if (!take_address(rest, &line->sender)) return;
    } else if (take_text(rest, "to=<")) {
      if (!take_address(rest, &line->recipient)) return;
    } else if (take_text(rest, "helo=<")) {
      if (!take_address(rest, &ignored)) return;
    } else if (take_text(rest, "proto=")) {
      size_t end = 0;
      while (end < rest->size && ascii_is_letter(rest->data[end])) end++;
      line->protocol = span_part(*rest, 0, end);
      *rest = span_part(*rest, end, rest->size);
    } else {
      return;
    }
  }
}

/* Where the envelope begins, at `from` or later: the first such place, or the last. rest.size when
 * there is none. */
static size_t find_envelope(struct span rest, size_t from, int is_last) {
  static const char* const kStarts[] = {"; from=<", "; to=<", "; proto="};
  size_t found = rest.size;
  for (size_t i = 0; i < sizeof kStarts / sizeof kStarts[0] && found == rest.size; i++) {
    for (size_t at = span_find(rest, from, kStarts[i]); at < rest.size;
         at = span_find(rest, at + 1, kStarts[i])) {
      found = at;
      if (!is_last) break;
    }
  }
  return found;
}

static void take_codes(struct span* rest, struct log_line* line) {
  struct span text = *rest;
  int code = take_number(&text, 3);
  if (code >= 200 && take_text(&text, " ")) {
    line->reply_code = (unsigned)code;
    *rest = text;
  }
  size_t end = 0;
  while (end < rest->size && (is_digit(rest->data[end]) || rest->data[end] == '.')) end++;
  if (end >= 5 && end < rest->size && rest->data[end] == ' ' && rest->data[1] == '.') {
    line->dsn = span_part(*rest, 0, end);
    *rest = span_part(*rest, end + 1, rest->size);
  }
}

/* RCPT from name[1.2.3.4]: 554 5.7.1 <c@d>: no; from=<a@b> to=<c@d> proto=ESMTP helo=<x> */
static void read_refused_command(struct span rest, struct log_line* line) {
  struct span stage;
  struct span client;
  if (!take_until(&rest, " from ", &stage) || !take_until(&rest, ": ", &client)) return;
  line->client_ip = address_of_relay(client);
  take_codes(&rest, line);
  /* An address in front of the reason may hold anything in quotes. */
  size_t skipped = 0;
  struct span reason = rest;
  struct span address;
  if (take_text(&reason, "<") && take_address(&reason, &address)) skipped = rest.size - reason.size;
  size_t envelope = find_envelope(rest, skipped, 0);
  line->text = span_part(rest, 0, envelope);
  line->kind = LOG_LINE_REJECTED;
  if (envelope == rest.size) return;
  rest = span_part(rest, envelope + 2, rest.size);
  read_envelope(&rest, line);
}

/* header Subject: x from name[1.2.3.4]; from=<a@b> to=<c@d> proto=ESMTP helo=<x>: 5.7.1 reason.
 * What was found in the mail comes first and may look like the rest: the last place counts. */
static void read_refused_content(struct span rest, struct log_line* line) {
  size_t envelope = find_envelope(rest, 0, 1);
  if (envelope == rest.size) return;
  struct span client = span_part(rest, 0, envelope);
  size_t begin = client.size;
  while (begin > 0 && client.data[begin - 1] != ' ') begin--;
  line->client_ip = address_of_relay(span_part(client, begin, client.size));
  rest = span_part(rest, envelope + 2, rest.size);
  read_envelope(&rest, line);
  if (!take_text(&rest, ": ")) return;
  take_codes(&rest, line);
  line->text = rest;
  line->kind = LOG_LINE_REJECTED;
}

static void read_rejection(struct span rest, struct log_line* line) {
  if (!take_text(&rest, "reject: ") && !take_text(&rest, "milter-reject: ")) return;
  if (span_starts_with(rest, "header ") || span_starts_with(rest, "body ") ||
      span_starts_with(rest, "mime-header ") || span_starts_with(rest, "nested-header ")) {
    read_refused_content(rest, line);
  } else {
    read_refused_command(rest, line);
  }
}

static void read_cleanup(struct span rest, struct log_line* line) {
  if (!take_text(&rest, "message-id=")) {
    read_rejection(rest, line);
    return;
  }
  rest = span_trim(rest);
  if (rest.size >= 2 && rest.data[0] == '<' && rest.data[rest.size - 1] == '>')
    rest = span_part(rest, 1, rest.size - 1);
  line->message_id = rest;
  line->kind = LOG_LINE_MESSAGE_ID;
}

void log_line_read(struct span message, struct log_line* line) {
  size_t end = 0;
  while (end < message.size && (is_digit(message.data[end]) || ascii_is_letter(message.data[end])))
    end++;
  struct span queue_id = span_part(message, 0, end);
  struct span rest = span_part(message, end, message.size);
  line->kind = LOG_LINE_OTHER;
  if (end == 0 || !take_text(&rest, ": ")) return;
  rest = span_trim(rest);
  line->queue_id = span_equals(queue_id, "NOQUEUE") ? kEmpty : queue_id;
  if (span_equals(line->service, "qmgr") || span_equals(line->service, "nqmgr") ||
      span_equals(line->service, "oqmgr")) {
    read_queue_manager(rest, line);
  } else if (span_equals(line->service, "cleanup")) {
    read_cleanup(rest, line);
  } else if (span_equals(line->service, "smtpd") || span_equals(line->service, "postscreen")) {
    read_rejection(rest, line);
  } else {
    read_attempt(rest, line);
  }
  if (line->kind != LOG_LINE_REJECTED && line->queue_id.size == 0) line->kind = LOG_LINE_OTHER;
}
