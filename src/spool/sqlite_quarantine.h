// What to do with a damaged database when the configuration says so: keep what can be read, put the
// rest aside, start anew. Called while the store is closed or, in two steps, by the store itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "spool/sqlite_store.h"

namespace posthaste::spool {

struct Salvage {
  std::string moved_to;         // the damaged database; the files beside it have the same beginning
  uint64_t webhooks_count = 0;  // rows: a webhook has one for each target
  uint64_t batches_count = 0;
  uint64_t dead_letters_count = 0;
  // Batches and dead letters that are there without a readable body or webhook. They are in the
  // fresh database's losses, too.
  std::vector<Loss> losses;
  // Tables of which an unknown number of rows could not be read.
  std::vector<std::string> damaged_tables;
};

// The damaged databases that are kept; the oldest makes room for the next.
inline constexpr size_t kDamagedKept = 3;

// Live batches that cannot be read: losses, or still known to an engine that gives them up itself.
enum class LostBatches { AreLosses, AreKnown };

// Copies rows one by one into a fresh database, passing over what cannot be read. The log of
// attempts is not kept. The damaged database stays as it is and may be open for reading.
core::Result<Salvage> salvage(const SqliteStoreOptions& options, LostBatches lost);

// Moves the damaged database aside under a name with the time and puts the fresh one in its place;
// neither may be open. A failure or a crash leaves either the damaged database or the fresh one in
// its place, see finish_quarantine(). Returns where the damaged one is; empty: there was none.
core::Result<std::string> put_in_place(const SqliteStoreOptions& options, core::WallTime now);

// The fresh database is not wanted.
void discard_salvage(const SqliteStoreOptions& options);

// Both steps.
core::Result<Salvage> quarantine(const SqliteStoreOptions& options, core::WallTime now);

// Completes a quarantine that was interrupted between its two renamings; nothing to do, usually.
core::Result<> finish_quarantine(const std::string& directory);

}  // namespace posthaste::spool
