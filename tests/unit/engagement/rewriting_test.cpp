// The corpus of the fuzzer, put through what must hold for every text.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "support/rewriting_check.h"

using namespace posthaste;

namespace {

std::vector<std::string> corpus_texts() {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator(POSTHASTE_ENGAGEMENT_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return texts;
}

}  // namespace

TEST_CASE("Only links are changed in the corpus of broken HTML, and in every beginning of it",
          "[engagement][html]") {
  size_t count = 0;
  for (const std::string& text : corpus_texts()) {
    for (size_t size = 0; size <= text.size(); ++size) {
      const std::string part = text.substr(0, size);
      const std::string fault = testing::rewriting_fault(part);
      CAPTURE(part);
      if (!fault.empty()) CHECK(fault == "");
      ++count;
    }
  }
  CHECK(count > 2000);
}

TEST_CASE("Only links are changed in HTML that was put together at random", "[engagement][html]") {
  constexpr const char* kPieces[] = {"<a href=",
                                     "http://a.test/",
                                     "https://t.test/t/",
                                     "\"",
                                     "'",
                                     ">",
                                     "<!--",
                                     "-->",
                                     "--!>",
                                     "<script>",
                                     "</script>",
                                     "<title>",
                                     "</title>",
                                     "<body>",
                                     "</body>",
                                     "</html>",
                                     "<head>",
                                     "</head>",
                                     "<img src=\"",
                                     "https://t.test/t/4\"",
                                     "&amp;",
                                     "&#10;",
                                     " ",
                                     "=",
                                     "/",
                                     "<",
                                     "x",
                                     "<plaintext>",
                                     "<area ",
                                     "href",
                                     "<!doctype html>",
                                     "\n",
                                     "data-msys-clicktrack=0",
                                     "\xff",
                                     "<html>",
                                     "<!-->"};
  std::mt19937 random;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (size_t left = random() % 24; left > 0; --left) {
      text += kPieces[random() % std::size(kPieces)];
    }
    const std::string fault = testing::rewriting_fault(text);
    CAPTURE(text);
    if (!fault.empty()) CHECK(fault == "");
  }
}
