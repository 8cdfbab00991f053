-- posthaste.core_ffi: the C functions for LuaJIT, one to one, made from declarations.lua when it is loaded. Called by the
-- Lua files beside it, not by users. The C module posthaste.core_c has the same functions by the same rules:
--
-- - The name is C's without `posthaste_`.
-- - Arguments are C's without sizes of strings, out parameters and the error object, of which a Lua state has one: the
--   functions error_* read it. Objects and strings may be nil, which C sees as null. What has the wrong type, is out of
--   range or holds a NUL where C would end the text raises an error that names the parameter.
-- - Results are C's, then the out parameters: objects as opaque values that free themselves, texts as strings, whole
--   numbers as numbers. An object that belongs to another comes as a copy.
-- - push_many and batch_export are as written below; set_log is left out, as other threads may not call Lua.
--
-- Which library: the name that a module `posthaste.library` returns, else the environment's POSTHASTE_LIBRARY, else
-- libposthaste.so.0. Functions that libposthaste_producer does not have answer E_UNSUPPORTED.
local ffi = require("ffi")
local declarations = require("posthaste.declarations")

local constants = declarations.constants
-- A second load in one state, after package.loaded was emptied, finds the types there.
if not pcall(ffi.typeof, "posthaste_t") then ffi.cdef(declarations.cdef) end

local function load_library()
  local is_chosen, name = pcall(require, "posthaste.library")
  if not is_chosen or type(name) ~= "string" then name = os.getenv("POSTHASTE_LIBRARY") or "libposthaste.so.0" end
  return ffi.load(name)
end

local library = load_library()

local function symbol(name)
  local is_there, found = pcall(function() return library[name] end)
  return is_there and found or nil
end

local error_object = ffi.gc(library.posthaste_error_new(), library.posthaste_error_free)

-- ---- Arguments

local function refuse(value, name, wanted)
  error(name .. " must be " .. wanted .. ", not " .. type(value), 0)
end

local function to_bytes(value, name)
  if value ~= nil and type(value) ~= "string" then refuse(value, name, "a string") end
  return value
end

local function to_text(value, name)
  if to_bytes(value, name) and value:find("\0", 1, true) then error(name .. " holds a NUL character", 0) end
  return value
end

local function to_number(value, name)
  if type(value) ~= "number" then refuse(value, name, "a number") end
  return value
end

local function to_whole(value, name, low, high)
  if type(value) ~= "number" then refuse(value, name, "a number") end
  -- Written so that NaN is out of range.
  if not (value >= low and value <= high and value < 2 ^ 63) then error(name .. " is out of range", 0) end
  if value % 1 ~= 0 then error(name .. " must be a whole number", 0) end
  return value
end

local function to_handle(value, name, kind)
  if value ~= nil and not ffi.istype(kind, value) then refuse(value, name, "posthaste's own object") end
  return value
end

-- ---- Results

local function give_box(pointer, free)
  if pointer == nil then return nil end
  return ffi.gc(pointer, free)
end

local function give_string(pointer)
  if pointer == nil then return nil end
  return ffi.string(pointer)
end

local function give_text(out)
  local text = out[0]
  if text == nil then return nil end
  local bytes = ffi.string(library.posthaste_text_data(text), library.posthaste_text_size(text))
  library.posthaste_text_free(text)
  out[0] = nil
  return bytes
end

-- ---- Functions

local INTEGERS = {
  int32_t = "-2147483648, 2147483647",
  int64_t = "-2^63, 2^63",
  uint64_t = "0, 2^63",
  size_t = "0, 2^63",
}
local LEFT_OUT = { set_log = true, error_new = true, error_free = true, push_many = true, batch_export = true }

local function parse_parameters(text)
  local found = {}
  for kind, name in text:gmatch("%s*([^,]-)%s*([%w_]+)%s*%f[,%z]") do
    if name ~= "void" then found[#found + 1] = { kind = (kind:gsub("^const ", "")), name = name } end
  end
  return found
end

-- Writes the wrapper's source: which parameters it has, what it hands to C, and what it returns.
local function plan(returns, parameters)
  local plan = { parameters = {}, checks = {}, arguments = {}, outs = {}, results = {} }
  local function add(list, text, ...) list[#list + 1] = text:format(...) end
  for i, parameter in ipairs(parameters) do
    local kind, name = parameter.kind, parameter.name
    local following = parameters[i + 1]
    if kind == "posthaste_error_t*" then
      add(plan.arguments, "error_object")
    elseif name == "size" and i > 1 then
      add(plan.arguments, "%s and #%s or 0", parameters[i - 1].name, parameters[i - 1].name)
    elseif kind:find("%*%*$") or name:find("^out_") then
      local cell = kind:gsub("%*$", "")
      add(plan.outs, "local %s = ffi.new('%s[1]')", name, cell)
      add(plan.arguments, "%s", name)
      if cell == "posthaste_text_t*" then
        add(plan.results, "give_text(%s)", name)
      elseif cell:find("%*$") then
        add(plan.results, "give_box(%s[0], library.%s_free)", name, cell:match("^(.*)_t%*$"))
      elseif name ~= "out_size" then
        add(plan.results, "tonumber(%s[0])", name)
      end
    else
      add(plan.parameters, "%s", name)
      add(plan.arguments, "%s", name)
      if kind == "char*" then
        local is_sized = following and following.name == "size"
        add(plan.checks, "%s(%s, '%s')", is_sized and "to_bytes" or "to_text", name, name)
      elseif kind == "double" then
        add(plan.checks, "to_number(%s, '%s')", name, name)
      elseif INTEGERS[kind] then
        add(plan.checks, "to_whole(%s, '%s', %s)", name, name, INTEGERS[kind])
      else
        add(plan.checks, "to_handle(%s, '%s', kinds['%s'])", name, name, kind)
      end
    end
  end
  return plan
end

local function wrapper_source(name, returns, parameters)
  local parts = plan(returns, parameters)
  local call = ("call(%s)"):format(table.concat(parts.arguments, ", "))
  local body
  if name == "free" or name:find("_free$") then
    body = ("if %s ~= nil then ffi.gc(%s, nil) call(%s) end"):format(parts.parameters[1], parts.parameters[1],
                                                                    parts.parameters[1])
  elseif returns == "void" then
    body = call
  elseif returns == "const char*" then
    body = call:find("out_size") and ("local result = %s return ffi.string(result, out_size[0])"):format(call)
      or ("return give_string(%s)"):format(call)
  elseif returns:find("%*$") then
    local kind = returns:gsub("^const ", ""):match("^(.*)_t%*$")
    -- What belongs to another object would not outlive it.
    if returns:find("^const ") then call = ("library.%s_copy(%s)"):format(kind, call) end
    body = ("return give_box(%s, library.%s_free)"):format(call, kind)
  else
    table.insert(parts.results, 1, "tonumber(result)")
    body = ("local result = %s return %s"):format(call, table.concat(parts.results, ", "))
  end
  return ([[
local call, ffi, library, error_object, kinds, to_bytes, to_text, to_number, to_whole, to_handle, give_box, give_string,
  give_text = ...
%s
return function(%s)
  %s
  %s
end]]):format(table.concat(parts.outs, "\n"), table.concat(parts.parameters, ", "), table.concat(parts.checks, "\n  "), body)
end

local kinds = {}
for name in declarations.cdef:gmatch("([%w_]+);\n") do
  if name:find("_t$") then kinds[name .. "*"] = ffi.typeof(name .. "*") end
end

local function make(name, returns, parameters)
  local call = symbol("posthaste_" .. name)
  if not call then
    return function() return returns == "int32_t" and constants.E_UNSUPPORTED or nil end
  end
  local source = wrapper_source(name, returns, parameters)
  return assert(loadstring(source, "=posthaste." .. name))(call, ffi, library, error_object, kinds, to_bytes, to_text,
    to_number, to_whole, to_handle, give_box, give_string, give_text)
end

local core = { constants = constants, kind = "ffi" }
for returns, name, parameters in declarations.cdef:gmatch("\n([%w_ %*]-)%s*posthaste_([%w_]+)%(([^)\n]*)%);") do
  if not LEFT_OUT[name] and not name:find("^text_") then
    core[name] = make(name, returns, parse_parameters(parameters))
  end
end

-- push_many(ph, type, lines, codes_count) -> code, consumed, codes
function core.push_many(ph, type, lines, codes_count)
  to_handle(ph, "ph", kinds["posthaste_t*"])
  to_text(type, "type")
  to_bytes(lines, "lines")
  to_whole(codes_count, "codes_count", 0, 2147483647)
  local codes = ffi.new("int32_t[?]", codes_count + 1, -1)
  -- One value fills the whole array, as -1 is no code.
  ffi.fill(codes, ffi.sizeof(codes), 0xff)
  local consumed = ffi.new("size_t[1]")
  local code = library.posthaste_push_many(ph, type, lines, lines and #lines or 0, consumed, codes, codes_count)
  local found = {}
  for i = 0, codes_count - 1 do
    if codes[i] < 0 then break end
    found[i + 1] = codes[i]
  end
  return code, tonumber(consumed[0]), found
end

-- batch_export(ph, batch_id, write) -> code, events. write(piece) returns false, or raises an error, to end it.
function core.batch_export(ph, batch_id, write)
  to_handle(ph, "ph", kinds["posthaste_t*"])
  to_text(batch_id, "batch_id")
  if type(write) ~= "function" then refuse(write, "write", "a function") end
  local write_piece = symbol("posthaste_batch_export") and ffi.cast("posthaste_write_fn", function(data, size)
    local is_done, answer = pcall(write, ffi.string(data, size))
    return is_done and answer ~= false and 0 or 1
  end)
  if not write_piece then return constants.E_UNSUPPORTED, 0 end
  local events = ffi.new("uint64_t[1]")
  local code = library.posthaste_batch_export(ph, batch_id, events, error_object, write_piece, nil)
  write_piece:free()
  return code, tonumber(events[0])
end
-- A compiled call of C may not call back.
jit.off(core.batch_export)

return core
