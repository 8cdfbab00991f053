/*
 * Waiting for the disk, for many messages at once: those that come to it together share one sync,
 * and while the disk is bad nobody waits.
 */
#pragma once

#include <posthaste/posthaste.h>

struct disk;

/* Refers to the engine. */
struct disk* disk_open(posthaste_t* engine);
void disk_close(struct disk* disk);

/* Waits until everything pushed before is on disk; at once in memory mode. Any thread. Returns: as
 * posthaste_sync, and what is known of a bad disk without asking it, but once a second. */
int32_t disk_wait(struct disk* disk);
