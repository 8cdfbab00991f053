#include "cli/console.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "json/text.h"
#include "json/utf8.h"

namespace posthaste::cli {
namespace {

void write_to(FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

bool continues(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u;
}

// How many columns a terminal gives a text, taking every character as one wide.
size_t width(std::string_view text) {
  return text.size() - static_cast<size_t>(std::count_if(text.begin(), text.end(), continues));
}

void append_scalar(std::string& out, const json::Value& value) {
  if (const bool* flag = value.as_bool()) {
    out += *flag ? "true" : "false";
  } else if (const int64_t* whole = value.as_int64()) {
    out += std::to_string(*whole);
  } else if (const double* number = value.as_double()) {
    json::append_double(out, *number);
  } else if (const std::string* text = value.as_string()) {
    json::append_string(out, *text);
  } else {
    out += "null";
  }
}

// Depth is bounded by the reader of the value.
void append_pretty(std::string& out, const json::Value& value, size_t depth) {
  const auto break_line = [&](size_t level) { out.append(1, '\n').append(2 * level, ' '); };
  const auto separate = [&](bool is_first) {
    if (!is_first) out += ',';
    break_line(depth + 1);
  };
  bool is_first = true;
  if (const json::Value::Object* object = value.as_object(); object && !object->empty()) {
    out += '{';
    for (const auto& [name, member] : *object) {
      separate(std::exchange(is_first, false));
      json::append_string(out, name);
      out += ": ";
      append_pretty(out, member, depth + 1);
    }
    break_line(depth);
    out += '}';
  } else if (const json::Value::Array* array = value.as_array(); array && !array->empty()) {
    out += '[';
    for (const json::Value& element : *array) {
      separate(std::exchange(is_first, false));
      append_pretty(out, element, depth + 1);
    }
    break_line(depth);
    out += ']';
  } else if (object) {
    out += "{}";
  } else if (array) {
    out += "[]";
  } else {
    append_scalar(out, value);
  }
}

// Bytes of the character at the front, 0 when it is no well-formed UTF-8.
size_t character_size(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(4, text.size()); ++size) {
    if (json::is_valid_utf8(text.substr(0, size))) return size;
  }
  return 0;
}

// C1 controls, and the marks that change the direction of text.
bool steers(std::string_view character) {
  if (character.size() == 2) return character[0] == '\xc2' && character[1] < '\xa0';
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  if (second == 0x80) return third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae);
  return second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

}  // namespace

Exit fail(Exit status, std::string_view message) {
  write_to(stderr, fmt::format("posthaste: {}\n", printable(message)));
  return status;
}

void warn(std::string_view message) {
  fail(Exit::Ok, message);
}

void print(std::string_view text) {
  write_to(stdout, text);
}

void print_line(std::string_view text) {
  write_to(stdout, text);
  write_to(stdout, "\n");
}

std::string printable(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = character_size(text);
    const std::string_view character = text.substr(0, std::max<size_t>(size, 1));
    const auto first = static_cast<unsigned char>(character[0]);
    const bool is_kept_line = lines == Lines::Keep && (first == '\n' || first == '\t');
    if (size == 0 || (first < 0x20 && !is_kept_line) || first == 0x7f || steers(character)) {
      for (const char byte : character) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    } else {
      out += character;
    }
    text.remove_prefix(character.size());
  }
  return out;
}

std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells{head};
  for (const auto& row : rows) {
    cells.emplace_back();
    for (const std::string& cell : row) cells.back().push_back(printable(cell));
  }
  std::vector<size_t> widths(head.size());
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string pretty(const json::Value& value) {
  std::string out;
  append_pretty(out, value, 0);
  return out;
}

std::string time_text(int64_t time_ms) {
  if (time_ms == 0) return "-";
  const auto seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  if (!gmtime_r(&seconds, &parts)) return std::to_string(time_ms);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string bytes_text(uint64_t size_bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (size_bytes < 1024) return fmt::format("{} B", size_bytes);
  double size = static_cast<double>(size_bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit < 3; ++unit) size /= 1024;
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

}  // namespace posthaste::cli
