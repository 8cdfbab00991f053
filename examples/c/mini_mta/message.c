/*
 * One accepted message and its recipients.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "headers.h"

/* A subject or From address in an event is cut here: a hostile header may be megabytes long. */
enum { kFactSizeMax = 1000 };

struct message* message_new(const char* from, const char* helo, const char* peer,
                            const char* recv_method) {
  struct message* message = allocate(sizeof *message);
  random_hex(message->id, MESSAGE_ID_SIZE);
  message->from = span_copy(span_of(from));
  message->helo = span_copy(span_of(helo));
  message->peer = span_copy(span_of(peer));
  message->recv_method = recv_method;
  message->references = 1;
  return message;
}

const char* address_domain(const char* address) {
  const char* at = strrchr(address, '@');
  return at == NULL ? "" : at + 1;
}

void message_add_recipient(struct message* message, struct span address) {
  size_t count = message->recipient_count;
  struct recipient* recipients = allocate((count + 1) * sizeof *recipients);
  if (count > 0) memcpy(recipients, message->recipients, count * sizeof *recipients);
  free(message->recipients);
  message->recipients = recipients;
  struct recipient* recipient = &recipients[count];
  recipient->address = span_copy(address);
  recipient->lower = span_copy(address);
  for (char* letter = recipient->lower; *letter != '\0'; letter++) *letter = ascii_lower(*letter);
  recipient->domain = address_domain(recipient->lower);
  message->recipient_count = count + 1;
}

/* Returns a copy of at most kFactSizeMax bytes. */
static char* fact(struct span text) {
  if (text.size > kFactSizeMax) text.size = kFactSizeMax;
  return span_copy(text);
}

void message_finish(struct message* message) {
  struct span headers;
  struct span body;
  headers_split(buffer_span(&message->data), &headers, &body);
  struct buffer value = {0};
  struct buffer decoded = {0};
  headers_find(headers, "subject", &value);
  header_decode(buffer_span(&value), &decoded);
  message->subject = fact(buffer_span(&decoded));
  buffer_free(&value);
  headers_find(headers, "from", &value);
  message->friendly_from = fact(header_address(buffer_span(&value)));
  buffer_free(&value);
  buffer_free(&decoded);
  message->size = message->data.size;
  message->pending = message->recipient_count;
  message->injected_ms = wall_ms();
}

struct message* message_retain(struct message* message) {
  message->references++;
  return message;
}

void message_release(struct message* message) {
  if (message == NULL || --message->references > 0) return;
  for (size_t i = 0; i < message->recipient_count; i++) {
    free(message->recipients[i].address);
    free(message->recipients[i].lower);
  }
  free(message->recipients);
  free(message->from);
  free(message->helo);
  free(message->peer);
  free(message->subject);
  free(message->friendly_from);
  buffer_free(&message->data);
  free(message);
}
