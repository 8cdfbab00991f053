// What the command prints: errors, tables, JSON for machines. Text that came from elsewhere goes
// through printable() on its way to a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_status.h"
#include "json/value.h"

namespace posthaste::cli {

// One line on standard error, `posthaste: ` first; returns the status, for `return fail(...)`.
Exit fail(Exit status, std::string_view message);
// Likewise, but no failure.
void warn(std::string_view message);

// Writes to standard output.
void print(std::string_view text);
void print_line(std::string_view text);

// The text with control characters, ill-formed UTF-8 and what else could steer a terminal escaped.
// Line feeds stay when `keeps_lines`.
enum class Lines { Escape, Keep };
std::string printable(std::string_view text, Lines lines = Lines::Escape);

// Rows under a head, columns aligned, as text. Cells are made printable.
std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows);

// A JSON value with line feeds and two blanks of indentation, without a trailing line feed.
std::string pretty(const json::Value& value);

// Unix time in milliseconds as `2026-01-31 12:34:56` in UTC; "-" for 0.
std::string time_text(int64_t time_ms);
// Bytes as `1.5 MiB`.
std::string bytes_text(uint64_t size_bytes);

}  // namespace posthaste::cli
