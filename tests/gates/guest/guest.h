/*
 * What the guest tests share: C hosts that see the public header only and check that the library
 * behaves as a guest in their process. Each test is a program of its own, because it watches its
 * whole process.
 */
#ifndef POSTHASTE_TESTS_GUEST_H
#define POSTHASTE_TESTS_GUEST_H

#include <posthaste/posthaste.h>

/* Ends the process with status 1 and says what did not hold, where. Works in forked children too.
 */
#define CHECK(condition) guest_check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* Likewise for codes, and prints both. */
#define CHECK_CODE(expected, call) guest_check_code((expected), (call), #call, __FILE__, __LINE__)

void guest_check(int holds, const char* condition, const char* file, int line);
void guest_check_code(int32_t expected, int32_t found, const char* call, const char* file,
                      int line);

/* Ends the process when it takes longer than this: no guest test may hang. */
void guest_set_time_limit(unsigned seconds);

/* Opens a loopback socket that listens and accepts nothing by itself, so that every request to it
 * hangs. */
int guest_listen(int* out_port);
/* Waits until somebody has connected to it, or fails after ten seconds. */
void guest_wait_for_connection(int listener);
/* Accepts one connection and reads until a request's head and body are there. Returns the
 * connection. */
int guest_accept_request(int listener, char* buffer, size_t size);

/* Makes an engine, not started. settings: pairs of key and value up to a null key; may be null. */
posthaste_t* guest_engine(const char* const* settings);
/* Puts a webhook that wants everything, one event a batch, at http://127.0.0.1:<port>/<id>. */
void guest_put(posthaste_t* engine, const char* id, int port);
/* Pushes one delivery event. Returns the code. */
int32_t guest_push(posthaste_t* engine);
/* Monotonic milliseconds. */
int64_t guest_now_ms(void);

#endif
