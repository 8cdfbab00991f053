#include "engagement/target.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>

#include "engagement/html_scanner.h"
#include "json/utf8.h"

namespace posthaste::engagement {
namespace {

struct Entity {
  std::string_view name;
  char character;
};
constexpr Entity kEntities[] = {
    {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < ' ' || byte == 0x7f;
}

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

bool is_alphanumeric(char character) {
  return is_digit(character) || (character >= 'a' && character <= 'z') ||
         (character >= 'A' && character <= 'Z');
}

void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

// Browsers write something else for these: a replacement character, or what Windows-1252 has there.
bool is_plain_code(uint32_t code) {
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  return code != 0 && (code < 0x80 || code > 0x9f) && !is_surrogate && code <= 0x10ffff;
}

// Decodes `&#...` at the front of `text`; false when it is not plain.
bool take_number(std::string_view& text, std::string& out) {
  const bool is_hex = text.size() > 2 && (text[2] == 'x' || text[2] == 'X');
  const char* const begin = text.data() + (is_hex ? 3 : 2);
  const char* const end = text.data() + text.size();
  uint32_t code = 0;
  const auto read = std::from_chars(begin, end, code, is_hex ? 16 : 10);
  if (read.ptr == begin) {
    // No digits: the ampersand is one.
    out += '&';
    text.remove_prefix(1);
    return true;
  }
  if (read.ec != std::errc() || !is_plain_code(code)) return false;
  append_utf8(out, code);
  text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
  if (text.starts_with(';')) text.remove_prefix(1);
  return true;
}

// Decodes the ampersand at the front of `text` and what belongs to it. Without a semicolon a name
// counts only where nothing follows that could go on with it: `?a=1&lt=2` is a parameter.
bool take_reference(std::string_view& text, std::string& out) {
  if (text.starts_with("&#")) return take_number(text, out);
  const auto name_end = std::find_if_not(text.begin() + 1, text.end(), is_alphanumeric);
  const std::string_view name = text.substr(1, static_cast<size_t>(name_end - text.begin()) - 1);
  const char behind = name_end == text.end() ? '\0' : *name_end;
  const Entity* const found =
      std::find_if(std::begin(kEntities), std::end(kEntities),
                   [&](const Entity& entity) { return entity.name == name; });
  const bool is_known = found != std::end(kEntities);
  const bool is_ended = behind == ';';
  if (is_ended && !is_known && !name.empty()) return false;
  const bool is_old = is_known && found->name != "apos" && behind != '=';
  if (is_known && (is_ended || is_old)) {
    out += found->character;
    text.remove_prefix(1 + name.size() + (is_ended ? 1 : 0));
  } else {
    out += '&';
    text.remove_prefix(1);
  }
  return true;
}

size_t scheme_size(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equals_lower(url.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

bool is_target(std::string_view url) {
  const size_t host = scheme_size(url);
  if (host == 0 || host == url.size()) return false;
  constexpr std::string_view kNoHost = "/\\?# ";
  return kNoHost.find(url[host]) == std::string_view::npos &&
         std::none_of(url.begin(), url.end(), is_control) && json::is_valid_utf8(url);
}

std::optional<std::string> decode_attribute(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    const size_t plain = std::min(value.find('&'), value.size());
    out.append(value.substr(0, plain));
    value.remove_prefix(plain);
    if (!value.empty() && !take_reference(value, out)) return std::nullopt;
  }
  return out;
}

std::optional<std::string> target_of_href(std::string_view value) {
  auto decoded = decode_attribute(value);
  if (!decoded) return std::nullopt;
  std::string& url = *decoded;
  // URL standard, section 4.4: controls and spaces at both ends, tabs and line ends anywhere.
  const auto is_edge = [](char character) { return static_cast<unsigned char>(character) <= ' '; };
  url.erase(std::find_if_not(url.rbegin(), url.rend(), is_edge).base(), url.end());
  url.erase(url.begin(), std::find_if_not(url.begin(), url.end(), is_edge));
  std::erase_if(url, [](char character) {
    return character == '\t' || character == '\n' || character == '\r';
  });
  if (!is_target(url)) return std::nullopt;
  return decoded;
}

std::string location_of(std::string_view target) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char character : target) {
    const auto byte = static_cast<unsigned char>(character);
    const bool is_kept =
        byte > ' ' && byte < 0x7f && character != '"' && character != '<' && character != '>';
    if (is_kept) {
      out += character;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace posthaste::engagement
