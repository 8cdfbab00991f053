/*
 * What guest tests watch of their process: its state and descriptors (watch_process.c) and the
 * threads that appear in it (watch_threads.c). A program that watches threads exports its symbols,
 * so that the pthread_create of watch_threads.c is found before the C library's.
 */
#ifndef POSTHASTE_TESTS_WATCH_H
#define POSTHASTE_TESTS_WATCH_H

enum { WATCH_STATE_BYTES = 64 * 1024, WATCH_DESCRIPTORS_MAX = 256, WATCH_THREADS_MAX = 64 };

/* Gives the process values each of which would show if a library set it back to a default. */
void watch_make_state_unusual(void);
/* Writes down environment, umask, locale, signal handlers and mask, limits, working directory and
 * the size of standard error. state: of WATCH_STATE_BYTES. */
void watch_read_state(char* state);
/* Fails, naming the step, when the state is another one by now. */
void watch_check_state(const char* before, const char* step);

/* descriptors: of WATCH_DESCRIPTORS_MAX. Returns how many there are. */
int watch_list_descriptors(int* descriptors);
/* Returns how many descriptors are new, and requires FD_CLOEXEC of each. */
int watch_check_descriptors(const int* before, int before_count);

/* Between these two every thread must be made with the library's size of stack. */
void watch_begin_threads(void);
void watch_end_threads(void);
/* ids: of WATCH_THREADS_MAX. Returns how many threads the process has. */
int watch_list_threads(long* ids);
/* Requires of the new ones, of which there must be some, the library's name and signal mask. */
void watch_check_threads(const long* before, int before_count);

#endif
