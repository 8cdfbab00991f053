// A prepared statement of SQLite: bind, step, read columns. Failures are remembered by the
// database, so callers look once, at the end of what they do.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.h"
#include "spool/sqlite_database.h"

namespace posthaste::spool {

// Bytes that stay where they are until the statement has run.
struct Blob {
  std::string_view bytes;
};

// Purpose: prepared once, run often. Ownership: owns the statement; refers to the database, which
// must outlive it. Threads: the connection's. Invariants: after a failure of the database no
// statement does anything until the failure is taken; numbers beyond int64 do not occur.
class Statement {
 public:
  Statement() = default;
  Statement(Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(Statement&& other) noexcept
      : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(handle_, other.handle_);
    return *this;
  }

  // Starts over, with these values for the parameters ?1, ?2...
  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }

  // True: a row is there. False: none is left, or it failed.
  bool step();
  // For statements without rows: runs to the end; false when it failed.
  bool run();
  // What the row says cannot have been written.
  void note_damage(std::string text) { database_->note_damage(std::move(text)); }
  // Lets go of the row, and of the read transaction with it.
  void reset();

  uint64_t number(int column) const { return static_cast<uint64_t>(integer(column)); }
  uint32_t count(int column) const { return static_cast<uint32_t>(integer(column)); }
  int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  bool flag(int column) const { return integer(column) != 0; }
  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  core::WallTime time(int column) const { return core::WallTime(core::Duration(integer(column))); }
  std::optional<core::WallTime> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }
  core::Duration duration(int column) const { return core::Duration(integer(column)); }
  // Text or bytes, until the next step or reset.
  std::string_view bytes(int column) const;
  std::string text(int column) const { return std::string(bytes(column)); }

 private:
  bool is_usable();
  void bind_one(int index, int64_t value);
  void bind_one(int index, uint64_t value) { bind_one(index, static_cast<int64_t>(value)); }
  void bind_one(int index, int32_t value) { bind_one(index, int64_t{value}); }
  void bind_one(int index, uint32_t value) { bind_one(index, int64_t{value}); }
  void bind_one(int index, bool value) { bind_one(index, int64_t{value}); }
  void bind_one(int index, core::WallTime value) {
    bind_one(index, int64_t{value.time_since_epoch().count()});
  }
  void bind_one(int index, core::Duration value) { bind_one(index, int64_t{value.count()}); }
  void bind_one(int index, std::string_view value);
  void bind_one(int index, const std::string& value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, const char* value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, Blob value);
  void bind_one(int index, std::nullopt_t);
  template <typename T>
  void bind_one(int index, const std::optional<T>& value) {
    value ? bind_one(index, *value) : bind_one(index, std::nullopt);
  }

  Database* database_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace posthaste::spool
