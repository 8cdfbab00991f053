// One connection to a SQLite database, with the options that a library inside a mail server needs.
// The parts of the SQLite store share it; nothing else knows SQLite. It knows no tables.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace posthaste::spool {

// How long another process, say an operator's shell, may hold the database.
inline constexpr int kBusyTimeoutMs = 2000;

enum class Access { ReadWrite, ReadOnly };

// Purpose: a connection that remembers the first failure, so that a row of statements is checked
// once, at its end. Ownership: owns the connection; statements made from it must end before it.
// Threads: one at a time (SQLite's own lock is off). Invariants: no process-wide setting of SQLite
// is touched, since the host may use SQLite itself.
class Database {
 public:
  Database() = default;
  ~Database() { close(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Opens an existing file. `vfs`: the name of a SQLite VFS; null: the system's.
  core::Result<> open(const std::string& path, Access access, const char* vfs,
                      int32_t cache_size_kib);
  void close();

  // Runs one or more statements without parameters; false on failure. Does nothing after a failure.
  bool exec(const char* sql);

  bool is_ok() const { return code_ == SQLITE_OK; }
  // Remembers a failure, unless there is one already. Text and system error are SQLite's present
  // ones.
  void note(int code);
  // What was read cannot have been written.
  void note_damage(std::string text);
  // The failure remembered, and a fresh start.
  core::Error take_error();
  core::Result<> result();

  // What is damaged, or refused, stays as it was found: the log is not moved into it at the end.
  void leave_log();
  // Writes the log once more, byte for byte in its place, and syncs it. What an earlier process
  // could not sync may be in it as the kernel remembers it, and on no disk; the kernel would call a
  // sync alone a success. Before anything is written or believed; needs no room.
  core::Result<> secure_log();

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  void note_file(sqlite3_file* file, int code);

  sqlite3* handle_ = nullptr;
  std::string path_;
  int code_ = SQLITE_OK;
  int system_error_ = 0;
  std::string text_;
};

// The error of a database that is damaged, as is_damage() knows it.
core::Error damage_error(const std::string& path, std::string_view text);

// Purpose: one write transaction; rolled back unless committed. Ownership: refers to the database.
// Threads: the connection's. Invariants: none is open after its end, whatever failed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Fails with the first failure of any statement since the beginning; nothing is written then.
  core::Result<> commit();

 private:
  void roll_back();

  Database& database_;
  bool is_open_;
};

}  // namespace posthaste::spool
