// Counts what the whole test program takes from the heap, on this thread, to prove that the push
// path takes nothing.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <string>

#include "core/event_catalogue.h"
#include "envelope/event_builder.h"
#include "envelope/event_ids.h"
#include "envelope/record.h"

namespace {

thread_local size_t allocation_count = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocation_count;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocation_count;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace posthaste::envelope {

TEST_CASE("Checking and planning a record allocates nothing, refused or not",
          "[envelope][record]") {
  const core::EventCatalogue catalogue;
  EventIds ids(1, 2);
  const RecordSettings settings{catalogue, ids, {}};
  const std::string good = R"({"type":"in\u0062and","timestamp":1.5e9,"a":["\u00e9",{"b":null}]})";
  const std::string enveloped = "{\"msys\":{\"message_event\":" + good + "}}";
  const std::string bomb = "{\"a\":" + std::string(100000, '[');
  const std::string number = "{\"a\":" + std::string(5000, '9') + "e-4990}";
  std::string wire(1024, ' ');
  const size_t before = allocation_count;
  {
    RecordPlan plan;
    plan_record(settings, "bounce", good, {}, plan);
    plan.write_to(wire.data());
    plan_enveloped(settings, std::nullopt, enveloped, {}, plan);
    plan_trusted(settings, "open", good, plan);
    plan_record(settings, "open", good, {}, plan);
    plan_record(settings, "nonesuch", good, {}, plan);
    plan_record(settings, "open", bomb, {}, plan);
    plan_record(settings, "open", number, {}, plan);
  }
  REQUIRE(allocation_count == before);
}

TEST_CASE("A builder that has grown allocates nothing for the next event",
          "[envelope][event_builder]") {
  EventBuilder builder;
  const std::string text(300, 'x');
  const auto build = [&] {
    builder.reset("tempfail");
    builder.set_string("message_id", text);
    builder.set_int64("msg_size", 1234567890);
    builder.set_double("timestamp", 1.5e9);
    builder.mark();
    for (int i = 0; i < 3; ++i) {
      builder.rewind();
      builder.begin_object("rcpt_meta");
      builder.set_string("key", "\xff\n");
      builder.end();
      builder.set_json("rcpt_tags", R"(["a","b"])");
    }
    std::string_view payload;
    builder.finish(payload);
  };
  build();
  const size_t before = allocation_count;
  build();
  REQUIRE(allocation_count == before);
}

}  // namespace posthaste::envelope
