// Fuzzes the REST handler in front of an engine whose network answers at once. An input is a
// request as text: `METHOD TARGET`, a header a line, an empty line, the body; an id of `$` stands
// for the one webhook. Properties: each request is answered once, with a status of HTTP; what says
// that it is JSON is JSON; an error names one entry without a line feed; who may only view changes
// nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "json/value.h"
#include "unit/api/handler_fixture.h"

namespace {

using namespace posthaste;

constexpr std::string_view kBody =
    R"({"name":"n","target":"http://127.0.0.1:8080/hook","events":["delivery"]})";
// Webhooks that inputs made; then the host is made anew.
constexpr size_t kWebhooksMax = 50;

void require(bool is_true) {
  if (!is_true) std::abort();
}

std::string create(test::HandlerHost& host) {
  const auto answer = host.answer("POST", "/api/v1/webhooks", std::string(kBody));
  const auto value = json::parse_value(answer.body);
  require(value && value->find("results") != nullptr);
  return *value->find("results")->find("id")->as_string();
}

struct Subject {
  test::HandlerHost host;
  std::string id = create(host);
};

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

api::HttpRequest request_of(std::string_view text, const std::string& id) {
  api::HttpRequest request;
  std::string_view first = next_line(text);
  request.method = first.substr(0, first.find(' '));
  request.target = first.substr(std::min(request.method.size() + 1, first.size()));
  if (const size_t at = request.target.find('$'); at != std::string::npos) {
    request.target.replace(at, 1, id);
  }
  for (std::string_view line = next_line(text); !line.empty(); line = next_line(text)) {
    const std::string_view name = line.substr(0, line.find(':'));
    request.headers.emplace_back(name, line.substr(std::min(name.size() + 1, line.size())));
  }
  request.body = text;
  return request;
}

bool is_json(const engine::HttpAnswer& answer) {
  return std::any_of(answer.headers.begin(), answer.headers.end(), [](const auto& header) {
    return header.name == "Content-Type" && header.value == "application/json";
  });
}

void check(const engine::HttpAnswer& answer) {
  require(answer.status >= 200 && answer.status <= 599);
  for (const auto& header : answer.headers) {
    require(header.value.find_first_of("\r\n") == std::string::npos);
  }
  if (!is_json(answer)) return;
  const auto value = json::parse_value(answer.body);
  require(static_cast<bool>(value));
  const json::Value* errors = value->find("errors");
  if (errors == nullptr) return;
  require(errors->as_array() != nullptr && errors->as_array()->size() == 1);
  const json::Value* message = errors->as_array()->front().find("message");
  require(message != nullptr && message->as_string() != nullptr);
  require(message->as_string()->find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* subject = new Subject;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  api::HttpRequest request = request_of(text, subject->id);
  const auto before = subject->host.engine().list();
  require(static_cast<bool>(before));

  request.identity = api::Identity{false, std::nullopt};
  check(subject->host.answer(request));
  const auto after = subject->host.engine().list();
  require(after && after->size() == before->size());

  request.identity = api::Identity{true, std::nullopt};
  check(subject->host.answer(request));
  if (!subject->host.engine().find(subject->id) || before->size() > kWebhooksMax) {
    delete subject;
    subject = new Subject;
  }
  return 0;
}
