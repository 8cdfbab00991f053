// Result<T> carries an expected failure: a code of the public header's ranges, one line of text,
// and the key or field that is to blame. Everything above the core returns it; nothing throws
// across a module.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace posthaste::core {

// Values equal POSTHASTE_E_* of the public header (a test in tests/unit/capi pins the equality).
enum class ErrorCode : int32_t {
  Ok = 0,
  Invalid = 1,
  State = 2,
  Forked = 3,
  NoMemory = 4,
  Timeout = 5,
  Empty = 6,
  QueueFull = 7,
  Internal = 8,
  System = 9,
  TlsBackend = 10,
  Unsupported = 11,
  UnknownKey = 100,
  BadValue = 101,
  NotChangeable = 102,
  NotFound = 200,
  Exists = 201,
  VerifyFailed = 202,
  BadTarget = 203,
  BadEvents = 204,
  BadHeader = 205,
  MissingField = 206,
  BadFile = 207,
  BadJson = 300,
  BadUtf8 = 301,
  UnknownType = 302,
  TypeMismatch = 303,
  TooLarge = 304,
  TooDeep = 305,
  DuplicateKey = 306,
  BadField = 307,
  SpoolFull = 400,
  SpoolIo = 401,
};

struct Error {
  ErrorCode code = ErrorCode::Ok;
  std::string message;  // one line, lower case start, no trailing stop
  std::string key;      // the offending key, field or header; empty when there is none
};

template <typename T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result() requires std::default_initializable<T> : value_(std::in_place_index<0>) {}
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}
  Result(ErrorCode code, std::string message, std::string key = {})
      : value_(std::in_place_index<1>, Error{code, std::move(message), std::move(key)}) {}

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() { return *std::get_if<0>(&value_); }
  const T& value() const { return *std::get_if<0>(&value_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  const T& operator*() const { return value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return *std::get_if<1>(&value_); }
  ErrorCode code() const { return ok() ? ErrorCode::Ok : error().code; }

 private:
  std::variant<T, Error> value_;
};

}  // namespace posthaste::core
