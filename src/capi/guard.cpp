#include "capi/guard.h"

#include <exception>
#include <new>

namespace posthaste::capi {

using core::ErrorCode;

core::Error null_argument(const char* name) {
  return {ErrorCode::Invalid, std::string("parameter '") + name + "' is null", name};
}

core::Error forked() {
  return {ErrorCode::Forked, "the engine was started in the parent of this process", {}};
}

void reset(posthaste_error_t* error) noexcept {
  if (error == nullptr) return;
  error->error.code = ErrorCode::Ok;
  error->error.message.clear();
  error->error.key.clear();
  error->verify_answer.reset();
}

int32_t answer(posthaste_error_t* error, const core::Error& answered) noexcept {
  if (error != nullptr) {
    reset(error);
    error->error.code = answered.code;
    value_or(false, [&] {
      error->error.message = answered.message;
      error->error.key = answered.key;
      return true;
    });
  }
  return static_cast<int32_t>(answered.code);
}

int32_t answer(posthaste_error_t* error, const engine::Outcome& outcome) noexcept {
  const int32_t code = answer(error, outcome.error);
  if (error != nullptr && code != POSTHASTE_OK) error->verify_answer = outcome.verify_answer;
  return code;
}

int32_t answer_exception(const char* where, posthaste_error_t* error) noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    // Short enough to need no memory.
    return answer(error, core::Error{ErrorCode::NoMemory, "out of memory", {}});
  } catch (const std::exception& exception) {
    return value_or(POSTHASTE_E_INTERNAL + 0, [&] {
      return answer(
          error,
          core::Error{ErrorCode::Internal, std::string(where) + ": " + exception.what(), {}});
    });
  } catch (...) {
    return value_or(POSTHASTE_E_INTERNAL + 0, [&] {
      return answer(
          error,
          core::Error{ErrorCode::Internal, std::string(where) + ": an unknown exception", {}});
    });
  }
}

}  // namespace posthaste::capi
