// The database's files as the operating system sees them: made with the right mode, moved aside,
// measured. SQLite opens them; nobody else does while it has them open, since closing any
// descriptor of a file drops the locks that SQLite holds on it. Part of the SQLite store.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace posthaste::spool {

// Absolute and without symbolic links, since SQLite is told to follow none.
core::Result<std::string> real_directory(const std::string& directory);

// Makes an empty file when there is none, and sets the mode; SQLite gives its other files the same.
core::Result<> make_private_file(const std::string& path, uint32_t mode);

bool file_exists(const std::string& path);
core::Result<> remove_file(const std::string& path);
core::Result<> rename_file(const std::string& from, const std::string& to);
core::Result<> sync_directory(const std::string& directory);

// Of the database with the files beside it.
uint64_t database_size(const std::string& path);

}  // namespace posthaste::spool
