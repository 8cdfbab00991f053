#include "engagement/html_scanner.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace posthaste::engagement;

namespace {

// The tags in short: `a` for a start, `/a` for an end, `!` for a doctype.
std::string tags_of(std::string_view html, bool* ends_in_text = nullptr) {
  HtmlScanner scanner(html);
  std::string out;
  for (HtmlTag tag; scanner.next(tag);) {
    if (!out.empty()) out += ' ';
    out += tag.kind == HtmlTag::Kind::End ? "/" : "";
    out += tag.kind == HtmlTag::Kind::Doctype ? "!" : std::string(tag.name);
  }
  if (ends_in_text) *ends_in_text = scanner.ends_in_text();
  return out;
}

std::vector<std::string> hrefs_of(std::string_view html) {
  HtmlScanner scanner(html);
  std::vector<std::string> out;
  for (HtmlTag tag; scanner.next(tag);) {
    if (tag.href.is_there()) out.emplace_back(tag.href.value);
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("The scanner finds the tags that a browser finds", "[engagement][html]") {
  const std::pair<const char*, const char*> cases[] = {
      {"<!DOCTYPE html><HTML><p>x</p><br/></HTML>", "! HTML p /p br /HTML"},
      {"a < b <3 <> </> </ x><p", ""},
      {"<a\nb=c\f>", "a"},
      {"<!-- <a> --><b>", "b"},
      {"<!--><b>", "b"},
      {"<!---><b>", "b"},
      {"<!-- a --!><b>", "b"},
      {"<!-- <!-- --><b>", "b"},
      {"<!----><b>", "b"},
      {"<!a><b><?php <c> ?><d>", "b d"},
      {"<![if !mso]><b><![endif]>", "b"},
      {"<!--[if mso]><b><![endif]--><c>", "c"},
      {"<script>'<a>'</script><b>", "script /script b"},
      {"<script></scriptx><a></script ><b>", "script /script b"},
      {"<SCRIPT><!-- <script> </script> --></script><b>", "SCRIPT /script b"},
      {"<script><!--></script><b>", "script /script b"},
      {"<style><a></style><title><a></TITLE><textarea><a></textarea\t><b>",
       "style /style title /TITLE textarea /textarea b"},
      {"<noscript><a></noscript>", "noscript a /noscript"},
      {"<xmp><a></xmp><plaintext><a></plaintext>", "xmp /xmp plaintext"},
      {"<a title='>'><b title=\">\"><c title=a>b>", "a b c"},
      {"<a title='x'y><b/c=d/e>", "a b"},
      {"<a =x><b ==><c", "a b"}};
  for (const auto& [html, tags] : cases) {
    CAPTURE(html);
    CHECK(tags_of(html) == tags);
  }
}

TEST_CASE("The scanner tells where an attribute's value stands", "[engagement][html]") {
  CHECK(hrefs_of("<a href=\"1\"><a href='2'><a href=3><a HREF = 4 ><a x href=5/>") ==
        Texts{"1", "2", "3", "4", "5/"});
  CHECK(hrefs_of("<a href=1 href=2><a data-href=3><a href>") == Texts{"1"});
  CHECK(hrefs_of("<a href=\"1\"href='2'><a\n href\n=\n'3'\n>") == Texts{"1", "3"});
  CHECK(hrefs_of("<a href=>") == Texts{""});
  CHECK(hrefs_of("<a title=\"href='1'\" href=\"'2'\">") == Texts{"'2'"});
  const std::string html = "<p><a x=1 href = 'u' y>";
  HtmlScanner scanner(html);
  HtmlTag tag;
  REQUIRE(scanner.next(tag));
  REQUIRE(scanner.next(tag));
  CHECK(html.substr(tag.begin, tag.end - tag.begin) == "<a x=1 href = 'u' y>");
  CHECK(html.substr(tag.href.begin, tag.href.end - tag.href.begin) == "'u'");
}

TEST_CASE("The scanner tells whether a tag may be added at the end", "[engagement][html]") {
  for (const char* open : {"<a", "<a href='", "<a href=x", "<!--", "<!-- -", "<!d", "</", "</ x",
                           "<script>", "<script>x</scrip", "<title>x", "<plaintext>", "<?"}) {
    CAPTURE(open);
    bool ends_in_text = true;
    tags_of(std::string("<p>text") + open, &ends_in_text);
    CHECK_FALSE(ends_in_text);
  }
  for (const char* text : {"", "x", "<p>", "</p>", "<", "x <", "<!-- -->", "<script></script>"}) {
    CAPTURE(text);
    bool ends_in_text = false;
    tags_of(text, &ends_in_text);
    CHECK(ends_in_text);
  }
}

TEST_CASE("The scanner's work grows with the text and not faster", "[engagement][html]") {
  // Each of these takes minutes where any step looks at the rest of the text again and again.
  constexpr size_t kCount = 1 << 20;
  for (const char* piece : {"<", "<!--", "<!-- --", "<a ", "<a href='", "</", "<script>",
                            "<script><!--", "</title", "<b id=1>", "&", "-", "<a href=x", "<p/"}) {
    std::string html;
    while (html.size() < kCount) html += piece;
    CAPTURE(piece);
    HtmlScanner scanner(html);
    HtmlTag tag;
    size_t count = 0;
    while (scanner.next(tag)) ++count;
    CHECK(count <= kCount);
  }
}
