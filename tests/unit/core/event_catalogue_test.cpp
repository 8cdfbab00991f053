#include "core/event_catalogue.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

namespace posthaste::core {

TEST_CASE("The catalogue begins with the 29 types and 8 classes of the original",
          "[core][catalogue]") {
  const EventCatalogue catalogue;
  const std::map<std::string, std::set<std::string>> documented = {
      {"message_event",
       {"injection", "delivery", "bounce", "out_of_band", "delay", "policy_rejection",
        "spam_complaint", "sms_status"}},
      {"track_event",
       {"open", "click", "initial_open", "amp_open", "amp_click", "amp_initial_open"}},
      {"gen_event", {"generation_failure", "generation_rejection"}},
      {"unsubscribe_event", {"list_unsubscribe", "link_unsubscribe"}},
      {"relay_event",
       {"relay_injection", "relay_rejection", "relay_delivery", "relay_tempfail",
        "relay_permfail"}},
      {"ab_test_event", {"ab_test_completed", "ab_test_cancelled"}},
      {"ingest_event", {"success", "error"}},
      {"adaptive_event", {"ad_status", "ad_adjust"}}};
  REQUIRE(catalogue.type_count() == 29);
  REQUIRE(catalogue.class_count() == 8);
  std::map<std::string, std::set<std::string>> found;
  for (EventTypeId id = 0; id < catalogue.type_count(); ++id) {
    found[std::string(catalogue.class_name(id))].emplace(catalogue.name(id));
    REQUIRE(catalogue.find(catalogue.name(id)).id == id);
    REQUIRE_FALSE(catalogue.find(catalogue.name(id)).is_alias);
    REQUIRE(catalogue.envelope_prefix(id) ==
            "{\"msys\":{\"" + std::string(catalogue.class_name(id)) + "\":");
    REQUIRE(catalogue.class_types(catalogue.class_id(id)).test(id));
  }
  REQUIRE(found == documented);
  REQUIRE(catalogue.all_types().count() == 29);
}

TEST_CASE("Raw names of the mail server find the documented type and say that they are aliases",
          "[core][catalogue]") {
  const EventCatalogue catalogue;
  const std::map<std::string, std::string> aliases = {{"reception", "injection"},
                                                      {"inband", "bounce"},
                                                      {"permfail", "bounce"},
                                                      {"outofband", "out_of_band"},
                                                      {"out-of-band", "out_of_band"},
                                                      {"oob", "out_of_band"},
                                                      {"tempfail", "delay"},
                                                      {"rejection", "policy_rejection"},
                                                      {"feedback", "spam_complaint"},
                                                      {"gen_fail", "generation_failure"},
                                                      {"gen_rejection", "generation_rejection"}};
  size_t alias_count = 0;
  for (EventTypeId id = 0; id < catalogue.type_count(); ++id) {
    for (const std::string_view alias : catalogue.type_info(id).aliases) {
      REQUIRE(aliases.at(std::string(alias)) == catalogue.name(id));
      ++alias_count;
    }
  }
  REQUIRE(alias_count == aliases.size());
  for (const auto& [alias, type] : aliases) {
    const TypeMatch match = catalogue.find(alias);
    REQUIRE(match.is_alias);
    REQUIRE(catalogue.name(match.id) == type);
    REQUIRE(builtin_type_name(alias) == type);
  }
}

TEST_CASE("A name that is none finds nothing", "[core][catalogue]") {
  const EventCatalogue catalogue;
  for (const std::string_view name :
       {"", "x", "Bounce", "bounce ", "bounc", "message_event", "relay_message"}) {
    REQUIRE(catalogue.find(name).id == kNoEventType);
    REQUIRE(builtin_type_name(name).empty());
  }
  REQUIRE(catalogue.find(std::string(1 << 20, 'a')).id == kNoEventType);
  REQUIRE(catalogue.find(std::string_view("open\0", 5)).id == kNoEventType);
  REQUIRE(catalogue.find_class("message") == kNoEventClass);
}

TEST_CASE("A host's types are added to new and existing classes with ids that stay",
          "[core][catalogue]") {
  EventCatalogue catalogue;
  const Result<EventTypeId> first = catalogue.define("quarantine", "message_event");
  const Result<EventTypeId> second = catalogue.define("login_9", "account_event");
  const Result<EventTypeId> third = catalogue.define("logout", "account_event");
  REQUIRE(first.ok());
  REQUIRE(*first == 29);
  REQUIRE(*second == 30);
  REQUIRE(*third == 31);
  REQUIRE(catalogue.class_count() == 9);
  REQUIRE(catalogue.envelope_prefix(*third) == R"({"msys":{"account_event":)");
  REQUIRE(catalogue.class_types(catalogue.find_class("account_event")).count() == 2);
  REQUIRE(catalogue.class_types(catalogue.find_class("message_event")).count() == 9);
  REQUIRE(catalogue.all_types().count() == 32);
  REQUIRE_FALSE(catalogue.is_builtin(*first));
  REQUIRE(catalogue.type_info(*second).display_name == "login_9");
  REQUIRE(catalogue.class_info(8).display_name == "account_event");

  EventCatalogue copy = catalogue;
  REQUIRE(copy.define("later", "account_event").ok());
  REQUIRE(catalogue.find("later").id == kNoEventType);
  REQUIRE(copy.name(copy.find("quarantine").id) == "quarantine");
}

TEST_CASE("A type that exists, under its own or a raw name, is not defined again",
          "[core][catalogue]") {
  EventCatalogue catalogue;
  REQUIRE(catalogue.define("bounce", "message_event").code() == ErrorCode::Exists);
  const Result<EventTypeId> alias = catalogue.define("inband", "other_event");
  REQUIRE(alias.code() == ErrorCode::Exists);
  REQUIRE(alias.error().message == "event type 'inband' exists as another name of 'bounce'");
  REQUIRE(alias.error().key == "type");
  REQUIRE(catalogue.define("mine", "other_event").ok());
  REQUIRE(catalogue.define("mine", "other_event").code() == ErrorCode::Exists);
  REQUIRE(catalogue.class_count() == 9);
}

TEST_CASE("Names of host types and classes are 1 to 64 of a-z, 0-9 and _", "[core][catalogue]") {
  EventCatalogue catalogue;
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("A"), std::string("a-b"),
        std::string("a b"), std::string("a\""), std::string("\xc3\xa9")}) {
    REQUIRE(catalogue.define(name, "c").code() == ErrorCode::BadValue);
    REQUIRE(catalogue.define("a", name).code() == ErrorCode::BadValue);
    REQUIRE(catalogue.define("a", name).error().key == "class");
  }
  REQUIRE(catalogue.define(std::string(64, 'a'), std::string(64, 'b')).ok());
  REQUIRE(catalogue.type_count() == 30);
}

TEST_CASE("The table holds 512 types and refuses the next", "[core][catalogue]") {
  EventCatalogue catalogue;
  for (size_t i = catalogue.type_count(); i < kEventTypesMax; ++i) {
    REQUIRE(catalogue.define("t" + std::to_string(i), "c" + std::to_string(i)).ok());
  }
  REQUIRE(catalogue.define("one_more", "c").code() == ErrorCode::TooLarge);
  REQUIRE(catalogue.all_types().all());
  for (size_t i = 29; i < kEventTypesMax; ++i) {
    REQUIRE(catalogue.find("t" + std::to_string(i)).id == i);
  }
}

TEST_CASE("Every field of the original has a description, a sample and one wire type everywhere",
          "[core][catalogue]") {
  const EventCatalogue catalogue;
  std::map<std::string_view, FieldKind> kinds;
  for (EventTypeId id = 0; id < catalogue.type_count(); ++id) {
    const EventTypeInfo info = catalogue.type_info(id);
    REQUIRE_FALSE(info.display_name.empty());
    REQUIRE_FALSE(info.description.empty());
    REQUIRE_FALSE(info.fields.empty());
    for (const EventFieldInfo& field : info.fields) {
      REQUIRE_FALSE(field.description.empty());
      REQUIRE_FALSE(field.sample.empty());
      REQUIRE_FALSE(field.origin.empty());
      REQUIRE(kinds.emplace(field.name, field.kind).first->second == field.kind);
      REQUIRE(catalogue.field_kind(id, field.name) == field.kind);
      if (field.name == "type") REQUIRE(field.sample == "\"" + std::string(info.name) + "\"");
    }
  }
  REQUIRE(kinds.size() == 100);
  REQUIRE(kinds.at("msg_size") == FieldKind::String);
  REQUIRE(kinds.at("open_tracking") == FieldKind::Boolean);
  REQUIRE(kinds.at("sms_segments") == FieldKind::Number);
  REQUIRE(kinds.at("rcpt_meta") == FieldKind::Object);
  REQUIRE(kinds.at("rcpt_tags") == FieldKind::Array);
}

TEST_CASE("Fields the original does not know keep the host's type", "[core][catalogue]") {
  EventCatalogue catalogue;
  const EventTypeId bounce = catalogue.find("bounce").id;
  REQUIRE(catalogue.field_kind(bounce, "mo_my_variable") == FieldKind::Any);
  REQUIRE(catalogue.field_kind(bounce, "") == FieldKind::Any);
  const EventTypeId own = *catalogue.define("own", "own_event");
  REQUIRE(catalogue.field_kind(own, "msg_size") == FieldKind::Any);
  REQUIRE(catalogue.field_kind(own, "timestamp") == FieldKind::String);
}

}  // namespace posthaste::core
