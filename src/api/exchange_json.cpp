#include "api/exchange_json.h"

#include <algorithm>
#include <string>
#include <vector>

#include "config/text_rules.h"

namespace posthaste::api {
namespace {

// An object has a name once: values of a repeated header are joined (RFC 9110, section 5.3).
void write_headers(json::Writer& writer, const std::vector<transport::HeaderField>& headers) {
  std::vector<transport::HeaderField> joined;
  for (const transport::HeaderField& header : headers) {
    const auto same = std::find_if(joined.begin(), joined.end(), [&](const auto& each) {
      return config::equal_ignoring_case(each.name, header.name);
    });
    if (same == joined.end()) {
      joined.push_back(header);
    } else {
      same->value += ", " + header.value;
    }
  }
  writer.key("headers").begin_object();
  for (const transport::HeaderField& header : joined) writer.string(header.name, header.value);
  writer.end_object();
}

}  // namespace

void write_response(json::Writer& writer, const engine::VerifyAnswer& answer) {
  writer.key("response").begin_object();
  writer.int64("status", answer.status);
  write_headers(writer, answer.headers);
  writer.string("body", answer.body);
  writer.end_object();
}

void write_request(json::Writer& writer, const engine::VerifyAnswer& answer) {
  writer.key("request").begin_object();
  writer.string("method", "POST");
  writer.string("url", answer.sent_url);
  write_headers(writer, answer.sent_headers);
  writer.string("body", answer.sent_body);
  writer.end_object();
}

}  // namespace posthaste::api
