/*
 * Posthaste's HTTP listener: the REST API and the web page of an engine, on a port of its own.
 *
 * A second, optional library, libposthaste_admin, for hosts that have no HTTP server of their own
 * (those that have one call posthaste_api_handle). It serves the page at `/` and its files under
 * `/assets/`, and hands requests under the host's own prefixes (posthaste_admin_conf_mount) to the
 * host; every other path goes to posthaste_api_handle. The rules of posthaste.h hold here too: null
 * pointers, errors, strings, out parameters, fork.
 *
 * It listens on loopback unless told otherwise. A request whose Host header names another server,
 * or whose Origin is another site, is refused before anything is done with it: a web page that
 * somebody opens must not reach the API through its visitor's browser. What is mounted is for
 * everybody and judges for itself. Slow clients and floods of
 * connections take no place away from others: when the table of connections is full, the one that
 * has been longest without completing its request gives way.
 *
 * docs/admin.md tells how to embed it, behind a proxy too, and what the limits are for.
 */
#ifndef POSTHASTE_ADMIN_H
#define POSTHASTE_ADMIN_H

#include <posthaste/posthaste.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A running listener. */
typedef struct posthaste_admin posthaste_admin_t;
/* A listener's configuration: string keys and values. */
typedef struct posthaste_admin_conf posthaste_admin_conf_t;

/*
 * Makes a configuration with every key at its default:
 *
 * listen (127.0.0.1:0): ADDRESS:PORT, the address numeric or `localhost`, IPv6 in brackets; port 0
 * lets the system choose; `0.0.0.0` and `[::]` mean every address.
 * hosts (empty): further names that a Host header may have, separated by commas, each with or
 * without a port; the address that a connection came in at is always one, and so is `localhost` on
 * loopback.
 * origins (empty): further origins (`https://host[:port]`) whose pages may call; the listener's own
 * always may. They get the CORS headers that browsers ask for.
 * tls.certificate, tls.key (empty): files in PEM form, chain included; both or none. TLS 1.2 and
 * later.
 * connections.max (512), connections.max_per_address (256): how many; the least complete gives way.
 * request.timeout (30s): a request that is not complete by then is cut, counted from its first byte
 * or the connection's beginning; as long again may the client take to read the answer.
 * idle.timeout (60s): between two requests of one connection.
 * headers.max_bytes (16KiB): of one request, 431 beyond; at most 64KiB.
 * body.max_bytes (1MiB), events.max_bytes (64MiB): of one request's body, the latter for POST
 * /api/v1/events; 413 beyond.
 * bodies.max_bytes (128MiB): of all bodies together; the oldest that is not complete gives way.
 * handler.timeout (60s): how long an answer may wait for the network or the disk; 504 beyond.
 * threads.quick (2), threads.waiting (16): for calls that answer at once, and for those that wait
 * for receivers or disk.
 * queue.max (256): requests that wait for a thread, for each kind; 503 beyond.
 * gzip (on): compresses larger answers for clients that accept it.
 * access_log (on): a line for each request in the engine's log, at level info, at debug when it was
 * a successful read. Never a key, a header or a query; of a mounted path the prefix only.
 * page (on): whether `/` has the web page.
 *
 * Returns: null when memory is short. Owns: the caller, who frees it. Threads: one at a time.
 */
POSTHASTE_API posthaste_admin_conf_t* posthaste_admin_conf_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_admin_conf_free(posthaste_admin_conf_t* conf);
/*
 * Sets one key. value: as in posthaste_conf_set; null restores the default. Returns:
 * POSTHASTE_E_UNKNOWN_KEY or POSTHASTE_E_BAD_VALUE, with an error that names the key.
 */
POSTHASTE_API int32_t posthaste_admin_conf_set(posthaste_admin_conf_t* conf, const char* key,
                                               const char* value, posthaste_error_t* error);
/* Returns a key's value as it was set, or its default; lives until the key is set again; null for
 * an unknown key. */
POSTHASTE_API const char* posthaste_admin_conf_get(const posthaste_admin_conf_t* conf,
                                                   const char* key);

/*
 * Answers one request under a mounted prefix. request: as it came, with method (HEAD, too), target,
 * header fields, peer and body. timeout_ms: how long it may wait, as handler.timeout says. out: the
 * answer, which the listener frees; a body is left out where the method is HEAD. user_data: what
 * was given with the function. Returns: POSTHASTE_OK; after anything else, or without an answer,
 * the client gets 500. Threads: those of the listener, several at once.
 */
typedef int32_t (*posthaste_admin_handler_fn)(posthaste_t* ph, const posthaste_request_t* request,
                                              int32_t timeout_ms, posthaste_response_t** out,
                                              void* user_data);
/*
 * Gives all paths that begin with a prefix to a function of the host. Such requests need no API
 * key, and neither their Host nor their Origin is judged: they are for everybody. prefix: begins
 * and ends with a slash, up to 255 visible ASCII characters without `?` and `#`; neither `/` alone
 * nor one that the listener uses itself (`/api/`, `/assets/`). Given again, it gets the new
 * function; of two that fit, the longer one counts. handler: must not be null; posthaste_admin_free
 * waits for its calls. user_data: must live as long as the listener. Returns:
 * POSTHASTE_E_BAD_VALUE, for a seventeenth prefix too. Threads: one at a time.
 */
POSTHASTE_API int32_t posthaste_admin_conf_mount(posthaste_admin_conf_t* conf, const char* prefix,
                                                 posthaste_admin_handler_fn handler,
                                                 void* user_data, posthaste_error_t* error);

/*
 * Opens the port and starts the threads. ph: must outlive the listener, which does nothing for it
 * but hand over requests; before posthaste_start and after posthaste_close they are answered 503.
 * conf: copied; null means all defaults. Returns: POSTHASTE_E_BAD_VALUE when keys do not fit one
 * another; POSTHASTE_E_SYSTEM with the reason when the address, a file or a thread cannot be had;
 * POSTHASTE_E_FORKED for an engine that was started in the parent of this process.
 * Owns: the caller frees `*out`. Threads: any.
 */
POSTHASTE_API int32_t posthaste_admin_start(posthaste_t* ph, const posthaste_admin_conf_t* conf,
                                            posthaste_admin_t** out, posthaste_error_t* error);
/* Returns the port it listens on; 0 for null and in a forked child. */
POSTHASTE_API int32_t posthaste_admin_port(const posthaste_admin_t* admin);
/* Returns "http://ADDRESS:PORT" or the same with https, which lives as long as the listener; ""
 * for null. */
POSTHASTE_API const char* posthaste_admin_url(const posthaste_admin_t* admin);
/*
 * Stops: takes no further connection, lets requests that are complete be answered for up to
 * timeout_ms, closes the rest. A call that still waits for a receiver then is left to itself until
 * posthaste_admin_free. A second call is POSTHASTE_OK. Returns: POSTHASTE_E_TIMEOUT when a request
 * was cut; POSTHASTE_E_FORKED in a forked child. Threads: any. Blocks: up to timeout_ms.
 */
POSTHASTE_API int32_t posthaste_admin_stop(posthaste_admin_t* admin, int32_t timeout_ms,
                                           posthaste_error_t* error);
/*
 * Stops with a time-out of 0 and frees; null is allowed. All other calls on the listener must have
 * returned. Comes before posthaste_free of its engine. Waits for calls that are inside the engine,
 * which posthaste_close ends soon. In a forked child it leaks knowingly, and lets go of the port,
 * which otherwise stays open for as long as the child lives if the parent ends without a stop.
 */
POSTHASTE_API void posthaste_admin_free(posthaste_admin_t* admin);

#ifdef __cplusplus
}
#endif

#endif /* POSTHASTE_ADMIN_H */
