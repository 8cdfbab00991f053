#include "spool/sqlite_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/crash_point.h"
#include "spool/store.h"

namespace posthaste::spool {
namespace {

// The mark by which is_damage() knows an error.
constexpr const char* kDamageKey = "damaged database";
constexpr sqlite3_int64 kLogPieceBytes = 64 << 10;

bool is_damage_code(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

bool is_out_of_space(int code, int system_error) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  return (code & 0xff) == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT);
}

std::string system_text(int system_error) {
  char buffer[128] = "";
  // The GNU form returns the text, which need not be in the buffer.
  return system_error == 0 ? std::string() : strerror_r(system_error, buffer, sizeof buffer);
}

}  // namespace

bool is_damage(const core::Error& error) {
  return error.key == kDamageKey;
}

core::Error damage_error(const std::string& path, std::string_view text) {
  return {core::ErrorCode::SpoolIo, fmt::format("spool database {} is damaged: {}", path, text),
          kDamageKey};
}

core::Result<> Database::open(const std::string& path, Access access, const char* vfs,
                              int32_t cache_size_kib) {
  close();
  path_ = path;
  if (sqlite3_threadsafe() == 0) {
    return {core::ErrorCode::Unsupported, "this build of SQLite is not made for threads"};
  }
  // Never created here: the store makes the file, with its mode. Read-only connections open for
  // writing too, since the log's index must be writable, and are held to reading below.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  note(sqlite3_open_v2(path.c_str(), &handle_, flags, vfs));
  if (is_ok()) {
    sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
    // A damaged schema must not make SQLite run what it says.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    exec(fmt::format("PRAGMA cache_size=-{}; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0",
                     cache_size_kib)
             .c_str());
    // A free cell or page that overlaps another is damage that would spread.
    exec("PRAGMA cell_size_check=1");
    if (access == Access::ReadOnly) {
      exec("PRAGMA query_only=1");
      leave_log();
    }
  }
  core::Result<> opened = result();
  if (!opened) close();
  return opened;
}

void Database::close() {
  if (handle_) sqlite3_close_v2(handle_);
  handle_ = nullptr;
  code_ = SQLITE_OK;
}

void Database::leave_log() {
  if (handle_) sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

core::Result<> Database::secure_log() {
  sqlite3_file* log = nullptr;
  note(sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log));
  const bool has_log = is_ok() && log && log->pMethods;
  sqlite3_int64 size = 0;
  if (has_log) note_file(log, log->pMethods->xFileSize(log, &size));
  std::vector<char> piece(has_log ? kLogPieceBytes : 0);
  for (sqlite3_int64 offset = 0; offset < size && is_ok(); offset += kLogPieceBytes) {
    const int length = static_cast<int>(std::min(size - offset, kLogPieceBytes));
    note_file(log, log->pMethods->xRead(log, piece.data(), length, offset));
    if (is_ok()) note_file(log, log->pMethods->xWrite(log, piece.data(), length, offset));
  }
  if (size > 0 && is_ok()) note_file(log, log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
  core::crash_point("store: log secured");
  if (!is_ok()) leave_log();
  return result();
}

bool Database::exec(const char* sql) {
  if (is_ok()) note(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr));
  return is_ok();
}

void Database::note(int code) {
  if (!is_ok() || code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  if (is_damage_code(code)) leave_log();
  code_ = code;
  system_error_ = handle_ ? sqlite3_system_errno(handle_) : 0;
  text_ = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
}

// A failure of a file that SQLite was not asked for.
void Database::note_file(sqlite3_file* file, int code) {
  if (!is_ok() || code == SQLITE_OK) return;
  code_ = code;
  text_ = sqlite3_errstr(code);
  system_error_ = 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system_error_);
}

void Database::note_damage(std::string text) {
  if (!is_ok()) return;
  leave_log();
  code_ = SQLITE_CORRUPT;
  system_error_ = 0;
  text_ = std::move(text);
}

core::Error Database::take_error() {
  const int code = code_;
  code_ = SQLITE_OK;
  if (code == SQLITE_OK) return {};
  const bool has_cause = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
                         (code & 0xff) == SQLITE_FULL;
  const std::string cause = has_cause ? system_text(system_error_) : std::string();
  const std::string text = cause.empty() ? text_ : fmt::format("{} ({})", text_, cause);
  if (is_damage_code(code)) return damage_error(path_, text);
  if ((code & 0xff) == SQLITE_NOMEM) {
    return {core::ErrorCode::NoMemory, fmt::format("spool database {}: {}", path_, text), {}};
  }
  if (is_out_of_space(code, system_error_)) {
    return {core::ErrorCode::SpoolFull, fmt::format("spool database {}: {}", path_, text), {}};
  }
  return {core::ErrorCode::SpoolIo, fmt::format("spool database {}: {}", path_, text), {}};
}

core::Result<> Database::result() {
  if (is_ok()) return {};
  return take_error();
}

Transaction::Transaction(Database& database)
    : database_(database), is_open_(database.exec("BEGIN IMMEDIATE")) {}

Transaction::~Transaction() {
  if (is_open_) roll_back();
}

core::Result<> Transaction::commit() {
  if (is_open_ && database_.exec("COMMIT")) {
    is_open_ = false;
    return {};
  }
  core::Error error = database_.take_error();
  roll_back();
  return error;
}

void Transaction::roll_back() {
  // Some failures have rolled back already.
  if (is_open_ && sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  is_open_ = false;
  database_.take_error();
}

}  // namespace posthaste::spool
