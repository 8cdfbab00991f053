-- posthaste.result: how every function of the module ends. Success is the result, or true when there is none; failure is
-- `nil, message, code`, and a table with details behind it when a webhook's verification failed. Nothing raises an error:
-- an argument of a wrong type is E_INVALID.
local core = require("posthaste.core")

local result = {}
local constants = core.constants

local PHASES = { [0] = "none", "dns", "connect", "tls", "timeout", "http" }

-- What the receiver answered to the test request.
local function verification_details()
  local headers = {}
  for i = 0, core.error_header_count() - 1 do
    headers[i + 1] = { name = core.error_header_name(i), value = core.error_header_value(i) }
  end
  return { phase = PHASES[core.error_phase()], network_name = core.error_network_name(), status = core.error_status(),
           headers = headers, body = core.error_body() }
end

-- A failure of the code alone.
function result.failure(code, message)
  return nil, message or core.strerror(code), code
end

-- A failure that the last call with an error object explained.
function result.explained_failure(code)
  if core.error_code() ~= code or core.error_message() == "" then return result.failure(code) end
  if code == constants.E_VERIFY_FAILED then return nil, core.error_message(), code, verification_details() end
  return nil, core.error_message(), code
end

local function settle(fail, is_called, code, first, second)
  if not is_called then return result.failure(constants.E_INVALID, tostring(code)) end
  if code ~= constants.OK then return fail(code) end
  if first == nil then return true end
  return first, second
end

-- Calls a function of the core that explains its failures.
function result.call(fn, ...)
  return settle(result.explained_failure, pcall(fn, ...))
end

-- Likewise one that has only its code.
function result.call_plain(fn, ...)
  return settle(result.failure, pcall(fn, ...))
end

local function settle_value(is_called, ...)
  if is_called then return ... end
  return result.failure(constants.E_INVALID, tostring((...)))
end

-- Calls a function of the module whose results are final already; what it raises is E_INVALID.
function result.guard(fn, ...)
  return settle_value(pcall(fn, ...))
end

return result
