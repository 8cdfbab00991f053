/*
 * Functions for Exim's ${dlfunc}, which the configuration calls at reception and for events; see
 * exim4.conf. Exim forks for each connection and each delivery, so every process writes its events
 * into the spool directory of a `posthaste serve`, by libposthaste_producer.
 *
 * Each takes the spool directory as its first argument. None ever fails: mail goes its way whatever
 * becomes of its events.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "events.h"
#include "exim_api.h"
#include "told.h"

#define EXPORT __attribute__((visibility("default")))

exim_dlfunc_t posthaste_load;
exim_dlfunc_t posthaste_accept;
exim_dlfunc_t posthaste_reject;
exim_dlfunc_t posthaste_event;
exim_dlfunc_t posthaste_put_off;

/* What Exim's expansion continues with. */
static int answer(uschar** yield, const char* text) {
  *yield = string_copy((const uschar*)text);
  return OK;
}

/*
 * ${dlfunc{MODULE}{posthaste_load}{SPOOL}}, in an option that the daemon expands at its start: the
 * processes that it forks for connections have the module loaded then. Expands to "".
 */
EXPORT int posthaste_load(uschar** yield, int argc, uschar* argv[]) {
  if (argc > 0) events_open((const char*)argv[0]);
  return answer(yield, "");
}

/*
 * ${dlfunc{MODULE}{posthaste_accept}{SPOOL}}, in the ACLs that see the whole message and just
 * before it is accepted: an injection for each recipient, on disk before Exim answers the client.
 * Expands to "", or to why an event is missing, which the ACL may take as a reason to defer.
 */
EXPORT int posthaste_accept(uschar** yield, int argc, uschar* argv[]) {
  if (argc < 1 || !events_open((const char*)argv[0])) return answer(yield, "no producer");
  const char* why = "";
  for (int i = 0; i < recipients_count; i++) {
    const char* lost = events_injection((const char*)recipients_list[i].address);
    if (lost[0] != '\0') why = lost;
  }
  const char* unsynced = events_sync();
  return answer(yield, unsynced[0] != '\0' ? unsynced : why);
}

static int is_command(const char* name) {
  return strncasecmp(exim_value("$smtp_command"), name, strlen(name)) == 0;
}

/*
 * message = ${dlfunc{MODULE}{posthaste_reject}{SPOOL}{TEXT}}, in a deny, drop or defer of an ACL: a
 * policy_rejection of the recipient, or of all of them when it is the message that is refused.
 * Expands to TEXT.
 */
EXPORT int posthaste_reject(uschar** yield, int argc, uschar* argv[]) {
  const char* text = argc > 1 ? (const char*)argv[1] : "";
  if (argc < 1 || !events_open((const char*)argv[0])) return answer(yield, text);
  if (is_command("rcpt")) {
    events_policy_rejection(exim_value("$local_part@$domain"), text);
  } else if (recipients_count > 0) {
    for (int i = 0; i < recipients_count; i++) {
      events_policy_rejection((const char*)recipients_list[i].address, text);
    }
  } else {
    events_policy_rejection(NULL, text);
  }
  return answer(yield, text);
}

static void delivered(const char* recipient) {
  events_delivery(recipient);
  told_note(recipient, TOLD_DELIVERED);
}

static void failed(const char* recipient, const char* text) {
  if (told_has(recipient, TOLD_FAILED)) return;
  events_bounce(recipient, text);
  told_note(recipient, TOLD_FAILED);
}

static void found_missing(const char* recipient) {
  events_late_delivery(recipient);
}

/*
 * ${dlfunc{MODULE}{posthaste_event}{SPOOL}}, in event_action, the main one and those of the
 * transports: delivery, bounce and delay. Expands to "", as Exim asks for.
 */
EXPORT int posthaste_event(uschar** yield, int argc, uschar* argv[]) {
  if (argc < 1 || !events_open((const char*)argv[0])) return answer(yield, "");
  const char* name = exim_value("$event_name");
  char* recipient = strdup(exim_value("$local_part@$domain"));
  char* text = strdup(exim_value("$event_data"));
  if (recipient == NULL || text == NULL) {
    log_write(0, LOG_MAIN, "posthaste: event lost: out of memory");
  } else if (strcmp(name, "msg:delivery") == 0) {
    delivered(recipient);
  } else if (strcmp(name, "msg:fail:delivery") == 0 || strcmp(name, "msg:fail:internal") == 0) {
    failed(recipient, text);
  } else if (strcmp(name, "msg:host:defer") == 0 || strcmp(name, "msg:rcpt:host:defer") == 0) {
    /* Another host may follow. The last word is the next event's, or the end of the process: Exim
     * does not raise it when it passes over the hosts that are left. */
    events_hold_delay(recipient, text);
  } else if (strcmp(name, "msg:defer") == 0 || strcmp(name, "msg:rcpt:defer") == 0) {
    events_delay(recipient, text);
  } else if (strcmp(name, "tcp:connect") == 0) {
    events_drop_delay();
  } else if (strcmp(name, "msg:complete") == 0) {
    told_complete(found_missing);
  }
  free(recipient);
  free(text);
  return answer(yield, "");
}

/*
 * data = ${dlfunc{MODULE}{posthaste_put_off}{SPOOL}{TEXT}}, of a redirect router behind one that
 * passes on what it cannot look up: Exim raises no event when routing is deferred. A delay; expands
 * to ":defer: TEXT".
 */
EXPORT int posthaste_put_off(uschar** yield, int argc, uschar* argv[]) {
  const char* text = argc > 1 ? (const char*)argv[1] : "";
  if (argc > 0 && events_open((const char*)argv[0])) {
    events_routing_delay(exim_value("$local_part@$domain"), text);
  }
  *yield = string_sprintf(":defer: %s", text);
  return OK;
}
