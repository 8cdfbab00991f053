#include "engagement/html_rewriter.h"

#include <algorithm>
#include <vector>

#include "engagement/html_scanner.h"
#include "engagement/target.h"
#include "json/utf8.h"

namespace posthaste::engagement {
namespace {

using Kind = HtmlTag::Kind;

constexpr size_t kNameSizeMax = 255;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The bytes between begin and end become text.
struct Edit {
  size_t begin;
  size_t end;
  std::string text;
};

std::string link_name(const HtmlAttribute& attribute) {
  std::string name =
      json::repair_utf8(decode_attribute(attribute.value).value_or(std::string(attribute.value)));
  std::erase_if(name, [](char character) { return static_cast<unsigned char>(character) < ' '; });
  if (name.size() <= kNameSizeMax) return name;
  name.resize(kNameSizeMax);
  // Half a character at the end goes.
  while (!name.empty() && !json::is_valid_utf8(name)) name.pop_back();
  return name;
}

// Where pixels may go, found while the tags pass by.
struct Places {
  size_t text_begin = 0;  // behind doctype and <html>
  std::optional<size_t> body_begin;
  std::optional<size_t> head_end;
  bool has_open_head = false;
  std::optional<size_t> body_end;
  std::optional<size_t> html_end;

  void note(const HtmlTag& tag) {
    const bool is_early = !body_begin && !head_end && !has_open_head;
    if (tag.kind == Kind::Doctype || tag.is(Kind::Start, "html")) {
      if (is_early) text_begin = tag.end;
    } else if (tag.is(Kind::Start, "head")) {
      has_open_head = true;
    } else if (tag.is(Kind::End, "head")) {
      if (!head_end) head_end = tag.end;
    } else if (tag.is(Kind::Start, "body")) {
      if (!body_begin) body_begin = tag.end;
    } else if (tag.is(Kind::End, "body")) {
      body_end = tag.begin;
    } else if (tag.is(Kind::End, "html")) {
      html_end = tag.begin;
    }
  }

  // Nothing when it would stand in a head.
  std::optional<size_t> top() const {
    if (body_begin) return body_begin;
    if (head_end) return head_end;
    return has_open_head ? std::nullopt : std::optional(text_begin);
  }

  std::optional<size_t> bottom(size_t size, bool ends_in_text) const {
    if (body_end) return body_end;
    if (html_end) return html_end;
    return ends_in_text ? std::optional(size) : std::nullopt;
  }
};

// Purpose: one run over one text. Ownership: refers to text and rules. Threads: one.
class Run {
 public:
  Run(std::string_view html, const RewriteRules& rules) : html_(html), rules_(rules) {}

  std::string rewrite() {
    make_pixels();
    if (html_.starts_with(kByteOrderMark)) places_.text_begin = kByteOrderMark.size();
    HtmlScanner scanner(html_);
    for (HtmlTag tag; scanner.next(tag);) {
      places_.note(tag);
      look_for_pixel(tag);
      if (tag.is(Kind::Start, "a") || tag.is(Kind::Start, "area")) take_link(tag);
    }
    place_pixel(top_pixel_, places_.top());
    place_pixel(bottom_pixel_, places_.bottom(html_.size(), scanner.ends_in_text()));
    return apply();
  }

 private:
  void make_pixels() {
    if (rules_.tracking.has_initial) top_pixel_ = rules_.make_url(LinkKind::InitialOpen, {}, {});
    if (rules_.tracking.has_open) bottom_pixel_ = rules_.make_url(LinkKind::Open, {}, {});
  }

  // The text was rewritten before.
  void look_for_pixel(const HtmlTag& tag) {
    if (!tag.src.is_there() || !tag.is(Kind::Start, "img")) return;
    for (std::optional<std::string>* pixel : {&top_pixel_, &bottom_pixel_}) {
      if (*pixel && tag.src.value == **pixel) pixel->reset();
    }
  }

  void take_link(const HtmlTag& tag) {
    const bool is_wanted = rules_.tracking.has_click && links_count_ < kLinksMax &&
                           tag.href.is_there() && tag.click_track.value != "0";
    if (!is_wanted) return;
    const auto target = target_of_href(tag.href.value);
    if (!target || target->starts_with(rules_.prefix)) return;
    const LinkKind kind = tag.unsubscribe.value == "1" ? LinkKind::Unsubscribe : LinkKind::Click;
    auto url = rules_.make_url(kind, *target, link_name(tag.link_name));
    if (!url) return;
    ++links_count_;
    edits_.push_back({tag.href.begin, tag.href.end, '"' + *url + '"'});
  }

  void place_pixel(const std::optional<std::string>& url, std::optional<size_t> place) {
    if (!url || !place) return;
    edits_.push_back(
        {*place, *place, "<img src=\"" + *url + "\" width=\"1\" height=\"1\" alt=\"\">"});
  }

  std::string apply() {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& left, const Edit& right) { return left.begin < right.begin; });
    std::string out;
    size_t done = 0;
    for (const Edit& edit : edits_) {
      out.append(html_.substr(done, edit.begin - done)).append(edit.text);
      done = edit.end;
    }
    return out.append(html_.substr(done));
  }

  const std::string_view html_;
  const RewriteRules& rules_;
  Places places_;
  std::optional<std::string> top_pixel_;
  std::optional<std::string> bottom_pixel_;
  std::vector<Edit> edits_;
  size_t links_count_ = 0;
};

}  // namespace

std::string rewrite_html(std::string_view html, const RewriteRules& rules) {
  return Run(html, rules).rewrite();
}

}  // namespace posthaste::engagement
