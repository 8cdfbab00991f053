#include "engagement/html_rewriter.h"

#include <catch2/catch.hpp>

using namespace posthaste::engagement;

namespace {

constexpr char kPrefix[] = "https://t.test/t/";

// Stands for a signer: kind, target and name can be read in the URL.
RewriteRules rules_for(const Tracking& tracking) {
  return {tracking, kPrefix, [](LinkKind kind, std::string_view target, std::string_view name) {
            return std::optional(kPrefix + std::to_string(static_cast<int>(kind)) + "[" +
                                 std::string(target) + "|" + std::string(name) + "]");
          }};
}

std::string with_links(std::string_view html) {
  return rewrite_html(html, rules_for({false, true, false}));
}

std::string with_pixels(std::string_view html) {
  return rewrite_html(html, rules_for({true, false, true}));
}

const std::string kTop = R"(<img src="https://t.test/t/5[|]" width="1" height="1" alt="">)";
const std::string kBottom = R"(<img src="https://t.test/t/4[|]" width="1" height="1" alt="">)";

}  // namespace

TEST_CASE("Links of a and area to http and https are rewritten and nothing else",
          "[engagement][html]") {
  CHECK(
      with_links("<p class=x><a  id=1 href='http://a.test/' >x</a\n><AREA HREF=https://b.test>") ==
      "<p class=x><a  id=1 href=\"https://t.test/t/1[http://a.test/|]\" >x</a\n>"
      "<AREA HREF=\"https://t.test/t/1[https://b.test|]\">");
  for (const char* html : {"<a href=\"mailto:a@b.test\">",
                           "<a href='tel:1'>",
                           "<a href=#top>",
                           "<a href=/x>",
                           "<a href='//a.test/'>",
                           "<a name=x>",
                           "<a href>",
                           "<a href=''>",
                           "<link href=http://a.test/>",
                           "<base href=http://a.test/>",
                           "<img src=http://a.test/>",
                           "<form action=http://a.test/>",
                           "</a href=http://a.test/>",
                           "<a x='http://a.test/'>",
                           "<!-- <a href=http://a.test/> -->",
                           "<script>'<a href=http://a.test/>'</script>",
                           "<a href=http://a.test/",
                           "<a href='http://a.test/>",
                           "<abbr href=http://a.test/>",
                           "<a href='http://a.test/\xff'>",
                           "<a href='http://a.test/&euro;'>"}) {
    CAPTURE(html);
    CHECK(with_links(html) == html);
  }
}

TEST_CASE("An href's references are decoded for the target", "[engagement][html]") {
  CHECK(with_links("<a href=\"http://a.test/?a=1&amp;b=&quot;2\">") ==
        "<a href=\"https://t.test/t/1[http://a.test/?a=1&b=\"2|]\">");
}

TEST_CASE("data-msys attributes name links, mark unsubscriptions and switch tracking off",
          "[engagement][html]") {
  CHECK(with_links("<a data-msys-linkname='Big &amp; new' href=http://a.test>") ==
        "<a data-msys-linkname='Big &amp; new' href=\"https://t.test/t/1[http://a.test|Big & "
        "new]\">");
  CHECK(with_links("<a href=http://a.test data-msys-unsubscribe=1>") ==
        "<a href=\"https://t.test/t/2[http://a.test|]\" data-msys-unsubscribe=1>");
  CHECK(with_links("<a href=http://a.test data-msys-unsubscribe=\"0\">") ==
        "<a href=\"https://t.test/t/1[http://a.test|]\" data-msys-unsubscribe=\"0\">");
  const std::string off = "<a href=http://a.test data-msys-clicktrack=\"0\">";
  CHECK(with_links(off) == off);
}

TEST_CASE("A link's name is cut between characters and has no controls", "[engagement][html]") {
  std::string name = "a\n";
  for (int i = 0; i < 200; ++i) name += "\xc3\xa9";
  const std::string out = with_links("<a href=http://a.test data-msys-linkname='" + name + "'>");
  const size_t begin = out.find('|') + 1;
  const std::string cut = out.substr(begin, out.find(']') - begin);
  CHECK(cut.size() == 255);
  CHECK(cut.substr(0, 3) == "a\xc3\xa9");
}

TEST_CASE("Pixels go behind the body's begin and before its end", "[engagement][html]") {
  CHECK(with_pixels("<!doctype html><html><head><title></body></title></head>"
                    "<BODY class=x>text<!-- </body> --></Body></html>\n") ==
        "<!doctype html><html><head><title></body></title></head><BODY class=x>" + kTop +
            "text<!-- </body> -->" + kBottom + "</Body></html>\n");
}

TEST_CASE("Pixels find a place in texts without a body, or stay away", "[engagement][html]") {
  CHECK(with_pixels("<p>x") == kTop + "<p>x" + kBottom);
  CHECK(with_pixels("") == kTop + kBottom);
  CHECK(with_pixels("\xef\xbb\xbf<p>") == "\xef\xbb\xbf" + kTop + "<p>" + kBottom);
  CHECK(with_pixels("<!doctype html>\n<p>x</html>") ==
        "<!doctype html>" + kTop + "\n<p>x" + kBottom + "</html>");
  CHECK(with_pixels("<html><head><style></style></head><p>x") ==
        "<html><head><style></style></head>" + kTop + "<p>x" + kBottom);
  CHECK(with_pixels("<html><head><title>x</title><p>x") ==
        "<html><head><title>x</title><p>x" + kBottom);
  for (const char* broken : {"<p><a href='x", "<p><!-- x", "<p><script>x", "<p></"}) {
    CAPTURE(broken);
    CHECK(with_pixels(broken) == kTop + broken);
  }
}

TEST_CASE("The last end of a body counts, and the first begin", "[engagement][html]") {
  CHECK(with_pixels("<body>1</body><body>2</body>") ==
        "<body>" + kTop + "1</body><body>2" + kBottom + "</body>");
}

TEST_CASE("A second run changes nothing", "[engagement][html]") {
  const RewriteRules rules = rules_for({true, true, true});
  for (const char* html : {"<body><a href=http://a.test/>x</a></body>", "<p>x", "",
                           "<a href='http://a.test/'", "<html><head><p>"}) {
    const std::string once = rewrite_html(html, rules);
    CAPTURE(html);
    CHECK(rewrite_html(once, rules) == once);
  }
}

TEST_CASE("What is not wanted is not put in", "[engagement][html]") {
  const std::string html = "<body><a href=http://a.test/>x</a></body>";
  CHECK(rewrite_html(html, rules_for({false, false, false})) == html);
  CHECK(rewrite_html("<p>", rules_for({true, false, false})) == "<p>" + kBottom);
  CHECK(rewrite_html("<p>", rules_for({false, false, true})) == kTop + "<p>");
}

TEST_CASE("A link for which no URL can be made stays as it is", "[engagement][html]") {
  const RewriteRules rules{{true, true, true}, kPrefix, [](auto&&...) { return std::nullopt; }};
  const std::string html = "<body><a href=http://a.test/>x</a></body>";
  CHECK(rewrite_html(html, rules) == html);
}

TEST_CASE("No more links than the limit are rewritten in one text", "[engagement][html]") {
  std::string html;
  for (size_t i = 0; i < kLinksMax + 10; ++i) html += "<a href=http://a.test/>";
  const std::string out = with_links(html);
  size_t count = 0;
  for (size_t at = 0; (at = out.find(kPrefix, at)) != std::string::npos; ++at) ++count;
  CHECK(count == kLinksMax);
  CHECK(out.ends_with("<a href=http://a.test/>"));
}
