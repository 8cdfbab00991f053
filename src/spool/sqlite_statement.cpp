#include "spool/sqlite_statement.h"

namespace posthaste::spool {

Statement::Statement(Database& database, std::string_view sql) : database_(&database) {
  if (!database.is_ok()) return;
  const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle_, nullptr);
  if (code == SQLITE_ERROR) {
    // All our statements fit our schema, so what they do not fit is something else.
    database.note_damage(sqlite3_errmsg(database.handle()));
  }
  database.note(code);
}

bool Statement::is_usable() {
  // Prepared in vain, and the failure was taken since.
  if (!handle_) database_->note_damage("its tables are gone");
  return database_->is_ok();
}

bool Statement::step() {
  if (!is_usable()) return false;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  database_->note(code);
  reset();
  return false;
}

bool Statement::run() {
  while (step()) {
  }
  return database_->is_ok();
}

void Statement::reset() {
  sqlite3_reset(handle_);
}

std::string_view Statement::bytes(int column) const {
  // The pointer first: asking for it may convert the value, and the size is that of the result.
  const void* data = sqlite3_column_blob(handle_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_, column));
  return size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
}

void Statement::bind_one(int index, int64_t value) {
  if (is_usable()) database_->note(sqlite3_bind_int64(handle_, index, value));
}

void Statement::bind_one(int index, std::string_view value) {
  if (!is_usable()) return;
  // Never null, which would bind NULL.
  const char* data = value.empty() ? "" : value.data();
  database_->note(
      sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind_one(int index, Blob value) {
  if (!is_usable()) return;
  const char* data = value.bytes.empty() ? "" : value.bytes.data();
  database_->note(sqlite3_bind_blob64(handle_, index, data, value.bytes.size(), SQLITE_STATIC));
}

void Statement::bind_one(int index, std::nullopt_t) {
  if (is_usable()) database_->note(sqlite3_bind_null(handle_, index));
}

}  // namespace posthaste::spool
