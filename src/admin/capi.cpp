// The C functions of posthaste/admin.h: null checks, the fork check, no exception.
#include "posthaste/admin.h"

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "admin/listener.h"
#include "admin/settings.h"

using posthaste::core::ErrorCode;
using posthaste::core::Result;
namespace admin = posthaste::admin;

struct posthaste_admin_conf {
  admin::Conf conf;
};

struct posthaste_admin {
  std::unique_ptr<admin::Listener> listener;
};

namespace {

int32_t answer(posthaste_error_t* error, ErrorCode code, const char* message,
               const char* key = "") noexcept {
  posthaste_error_set(error, static_cast<int32_t>(code), message, key);
  return static_cast<int32_t>(code);
}

// Runs `call` once `pointer`, the parameter `name`, is there.
template <typename Call>
int32_t guarded(const char* name, const void* pointer, posthaste_error_t* error,
                const Call& call) noexcept {
  try {
    if (!pointer) return answer(error, ErrorCode::Invalid, "a null pointer", name);
    const Result<> result = call();
    if (result) return answer(error, ErrorCode::Ok, "");
    return answer(error, result.code(), result.error().message.c_str(), result.error().key.c_str());
  } catch (const std::bad_alloc&) {
    return answer(error, ErrorCode::NoMemory, "out of memory");
  } catch (const std::exception& exception) {
    return answer(error, ErrorCode::Internal, exception.what());
  }
}

constexpr char kForked[] = "the listener was started in the parent of this process";

// Only the engine itself knows.
bool is_forked(posthaste_t* ph) {
  posthaste_text_t* value = nullptr;
  const int32_t code = posthaste_get(ph, "log.reports", &value, nullptr);
  posthaste_text_free(value);
  return code == POSTHASTE_E_FORKED;
}

Result<> start(posthaste_t* ph, const posthaste_admin_conf_t* conf, posthaste_admin_t** out) {
  if (is_forked(ph)) {
    return {ErrorCode::Forked, "the engine was started in the parent of this process"};
  }
  auto settings = (conf ? conf->conf : admin::Conf()).finalize();
  if (!settings) return settings.error();
  auto handle = std::make_unique<posthaste_admin>();
  handle->listener = std::make_unique<admin::Listener>(ph, std::move(*settings));
  if (auto started = handle->listener->start(); !started) return started;
  *out = handle.release();
  return {};
}

}  // namespace

posthaste_admin_conf_t* posthaste_admin_conf_new(void) {
  return new (std::nothrow) posthaste_admin_conf;
}

void posthaste_admin_conf_free(posthaste_admin_conf_t* conf) {
  delete conf;
}

int32_t posthaste_admin_conf_set(posthaste_admin_conf_t* conf, const char* key, const char* value,
                                 posthaste_error_t* error) {
  return guarded("conf", conf, error, [&]() -> Result<> {
    if (!key) return {ErrorCode::Invalid, "a null pointer", "key"};
    return conf->conf.set(key, value ? std::optional<std::string_view>(value) : std::nullopt);
  });
}

const char* posthaste_admin_conf_get(const posthaste_admin_conf_t* conf, const char* key) {
  return conf && key ? conf->conf.get(key) : nullptr;
}

int32_t posthaste_admin_conf_mount(posthaste_admin_conf_t* conf, const char* prefix,
                                   posthaste_admin_handler_fn handler, void* user_data,
                                   posthaste_error_t* error) {
  return guarded("conf", conf, error, [&]() -> Result<> {
    if (!prefix) return {ErrorCode::Invalid, "a null pointer", "prefix"};
    if (!handler) return {ErrorCode::Invalid, "a null pointer", "handler"};
    return conf->conf.mount({prefix, handler, user_data});
  });
}

int32_t posthaste_admin_start(posthaste_t* ph, const posthaste_admin_conf_t* conf,
                              posthaste_admin_t** out, posthaste_error_t* error) {
  if (out) *out = nullptr;
  return guarded("ph", ph, error, [&]() -> Result<> {
    if (!out) return {ErrorCode::Invalid, "a null pointer", "out"};
    return start(ph, conf, out);
  });
}

int32_t posthaste_admin_port(const posthaste_admin_t* admin) {
  return admin && !admin->listener->is_forked() ? admin->listener->port() : 0;
}

const char* posthaste_admin_url(const posthaste_admin_t* admin) {
  return admin ? admin->listener->url().c_str() : "";
}

int32_t posthaste_admin_stop(posthaste_admin_t* admin, int32_t timeout_ms,
                             posthaste_error_t* error) {
  return guarded("admin", admin, error, [&]() -> Result<> {
    if (admin->listener->is_forked()) return {ErrorCode::Forked, kForked};
    // A negative time-out waits without limit: a century does.
    const std::chrono::hours century(24 * 365 * 100);
    return admin->listener->stop(timeout_ms < 0 ? posthaste::core::Duration(century)
                                                : std::chrono::milliseconds(timeout_ms));
  });
}

void posthaste_admin_free(posthaste_admin_t* admin) {
  if (!admin) return;
  if (admin->listener->is_forked()) admin->listener.release()->leave_to_parent();
  delete admin;
}
