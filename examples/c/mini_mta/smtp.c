/*
 * The server's side of SMTP. Text lines end in CRLF only: a server that also takes a bare LF there
 * can be made to see a second, smuggled message.
 */
#include "smtp.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"

static void reply(struct buffer* out, const char* text) {
  buffer_append_text(out, text);
  buffer_append_text(out, "\r\n");
}

/* Answers an error; a client that makes nothing but errors is not worth a connection. */
static void refuse(struct smtp_session* session, struct buffer* out, const char* text) {
  reply(out, text);
  if (++session->error_count < SMTP_ERRORS_MAX) return;
  reply(out, "421 4.7.0 too many errors, closing the connection");
  session->state = SMTP_CLOSED;
}

static void reset(struct smtp_session* session) {
  message_release(session->message);
  session->message = NULL;
  session->data_error = NULL;
  session->in_line = 0;
}

void smtp_open(struct smtp_session* session, struct queue* queue, const char* peer,
               struct buffer* out) {
  memset(session, 0, sizeof *session);
  session->queue = queue;
  strncpy(session->peer, peer, sizeof session->peer - 1);
  buffer_format(out, "220 %s ESMTP mini_mta\r\n", queue->domain);
}

void smtp_free(struct smtp_session* session) {
  reset(session);
  free(session->helo);
  session->helo = NULL;
}

/* Takes a path such as <@relay:local@domain> from the start of `text`. Returns its size, or 0 when
 * it is malformed; out_address is without brackets and source route. */
static size_t take_path(struct span text, struct span* out_address) {
  if (text.size < 2 || text.data[0] != '<') return 0;
  size_t begin = 1;
  if (text.data[1] == '@') begin = span_find(text, 1, ":") + 1;
  int in_quotes = 0;
  size_t end = begin;
  for (; end < text.size && (in_quotes || text.data[end] != '>'); end++) {
    char character = text.data[end];
    if (character == '\\' && in_quotes && end + 1 < text.size)
      character = text.data[++end];
    else if (character == '"')
      in_quotes = !in_quotes;
    else if (character == '<' && !in_quotes)
      return 0;
    if (!ascii_is_graphic(character) && !(in_quotes && character == ' ')) return 0;
  }
  if (end >= text.size || end - begin > 254) return 0;
  *out_address = span_part(text, begin, end);
  return end + 1;
}

/* A mailbox has a local part and a domain, each of at most the size that RFC 5321 section 4.5.3.1
 * allows. */
static int is_mailbox(struct span address) {
  size_t at = address.size;
  for (size_t i = 0; i < address.size; i++) {
    if (address.data[i] == '@') at = i;
  }
  if (at == 0 || at > 64 || at + 1 >= address.size) return 0;
  int is_literal = address.data[at + 1] == '[' && address.data[address.size - 1] == ']';
  for (size_t i = at + 1; i < address.size && !is_literal; i++) {
    char character = address.data[i];
    int is_digit = character >= '0' && character <= '9';
    if (!ascii_is_letter(character) && !is_digit && character != '-' && character != '.') return 0;
  }
  return 1;
}

static void on_hello(struct smtp_session* session, struct span argument, int is_extended,
                     struct buffer* out) {
  struct span name = span_trim(argument);
  for (size_t i = 0; i < name.size; i++) {
    if (!ascii_is_graphic(name.data[i])) name.size = 0;
  }
  if (name.size == 0 || name.size > 255) {
    refuse(session, out, "501 5.5.4 a host name is needed");
    return;
  }
  reset(session);
  free(session->helo);
  session->helo = span_copy(name);
  session->is_extended = is_extended;
  buffer_format(out, "250%s%s greets %s\r\n", is_extended ? "-" : " ", session->queue->domain,
                session->helo);
  if (!is_extended) return;
  buffer_format(out, "250-PIPELINING\r\n250-SIZE %d\r\n", SMTP_MESSAGE_SIZE_MAX);
  reply(out, "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES");
}

/* Checks the parameters of MAIL; returns the reply to a bad one, or null. */
static const char* check_mail_parameters(struct span parameters) {
  while ((parameters = span_trim(parameters)).size > 0) {
    size_t end = span_find(parameters, 0, " ");
    struct span word = span_part(parameters, 0, end);
    parameters = span_part(parameters, end, parameters.size);
    if (span_starts_with(word, "SIZE=")) {
      unsigned long long size = 0;
      for (size_t i = 5; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || i > 24) return "501 5.5.4 bad SIZE";
        size = size > SMTP_MESSAGE_SIZE_MAX ? size : size * 10 + (unsigned)(word.data[i] - '0');
      }
      if (size > SMTP_MESSAGE_SIZE_MAX) return "552 5.3.4 message too large";
    } else if (!span_equals(word, "BODY=8BITMIME") && !span_equals(word, "BODY=7BIT")) {
      return "555 5.5.4 parameter not supported";
    }
  }
  return NULL;
}

/* argument: what follows the verb, such as "FROM:<a@b> SIZE=9". */
static void on_mail(struct smtp_session* session, struct span argument, struct buffer* out) {
  struct span path = span_trim(span_part(argument, argument.size < 5 ? 0 : 5, argument.size));
  struct span address = {"", 0};
  size_t size = span_starts_with(argument, "FROM:") ? take_path(path, &address) : 0;
  const char* error = size == 0 ? NULL : check_mail_parameters(span_part(path, size, path.size));
  if (session->helo == NULL) {
    refuse(session, out, "503 5.5.1 say HELO or EHLO first");
  } else if (session->message != NULL) {
    refuse(session, out, "503 5.5.1 a message is being sent already");
  } else if (size == 0 || (address.size > 0 && !is_mailbox(address))) {
    refuse(session, out, "501 5.1.7 the sender must look like FROM:<user@domain>");
  } else if (error != NULL) {
    refuse(session, out, error);
  } else if (!queue_has_room(session->queue)) {
    reply(out, "452 4.3.1 too much mail waits, try again later");
  } else {
    char* from = span_copy(address);
    session->message =
        message_new(from, session->helo, session->peer, session->is_extended ? "esmtp" : "smtp");
    free(from);
    reply(out, "250 2.1.0 sender ok");
  }
}

/* Mail for other domains is refused: this is no relay. Its message_id is that of the mail it was to
 * belong to. */
static void refuse_relay(struct smtp_session* session, struct span address, struct buffer* out) {
  struct buffer text = {0};
  buffer_format(&text, "550 5.7.1 <%.*s>: relaying denied", (int)address.size, address.data);
  struct failure failure = {550, 54, "550 5.7.1 relaying denied", text.data};
  events_policy_rejection(session->queue->events, session->message, address, &failure);
  refuse(session, out, text.data);
  buffer_free(&text);
}

/* Accepts every address of the local domain; one that does not exist bounces after acceptance, so
 * that nobody can find out the addresses by trying. */
static void on_rcpt(struct smtp_session* session, struct span argument, struct buffer* out) {
  struct span path = span_trim(span_part(argument, argument.size < 3 ? 0 : 3, argument.size));
  struct span address = {"", 0};
  size_t size = span_starts_with(argument, "TO:") ? take_path(path, &address) : 0;
  if (session->message == NULL) {
    refuse(session, out, "503 5.5.1 say MAIL first");
  } else if (size == 0 || span_trim(span_part(path, size, path.size)).size > 0) {
    refuse(session, out, "501 5.1.3 the recipient must look like TO:<user@domain>");
  } else if (session->message->recipient_count == SMTP_RECIPIENTS_MAX) {
    reply(out, "452 4.5.3 too many recipients, send the rest in another message");
  } else if (span_equals(address, "postmaster")) {
    struct buffer full = {0};
    buffer_format(&full, "postmaster@%s", session->queue->domain);
    message_add_recipient(session->message, buffer_span(&full));
    buffer_free(&full);
    reply(out, "250 2.1.5 recipient ok");
  } else if (!is_mailbox(address)) {
    refuse(session, out, "501 5.1.3 the recipient must look like TO:<user@domain>");
  } else {
    char* text = span_copy(address);
    if (queue_is_local(session->queue, address_domain(text))) {
      message_add_recipient(session->message, address);
      reply(out, "250 2.1.5 recipient ok");
    } else {
      refuse_relay(session, address, out);
    }
    free(text);
  }
}

static void on_data(struct smtp_session* session, struct buffer* out) {
  if (session->message == NULL || session->message->recipient_count == 0) {
    refuse(session, out,
           session->message == NULL ? "503 5.5.1 say MAIL first" : "554 5.5.1 no valid recipients");
    return;
  }
  session->state = SMTP_DATA;
  session->data_error = NULL;
  session->in_line = 0;
  reply(out, "354 end the text with a line that is only a dot");
}

static void on_command(struct smtp_session* session, struct span line, struct buffer* out) {
  size_t end = 0;
  while (end < line.size && !ascii_is_space(line.data[end])) end++;
  struct span verb = span_part(line, 0, end);
  struct span argument = span_trim(span_part(line, end, line.size));
  if (span_equals(verb, "EHLO") || span_equals(verb, "HELO")) {
    on_hello(session, argument, span_equals(verb, "EHLO"), out);
  } else if (span_equals(verb, "MAIL")) {
    on_mail(session, argument, out);
  } else if (span_equals(verb, "RCPT")) {
    on_rcpt(session, argument, out);
  } else if (span_equals(verb, "DATA")) {
    on_data(session, out);
  } else if (span_equals(verb, "RSET")) {
    reset(session);
    reply(out, "250 2.0.0 forgotten");
  } else if (span_equals(verb, "NOOP")) {
    reply(out, "250 2.0.0 nothing done");
  } else if (span_equals(verb, "VRFY")) {
    reply(out, "252 2.1.5 send some mail and see");
  } else if (span_equals(verb, "QUIT")) {
    reply(out, "221 2.0.0 goodbye");
    session->state = SMTP_CLOSED;
  } else {
    refuse(session, out, "500 5.5.2 command not known");
  }
}

static void on_message_end(struct smtp_session* session, struct buffer* out) {
  session->state = SMTP_COMMANDS;
  if (session->data_error != NULL) {
    refuse(session, out, session->data_error);
  } else {
    message_finish(session->message);
    queue_accept(session->queue, session->message);
    buffer_format(out, "250 2.0.0 accepted as %s\r\n", session->message->id);
  }
  reset(session);
}

static void append_text(struct smtp_session* session, struct span text) {
  struct buffer* data = &session->message->data;
  if (session->data_error != NULL) return;
  if (data->size + text.size > SMTP_MESSAGE_SIZE_MAX) {
    session->data_error = "552 5.3.4 message too large";
    buffer_free(data);
    return;
  }
  buffer_append_span(data, text);
}

/* Takes one line of the message's text, or, of one that is too long, what has come of it. */
static void on_text(struct smtp_session* session, struct span text, int is_line_end,
                    struct buffer* out) {
  int is_line_begin = !session->in_line;
  int ends_in_crlf = text.size >= 2 && memcmp(text.data + text.size - 2, "\r\n", 2) == 0;
  if (is_line_begin && ends_in_crlf && text.size == 3 && text.data[0] == '.') {
    on_message_end(session, out);
    return;
  }
  if (is_line_begin && text.data[0] == '.') text = span_part(text, 1, text.size);
  if (session->data_error != NULL) {
    /* The first error is the one that is told. */
  } else if (!is_line_end || text.size > SMTP_TEXT_LINE_SIZE_MAX) {
    session->data_error = "554 5.6.0 a line is longer than 998 characters";
  } else if (!ends_in_crlf || memchr(text.data, '\r', text.size - 2) != NULL) {
    session->data_error = "554 5.6.0 lines must end in CRLF (curl: --crlf)";
  }
  /* A bare LF ends no line, so that a dot behind it cannot end the message. */
  session->in_line = !is_line_end || !ends_in_crlf;
  append_text(session, text);
}

size_t smtp_feed(struct smtp_session* session, struct span input, struct buffer* out) {
  size_t done = 0;
  while (done < input.size && session->state != SMTP_CLOSED) {
    struct span rest = span_part(input, done, input.size);
    const char* feed = memchr(rest.data, '\n', rest.size);
    size_t size = feed == NULL ? rest.size : (size_t)(feed - rest.data) + 1;
    if (session->state == SMTP_DATA) {
      /* The tail of an endless line is taken in pieces, but a last CR may belong to a CRLF. */
      if (feed == NULL && size <= SMTP_TEXT_LINE_SIZE_MAX + 1) break;
      if (feed == NULL && rest.data[size - 1] == '\r') size--;
      on_text(session, span_part(rest, 0, size), feed != NULL, out);
    } else if (size > SMTP_COMMAND_SIZE_MAX) {
      reply(out, "500 5.5.2 line too long");
      reply(out, "421 4.7.0 closing the connection");
      session->state = SMTP_CLOSED;
    } else if (feed == NULL) {
      break;
    } else {
      on_command(session, span_part(rest, 0, size), out);
    }
    done += size;
  }
  return done;
}
