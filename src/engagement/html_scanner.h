// Finds the tags of an HTML text and where they stand, as a browser's tokenizer would (HTML
// standard, section 13.2.5): comments, scripts, styles and texts that only look like tags are
// passed over. No tree is built, so work is linear and memory constant whatever the text is;
// docs/decisions tells why it is no library. Works on bytes, which is right for every charset that
// has ASCII at its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace posthaste::engagement {

// A value and its place; the value is without its quotes and still has its character references.
struct HtmlAttribute {
  std::string_view value;
  size_t begin = 0;  // of the value with its quotes, in the text
  size_t end = 0;    // 0: the tag has no such attribute, or one without a value

  bool is_there() const { return end != 0; }
};

struct HtmlTag {
  enum class Kind : uint8_t { Start, End, Doctype };

  Kind kind = Kind::Start;
  std::string_view name;  // as written
  size_t begin = 0;
  size_t end = 0;  // behind the bracket
  // Of several of one name the first counts.
  HtmlAttribute href;
  HtmlAttribute src;
  HtmlAttribute link_name;    // data-msys-linkname
  HtmlAttribute click_track;  // data-msys-clicktrack
  HtmlAttribute unsubscribe;  // data-msys-unsubscribe

  bool is(Kind wanted, std::string_view lower_name) const;
};

// Purpose: hands out tag after tag. Ownership: refers to the text. Threads: one at a time.
// Invariants: position_ only grows.
class HtmlScanner {
 public:
  explicit HtmlScanner(std::string_view html) : html_(html) {}

  // False when no further complete tag is there.
  bool next(HtmlTag& out);
  // After the last tag: whether the text ends where a tag may be added, not inside a comment, a
  // script or half a tag.
  bool ends_in_text() const { return ends_in_text_; }

 private:
  bool stop_inside();
  bool take_markup(HtmlTag& out, bool& is_tag);
  bool skip_comment();
  bool take_declaration(HtmlTag& out, bool& is_tag);
  bool skip_bogus_comment(size_t from);
  bool take_tag(HtmlTag& out, size_t name_begin);
  bool take_attribute(HtmlTag& out);
  bool take_value(HtmlAttribute& out);
  bool skip_raw_text();
  bool is_closing_tag(size_t at) const;
  size_t script_end(size_t from) const;
  bool starts_with(size_t at, std::string_view lower) const;
  void skip_spaces();

  const std::string_view html_;
  size_t position_ = 0;
  std::string_view raw_name_;  // the element whose content is no markup; empty: none is open
  bool ends_in_text_ = true;
};

// Whether the texts are equal but for the case of ASCII letters; `lower` is in lower case.
bool equals_lower(std::string_view text, std::string_view lower);

}  // namespace posthaste::engagement
