#include "api/key_shape.h"

#include "json/writer.h"

namespace posthaste::api {

std::string key_json(const engine::ApiKey& key, const std::string* secret) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object();
  writer.string("id", key.id);
  writer.string("name", key.name);
  writer.string("grant", key.may_modify ? "modify" : "view");
  writer.key("subaccount");
  if (key.subaccount) {
    writer.uint64(*key.subaccount);
  } else {
    writer.null();
  }
  writer.int64("created_ms", core::unix_ms(key.created));
  if (secret != nullptr) writer.string("key", *secret);
  writer.end_object();
  return text;
}

std::string keys_json(const std::vector<engine::ApiKey>& keys) {
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const engine::ApiKey& key : keys) writer.raw(key_json(key));
  writer.end_array();
  return text;
}

}  // namespace posthaste::api
