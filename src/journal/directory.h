// The spool's directory: made when it is missing, refused when anybody may write to it. Called
// before anything in it is opened.
#pragma once

#include <string>

#include "core/result.h"
#include "journal/file_system.h"

namespace posthaste::journal {

// Makes the directory (its parent must be there) with mode 0700, or 0770 when a group shares it,
// in which case the group is set, too. One that is there keeps its mode, but is refused with
// SpoolIo when it is world-writable: anybody could put a file in place of ours. `access` is that of
// the files.
core::Result<> prepare_directory(const std::string& directory, const FileAccess& access);

// The number of a group that is given by name or number (spool.group). BadValue when there is none.
core::Result<uint32_t> group_number(const std::string& name);

}  // namespace posthaste::journal
