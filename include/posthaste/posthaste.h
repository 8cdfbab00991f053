/*
 * Posthaste: mail event webhooks inside your mail server.
 *
 * A host pushes events (injection, delivery, bounce, open, ...). The library batches them per
 * webhook, POSTs each batch to the webhook's URL, retries with backoff and gives up after four
 * hours, all on its own threads. This header is the whole C interface of the core and its comments
 * are the manual. It is C99, compiles as C90 to C17 and C++98 to C++20, and has no function-like
 * macros, bit-fields, variadic functions or by-value structures.
 *
 * Rules that hold for every function:
 *
 * - Errors. A function that can fail returns an int32_t code, POSTHASTE_OK (0) or one of
 * POSTHASTE_E_*. A null pointer where an object is needed is POSTHASTE_E_INVALID, never a crash.
 * `error` parameters may be null.
 * - Threads. A const handle may be used by many threads at once; an engine (posthaste_t) always
 * may. Any other object belongs to one thread at a time. Exceptions are stated.
 * - Blocking. Only functions with a `timeout_ms` parameter may block, and no longer than that. 0
 * never waits; a negative value waits without limit.
 * - Strings are UTF-8. `const char *` inputs end with NUL and are copied. Returned `const char *`
 * pointers are never freed by the caller; each function says how long they live.
 * - Out parameters are written on success; on failure pointers are set to null and numbers to 0.
 * - Fork. In a child forked after posthaste_start an inherited engine answers POSTHASTE_E_FORKED
 * (getters: null or 0); posthaste_free leaks it knowingly; a new engine may be made and started.
 * - Producers. With the key `role` at `producer`, for mail servers of many or short-lived
 * processes, an engine has no thread and no webhooks: it writes each event into a file in
 * `spool.dir`, from where an engine in another process delivers it. push returns when the event is
 * in the file (it survives _exit and SIGKILL), tries for `producer.lock_timeout` to get a file, and
 * answers POSTHASTE_E_QUEUE_FULL when all are busy or full; sync waits for the disk, whatever its
 * timeout_ms; wants says 1; in a forked child it goes on with files of its own. Further event types
 * are defined in each producer and in the engine that delivers. Functions on webhooks and batches
 * answer POSTHASTE_E_STATE; libposthaste_producer, which loads neither libcurl nor SQLite, has only
 * configuration, life cycle, events, builder, sync and errors.
 */
#ifndef POSTHASTE_H
#define POSTHASTE_H

#include <stddef.h>
#include <stdint.h>

#ifndef POSTHASTE_API
#if defined(__GNUC__)
#define POSTHASTE_API __attribute__((visibility("default")))
#else
#define POSTHASTE_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and errors
 * ------------------------------------------------------------------------------------ */

/* An engine: one registry, one queue, one set of worker threads. Several per process are fine. */
typedef struct posthaste_engine posthaste_t;
/* A configuration: string keys and values. */
typedef struct posthaste_conf posthaste_conf_t;
/* A reusable error description, one per thread. */
typedef struct posthaste_error posthaste_error_t;
/* A caller-owned description of one webhook. */
typedef struct posthaste_webhook posthaste_webhook_t;
/* A caller-owned list of such descriptions. */
typedef struct posthaste_webhook_list posthaste_webhook_list_t;
/* A reusable builder of one event's payload. */
typedef struct posthaste_event posthaste_event_t;
/* One thing that happened, pulled with posthaste_poll. */
typedef struct posthaste_report posthaste_report_t;
/* A caller-owned text, for JSON outputs. */
typedef struct posthaste_text posthaste_text_t;
/* A caller-owned choice of batches or dead letters. */
typedef struct posthaste_filter posthaste_filter_t;
/* One HTTP request to the REST API, without its connection. */
typedef struct posthaste_request posthaste_request_t;
/* The answer to it. */
typedef struct posthaste_response posthaste_response_t;

/* Error codes. Ranges: 1-99 general, 100-199 configuration, 200-299 registry, 300-399 events,
 * 400-499 spool. */
enum {
  POSTHASTE_OK = 0,
  POSTHASTE_E_INVALID = 1,       /* a null pointer or an argument out of range */
  POSTHASTE_E_STATE = 2,         /* not possible in this state: not started, closed, memory mode */
  POSTHASTE_E_FORKED = 3,        /* the engine was started in the parent of this process */
  POSTHASTE_E_NO_MEMORY = 4,     /* out of memory; nothing was changed */
  POSTHASTE_E_TIMEOUT = 5,       /* timeout_ms passed; what was begun goes on */
  POSTHASTE_E_EMPTY = 6,         /* no report waits */
  POSTHASTE_E_QUEUE_FULL = 7,    /* the intake (or the table of tickets) is full; try again later */
  POSTHASTE_E_INTERNAL = 8,      /* a bug of the library; the message says where */
  POSTHASTE_E_SYSTEM = 9,        /* the operating system refused: a thread, a pipe, a file */
  POSTHASTE_E_TLS_BACKEND = 10,  /* libcurl was built with a TLS library other than OpenSSL */
  POSTHASTE_E_UNSUPPORTED = 11,  /* known, but not in this build */
  POSTHASTE_E_UNKNOWN_KEY = 100, /* no such configuration key */
  POSTHASTE_E_BAD_VALUE = 101,   /* the value does not parse or is out of range */
  POSTHASTE_E_NOT_CHANGEABLE = 102, /* the key cannot change on a running engine */
  POSTHASTE_E_NOT_FOUND = 200,      /* no webhook with this id */
  POSTHASTE_E_EXISTS = 201,         /* there is one already */
  POSTHASTE_E_VERIFY_FAILED = 202,  /* the test POST was not answered as it must be */
  POSTHASTE_E_BAD_TARGET = 203,     /* the target is not an http or https URL that can be used */
  POSTHASTE_E_BAD_EVENTS = 204,     /* the event list is empty or names an unknown type */
  POSTHASTE_E_BAD_HEADER =
      205, /* a custom header is reserved, malformed, one too many or too large */
  POSTHASTE_E_MISSING_FIELD = 206, /* a webhook needs name, target and events */
  POSTHASTE_E_BAD_FILE = 207,      /* a webhooks file cannot be read or understood */
  POSTHASTE_E_BAD_JSON = 300,      /* not exactly one JSON object */
  POSTHASTE_E_BAD_UTF8 = 301,      /* ill-formed UTF-8, or an escaped lone surrogate */
  POSTHASTE_E_UNKNOWN_TYPE = 302,  /* no such event type, or none given */
  POSTHASTE_E_TYPE_MISMATCH = 303, /* the payload's type or class is that of another event */
  POSTHASTE_E_TOO_LARGE = 304,     /* larger than event.max_bytes */
  POSTHASTE_E_TOO_DEEP = 305,      /* nested deeper than 64 */
  POSTHASTE_E_DUPLICATE_KEY = 306, /* the same key twice in one object */
  POSTHASTE_E_BAD_FIELD = 307,     /* a field's value cannot be written in the field's wire type */
  POSTHASTE_E_SPOOL_FULL = 400,    /* durable mode: the spool has no room */
  POSTHASTE_E_SPOOL_IO = 401       /* durable mode: the disk failed */
};

/* Returns the library's version, such as "0.1.0"; static. */
POSTHASTE_API const char* posthaste_version(void);

/* Returns the constant's name, such as "POSTHASTE_E_BAD_JSON"; "POSTHASTE_E_?" for an unknown code;
 * static. */
POSTHASTE_API const char* posthaste_error_name(int32_t code);

/* Returns one line that explains the code; static. */
POSTHASTE_API const char* posthaste_strerror(int32_t code);

/*
 * Makes an error object. Each call that is given it resets it first.
 * Returns: null when memory is short. Owns: the caller, who frees it. Its strings live until the
 * next call that is given it, or its free.
 */
POSTHASTE_API posthaste_error_t* posthaste_error_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_error_free(posthaste_error_t* error);
/* Returns the code of the last call; POSTHASTE_OK after a success. */
POSTHASTE_API int32_t posthaste_error_code(const posthaste_error_t* error);
/* Returns one line without a trailing stop that names the culprit; "" after a success; never null.
 */
POSTHASTE_API const char* posthaste_error_message(const posthaste_error_t* error);
/* Returns the offending key, field or header; "" when there is none; never null. */
POSTHASTE_API const char* posthaste_error_key(const posthaste_error_t* error);

/*
 * Writes an error as the library itself would, for libraries beside it (posthaste/admin.h) and
 * bindings. code: POSTHASTE_E_* or POSTHASTE_OK. message, key: copied; null is "".
 */
POSTHASTE_API void posthaste_error_set(posthaste_error_t* error, int32_t code, const char* message,
                                       const char* key);

/* How far a failed verification (POSTHASTE_E_VERIFY_FAILED) came. */
enum {
  POSTHASTE_PHASE_NONE = 0,    /* not a failed verification */
  POSTHASTE_PHASE_DNS = 1,     /* the host name did not resolve */
  POSTHASTE_PHASE_CONNECT = 2, /* no connection */
  POSTHASTE_PHASE_TLS = 3,     /* the TLS handshake or the certificate */
  POSTHASTE_PHASE_TIMEOUT = 4, /* connected, but not answered in time */
  POSTHASTE_PHASE_HTTP = 5 /* answered, but not with the status that is needed, or not with HTTP */
};
/* Returns POSTHASTE_PHASE_*. */
POSTHASTE_API int32_t posthaste_error_phase(const posthaste_error_t* error);
/* Returns the Node.js style name of a network error, such as "ECONNREFUSED"; "" when an HTTP status
 * was received. "EACCES" is a refusal by the address policy. Of a token request that failed it is
 * that request's own. */
POSTHASTE_API const char* posthaste_error_network_name(const posthaste_error_t* error);
/* Returns the HTTP status of a failed verification; 0 when there was none. */
POSTHASTE_API int32_t posthaste_error_status(const posthaste_error_t* error);
/* Returns how many response headers were kept. */
POSTHASTE_API size_t posthaste_error_header_count(const posthaste_error_t* error);
/* Returns the name of response header `index` as it was received; null beyond the end. */
POSTHASTE_API const char* posthaste_error_header_name(const posthaste_error_t* error, size_t index);
/* Returns its value; null beyond the end. */
POSTHASTE_API const char* posthaste_error_header_value(const posthaste_error_t* error,
                                                       size_t index);
/* Returns the first 4 KiB of the response body, not NUL-terminated text but `*out_size` bytes;
 * never null. */
POSTHASTE_API const char* posthaste_error_body(const posthaste_error_t* error, size_t* out_size);

/* Returns the bytes of a text, NUL-terminated for convenience; "" for null. */
POSTHASTE_API const char* posthaste_text_data(const posthaste_text_t* text);
/* Returns its size in bytes without the NUL. */
POSTHASTE_API size_t posthaste_text_size(const posthaste_text_t* text);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_text_free(posthaste_text_t* text);
/* Makes a text of a copy of the bytes, for libraries beside this one. Returns: null for a null
 * argument or when memory is short. Owns: the caller. */
POSTHASTE_API posthaste_text_t* posthaste_text_new(const char* data, size_t size);

/* ---- Configuration
 * ----------------------------------------------------------------------------------------- */

/* Makes a configuration with every key at its default. Owns: the caller. */
POSTHASTE_API posthaste_conf_t* posthaste_conf_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_conf_free(posthaste_conf_t* conf);
/* Returns a copy that the caller owns. */
POSTHASTE_API posthaste_conf_t* posthaste_conf_copy(const posthaste_conf_t* conf);
/*
 * Sets one key. value: text with its unit, such as "30s", "64MiB", "true"; null restores the
 * default. Returns: POSTHASTE_E_UNKNOWN_KEY or POSTHASTE_E_BAD_VALUE, with an error that names the
 * key.
 */
POSTHASTE_API int32_t posthaste_conf_set(posthaste_conf_t* conf, const char* key, const char* value,
                                         posthaste_error_t* error);
/* Returns the value of a key as it would be written, a secret as `****`; lives until the key is set
 * again; null for an unknown key. */
POSTHASTE_API const char* posthaste_conf_get(const posthaste_conf_t* conf, const char* key);
/*
 * Describes one key, or all in an array when key is null, as JSON: key, scope, type, range,
 * default, unit, when it may change ("new", "start" or "live"), secret (whether it is one), help.
 * Returns:
 * POSTHASTE_E_UNKNOWN_KEY, which lets a host probe an older library. Owns: the caller frees `*out`.
 */
POSTHASTE_API int32_t posthaste_conf_describe(const char* key, posthaste_text_t** out,
                                              posthaste_error_t* error);

/* ---- Life cycle
 * -------------------------------------------------------------------------------------------- */

/*
 * Makes an engine: no thread, no file, no libcurl yet, so a host may fork between this and
 * posthaste_start. conf: copied; null means all defaults. Owns: the caller frees `*out`.
 */
POSTHASTE_API int32_t posthaste_new(const posthaste_conf_t* conf, posthaste_t** out,
                                    posthaste_error_t* error);
/*
 * Starts the worker threads. A second call is POSTHASTE_E_STATE. Without CURL_VERSION_THREADSAFE
 * (libcurl before 7.84) the host initialises libcurl first. Returns: POSTHASTE_E_TLS_BACKEND when
 * libcurl's TLS is not OpenSSL, POSTHASTE_E_SYSTEM with the reason.
 */
POSTHASTE_API int32_t posthaste_start(posthaste_t* ph, posthaste_error_t* error);
/*
 * Seals what is open, tries to deliver it for up to timeout_ms, and stops the threads. In memory
 * mode the rest is dropped with reports. In durable mode it stays in the spool, and close returns
 * as soon as every batch had its first outcome or waits on an endpoint in trouble. Returns in time
 * even when an endpoint hangs. May race any call: push then answers POSTHASTE_E_STATE. Reports can
 * be pulled afterwards. A second call is POSTHASTE_OK and does nothing. Returns POSTHASTE_E_TIMEOUT
 * when something had to be dropped, or a thread could not be ended in time.
 */
POSTHASTE_API int32_t posthaste_close(posthaste_t* ph, int32_t timeout_ms,
                                      posthaste_error_t* error);
/*
 * Likewise, but returns at once; completion is a POSTHASTE_REPORT_TICKET report, to be pulled when
 * the close is over, whose code is what posthaste_close would have returned.
 * Push answers POSTHASTE_E_STATE from then on. Asked for again, also after a close, it gives a
 * ticket that completes with the close that came first. posthaste_close waits for it, no longer
 * than its own time-out; posthaste_free does not, and leaks knowingly what still runs.
 */
POSTHASTE_API int32_t posthaste_close_ticket(posthaste_t* ph, int32_t timeout_ms,
                                             uint64_t* out_ticket, posthaste_error_t* error);
/*
 * Closes with a time-out of 0 and frees; null is allowed. All other calls on the engine must have
 * returned. Blocks at most 100 ms, else leaks knowingly (garbage collectors call this). In a forked
 * child it leaks knowingly.
 */
POSTHASTE_API void posthaste_free(posthaste_t* ph);
/*
 * Changes a live key of a running engine. Returns: POSTHASTE_E_NOT_CHANGEABLE for a key that is
 * fixed at new or start.
 */
POSTHASTE_API int32_t posthaste_set(posthaste_t* ph, const char* key, const char* value,
                                    posthaste_error_t* error);
/* Reads a key of the engine's configuration, a secret as `****`. Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_get(const posthaste_t* ph, const char* key, posthaste_text_t** out,
                                    posthaste_error_t* error);

/* ---- Registry: webhooks
 * ------------------------------------------------------------------------------------ */

/*
 * Makes an empty description. Keys: `id` (read only), `name`, `target`, `events` (comma-separated
 * types, or `*` for all), `auth_token`, `header.<name>` (custom headers), `active`, and every
 * configuration key of webhook scope
 * (`batch.max_events`, `retry.max_age`, ...). A description filled by find or list also has
 * `state`, `created`, `last_successful` and `last_failure`. Owns: the caller. Threads: one at a
 * time.
 */
POSTHASTE_API posthaste_webhook_t* posthaste_webhook_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_webhook_free(posthaste_webhook_t* webhook);
/* Returns a copy that the caller owns. */
POSTHASTE_API posthaste_webhook_t* posthaste_webhook_copy(const posthaste_webhook_t* webhook);
/* Sets one key. value: null clears the key to the engine's value. The text is checked at once. */
POSTHASTE_API int32_t posthaste_webhook_set(posthaste_webhook_t* webhook, const char* key,
                                            const char* value, posthaste_error_t* error);
/*
 * Sets the keys of a REST-shaped JSON object: name, target, events (array), auth_token, auth_type,
 * auth_credentials ({username, password}; {access_token} of a bearer), auth_request_details
 * ({url, body}), custom_headers (object), active, subaccount_id (-1 for all), exception_subaccounts
 * (array of numbers), settings (object: configuration keys of webhook scope); unknown fields are
 * ignored. Either all of it is taken or nothing.
 */
POSTHASTE_API int32_t posthaste_webhook_set_json(posthaste_webhook_t* webhook, const char* json,
                                                 size_t size, posthaste_error_t* error);
/* Returns a key's text; null when it is not set. Lives until the description changes. */
POSTHASTE_API const char* posthaste_webhook_get(const posthaste_webhook_t* webhook,
                                                const char* key);
/* Writes the REST shape (secrets as they are in the description). Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_webhook_json(const posthaste_webhook_t* webhook,
                                             posthaste_text_t** out);

/*
 * Creates a webhook: checks it, sends the test POST `[{"msys":{}}]`, and only if that is answered
 * with exactly 200 (`verify.accept=2xx` widens it) registers it under a new version 1 UUID; it
 * takes events after `webhook.activation_delay`. The test POST is compressed and signed as batches
 * will be. Needs a started engine.
 * out: a snapshot with its `id`; may be null. Returns: POSTHASTE_E_VERIFY_FAILED with the details
 * in `error`; POSTHASTE_E_TIMEOUT when the answer did not come within timeout_ms: then nothing is
 * created.
 */
POSTHASTE_API int32_t posthaste_create(posthaste_t* ph, const posthaste_webhook_t* webhook,
                                       int32_t timeout_ms, posthaste_webhook_t** out,
                                       posthaste_error_t* error);
/* Likewise, but returns at once; the outcome is a POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_create_ticket(posthaste_t* ph, const posthaste_webhook_t* webhook,
                                              uint64_t* out_ticket, posthaste_error_t* error);
/*
 * Declares a webhook under the host's own id (1 to 64 of [A-Za-z0-9._-]), also before start.
 * Neither verifies nor waits for activation, and changes nothing when nothing changed, so a mail
 * server calls it at every start. Replaces the settings when they differ, never the state. Holds
 * for every push that begins after it returned; batches already sealed keep their old target.
 */
POSTHASTE_API int32_t posthaste_put(posthaste_t* ph, const char* id,
                                    const posthaste_webhook_t* webhook, posthaste_error_t* error);
/*
 * Changes only the keys that are set in `webhook`. A changed target is verified first (as in
 * create); on failure nothing changes. Batches already sealed keep their old target.
 */
POSTHASTE_API int32_t posthaste_update(posthaste_t* ph, const char* id,
                                       const posthaste_webhook_t* webhook, int32_t timeout_ms,
                                       posthaste_error_t* error);
/* Likewise, but returns at once; the outcome is a POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_update_ticket(posthaste_t* ph, const char* id,
                                              const posthaste_webhook_t* webhook,
                                              uint64_t* out_ticket, posthaste_error_t* error);

enum {
  POSTHASTE_REMOVE_DRAIN = 0, /* queued batches go out until they end by themselves */
  POSTHASTE_REMOVE_DROP = 1   /* queued batches are dropped and reported */
};
/* Removes a webhook: pushes that begin after the return do not reach it. how: POSTHASTE_REMOVE_*.
 */
POSTHASTE_API int32_t posthaste_remove(posthaste_t* ph, const char* id, int32_t how,
                                       posthaste_error_t* error);
/* Holds its batches back: events are still taken and sealed; clocks of waiting batches stand still.
 */
POSTHASTE_API int32_t posthaste_pause(posthaste_t* ph, const char* id, posthaste_error_t* error);
/* Ends a pause or a disabling: batches go out and clocks go on. */
POSTHASTE_API int32_t posthaste_resume(posthaste_t* ph, const char* id, posthaste_error_t* error);
/* Sends the test POST to a registered webhook's target. Returns: as posthaste_create. */
POSTHASTE_API int32_t posthaste_verify(posthaste_t* ph, const char* id, int32_t timeout_ms,
                                       posthaste_error_t* error);
/* Likewise, but returns at once; the outcome is a POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_verify_ticket(posthaste_t* ph, const char* id, uint64_t* out_ticket,
                                              posthaste_error_t* error);
/* Finds one webhook: a snapshot, secrets masked as `****`; sent back, the mask keeps the secret.
 * Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_find(const posthaste_t* ph, const char* id,
                                     posthaste_webhook_t** out, posthaste_error_t* error);
/* Lists all in the order of their registration, secrets masked. Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_list(const posthaste_t* ph, posthaste_webhook_list_t** out,
                                     posthaste_error_t* error);
/* Returns how many there are; 0 for null. */
POSTHASTE_API size_t posthaste_webhook_list_count(const posthaste_webhook_list_t* list);
/* Returns one of them, which lives as long as the list; null beyond the end. */
POSTHASTE_API const posthaste_webhook_t* posthaste_webhook_list_at(
    const posthaste_webhook_list_t* list, size_t index);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_webhook_list_free(posthaste_webhook_list_t* list);
/*
 * Loads a Momentum webhooks file, a JSON array of {name?, events, target, auth_token?,
 * custom_headers?}, as puts under stable ids made from each entry's name (else target). Loading it
 * again reconciles: adds, changes, and removes entries of this file only. Nothing changes when the
 * file has an error. Also before start. out: JSON
 * {"added":n,"changed":n,"removed":n,"unchanged":n}; may be null.
 */
POSTHASTE_API int32_t posthaste_load(posthaste_t* ph, const char* path, posthaste_text_t** out,
                                     posthaste_error_t* error);

/* ---- Events
 * ------------------------------------------------------------------------------------------------
 */

/*
 * Defines a further event type, before start. type, event_class: [a-z0-9_]{1,64}; the class may be
 * new. A known type or alias is POSTHASTE_E_EXISTS.
 */
POSTHASTE_API int32_t posthaste_define_type(posthaste_t* ph, const char* type,
                                            const char* event_class, posthaste_error_t* error);
/* Returns 1 when some webhook wants this type (null: any type), else 0. One atomic load once the
 * type is known. */
POSTHASTE_API int32_t posthaste_wants(const posthaste_t* ph, const char* type);
/*
 * Pushes one event; never waits for network or disk. type: a type name or the MTA's raw name for it
 * (`inband` is written as `bounce`), null takes the payload's `type`. payload: one JSON object of
 * `size` bytes, copied; missing `type`, `timestamp` and `event_id` are added, a numeric timestamp
 * becomes a string of whole seconds, every other byte is untouched. Returns: OK, E_BAD_JSON,
 * E_BAD_UTF8, E_TOO_DEEP, E_DUPLICATE_KEY, E_BAD_FIELD, E_UNKNOWN_TYPE, E_TYPE_MISMATCH,
 * E_TOO_LARGE, E_QUEUE_FULL, E_STATE, E_SPOOL_*. posthaste_check explains. When nobody wants the
 * type: OK, counted. Threads: any number; if one push returned before another began, on any
 * threads, their order is kept.
 */
POSTHASTE_API int32_t posthaste_push(posthaste_t* ph, const char* type, const char* payload,
                                     size_t size);
/*
 * Likewise for a caller that vouches for valid JSON with `type`, `timestamp` and `event_id`: the
 * payload is not read, only enveloped. type must not be null.
 */
POSTHASTE_API int32_t posthaste_push_trusted(posthaste_t* ph, const char* type, const char* payload,
                                             size_t size);
/* Likewise for a whole record `{"msys":{"<class>":{...}}}`: checked like push, and the class
 * against the type. */
POSTHASTE_API int32_t posthaste_push_enveloped(posthaste_t* ph, const char* record, size_t size);
/*
 * Pushes NDJSON: one payload a line, each judged alone, empty lines skipped. Stops before the first
 * line that is answered E_QUEUE_FULL or E_SPOOL_*; resume at `lines + *out_consumed`. out_consumed:
 * bytes done; may be null. out_codes: room for codes_count codes, one a line that was judged, in
 * order; may be null with codes_count 0. It also stops when out_codes is full. Returns: OK when
 * every line was accepted, else the first line's code that was not.
 */
POSTHASTE_API int32_t posthaste_push_many(posthaste_t* ph, const char* type, const char* lines,
                                          size_t size, size_t* out_consumed, int32_t* out_codes,
                                          size_t codes_count);
/* Judges a payload as posthaste_push would, queues nothing, and explains in `error`. */
POSTHASTE_API int32_t posthaste_check(const posthaste_t* ph, const char* type, const char* payload,
                                      size_t size, posthaste_error_t* error);

/*
 * Makes a builder for one event's payload. It holds no engine, may outlive it, is reusable, and
 * allocates nothing per event once warm. Setters write each field of the catalogue in its wire type
 * whatever setter was used, escape everything and repair UTF-8. The first error sticks: setters
 * return it, and push queues nothing. Owns: the caller. Threads: one at a time.
 */
POSTHASTE_API posthaste_event_t* posthaste_event_new(const char* type);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_event_free(posthaste_event_t* event);
/* Empties it for another event. type: null keeps the last one. */
POSTHASTE_API int32_t posthaste_event_reset(posthaste_event_t* event, const char* type);
/* Sets a member of the open object (key) or an element of the open array (key null). value:
 * NUL-terminated. */
POSTHASTE_API int32_t posthaste_event_set(posthaste_event_t* event, const char* key,
                                          const char* value);
/* Likewise with a size; the text may hold NUL. */
POSTHASTE_API int32_t posthaste_event_set_text(posthaste_event_t* event, const char* key,
                                               const char* value, size_t size);
/* Likewise with an integer. */
POSTHASTE_API int32_t posthaste_event_set_int(posthaste_event_t* event, const char* key,
                                              int64_t value);
/* Likewise with a finite number. */
POSTHASTE_API int32_t posthaste_event_set_double(posthaste_event_t* event, const char* key,
                                                 double value);
/* Likewise with a truth value: 0 is false. */
POSTHASTE_API int32_t posthaste_event_set_bool(posthaste_event_t* event, const char* key,
                                               int32_t value);
/* Likewise with any JSON value, which is checked. */
POSTHASTE_API int32_t posthaste_event_set_json(posthaste_event_t* event, const char* key,
                                               const char* json, size_t size);
/* Opens a nested object. */
POSTHASTE_API int32_t posthaste_event_begin_object(posthaste_event_t* event, const char* key);
/* Opens a nested array. */
POSTHASTE_API int32_t posthaste_event_begin_array(posthaste_event_t* event, const char* key);
/* Closes the innermost of them. */
POSTHASTE_API int32_t posthaste_event_end(posthaste_event_t* event);
/* Remembers the present content (one mark, the last one counts). */
POSTHASTE_API int32_t posthaste_event_mark(posthaste_event_t* event);
/* Goes back to the mark, any number of times: one message, many recipients. Clears errors made
 * since. */
POSTHASTE_API int32_t posthaste_event_rewind(posthaste_event_t* event);
/* Explains the first error. Returns: its code, or OK. */
POSTHASTE_API int32_t posthaste_event_check(const posthaste_event_t* event,
                                            posthaste_error_t* error);
/* Writes what was built as JSON text: the context of tracking links, say (posthaste/engagement.h).
 * Owns: the caller frees `*out`. Returns: the first error's code, or OK. */
POSTHASTE_API int32_t posthaste_event_json(const posthaste_event_t* event, posthaste_text_t** out,
                                           posthaste_error_t* error);
/* Pushes what was built. The builder is not altered; each push gets an event_id of its own.
 * Returns: as push. */
POSTHASTE_API int32_t posthaste_push_event(posthaste_t* ph, const posthaste_event_t* event);

/* ---- Batcher
 * -----------------------------------------------------------------------------------------------
 */

/*
 * Seals every open batch and waits until every sealed batch has had its first outcome, or waits on
 * an endpoint that is backing off or paused. Returns: POSTHASTE_E_TIMEOUT when that took longer.
 */
POSTHASTE_API int32_t posthaste_flush(posthaste_t* ph, int32_t timeout_ms,
                                      posthaste_error_t* error);
/* Likewise, but returns at once; completion is a POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_flush_ticket(posthaste_t* ph, uint64_t* out_ticket,
                                             posthaste_error_t* error);
/*
 * Waits until every push and registry change of this engine that returned before is on disk.
 * Returns: POSTHASTE_E_STATE in memory mode, rather than pretend.
 */
POSTHASTE_API int32_t posthaste_sync(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error);
/* Likewise, but returns at once; completion is a POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_sync_ticket(posthaste_t* ph, uint64_t* out_ticket,
                                            posthaste_error_t* error);
/* Tells how many events and bytes wait in a webhook's open batch. Out parameters may be null. */
POSTHASTE_API int32_t posthaste_open_batch(const posthaste_t* ph, const char* id,
                                           uint64_t* out_events, uint64_t* out_bytes,
                                           posthaste_error_t* error);

/* ---- Retry scheduler
 * --------------------------------------------------------------------------------------- */

enum {
  POSTHASTE_STATUS_FAILED =
      0, /* only batches with at least one failed attempt, as the original lists them */
  POSTHASTE_STATUS_ALL = 1 /* successes too */
};
/*
 * Writes the last attempt of a webhook's batches in the last 24 h, newest first, as a JSON array of
 * {batch_id, webhook_id, ts, attempts (failed ones), response_code, failure_code, batch_size,
 * latency}. limit: most entries; 0 is 1000. which: POSTHASTE_STATUS_*. Owns: the caller frees
 * `*out`.
 */
POSTHASTE_API int32_t posthaste_batch_status(const posthaste_t* ph, const char* id, size_t limit,
                                             int32_t which, posthaste_text_t** out,
                                             posthaste_error_t* error);

/*
 * Makes what waits due at once: the probe of an endpoint in trouble, and batches that wait for
 * their own next attempt. What fails again backs off as if it had waited; a paused webhook stays
 * paused. id: null means every webhook. Works in both modes, and returns at once. Returns:
 * POSTHASTE_E_NOT_FOUND.
 */
POSTHASTE_API int32_t posthaste_retry_now(posthaste_t* ph, const char* id,
                                          posthaste_error_t* error);

/* ---- Spool
 * -------------------------------------------------------------------------------------------------
 *
 * For operators of durable mode. In memory mode, before start and after close these functions
 * answer POSTHASTE_E_STATE. Lists show what is on disk, which may be a fraction of a second behind.
 * They read the disk on the caller's thread, and hold nothing up.
 */

/* Makes a filter that lets everything pass. Owns: the caller. Threads: one at a time. */
POSTHASTE_API posthaste_filter_t* posthaste_filter_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_filter_free(posthaste_filter_t* filter);
/*
 * Narrows a filter; what passes fulfils every key that is set. key: `webhook_id`; `batch_id`;
 * `from_ms` (then or later) and `before_ms` (earlier), Unix time in milliseconds, of a dead
 * letter's end or a waiting batch's sealing; `status`, the HTTP status of the last attempt, 0 for
 * none, of dead letters only. value: null clears the key. Returns: POSTHASTE_E_UNKNOWN_KEY or
 * POSTHASTE_E_BAD_VALUE.
 */
POSTHASTE_API int32_t posthaste_filter_set(posthaste_filter_t* filter, const char* key,
                                           const char* value, posthaste_error_t* error);

/*
 * Lists batches that are sealed and not over, those in flight included, by order of sealing, as a
 * JSON array of {sequence, batch_id, webhook_id, sealed_ms, events, bytes, attempts, failures,
 * clock_started_ms (since when retry.max_age runs, 0 when it does not), next_try_ms (of a batch
 * that was refused for its content, else 0)}. filter: null means all; a status is
 * POSTHASTE_E_INVALID. after: a `sequence`; only those behind it, so that the last one of a page
 * asks for the next; 0 begins. limit: most entries; 0 and more than 1000 are 1000. Owns: the caller
 * frees `*out`.
 */
POSTHASTE_API int32_t posthaste_waiting_list(const posthaste_t* ph,
                                             const posthaste_filter_t* filter, uint64_t after,
                                             size_t limit, posthaste_text_t** out,
                                             posthaste_error_t* error);
/* Finds one of them: the same JSON object. Returns: POSTHASTE_E_NOT_FOUND when no such batch waits.
 * Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_waiting_find(const posthaste_t* ph, const char* batch_id,
                                             posthaste_text_t** out, posthaste_error_t* error);
/*
 * Lists dead letters likewise: batches that were given up after retry.max_age and kept because
 * `dead_letter` was on, as a JSON array of {sequence, batch_id, webhook_id, sealed_ms, died_ms,
 * reason, status, network_name (of the last attempt), events, bytes, attempts, failures}. Webhooks
 * that were removed since are named, too.
 */
POSTHASTE_API int32_t posthaste_dead_letter_list(const posthaste_t* ph,
                                                 const posthaste_filter_t* filter, uint64_t after,
                                                 size_t limit, posthaste_text_t** out,
                                                 posthaste_error_t* error);
/* Finds one of them: the same JSON object. Returns: POSTHASTE_E_NOT_FOUND. Owns: the caller frees
 * `*out`. */
POSTHASTE_API int32_t posthaste_dead_letter_find(const posthaste_t* ph, const char* batch_id,
                                                 posthaste_text_t** out, posthaste_error_t* error);
/*
 * Makes dead letters batches again: the same id and the same JSON, no attempts so far, a whole
 * retry.max_age ahead, to the target that their webhook has now. Those of webhooks that are not
 * registered stay. filter: an empty one means all. out_count: how many; may be null. On disk when
 * it returns. Returns: POSTHASTE_E_NOT_FOUND when the filter names a webhook that is not
 * registered; POSTHASTE_E_TIMEOUT when it did not end in time: then some were replayed, and another
 * call goes on; POSTHASTE_E_SPOOL_*. Blocks: up to timeout_ms.
 */
POSTHASTE_API int32_t posthaste_dead_letter_replay(posthaste_t* ph,
                                                   const posthaste_filter_t* filter,
                                                   int32_t timeout_ms, uint64_t* out_count,
                                                   posthaste_error_t* error);
/* Deletes dead letters for good; that they were given up was reported when they died. Otherwise as
 * posthaste_dead_letter_replay. */
POSTHASTE_API int32_t posthaste_dead_letter_remove(posthaste_t* ph,
                                                   const posthaste_filter_t* filter,
                                                   int32_t timeout_ms, uint64_t* out_count,
                                                   posthaste_error_t* error);
/*
 * Gives up everything that was pushed for a webhook before and is not delivered, its open batch
 * included, reported and counted with POSTHASTE_REASON_PURGED; attempts under way are broken off,
 * and may have reached the receiver. Dead letters stay, and so does the webhook, which goes on with
 * what is pushed next. out_batches, out_events: how many; may be null. On disk when it returns.
 * Returns: POSTHASTE_E_NOT_FOUND; POSTHASTE_E_TIMEOUT when it did not end in time: it goes on;
 * POSTHASTE_E_SPOOL_*. Blocks: up to timeout_ms.
 */
POSTHASTE_API int32_t posthaste_purge(posthaste_t* ph, const char* id, int32_t timeout_ms,
                                      uint64_t* out_batches, uint64_t* out_events,
                                      posthaste_error_t* error);

/* Takes the next `size` bytes of a text; whole lines or not. Returns 0, or another value to stop.
 */
typedef int32_t (*posthaste_write_fn)(const char* data, size_t size, void* user_data);
/*
 * Exports the events of a waiting batch or a dead letter as NDJSON: a record
 * `{"msys":{"<class>":{...}}}` a line, as it goes over the wire and as posthaste_push_enveloped
 * takes it back. It is read piece by piece, never held as a whole. write: called on the caller's
 * thread, before the function returns; it may call the library. out_events: how many lines; may be
 * null. Returns: POSTHASTE_E_NOT_FOUND; POSTHASTE_E_SYSTEM when `write` stopped;
 * POSTHASTE_E_SPOOL_IO when the disk does not give the batch back.
 */
POSTHASTE_API int32_t posthaste_batch_export(const posthaste_t* ph, const char* batch_id,
                                             uint64_t* out_events, posthaste_error_t* error,
                                             posthaste_write_fn write, void* user_data);
/*
 * Checks the spool while it is in use: the database's pages, whether its tables fit together, and
 * whether each waiting batch can be read and has its events. Writes what is wrong as a JSON array
 * of texts for people, at most about 100 of them; `[]` is a sound spool. Returns:
 * POSTHASTE_E_TIMEOUT; POSTHASTE_E_STATE soon after the engine closes. Owns: the caller frees
 * `*out`. Blocks: up to timeout_ms, beyond which only the look at the database's pages is ended
 * first, seconds for each gigabyte.
 */
POSTHASTE_API int32_t posthaste_spool_check(const posthaste_t* ph, int32_t timeout_ms,
                                            posthaste_text_t** out, posthaste_error_t* error);

/* ---- Reports
 * -----------------------------------------------------------------------------------------------
 */

enum {
  POSTHASTE_REPORT_DELIVERED = 1, /* a batch was answered with 2xx */
  POSTHASTE_REPORT_RETRYING = 2,  /* an attempt failed; next_try says when the next is due */
  POSTHASTE_REPORT_DROPPED = 3, /* events of a webhook were given up; reason and counts are exact */
  POSTHASTE_REPORT_STATE = 4,   /* a webhook changed its state; message names the new one */
  POSTHASTE_REPORT_TICKET = 5,  /* a ticket is complete; code is its outcome */
  POSTHASTE_REPORT_OVERFLOW = 6,      /* reports were lost for want of room; count says how many */
  POSTHASTE_REPORT_LOG = 7,           /* a line of the log (log.reports) */
  POSTHASTE_REPORT_DEAD_LETTERED = 8, /* a batch was given up and is kept as a dead letter */
  POSTHASTE_REPORT_SPOOL = 9,         /* the spool: its disk fails or works again, a batch goes out
                                         unsecured (reason), something was salvaged; message tells */
  POSTHASTE_REPORT_ENDPOINT = 10, /* a webhook's endpoint is healthy, throttled (it asked for time)
                                     or failing now, which message names; or a warning before it is
                                     disabled (disable.after) */
  POSTHASTE_REPORT_LIMIT = 11 /* what size of batch an endpoint takes was learned (events, bytes),
                                 or forgotten (both 0) */
};
enum {
  POSTHASTE_REACHED_NO = 0,    /* the receiver cannot have got the batch */
  POSTHASTE_REACHED_MAYBE = 1, /* it may have got all of it */
  POSTHASTE_REACHED_YES = 2    /* it answered */
};
enum {
  POSTHASTE_REASON_NONE = 0,
  POSTHASTE_REASON_EXPIRED = 1, /* retry.max_age passed */
  POSTHASTE_REASON_QUOTA =
      2, /* the webhook's or the engine's room for waiting batches was full, in memory or on disk */
  POSTHASTE_REASON_REMOVED = 3,           /* the webhook was removed with POSTHASTE_REMOVE_DROP */
  POSTHASTE_REASON_CLOSED = 4,            /* the engine was closed */
  POSTHASTE_REASON_UNREADABLE = 5,        /* the spool could not give the batch back */
  POSTHASTE_REASON_SALVAGED = 6,          /* lost when a damaged spool was salvaged */
  POSTHASTE_REASON_DEAD_LETTER_QUOTA = 7, /* dead letters over dead_letter.max_bytes */
  POSTHASTE_REASON_DEAD_LETTER_AGE = 8,   /* dead letters older than dead_letter.max_age */
  POSTHASTE_REASON_PURGED = 9,            /* posthaste_purge */
  POSTHASTE_REASON_UNSECURED = 10, /* no drop: the batch of a POSTHASTE_REPORT_SPOOL goes out, but
                                     its row is not on disk */
  POSTHASTE_REASON_REFUSED = 11    /* one event alone was answered by 413 */
};

/*
 * Takes the oldest report. The caller owns it; it refers to nothing in the engine and may be freed
 * on any thread and after the engine. Works after close. A host that never polls costs at most
 * report.max_bytes. Returns: POSTHASTE_E_EMPTY (out null) when none came within timeout_ms.
 */
POSTHASTE_API int32_t posthaste_poll(posthaste_t* ph, int32_t timeout_ms, posthaste_report_t** out);
/*
 * Returns a descriptor for poll or epoll, readable when reports wait: a non-blocking pipe that gets
 * one byte per change from empty to not. Read it, then poll until POSTHASTE_E_EMPTY. Made by start,
 * closed by free; -1 before.
 */
POSTHASTE_API int32_t posthaste_report_fd(const posthaste_t* ph);
/* Frees a report; null is allowed. */
POSTHASTE_API void posthaste_report_free(posthaste_report_t* report);
/* Returns POSTHASTE_REPORT_*; 0 for null. */
POSTHASTE_API int32_t posthaste_report_kind(const posthaste_report_t* report);
/* Returns the constant's name in lower case, such as "delivered"; static. */
POSTHASTE_API const char* posthaste_report_kind_name(int32_t kind);
/* Returns the webhook's id; "" when it concerns none. Strings of a report live as long as the
 * report. */
POSTHASTE_API const char* posthaste_report_webhook_id(const posthaste_report_t* report);
/* Returns the batch's id; "" when it concerns none or several. */
POSTHASTE_API const char* posthaste_report_batch_id(const posthaste_report_t* report);
/* Returns one line for people. */
POSTHASTE_API const char* posthaste_report_message(const posthaste_report_t* report);
/* Returns the ticket; 0 when it is not a ticket's. */
POSTHASTE_API uint64_t posthaste_report_ticket(const posthaste_report_t* report);
/* Returns the ticket's outcome; what calls answer when it says that the spool cannot be written;
 * else OK. */
POSTHASTE_API int32_t posthaste_report_code(const posthaste_report_t* report);
/* Returns POSTHASTE_REASON_* of a drop, or of a batch that goes out unsecured; else 0. */
POSTHASTE_API int32_t posthaste_report_reason(const posthaste_report_t* report);
/* Returns POSTHASTE_REACHED_* of the attempt. */
POSTHASTE_API int32_t posthaste_report_reached(const posthaste_report_t* report);
/* Returns the HTTP status of the attempt; 0 when there was none. */
POSTHASTE_API int32_t posthaste_report_status(const posthaste_report_t* report);
/* Returns the network error's name, such as "ETIMEDOUT", as posthaste_error_network_name, "EAUTH"
 * when an OAuth 2 token could not be got; "" when there was none. */
POSTHASTE_API const char* posthaste_report_network_name(const posthaste_report_t* report);
/* Returns how many attempts the batch has had. */
POSTHASTE_API uint32_t posthaste_report_attempts(const posthaste_report_t* report);
/* Returns how many events it is about (of a merged drop: all of them). */
POSTHASTE_API uint64_t posthaste_report_events(const posthaste_report_t* report);
/* Returns how many batches or, for an overflow, reports it is about. */
POSTHASTE_API uint64_t posthaste_report_count(const posthaste_report_t* report);
/* Returns the bytes of body. */
POSTHASTE_API uint64_t posthaste_report_bytes(const posthaste_report_t* report);
/* Returns when it happened, Unix time in milliseconds. */
POSTHASTE_API int64_t posthaste_report_time_ms(const posthaste_report_t* report);
/* Returns when the next attempt is due, Unix time in milliseconds; 0 when there is none. */
POSTHASTE_API int64_t posthaste_report_next_try_ms(const posthaste_report_t* report);

enum {
  POSTHASTE_TIMING_DNS = 0,        /* until the name was resolved */
  POSTHASTE_TIMING_CONNECT = 1,    /* until the connection stood */
  POSTHASTE_TIMING_TLS = 2,        /* until the TLS handshake was done; 0 without TLS */
  POSTHASTE_TIMING_FIRST_BYTE = 3, /* until the first byte of the answer */
  POSTHASTE_TIMING_TOTAL = 4       /* the whole attempt */
};
/* Returns microseconds from the start of the attempt; 0 when that phase was not reached. which:
 * POSTHASTE_TIMING_*. */
POSTHASTE_API uint64_t posthaste_report_timing_us(const posthaste_report_t* report, int32_t which);
/* Returns the level of a log line, POSTHASTE_LOG_*; else 0. */
POSTHASTE_API int32_t posthaste_report_level(const posthaste_report_t* report);
/* Writes all of a report as one JSON object. Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_report_json(const posthaste_report_t* report,
                                            posthaste_text_t** out);
/*
 * Explains a ticket's failure in `error`, with the details of a failed verification. Returns: the
 * ticket's code.
 */
POSTHASTE_API int32_t posthaste_report_error(const posthaste_report_t* report,
                                             posthaste_error_t* error);

/* ---- REST handler
 * -------------------------------------------------------------------------------------------- */

/*
 * Makes a request for posthaste_api_handle. method: "GET"... target: path and query as they stood
 * in the request line. Returns: null for a null argument or when memory is short. Owns: the caller.
 * Threads: one at a time.
 */
POSTHASTE_API posthaste_request_t* posthaste_request_new(const char* method, const char* target);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_request_free(posthaste_request_t* request);
/* Adds a header as it was received. A name may come several times. The handler reads Authorization,
 * Content-Type, Accept, Host and X-MSYS-SUBACCOUNT. */
POSTHASTE_API int32_t posthaste_request_add_header(posthaste_request_t* request, const char* name,
                                                   const char* value);
/* Sets the body, decoded of its transfer coding. Copied. */
POSTHASTE_API int32_t posthaste_request_set_body(posthaste_request_t* request, const char* body,
                                                 size_t size);
/* Sets the client's address, by which failed attempts to log in are counted; without one they are
 * not. */
POSTHASTE_API int32_t posthaste_request_set_peer(posthaste_request_t* request, const char* address);
/* Sets what links begin with: "http", the default, or "https". */
POSTHASTE_API int32_t posthaste_request_set_scheme(posthaste_request_t* request,
                                                   const char* scheme);

/* Returns what it was made with, or given; for code that answers requests itself. Strings live
 * until the request changes; "" for null, and for a peer that was not set. */
POSTHASTE_API const char* posthaste_request_method(const posthaste_request_t* request);
/* Likewise path and query. */
POSTHASTE_API const char* posthaste_request_target(const posthaste_request_t* request);
/* Likewise the client's address. */
POSTHASTE_API const char* posthaste_request_peer(const posthaste_request_t* request);
/* Returns how many headers it has. */
POSTHASTE_API size_t posthaste_request_header_count(const posthaste_request_t* request);
/* Returns the name of header `index`; null beyond the end. */
POSTHASTE_API const char* posthaste_request_header_name(const posthaste_request_t* request,
                                                        size_t index);
/* Returns its value; null beyond the end. */
POSTHASTE_API const char* posthaste_request_header_value(const posthaste_request_t* request,
                                                         size_t index);
/* Returns the body, `*out_size` bytes and a NUL; never null. */
POSTHASTE_API const char* posthaste_request_body(const posthaste_request_t* request,
                                                 size_t* out_size);

enum {
  POSTHASTE_GRANT_VIEW = 1,  /* GET only */
  POSTHASTE_GRANT_MODIFY = 2 /* GET, POST, PUT, DELETE */
};
/*
 * Says who asks, when the host has found that out itself: no API key is looked at then. grant:
 * POSTHASTE_GRANT_*. subaccount: the only one whose webhooks may be seen and changed; -1 for all.
 */
POSTHASTE_API int32_t posthaste_request_set_identity(posthaste_request_t* request, int32_t grant,
                                                     int64_t subaccount);

/*
 * Answers one request of the REST API (docs/rest-api.md), from whatever HTTP server the host has.
 * Every answer to a request is an answer, 400 and 500 too, and POSTHASTE_OK. Creating a webhook,
 * changing its target and testing it wait for the receiver; when timeout_ms passes before, the
 * answer is 504 and nothing was created or changed. Needs a started engine: 503 before and after.
 * error: set when the return code is not OK. Owns: the caller frees
 * `*out`, which refers to nothing of the engine. Blocks: up to timeout_ms.
 */
POSTHASTE_API int32_t posthaste_api_handle(posthaste_t* ph, const posthaste_request_t* request,
                                           int32_t timeout_ms, posthaste_response_t** out,
                                           posthaste_error_t* error);
/* Likewise, but returns at once; the response is in the POSTHASTE_REPORT_TICKET report. */
POSTHASTE_API int32_t posthaste_api_handle_ticket(posthaste_t* ph,
                                                  const posthaste_request_t* request,
                                                  uint64_t* out_ticket, posthaste_error_t* error);
/* Takes the response out of such a report, once. Returns: POSTHASTE_E_NOT_FOUND when it has none.
 * Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_report_response(posthaste_report_t* report,
                                                posthaste_response_t** out);

/* Returns the HTTP status; 0 for null. */
POSTHASTE_API int32_t posthaste_response_status(const posthaste_response_t* response);
/* Returns how many headers it has; Content-Length and Date are the server's to add. */
POSTHASTE_API size_t posthaste_response_header_count(const posthaste_response_t* response);
/* Returns the name of header `index`, which lives as long as the response; null beyond the end. */
POSTHASTE_API const char* posthaste_response_header_name(const posthaste_response_t* response,
                                                         size_t index);
/* Returns its value; null beyond the end. */
POSTHASTE_API const char* posthaste_response_header_value(const posthaste_response_t* response,
                                                          size_t index);
/* Returns the body, `*out_size` bytes and a NUL; never null. */
POSTHASTE_API const char* posthaste_response_body(const posthaste_response_t* response,
                                                  size_t* out_size);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_response_free(posthaste_response_t* response);
/* Makes a response, for code that answers requests itself (posthaste_admin_conf_mount). status: 200
 * to 599. Returns: null for another status or when memory is short. Owns: the caller. Threads: one
 * at a time. */
POSTHASTE_API posthaste_response_t* posthaste_response_new(int32_t status);
/* Adds a header. Returns: POSTHASTE_E_BAD_HEADER for a name that is no token, or a control
 * character in the value. */
POSTHASTE_API int32_t posthaste_response_add_header(posthaste_response_t* response,
                                                    const char* name, const char* value);
/* Sets the body. Copied. */
POSTHASTE_API int32_t posthaste_response_set_body(posthaste_response_t* response, const char* body,
                                                  size_t size);

/*
 * Makes an API key. Only its hash is kept: in the spool in durable mode, else until the engine is
 * freed. name: for people, up to 64 characters. grant: POSTHASTE_GRANT_*. subaccount: the only one
 * it may act for; -1 for all. out: JSON {id, name, grant ("view" or "modify"), subaccount (null for
 * all), created_ms, key}: the only time the key is shown. Needs a started engine; written to the
 * disk on the caller's thread. Returns: POSTHASTE_E_BAD_VALUE; POSTHASTE_E_SPOOL_*. Owns: the
 * caller frees `*out`.
 */
POSTHASTE_API int32_t posthaste_key_create(posthaste_t* ph, const char* name, int32_t grant,
                                           int64_t subaccount, posthaste_text_t** out,
                                           posthaste_error_t* error);
/* Likewise for a key that the host made itself, 20 to 256 printable ASCII characters without a
 * space. The same key again changes name, grant and subaccount; its id is made from the key's hash.
 * out: as above without `key`; may be null. */
POSTHASTE_API int32_t posthaste_key_put(posthaste_t* ph, const char* name, const char* key,
                                        int32_t grant, int64_t subaccount, posthaste_text_t** out,
                                        posthaste_error_t* error);
/* Lists them in the order of their making as a JSON array of {id, name, grant, subaccount,
 * created_ms}. Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_key_list(const posthaste_t* ph, posthaste_text_t** out,
                                         posthaste_error_t* error);
/* Revokes one: requests that begin after the return are refused. Returns: POSTHASTE_E_NOT_FOUND;
 * POSTHASTE_E_SPOOL_*. */
POSTHASTE_API int32_t posthaste_key_revoke(posthaste_t* ph, const char* id,
                                           posthaste_error_t* error);

/* ---- Observation
 * ------------------------------------------------------------------------------------------- */

/* Writes counters and gauges of the engine and each webhook as JSON. `events` counts since the
 * start: `accepted` what was pushed here or copied from producers, of which `from_producers`, and
 * of which `unwanted` no webhook took. In durable mode `spool` tells how full the disk is, what
 * waits there, dead letters, whether it can be written (`health`: ok, full or bad), and how long an
 * outage it covers at the present rate. Owns: the caller frees `*out`. */
POSTHASTE_API int32_t posthaste_stats_json(const posthaste_t* ph, posthaste_text_t** out);

enum {
  POSTHASTE_LOG_ERROR = 1,
  POSTHASTE_LOG_WARNING = 2,
  POSTHASTE_LOG_INFO = 3,
  POSTHASTE_LOG_DEBUG = 4
};
/* One line without a trailing line feed. It is called only on library threads, no lock held; it may
 * not call back. */
typedef void (*posthaste_log_fn)(int32_t level, const char* line, void* user_data);
/* Sets the log function, before start; null unsets it. Without it and `log.reports`, lines are
 * discarded. */
POSTHASTE_API int32_t posthaste_set_log(posthaste_t* ph, posthaste_log_fn fn, void* user_data);
/*
 * Writes a line to the engine's log, for libraries beside it (posthaste/admin.h): to the log
 * function, on the calling thread, and to the reports. level: POSTHASTE_LOG_*. line: made one line
 * without control characters, cut at 2 KiB. Threads: any, once the engine is started; a host does
 * not call it from its log function. Returns: POSTHASTE_E_INVALID for another level.
 */
POSTHASTE_API int32_t posthaste_log(posthaste_t* ph, int32_t level, const char* line);

#ifdef __cplusplus
}
#endif

#endif /* POSTHASTE_H */
