// What a host declares at every start: webhooks under its own ids, and Momentum's webhooks files.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "support/host.h"
#include "support/receiver.h"

using namespace posthaste::testing;
using namespace std::chrono_literals;

namespace {

struct WebhooksFile {
  std::string path = std::filesystem::temp_directory_path() /
                     ("posthaste-webhooks-" + std::to_string(getpid()) + ".json");
  void write(const std::string& text) const { std::ofstream(path) << text; }
  ~WebhooksFile() { std::filesystem::remove(path); }
};

std::set<std::string> ids(const Host& host) {
  posthaste_webhook_list_t* list = nullptr;
  host.must(posthaste_list(host.get(), &list, host.error()));
  std::set<std::string> result;
  for (size_t i = 0; i < posthaste_webhook_list_count(list); ++i) {
    result.insert(posthaste_webhook_get(posthaste_webhook_list_at(list, i), "id"));
  }
  posthaste_webhook_list_free(list);
  return result;
}

std::string load(Host& host, const std::string& path) {
  posthaste_text_t* text = nullptr;
  host.must(posthaste_load(host.get(), path.c_str(), &text, host.error()));
  const TextHandle owner(text);
  return posthaste_text_data(text);
}

}  // namespace

TEST_CASE("A host restarted while its receiver is down has all its put webhooks, active at once",
          "[integration][declaration]") {
  Receiver receiver;
  const std::string target = receiver.url("/hook");
  const uint16_t port = receiver.port();
  receiver.stop();
  Host host(Settings{{"retry.base", "100ms"}});
  for (int i = 0; i < 5; ++i) host.put("hook-" + std::to_string(i), target + std::to_string(i));
  host.start();
  CHECK(ids(host).size() == 5);
  posthaste_webhook_t* found = nullptr;
  host.must(posthaste_find(host.get(), "hook-3", &found, host.error()));
  CHECK(std::string(posthaste_webhook_get(found, "state")) == "active");
  posthaste_webhook_free(found);
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  Receiver back({.port = port});
  CHECK(back.log().wait_for_accepted_events(5, 20s));
}

TEST_CASE("Ten reloads of a webhooks file double nothing, and edits are reconciled",
          "[integration][declaration]") {
  Receiver receiver;
  const WebhooksFile file;
  const auto entry = [&](const std::string& name) {
    return "{\"name\":\"" + name + "\",\"events\":[\"delivery\"],\"target\":\"" +
           receiver.url("/" + name) + "\"}";
  };
  file.write("[" + entry("a") + "," + entry("b") + "," + entry("b") + "]");
  Host host;
  CHECK(load(host, file.path) == R"({"added":3,"changed":0,"removed":0,"unchanged":0})");
  host.put("own", receiver.url("/own")).start();
  const std::set<std::string> before = ids(host);
  for (int i = 0; i < 10; ++i)
    CHECK(load(host, file.path) == R"({"added":0,"changed":0,"removed":0,"unchanged":3})");
  CHECK(ids(host) == before);
  host.must(host.push("delivery", "{}"));
  host.must(host.flush());
  REQUIRE(receiver.log().wait_for_accepted_events(4, 10s));
  CHECK(receiver.log().totals().accepted_events == 4);

  file.write("[" + entry("a") + "," + entry("c") + "]");
  CHECK(load(host, file.path) == R"({"added":1,"changed":0,"removed":2,"unchanged":1})");
  CHECK(ids(host).count("own") == 1);

  file.write("[" + entry("a") +
             ",{\"name\":\"d\",\"events\":[\"nonsense\"],\"target\":\"http://127.0.0.1/\"}]");
  CHECK(posthaste_load(host.get(), file.path.c_str(), nullptr, host.error()) != POSTHASTE_OK);
  CHECK_THAT(host.message(), Catch::Contains("nonsense"));
  CHECK(ids(host).size() == 3);
}

TEST_CASE("A created webhook takes events after its activation delay",
          "[integration][declaration]") {
  Receiver receiver;
  Host host(Settings{{"webhook.activation_delay", "700ms"}});
  host.start();
  host.must(posthaste_create(host.get(), host.webhook(receiver.url()).get(), 10'000, nullptr,
                             host.error()));
  CHECK(posthaste_wants(host.get(), "delivery") == 1);
  host.must(host.push("delivery", R"({"message_id":"early"})"));
  host.must(host.flush());
  std::this_thread::sleep_for(800ms);
  host.must(host.push("delivery", R"({"message_id":"late"})"));
  host.must(host.flush());
  const std::vector<Request> requests = receiver.log().requests();
  REQUIRE(requests.size() == 2);
  CHECK_THAT(requests[1].body, Catch::Contains("late") && !Catch::Contains("early"));
}
