#include "engagement/html_scanner.h"

#include <algorithm>
#include <iterator>

namespace posthaste::engagement {
namespace {

constexpr std::string_view kRawElements[] = {"script", "style",  "title",   "textarea",
                                             "xmp",    "iframe", "noembed", "noframes"};

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter;
}

bool is_letter(char character) {
  return lower(character) >= 'a' && lower(character) <= 'z';
}

bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\n' || character == '\f' ||
         character == '\r';
}

bool ends_name(char character) {
  return is_space(character) || character == '/' || character == '>';
}

// Where the attributes that matter are kept; null for the others.
HtmlAttribute* attribute_of(HtmlTag& tag, std::string_view name) {
  if (equals_lower(name, "href")) return &tag.href;
  if (equals_lower(name, "src")) return &tag.src;
  if (equals_lower(name, "data-msys-linkname")) return &tag.link_name;
  if (equals_lower(name, "data-msys-clicktrack")) return &tag.click_track;
  if (equals_lower(name, "data-msys-unsubscribe")) return &tag.unsubscribe;
  return nullptr;
}

}  // namespace

bool equals_lower(std::string_view text, std::string_view lower_text) {
  return std::equal(text.begin(), text.end(), lower_text.begin(), lower_text.end(),
                    [](char left, char right) { return lower(left) == right; });
}

bool HtmlTag::is(Kind wanted, std::string_view lower_name) const {
  return kind == wanted && equals_lower(name, lower_name);
}

bool HtmlScanner::starts_with(size_t at, std::string_view lower_text) const {
  return equals_lower(html_.substr(at, lower_text.size()), lower_text);
}

void HtmlScanner::skip_spaces() {
  while (position_ < html_.size() && is_space(html_[position_])) ++position_;
}

// What begins here has no end.
bool HtmlScanner::stop_inside() {
  position_ = html_.size();
  ends_in_text_ = false;
  return false;
}

bool HtmlScanner::next(HtmlTag& out) {
  if (!raw_name_.empty() && !skip_raw_text()) return false;
  for (;;) {
    position_ = std::min(html_.find('<', position_), html_.size());
    if (position_ == html_.size()) return false;
    bool is_tag = false;
    if (!take_markup(out, is_tag)) return false;
    if (is_tag) return true;
  }
}

// Takes what begins with the bracket at the position; false when the text ends in it.
bool HtmlScanner::take_markup(HtmlTag& out, bool& is_tag) {
  const size_t begin = position_;
  const std::string_view rest = html_.substr(begin + 1);
  out = {};
  out.begin = begin;
  if (rest.starts_with("!--")) return skip_comment();
  if (rest.starts_with('!')) return take_declaration(out, is_tag);
  if (rest.starts_with('?')) return skip_bogus_comment(begin + 2);
  const bool is_end = rest.starts_with('/');
  const size_t name_begin = begin + (is_end ? 2 : 1);
  const bool has_name = name_begin < html_.size() && is_letter(html_[name_begin]);
  if (is_end && !has_name) {
    if (!rest.starts_with("/>")) return skip_bogus_comment(name_begin);
    position_ = name_begin + 1;
    return true;
  }
  if (!has_name) {
    position_ = name_begin;
    return true;
  }
  out.kind = is_end ? HtmlTag::Kind::End : HtmlTag::Kind::Start;
  is_tag = true;
  return take_tag(out, name_begin);
}

bool HtmlScanner::skip_comment() {
  const size_t text = position_ + 4;
  for (const std::string_view abrupt : {">", "->"}) {
    if (!html_.substr(text).starts_with(abrupt)) continue;
    position_ = text + abrupt.size();
    return true;
  }
  for (size_t at = text; (at = html_.find("--", at)) != std::string_view::npos; ++at) {
    for (const std::string_view end : {"-->", "--!>"}) {
      if (!html_.substr(at).starts_with(end)) continue;
      position_ = at + end.size();
      return true;
    }
  }
  return stop_inside();
}

bool HtmlScanner::take_declaration(HtmlTag& out, bool& is_tag) {
  constexpr std::string_view kDoctype = "!doctype";
  is_tag = starts_with(position_ + 1, kDoctype);
  out.kind = HtmlTag::Kind::Doctype;
  if (!skip_bogus_comment(position_ + 2)) return false;
  out.end = position_;
  return true;
}

bool HtmlScanner::skip_bogus_comment(size_t from) {
  const size_t end = html_.find('>', from);
  if (end == std::string_view::npos) return stop_inside();
  position_ = end + 1;
  return true;
}

bool HtmlScanner::take_tag(HtmlTag& out, size_t name_begin) {
  position_ = name_begin;
  while (position_ < html_.size() && !ends_name(html_[position_])) ++position_;
  out.name = html_.substr(name_begin, position_ - name_begin);
  for (;;) {
    while (position_ < html_.size() && (is_space(html_[position_]) || html_[position_] == '/')) {
      ++position_;
    }
    if (position_ == html_.size()) return stop_inside();
    if (html_[position_] == '>') break;
    if (!take_attribute(out)) return stop_inside();
  }
  out.end = ++position_;
  if (out.kind != HtmlTag::Kind::Start) return true;
  const bool is_raw =
      std::any_of(std::begin(kRawElements), std::end(kRawElements),
                  [&](std::string_view name) { return equals_lower(out.name, name); });
  if (is_raw) raw_name_ = out.name;
  // What follows is text to the very end.
  if (equals_lower(out.name, "plaintext")) {
    position_ = html_.size();
    ends_in_text_ = false;
  }
  return true;
}

// False when the text ends in it.
bool HtmlScanner::take_attribute(HtmlTag& out) {
  const size_t begin = position_;
  // The first character is part of the name even when it is an equals sign.
  ++position_;
  while (position_ < html_.size() && !ends_name(html_[position_]) && html_[position_] != '=') {
    ++position_;
  }
  const std::string_view name = html_.substr(begin, position_ - begin);
  const size_t name_end = position_;
  skip_spaces();
  if (position_ == html_.size() || html_[position_] != '=') {
    position_ = name_end;
    return position_ < html_.size();
  }
  ++position_;
  skip_spaces();
  HtmlAttribute value;
  if (!take_value(value)) return false;
  HtmlAttribute* const place = attribute_of(out, name);
  if (place && !place->is_there()) *place = value;
  return true;
}

bool HtmlScanner::take_value(HtmlAttribute& out) {
  if (position_ == html_.size()) return false;
  out.begin = position_;
  const char quote = html_[position_];
  if (quote == '"' || quote == '\'') {
    const size_t end = html_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return false;
    out.value = html_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
  } else {
    while (position_ < html_.size() && !is_space(html_[position_]) && html_[position_] != '>') {
      ++position_;
    }
    out.value = html_.substr(out.begin, position_ - out.begin);
  }
  out.end = position_;
  return position_ < html_.size();
}

// Whether the end tag of the open raw element begins here.
bool HtmlScanner::is_closing_tag(size_t at) const {
  const size_t name = at + 2;
  const size_t behind = name + raw_name_.size();
  if (behind >= html_.size() || html_[at] != '<' || html_[at + 1] != '/') return false;
  const bool has_name =
      std::equal(raw_name_.begin(), raw_name_.end(), html_.begin() + static_cast<ptrdiff_t>(name),
                 [](char left, char right) { return lower(left) == lower(right); });
  return has_name && ends_name(html_[behind]);
}

bool HtmlScanner::skip_raw_text() {
  size_t at = position_;
  if (equals_lower(raw_name_, "script")) {
    at = script_end(at);
  } else {
    while (at < html_.size() && !is_closing_tag(at))
      at = std::min(html_.find('<', at + 1), html_.size());
  }
  if (at >= html_.size()) return stop_inside();
  position_ = at;
  raw_name_ = {};
  return true;
}

// Where the script's end tag begins. In `<!-- <script>` a script's end tag is none (the standard's
// script data double escaped state).
size_t HtmlScanner::script_end(size_t from) const {
  bool is_escaped = false;
  bool is_double = false;
  for (size_t at = from; at < html_.size(); ++at) {
    if (html_[at] == '-' && is_escaped && html_.substr(at).starts_with("-->")) {
      is_escaped = is_double = false;
    } else if (html_[at] == '<' && html_.substr(at).starts_with("<!--")) {
      is_escaped = true;
      // `<!-->` ends what it began.
      at += 1;
    } else if (html_[at] == '<' && is_closing_tag(at)) {
      if (!is_double) return at;
      is_double = false;
    } else if (is_escaped && !is_double && starts_with(at, "<script") && at + 7 < html_.size() &&
               ends_name(html_[at + 7])) {
      is_double = true;
    }
  }
  return html_.size();
}

}  // namespace posthaste::engagement
