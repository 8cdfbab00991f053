// Names and values as HTML forms write them (application/x-www-form-urlencoded), which OAuth 2
// wants for token requests (RFC 6749, appendix B). Used by the key oauth2.parameters, the REST
// shape and the token request.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthaste::core {

using FormFields = std::vector<std::pair<std::string, std::string>>;

std::string format_form(const FormFields& fields);
// Nothing for a text that is no form: an item without a name or `=`, a broken escape, a control
// character. Empty for an empty text.
std::optional<FormFields> parse_form(std::string_view text);

}  // namespace posthaste::core
