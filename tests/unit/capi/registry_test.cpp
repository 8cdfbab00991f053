#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "json/value.h"
#include "owned.h"

using namespace posthaste::testing;

namespace {

using ListHandle = Owned<posthaste_webhook_list_t>;

// A webhooks file that is gone with the test.
class TemporaryFile {
 public:
  TemporaryFile() {
    const int file = mkstemp(path_);
    REQUIRE(file >= 0);
    close(file);
  }
  ~TemporaryFile() { std::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const char* path() const { return path_; }
  void write(const std::string& text) const {
    std::ofstream(path_, std::ios::trunc | std::ios::binary) << text;
  }

 private:
  char path_[32] = "/tmp/posthaste-webhooks-XXXXXX";
};

ListHandle list_of(const EngineHandle& engine) {
  posthaste_webhook_list_t* list = nullptr;
  REQUIRE(posthaste_list(engine.get(), &list, nullptr) == POSTHASTE_OK);
  return ListHandle(list);
}

EngineHandle engine_with_hook() {
  EngineHandle engine = make_engine();
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  return engine;
}

std::string load(const EngineHandle& engine, const TemporaryFile& file) {
  posthaste_text_t* text = nullptr;
  CHECK(posthaste_load(engine.get(), file.path(), &text, nullptr) == POSTHASTE_OK);
  return take(text);
}

}  // namespace

TEST_CASE("A webhook can be put before start and is active at once", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const WebhookHandle found = find(engine, "hook");
  CHECK(text_of(found.get(), "id") == "hook");
  CHECK(text_of(found.get(), "name") == "Orders");
  CHECK(text_of(found.get(), "target") == "http://127.0.0.1:9/hook");
  CHECK(text_of(found.get(), "events") == "delivery,bounce");
  CHECK(text_of(found.get(), "state") == "active");
  CHECK(text_of(found.get(), "created").size() == 19);
  CHECK(text_of(found.get(), "last_successful") == "(not set)");
}

TEST_CASE("Find and list show secrets masked", "[capi][registry]") {
  const EngineHandle engine = make_engine();
  const WebhookHandle webhook = make_webhook();
  REQUIRE(posthaste_webhook_set(webhook.get(), "auth_token", "t0ken", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_webhook_set(webhook.get(), "header.x-key", "s3cret", nullptr) == POSTHASTE_OK);
  REQUIRE(posthaste_put(engine.get(), "hook", webhook.get(), nullptr) == POSTHASTE_OK);
  const WebhookHandle found = find(engine, "hook");
  CHECK(text_of(found.get(), "auth_token") == "****");
  CHECK(text_of(found.get(), "header.x-key") == "****");
  posthaste_text_t* text = nullptr;
  REQUIRE(posthaste_webhook_json(posthaste_webhook_list_at(list_of(engine).get(), 0), &text) ==
          POSTHASTE_OK);
  const std::string json = take(text);
  CHECK(json.find("t0ken") == std::string::npos);
  CHECK(json.find("s3cret") == std::string::npos);
  CHECK(json.find("\"id\":\"hook\"") != std::string::npos);
}

TEST_CASE("A list is in the order of registration and outlives the engine", "[capi][registry]") {
  EngineHandle engine = make_engine();
  CHECK(posthaste_webhook_list_count(list_of(engine).get()) == 0);
  for (const char* id : {"z", "a", "m"}) {
    REQUIRE(posthaste_put(engine.get(), id, make_webhook().get(), nullptr) == POSTHASTE_OK);
  }
  REQUIRE(posthaste_put(engine.get(), "a", make_webhook().get(), nullptr) == POSTHASTE_OK);
  const ListHandle list = list_of(engine);
  engine.reset();
  REQUIRE(posthaste_webhook_list_count(list.get()) == 3);
  CHECK(text_of(posthaste_webhook_list_at(list.get(), 0), "id") == "z");
  CHECK(text_of(posthaste_webhook_list_at(list.get(), 1), "id") == "a");
  CHECK(text_of(posthaste_webhook_list_at(list.get(), 2), "id") == "m");
  CHECK(posthaste_webhook_list_at(list.get(), 3) == nullptr);
}

TEST_CASE("A bad id or an incomplete description is refused by name", "[capi][registry]") {
  const EngineHandle engine = make_engine();
  const ErrorHandle error = make_error();
  for (const char* id : {"", "a b", "a/b", "\xc3\xbc"}) {
    CHECK(posthaste_put(engine.get(), id, make_webhook().get(), error.get()) ==
          POSTHASTE_E_INVALID);
    CHECK(std::string(posthaste_error_key(error.get())) == "id");
  }
  const std::string longest(64, 'i');
  CHECK(posthaste_put(engine.get(), longest.c_str(), make_webhook().get(), nullptr) ==
        POSTHASTE_OK);
  CHECK(posthaste_put(engine.get(), (longest + "i").c_str(), make_webhook().get(), nullptr) ==
        POSTHASTE_E_INVALID);
  const WebhookHandle empty(posthaste_webhook_new());
  CHECK(posthaste_put(engine.get(), "hook", empty.get(), error.get()) == POSTHASTE_E_MISSING_FIELD);
  const WebhookHandle odd = make_webhook();
  REQUIRE(posthaste_webhook_set(odd.get(), "target", "ftp://127.0.0.1/", nullptr) == POSTHASTE_OK);
  CHECK(posthaste_put(engine.get(), "hook", odd.get(), error.get()) == POSTHASTE_E_BAD_TARGET);
  const WebhookHandle unknown = make_webhook();
  REQUIRE(posthaste_webhook_set(unknown.get(), "events", "delivery,party", nullptr) ==
          POSTHASTE_OK);
  CHECK(posthaste_put(engine.get(), "hook", unknown.get(), error.get()) == POSTHASTE_E_BAD_EVENTS);
  CHECK(std::string(posthaste_error_message(error.get())).find("party") != std::string::npos);
}

TEST_CASE("An update without a change of target changes only the keys that were set",
          "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  const WebhookHandle change(posthaste_webhook_new());
  REQUIRE(posthaste_webhook_set(change.get(), "events", "open", nullptr) == POSTHASTE_OK);
  CHECK(posthaste_update(engine.get(), "hook", change.get(), -1, nullptr) == POSTHASTE_OK);
  const WebhookHandle found = find(engine, "hook");
  CHECK(text_of(found.get(), "events") == "open");
  CHECK(text_of(found.get(), "name") == "Orders");
  CHECK(posthaste_update(engine.get(), "nobody", change.get(), -1, nullptr) ==
        POSTHASTE_E_NOT_FOUND);
}

TEST_CASE("The outcome of a ticket form comes as a report", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const ErrorHandle error = make_error();
  REQUIRE(posthaste_start(engine.get(), nullptr) == POSTHASTE_OK);
  const WebhookHandle change(posthaste_webhook_new());
  REQUIRE(posthaste_webhook_set(change.get(), "name", "Other", nullptr) == POSTHASTE_OK);
  uint64_t tickets[2] = {0, 0};
  REQUIRE(posthaste_update_ticket(engine.get(), "hook", change.get(), &tickets[0], nullptr) ==
          POSTHASTE_OK);
  REQUIRE(posthaste_verify_ticket(engine.get(), "nobody", &tickets[1], nullptr) == POSTHASTE_OK);
  CHECK(tickets[0] != tickets[1]);
  const int32_t codes[] = {POSTHASTE_OK, POSTHASTE_E_NOT_FOUND};
  for (int i = 0; i < 2; ++i) {
    posthaste_report_t* report = nullptr;
    REQUIRE(posthaste_poll(engine.get(), -1, &report) == POSTHASTE_OK);
    const Owned<posthaste_report_t> owned(report);
    CHECK(posthaste_report_kind(report) == POSTHASTE_REPORT_TICKET);
    CHECK(posthaste_report_ticket(report) == tickets[i]);
    CHECK(posthaste_report_code(report) == codes[i]);
    CHECK(posthaste_report_error(report, error.get()) == codes[i]);
    CHECK(posthaste_error_code(error.get()) == codes[i]);
  }
  CHECK(text_of(find(engine, "hook").get(), "name") == "Other");
}

TEST_CASE("Pause and resume change the state", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  REQUIRE(posthaste_pause(engine.get(), "hook", nullptr) == POSTHASTE_OK);
  CHECK(text_of(find(engine, "hook").get(), "state") == "paused");
  CHECK(posthaste_wants(engine.get(), "delivery") == 1);
  REQUIRE(posthaste_put(engine.get(), "hook", make_webhook().get(), nullptr) == POSTHASTE_OK);
  CHECK(text_of(find(engine, "hook").get(), "state") == "paused");
  REQUIRE(posthaste_resume(engine.get(), "hook", nullptr) == POSTHASTE_OK);
  CHECK(text_of(find(engine, "hook").get(), "state") == "active");
}

TEST_CASE("A removed webhook is gone, and how it goes is checked", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const ErrorHandle error = make_error();
  CHECK(posthaste_remove(engine.get(), "hook", 2, error.get()) == POSTHASTE_E_INVALID);
  CHECK(std::string(posthaste_error_key(error.get())) == "how");
  CHECK(posthaste_remove(engine.get(), "hook", POSTHASTE_REMOVE_DROP, nullptr) == POSTHASTE_OK);
  auto* found = reinterpret_cast<posthaste_webhook_t*>(error.get());
  CHECK(posthaste_find(engine.get(), "hook", &found, error.get()) == POSTHASTE_E_NOT_FOUND);
  CHECK(found == nullptr);
  CHECK(std::string(posthaste_error_message(error.get())).find("hook") != std::string::npos);
  CHECK(posthaste_remove(engine.get(), "hook", POSTHASTE_REMOVE_DROP, nullptr) ==
        POSTHASTE_E_NOT_FOUND);
  CHECK(posthaste_pause(engine.get(), "hook", nullptr) == POSTHASTE_E_NOT_FOUND);
  CHECK(posthaste_resume(engine.get(), "hook", nullptr) == POSTHASTE_E_NOT_FOUND);
}

TEST_CASE("Loading a file again reconciles its own entries only", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const TemporaryFile file;
  file.write(R"([{"name":"A","events":["open"],"target":"http://127.0.0.1:9/a"},)"
             R"({"events":["click"],"target":"http://127.0.0.1:9/b","auth_token":"t"}])");
  CHECK(load(engine, file) == R"({"added":2,"changed":0,"removed":0,"unchanged":0})");
  for (int i = 0; i < 10; ++i) {
    CHECK(load(engine, file) == R"({"added":0,"changed":0,"removed":0,"unchanged":2})");
  }
  const ListHandle list = list_of(engine);
  REQUIRE(posthaste_webhook_list_count(list.get()) == 3);
  const std::string id = text_of(posthaste_webhook_list_at(list.get(), 1), "id");
  CHECK(id.size() == 36);
  file.write(R"([{"name":"A","events":["bounce"],"target":"http://127.0.0.1:9/a"},)"
             R"({"name":"C","events":["open"],"target":"http://127.0.0.1:9/c"}])");
  CHECK(load(engine, file) == R"({"added":1,"changed":1,"removed":1,"unchanged":0})");
  CHECK(text_of(find(engine, id.c_str()).get(), "events") == "bounce");
  CHECK(text_of(find(engine, "hook").get(), "events") == "delivery,bounce");
  CHECK(posthaste_load(engine.get(), file.path(), nullptr, nullptr) == POSTHASTE_OK);
}

TEST_CASE("A file with an error changes nothing", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const ErrorHandle error = make_error();
  const TemporaryFile file;
  auto* text = reinterpret_cast<posthaste_text_t*>(error.get());
  for (const char* broken :
       {"[", "{}", R"([{"name":"A","events":["open"],"target":"http://127.0.0.1:9/a"},{}])"}) {
    INFO(broken);
    file.write(broken);
    CHECK(posthaste_load(engine.get(), file.path(), &text, error.get()) == POSTHASTE_E_BAD_FILE);
    CHECK(text == nullptr);
    CHECK(posthaste_error_message(error.get())[0] != '\0');
    CHECK(posthaste_webhook_list_count(list_of(engine).get()) == 1);
  }
  const std::string missing = std::string(file.path()) + ".missing";
  CHECK(posthaste_load(engine.get(), missing.c_str(), nullptr, error.get()) ==
        POSTHASTE_E_BAD_FILE);
  CHECK(std::string(posthaste_error_message(error.get())).find(missing) != std::string::npos);
}

TEST_CASE("Null where the registry needs an object is an error", "[capi][registry]") {
  const EngineHandle engine = engine_with_hook();
  const ErrorHandle error = make_error();
  uint64_t ticket = 7;
  posthaste_webhook_t* webhook = nullptr;
  const WebhookHandle made = make_webhook();
  const auto culprit = [&] { return std::string(posthaste_error_key(error.get())); };
  CHECK(posthaste_put(nullptr, "hook", made.get(), error.get()) == POSTHASTE_E_INVALID);
  CHECK(culprit() == "ph");
  CHECK(posthaste_put(engine.get(), nullptr, made.get(), error.get()) == POSTHASTE_E_INVALID);
  CHECK(culprit() == "id");
  CHECK(posthaste_put(engine.get(), "hook", nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(culprit() == "webhook");
  CHECK(posthaste_create(engine.get(), nullptr, 0, &webhook, error.get()) == POSTHASTE_E_INVALID);
  CHECK(culprit() == "webhook");
  CHECK(posthaste_create_ticket(engine.get(), made.get(), nullptr, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(culprit() == "out_ticket");
  CHECK(posthaste_update_ticket(engine.get(), nullptr, made.get(), &ticket, error.get()) ==
        POSTHASTE_E_INVALID);
  CHECK(ticket == 0);
  CHECK(posthaste_verify(engine.get(), nullptr, 0, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_find(engine.get(), "hook", nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_list(engine.get(), nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(posthaste_load(engine.get(), nullptr, nullptr, error.get()) == POSTHASTE_E_INVALID);
  CHECK(culprit() == "path");
}
