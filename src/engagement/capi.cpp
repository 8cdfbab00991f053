// The C functions of posthaste/engagement.h: null checks, no exception.
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "engagement/engagement.h"
#include "engagement/settings.h"
#include "posthaste/engagement.h"

using posthaste::core::ErrorCode;
using posthaste::core::Result;
namespace engagement = posthaste::engagement;

struct posthaste_engagement_conf {
  engagement::Conf conf;
};

struct posthaste_engagement {
  engagement::Engagement engagement;
};

namespace {

// On every answer. Nothing of it may be kept, framed or indexed, and nothing it leads to learns the
// link.
constexpr const char* kHeaders[][2] = {
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Robots-Tag", "noindex, nofollow"},
    {"Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'"}};

int32_t answer(posthaste_error_t* error, ErrorCode code, const char* message,
               const char* key = "") noexcept {
  posthaste_error_set(error, static_cast<int32_t>(code), message, key);
  return static_cast<int32_t>(code);
}

struct Argument {
  const char* name;
  const void* pointer;
};

// Runs `call` once the arguments are there.
template <typename Call>
int32_t guarded(std::initializer_list<Argument> arguments, posthaste_error_t* error,
                const Call& call) noexcept {
  try {
    for (const Argument& argument : arguments) {
      if (!argument.pointer) {
        return answer(error, ErrorCode::Invalid, "a null pointer", argument.name);
      }
    }
    const Result<> result = call();
    if (result) return answer(error, ErrorCode::Ok, "");
    return answer(error, result.code(), result.error().message.c_str(), result.error().key.c_str());
  } catch (const std::bad_alloc&) {
    return answer(error, ErrorCode::NoMemory, "out of memory");
  } catch (const std::exception& exception) {
    return answer(error, ErrorCode::Internal, exception.what());
  }
}

Result<> give_text(posthaste_text_t** out, const Result<std::string>& text) {
  if (!text) return text.error();
  *out = posthaste_text_new(text->data(), text->size());
  return *out ? Result<>() : Result<>(ErrorCode::NoMemory, "out of memory", "");
}

struct ResponseFree {
  void operator()(posthaste_response_t* response) const { posthaste_response_free(response); }
};
using Response = std::unique_ptr<posthaste_response_t, ResponseFree>;

Result<> give_response(posthaste_response_t** out, const engagement::Answer& made) {
  Response response(posthaste_response_new(made.status));
  int32_t code = response ? POSTHASTE_OK : POSTHASTE_E_NO_MEMORY;
  const auto add = [&](const char* name, const std::string& value) {
    if (code == POSTHASTE_OK) {
      code = posthaste_response_add_header(response.get(), name, value.c_str());
    }
  };
  for (const auto& [name, value] : kHeaders) add(name, value);
  if (!made.header_name.empty()) add(made.header_name.c_str(), made.header_value);
  if (!made.content_type.empty()) add("Content-Type", made.content_type);
  if (code == POSTHASTE_OK) {
    code = posthaste_response_set_body(response.get(), made.body.data(), made.body.size());
  }
  if (code != POSTHASTE_OK) return {static_cast<ErrorCode>(code), posthaste_strerror(code), ""};
  *out = response.release();
  return {};
}

std::optional<engagement::LinkKind> kind_of(int32_t kind) {
  if (kind < POSTHASTE_LINK_CLICK || kind > POSTHASTE_LINK_INITIAL_OPEN) return std::nullopt;
  return static_cast<engagement::LinkKind>(kind);
}

}  // namespace

posthaste_engagement_conf_t* posthaste_engagement_conf_new(void) {
  return new (std::nothrow) posthaste_engagement_conf;
}

void posthaste_engagement_conf_free(posthaste_engagement_conf_t* conf) {
  delete conf;
}

int32_t posthaste_engagement_conf_set(posthaste_engagement_conf_t* conf, const char* key,
                                      const char* value, posthaste_error_t* error) {
  return guarded({{"conf", conf}, {"key", key}}, error, [&] {
    return conf->conf.set(key, value ? std::optional<std::string_view>(value) : std::nullopt);
  });
}

const char* posthaste_engagement_conf_get(const posthaste_engagement_conf_t* conf,
                                          const char* key) {
  return conf && key ? conf->conf.get(key) : nullptr;
}

int32_t posthaste_engagement_new(const posthaste_engagement_conf_t* conf,
                                 posthaste_engagement_t** out, posthaste_error_t* error) {
  if (out) *out = nullptr;
  return guarded({{"conf", conf}, {"out", out}}, error, [&]() -> Result<> {
    auto settings = conf->conf.finalize();
    if (!settings) return settings.error();
    *out = new posthaste_engagement{engagement::Engagement(std::move(*settings))};
    return {};
  });
}

void posthaste_engagement_free(posthaste_engagement_t* engagement) {
  delete engagement;
}

int32_t posthaste_engagement_url(const posthaste_engagement_t* engagement, int32_t kind,
                                 const char* context, const char* target, const char* name,
                                 posthaste_text_t** out, posthaste_error_t* error) {
  if (out) *out = nullptr;
  return guarded(
      {{"engagement", engagement}, {"context", context}, {"out", out}}, error, [&]() -> Result<> {
        const auto link_kind = kind_of(kind);
        if (!link_kind) {
          return {ErrorCode::Invalid, "kind is none of POSTHASTE_LINK_*", "kind"};
        }
        return give_text(out, engagement->engagement.make_url(
                                  *link_kind, context, target ? target : "", name ? name : ""));
      });
}

int32_t posthaste_engagement_rewrite(const posthaste_engagement_t* engagement, const char* html,
                                     size_t size, const char* context, int32_t parts,
                                     posthaste_text_t** out, posthaste_error_t* error) {
  if (out) *out = nullptr;
  const char* const bytes = size == 0 ? "" : html;
  return guarded(
      {{"engagement", engagement}, {"html", bytes}, {"context", context}, {"out", out}}, error,
      [&]() -> Result<> {
        if ((parts & ~POSTHASTE_REWRITE_ALL) != 0) {
          return {ErrorCode::Invalid, "parts has bits that are none of POSTHASTE_REWRITE_*",
                  "parts"};
        }
        const engagement::Tracking tracking{(parts & POSTHASTE_REWRITE_OPEN) != 0,
                                            (parts & POSTHASTE_REWRITE_LINKS) != 0,
                                            (parts & POSTHASTE_REWRITE_INITIAL_OPEN) != 0};
        return give_text(out, engagement->engagement.rewrite({bytes, size}, context, tracking));
      });
}

int32_t posthaste_engagement_handle(posthaste_engagement_t* engagement, posthaste_t* ph,
                                    const posthaste_request_t* request, int32_t timeout_ms,
                                    posthaste_response_t** out, posthaste_error_t* error) {
  if (out) *out = nullptr;
  return guarded(
      {{"engagement", engagement}, {"ph", ph}, {"request", request}, {"out", out}}, error,
      [&] { return give_response(out, engagement->engagement.handle(ph, request, timeout_ms)); });
}
