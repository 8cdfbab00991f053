// The way through the C boundary: null checks, the fork check, no exception. Every function of the
// public header that can fail is one call of a template below; getters use value_or.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "capi/handles.h"
#include "core/result.h"
#include "engine/report.h"

namespace posthaste::capi {

// A pointer parameter that must not be null.
struct Argument {
  const char* name;
  const void* pointer;
};

// The name of the first that is null; null when there is none.
constexpr const char* first_null(std::initializer_list<Argument> arguments) {
  for (const Argument& argument : arguments) {
    if (argument.pointer == nullptr) return argument.name;
  }
  return nullptr;
}

core::Error null_argument(const char* name);
core::Error forked();

// Writes an answer into the error object, which may be null, and gives its code. Where memory for
// the words is short, the code stands alone.
int32_t answer(posthaste_error_t* error, const core::Error& answered) noexcept;
int32_t answer(posthaste_error_t* error, const engine::Outcome& outcome) noexcept;
template <typename T>
int32_t answer(posthaste_error_t* error, const core::Result<T>& result) noexcept {
  return result ? POSTHASTE_OK : answer(error, result.error());
}
// Calls without an error object.
inline int32_t answer(posthaste_error_t*, core::ErrorCode code) noexcept {
  return static_cast<int32_t>(code);
}

void reset(posthaste_error_t* error) noexcept;

// Inside a catch block: the exception as an answer. `where` is the function's name.
int32_t answer_exception(const char* where, posthaste_error_t* error) noexcept;

// Runs `call`, which gives anything that answer takes, once the arguments are there.
template <typename Call>
int32_t guarded(const char* where, std::initializer_list<Argument> arguments,
                posthaste_error_t* error, const Call& call) noexcept {
  reset(error);
  try {
    if (const char* name = first_null(arguments)) return answer(error, null_argument(name));
    return answer(error, call());
  } catch (...) {
    return answer_exception(where, error);
  }
}

// The same for a call of an engine, which a forked child must not touch.
template <typename Call>
int32_t with_engine(const char* where, const posthaste_t* ph,
                    std::initializer_list<Argument> arguments, posthaste_error_t* error,
                    const Call& call) noexcept {
  reset(error);
  try {
    if (ph == nullptr) return answer(error, null_argument("ph"));
    if (ph->engine->is_forked()) return answer(error, forked());
    if (const char* name = first_null(arguments)) return answer(error, null_argument(name));
    return answer(error, call(*ph->engine));
  } catch (...) {
    return answer_exception(where, error);
  }
}

// What `call` gives, or the fallback when it throws.
template <typename T, typename Call>
T value_or(T fallback, const Call& call) noexcept {
  try {
    return call();
  } catch (...) {
    return fallback;
  }
}

// A new handle, or null when memory is short.
template <typename Handle, typename... Parts>
Handle* make_handle(Parts&&... parts) noexcept {
  return value_or<Handle*>(nullptr, [&] {
    return std::make_unique<Handle>(Handle{std::forward<Parts>(parts)...}).release();
  });
}

// Out parameters hold nothing until the call has succeeded.
template <typename T>
void clear(T* out) noexcept {
  if (out != nullptr) *out = T{};
}

inline std::optional<std::string_view> optional_text(const char* text) {
  return text != nullptr ? std::optional<std::string_view>(text) : std::nullopt;
}

// Hands a text to the caller.
inline void give_text(posthaste_text_t** out, std::string text) {
  *out = std::make_unique<posthaste_text>(posthaste_text{std::move(text)}).release();
}

// Hands the outcome of a call that makes a text to the caller.
inline core::Result<> give_text(posthaste_text_t** out, core::Result<std::string> text) {
  if (!text) return text.error();
  give_text(out, std::move(*text));
  return {};
}

// Hands a number to the caller.
inline core::Result<> give_number(uint64_t* out, const core::Result<uint64_t>& number) {
  if (!number) return number.error();
  *out = *number;
  return {};
}

}  // namespace posthaste::capi
