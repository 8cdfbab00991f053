extern "C" {
#include "postfix/contexts.h"
#include "postfix/fields.h"
}

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "support/temporary_directory.h"

namespace {

span as_span(std::string_view text) {
  return {text.data(), text.size()};
}

std::string take(buffer* text) {
  std::string taken(text->data == nullptr ? "" : text->data, text->size);
  buffer_free(text);
  return taken;
}

// A state file, and the contexts that are open on it.
class State {
 public:
  explicit State(size_t bytes_max = 1 << 20) : bytes_max_(bytes_max) { open(); }

  // As after SIGKILL: whatever was not written is gone.
  void restart() {
    contexts_.reset();
    open();
  }

  void put(std::string_view id, std::string_view subject, int64_t injected_ms = wall_ms()) {
    buffer fields = {};
    fields_add(&fields, "subject", as_span(subject));
    contexts_put(contexts_.get(), as_span(id), injected_ms, buffer_span(&fields));
    buffer_free(&fields);
  }

  // The fields, joined by bars.
  std::string find(std::string_view id) const {
    buffer fields = {};
    buffer text = {};
    std::string found;
    size_t position = 0;
    contexts_find(contexts_.get(), as_span(id), &fields);
    while (fields_next_text(buffer_span(&fields), &position, &text) != 0)
      found += (found.empty() ? "" : "|") +
               std::string(text.data == nullptr ? "" : text.data, text.size);
    buffer_free(&text);
    buffer_free(&fields);
    return found;
  }

  unsigned defer(std::string_view id, std::string_view recipient, std::string_view line = "line") {
    return contexts_defer(contexts_.get(), as_span(id), as_span(recipient), as_span("smtp"),
                          as_span(line));
  }
  unsigned finish(std::string_view id, std::string_view recipient) {
    return contexts_finish(contexts_.get(), as_span(id), as_span(recipient));
  }
  void add(std::string_view id, const char* name, std::string_view value) {
    contexts_add(contexts_.get(), as_span(id), wall_ms(), name, as_span(value));
  }
  void end(std::string_view id) { contexts_end(contexts_.get(), as_span(id)); }
  bool save(std::string_view place) { return contexts_save(contexts_.get(), as_span(place)) != 0; }
  std::string place() const {
    buffer out = {};
    contexts_place(contexts_.get(), &out);
    return take(&out);
  }
  // The service and the line of a deferred recipient; empty when none is left.
  std::string take_deferred(std::string_view id) {
    buffer service = {};
    buffer line = {};
    unsigned failures = 0;
    const int is_taken =
        contexts_take_deferred(contexts_.get(), as_span(id), &service, &line, &failures);
    const std::string text = take(&service) + " " + take(&line) + " " + std::to_string(failures);
    return is_taken != 0 ? text : "";
  }

  std::string path() const { return directory_.path("state"); }

 private:
  void open() {
    buffer error = {};
    contexts_.reset(contexts_open(path().c_str(), bytes_max_, &error));
    const std::string text = take(&error);
    INFO(text);
    REQUIRE(contexts_ != nullptr);
  }

  struct Closer {
    void operator()(contexts* opened) const { contexts_close(opened); }
  };

  posthaste::testing::TemporaryDirectory directory_;
  size_t bytes_max_;
  std::unique_ptr<contexts, Closer> contexts_;
};

}  // namespace

TEST_CASE("What the milter puts into the state is there after a crash", "[postfix][contexts]") {
  State state;
  state.put("A1", "tab\tfeed\nback\\slash \xff");
  state.restart();
  CHECK(state.find("A1") == "subject|tab\tfeed\nback\\slash \xff");
  CHECK(state.find("A2").empty());
}

TEST_CASE("What the log told counts together with how far it was read", "[postfix][contexts]") {
  State state;
  state.put("A1", "one");
  state.put("B2", "two");
  CHECK(state.defer("A1", "a@x") == 0);
  REQUIRE(state.save("place 1"));
  CHECK(state.defer("A1", "a@x") == 1);
  state.end("B2");
  state.restart();
  // As it was at place 1: the lines behind it are read again.
  CHECK(state.place() == "place 1");
  CHECK(state.find("B2") == "subject|two");
  CHECK(state.defer("A1", "a@x") == 1);
  state.end("B2");
  REQUIRE(state.save("place 2"));
  state.restart();
  CHECK(state.place() == "place 2");
  CHECK(state.find("B2").empty());
  CHECK(state.finish("A1", "a@x") == 2);
  CHECK(state.finish("A1", "a@x") == 0);
}

TEST_CASE("A line of the state that was torn or not settled is as if not written",
          "[postfix][contexts]") {
  State state;
  state.put("A1", "one");
  REQUIRE(state.save("place 1"));
  for (const char* end : {"E\tA1\t1", "M\tA1\t1\tsubject\tfalse\n", "C\tA9\t5\tsub", "P\tpla"}) {
    std::ofstream(state.path(), std::ios::app) << end;
    state.restart();
    INFO(end);
    CHECK(state.place() == "place 1");
    CHECK(state.find("A1") == "subject|one");
    CHECK(state.find("A9").empty());
  }
}

TEST_CASE("A file that is no state is refused and left as it is", "[postfix][contexts]") {
  posthaste::testing::TemporaryDirectory directory;
  const std::string path = directory.path("state");
  std::ofstream(path) << "something else\n";
  buffer error = {};
  CHECK(contexts_open(path.c_str(), 1000, &error) == nullptr);
  CHECK(take(&error) == path + ": not a state of this version");
  CHECK(std::filesystem::file_size(path) == 15);
}

TEST_CASE("Mail that the milter has not seen is known from the log", "[postfix][contexts]") {
  State state;
  state.add("A1", "message_id", "1.2@x");
  state.add("A1", "msg_from", "a@x");
  state.add("A1", "msg_from", "later@x");
  state.add("A1", "msg_size", "");
  CHECK(state.find("A1") == "message_id|1.2@x|msg_from|a@x");
  state.put("A1", "from the milter");
  CHECK(state.find("A1") == "subject|from the milter");
}

TEST_CASE("Who is deferred is taken out with the last line", "[postfix][contexts]") {
  State state;
  state.put("A1", "one");
  state.defer("A1", "a@x", "first");
  state.defer("A1", "a@x", "second\tline");
  state.defer("A1", "b@x", "other");
  state.finish("A1", "b@x");
  REQUIRE(state.save("place"));
  state.restart();
  CHECK(state.find("A1") == "subject|one");
  CHECK(state.take_deferred("A1") == "smtp second\tline 2");
  CHECK(state.take_deferred("A1").empty());
  CHECK(state.take_deferred("A9").empty());
}

TEST_CASE("Beyond the limit of memory the oldest mail is forgotten", "[postfix][contexts]") {
  State state(4000);
  const std::string subject(500, 's');
  for (int i = 0; i < 20; i++) state.put("Q" + std::to_string(i), subject);
  CHECK(state.find("Q0").empty());
  CHECK_FALSE(state.find("Q19").empty());
  REQUIRE(state.save("place"));
  state.restart();
  CHECK(state.find("Q0").empty());
  CHECK_FALSE(state.find("Q19").empty());
}

TEST_CASE("Mail older than any queue keeps is forgotten", "[postfix][contexts]") {
  State state;
  state.put("OLD", "one", wall_ms() - INT64_C(11) * 86400 * 1000);
  state.put("NEW", "two");
  REQUIRE(state.save("place"));
  CHECK(state.find("OLD").empty());
  CHECK_FALSE(state.find("NEW").empty());
}

TEST_CASE("The state's file does not grow with mail that is done", "[postfix][contexts]") {
  State state;
  const std::string subject(4000, 's');
  for (int i = 0; i < 5000; i++) {
    const std::string id = "Q" + std::to_string(i);
    state.put(id, subject);
    if (i > 10) state.end(id);
    if (i % 100 == 0) REQUIRE(state.save("place " + std::to_string(i)));
  }
  CHECK(std::filesystem::file_size(state.path()) < 6 << 20);
  state.restart();
  CHECK(state.place() == "place 4900");
  CHECK(state.find("Q3") == "subject|" + subject);
  CHECK(state.find("Q4800").empty());
}
