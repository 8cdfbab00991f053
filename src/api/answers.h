// Answers of the REST API: results, and every form of error of spec/momentum.md, sections 7 and 8.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "engine/report.h"

namespace posthaste::api {

using engine::HttpAnswer;

// One entry of `errors`; empty members are left out.
struct ApiError {
  int32_t status = 400;
  std::string message;
  std::string description = {};
  std::string_view code = {};
  std::string_view parameter = {};  // as `param`
  std::string value = {};
};

// The table of section 8, where a text is always the same.
ApiError unauthorized();
ApiError forbidden();
ApiError not_found();
ApiError invalid_uri();

HttpAnswer json_answer(int32_t status, std::string body);
// {"results": <json>}
HttpAnswer results_answer(std::string_view json);
HttpAnswer empty_answer();  // 204
HttpAnswer error_answer(const ApiError& error);
// "invalid data format/type" and the like, with the words of the check that refused.
HttpAnswer bad_field(std::string description);
HttpAnswer missing_field(std::string_view field);
HttpAnswer bad_parameter(std::string description);

// An error of the engine. `is_stored`: it was found when all fields were looked at together.
HttpAnswer engine_error(const core::Error& error, bool is_together = false);

// A test POST or token request that failed. With details also what was sent, and the error in more
// words.
HttpAnswer verify_error(const engine::Outcome& outcome, bool has_details);

}  // namespace posthaste::api
