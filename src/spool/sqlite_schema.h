// The tables of the spool's database and the version of its format. The store opens through it, and
// quarantine makes the fresh database with it.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "spool/sqlite_database.h"

namespace posthaste::spool {

// Grows when an earlier library could no longer read the database.
inline constexpr int64_t kFormatVersion = 1;
// `PHSP`, so that file(1) and we know whose database it is.
inline constexpr int64_t kApplicationId = 0x50485350;

enum class SyncLevel { Full, Normal };

// Makes the tables in an empty database. Fails with Unsupported when the format is newer than this
// library, and with SpoolIo when the database is somebody else's. Nothing is written to a database
// that is refused.
core::Result<> prepare_schema(Database& database);

// Turns the log (WAL) on and says when it is synced.
core::Result<> use_log(Database& database, SyncLevel sync);

}  // namespace posthaste::spool
