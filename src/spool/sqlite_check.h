// The operator's check of the database: SQLite's own, and whether our tables fit together. Reads
// everything, changes nothing. Part of the SQLite store.
#pragma once

#include <atomic>
#include <string>

#include "core/result.h"
#include "spool/store.h"

namespace posthaste::spool {

// On a connection of its own. Findings are what is wrong; an error means that it could not look.
// State soon after `is_stopped` becomes true.
core::Result<Findings> check_database(const std::string& path, const char* vfs,
                                      const std::atomic<bool>& is_stopped);

}  // namespace posthaste::spool
