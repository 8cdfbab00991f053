/*
 * One caller at a time syncs for all who wait (it leads). What is pushed while a sync runs needs
 * the next one.
 */
#include "disk.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "../c/mini_mta/buffer.h"

enum { kSync_ms = 10000, kPiece_ms = 250, kGather_ms = 10, kProbeEvery_ms = 1000 };

struct disk {
  posthaste_t* engine;
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t changed;
  uint64_t begun; /* syncs */
  uint64_t ended;
  unsigned waiting; /* for the next one */
  unsigned shared;  /* how many waited for the last one */
  int is_syncing;
  int has_none;        /* memory mode */
  int32_t code;        /* what the last sync said */
  int64_t probe_at_ms; /* when a bad disk is tried again */
};

struct disk* disk_open(posthaste_t* engine) {
  struct disk* disk = allocate(sizeof *disk);
  disk->engine = engine;
  pthread_mutex_init(&disk->mutex, NULL);
  pthread_cond_init(&disk->changed, NULL);
  return disk;
}

void disk_close(struct disk* disk) {
  pthread_cond_destroy(&disk->changed);
  pthread_mutex_destroy(&disk->mutex);
  free(disk);
}

/* In pieces, since that a disk is full is told at the end of a wait only. */
static int32_t sync_for(struct disk* disk, int limit_ms) {
  int32_t code = POSTHASTE_E_TIMEOUT;
  for (; code == POSTHASTE_E_TIMEOUT && limit_ms > 0; limit_ms -= kPiece_ms)
    code = posthaste_sync(disk->engine, kPiece_ms, NULL);
  return code;
}

static int is_known_bad(const struct disk* disk) {
  return disk->code != POSTHASTE_OK && monotonic_ms() < disk->probe_at_ms;
}

/* Syncs for all who wait; the caller holds the mutex. */
static void lead(struct disk* disk) {
  static const struct timespec kGather = {.tv_nsec = kGather_ms * 1000000L};
  int was_bad = disk->code != POSTHASTE_OK;
  disk->is_syncing = 1;
  disk->probe_at_ms = monotonic_ms() + kProbeEvery_ms;
  /* Where messages come together, a few milliseconds cost less than a sync for each. */
  if (disk->shared > 1) {
    pthread_mutex_unlock(&disk->mutex);
    nanosleep(&kGather, NULL);
    pthread_mutex_lock(&disk->mutex);
  }
  disk->begun++;
  disk->shared = disk->waiting;
  disk->waiting = 0;
  pthread_mutex_unlock(&disk->mutex);
  int32_t code = sync_for(disk, was_bad ? kPiece_ms : kSync_ms);
  pthread_mutex_lock(&disk->mutex);
  disk->has_none = code == POSTHASTE_E_STATE;
  disk->code = disk->has_none ? POSTHASTE_OK : code;
  if (was_bad && disk->code == POSTHASTE_OK)
    posthaste_log(disk->engine, POSTHASTE_LOG_INFO, "mail waits for the disk again");
  disk->probe_at_ms = monotonic_ms() + kProbeEvery_ms;
  disk->ended = disk->begun;
  disk->is_syncing = 0;
  pthread_cond_broadcast(&disk->changed);
}

int32_t disk_wait(struct disk* disk) {
  pthread_mutex_lock(&disk->mutex);
  const uint64_t needed = disk->begun + 1;
  if (!is_known_bad(disk)) disk->waiting++;
  while (!disk->has_none && !is_known_bad(disk) && disk->ended < needed) {
    if (disk->is_syncing) {
      pthread_cond_wait(&disk->changed, &disk->mutex);
    } else {
      lead(disk);
    }
  }
  /* Another one's success behind a failure is this one's, too: it covered both. */
  int32_t code = disk->code;
  pthread_mutex_unlock(&disk->mutex);
  return code;
}
