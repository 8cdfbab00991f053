-- posthaste.json: JSON to tables, for what the library answers (reports, statistics, webhooks), and tables to JSON, for
-- descriptions of webhooks. Events do not come here: the library's own builder writes them.
--
-- An array is a table with the metatable `json.array_mt`, so that an empty one goes back as it came. A null among an
-- object's members leaves the member out.
local json = { array_mt = { __name = "posthaste.array" } }

-- What stands for JSON's null in tables that are written.
json.null = setmetatable({}, { __tostring = function() return "null" end })

-- As deep as the library reads.
local DEPTH_MAX = 64

-- Marks a table, or a new one, as an array; only an empty one needs it.
function json.array(items)
  return setmetatable(items or {}, json.array_mt)
end

-- Whether a table is written as an array. Raises an error for one that is neither array nor object; `name` names it.
function json.is_array(value, name)
  if getmetatable(value) == json.array_mt then return true end
  if rawget(value, 1) == nil then
    local key = next(value)
    while key ~= nil do
      if type(key) ~= "string" then error(name .. ": a table is an array from 1 on, or has strings as keys", 0) end
      key = next(value, key)
    end
    return false
  end
  local count, key = 0, next(value)
  while key ~= nil do
    count = count + 1
    if type(key) ~= "number" then error(name .. ": a table is an array, or has strings as keys, not both", 0) end
    key = next(value, key)
  end
  if count ~= #value then error(name .. ": the array has holes", 0) end
  return true
end

-- Whether a number is written without a fraction: an integer, or a float that equals one.
function json.is_whole(value)
  return value % 1 == 0 and value >= -2 ^ 63 and value < 2 ^ 63
end

-- ---- Writing

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

local write

local function write_table(out, value, name, depth)
  if depth == DEPTH_MAX then error(name .. " is nested deeper than 64, or holds itself", 0) end
  local is_array = json.is_array(value, name)
  out[#out + 1] = is_array and "[" or "{"
  local is_first = true
  if is_array then
    for i = 1, #value do
      if i > 1 then out[#out + 1] = "," end
      write(out, value[i], name, depth + 1)
    end
  else
    for key, member in next, value do
      if not is_first then out[#out + 1] = "," end
      is_first = false
      write(out, key, name, depth + 1)
      out[#out + 1] = ":"
      write(out, member, name, depth + 1)
    end
  end
  out[#out + 1] = is_array and "]" or "}"
end

function write(out, value, name, depth)
  local kind = type(value)
  if value == json.null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    -- %z is NUL for Lua 5.1, which ends patterns there; %c has it in later ones.
    out[#out + 1] = '"' .. value:gsub('[%c%z"\\]', escape) .. '"'
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "number" then
    if json.is_whole(value) then
      out[#out + 1] = ("%.0f"):format(value)
    elseif value ~= value or value == math.huge or value == -math.huge then
      error(name .. " is not a finite number", 0)
    else
      out[#out + 1] = ("%.17g"):format(value)
    end
  elseif kind == "table" then
    write_table(out, value, name, depth)
  else
    error(name .. " cannot be a " .. kind, 0)
  end
end

-- Returns the JSON text of a value. Raises an error, which begins with `name`, for what JSON does not have.
function json.encode(value, name)
  local out = {}
  write(out, value, name, 0)
  return table.concat(out)
end

-- ---- Reading

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8_text(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xc0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
  if code < 0x10000 then
    return string.char(0xe0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return string.char(0xf0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40,
                     0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

local function unescape(text)
  text = text:gsub("\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", function(high, low)
    return utf8_text(0x10000 + (tonumber(high, 16) - 0xd800) * 0x400 + tonumber(low, 16) - 0xdc00)
  end)
  return (text:gsub("\\(.)(%x?%x?%x?%x?)", function(letter, digits)
    if letter == "u" then return utf8_text(tonumber(digits, 16)) end
    return UNESCAPES[letter] .. digits
  end))
end

local read

local function bad(position)
  error("the library's JSON is not understood at byte " .. position, 0)
end

local function read_string(text, position)
  local from = position + 1
  local at = from
  while true do
    local stop = text:find('["\\]', at)
    if not stop then bad(position) end
    if text:byte(stop) == 34 then
      local inside = text:sub(from, stop - 1)
      return inside:find("\\", 1, true) and unescape(inside) or inside, stop + 1
    end
    at = stop + 2
  end
end

local function skip(text, position)
  return text:find("[^ \t\r\n]", position) or #text + 1
end

local function read_array(text, position)
  local items = json.array()
  position = skip(text, position + 1)
  if text:sub(position, position) == "]" then return items, position + 1 end
  while true do
    local value
    value, position = read(text, position)
    items[#items + 1] = value == nil and json.null or value
    position = skip(text, position)
    local mark = text:sub(position, position)
    if mark == "]" then return items, position + 1 end
    if mark ~= "," then bad(position) end
    position = position + 1
  end
end

local function read_object(text, position)
  local members = {}
  position = skip(text, position + 1)
  if text:sub(position, position) == "}" then return members, position + 1 end
  while true do
    local key, value
    key, position = read(text, position)
    position = skip(text, position)
    if type(key) ~= "string" or text:sub(position, position) ~= ":" then bad(position) end
    value, position = read(text, position + 1)
    members[key] = value
    position = skip(text, position)
    local mark = text:sub(position, position)
    if mark == "}" then return members, position + 1 end
    if mark ~= "," then bad(position) end
    position = skip(text, position + 1)
  end
end

local WORDS = { ["true"] = true, ["false"] = false }

function read(text, position)
  position = skip(text, position)
  local mark = text:sub(position, position)
  if mark == "{" then return read_object(text, position) end
  if mark == "[" then return read_array(text, position) end
  if mark == '"' then return read_string(text, position) end
  local stop = text:find("[^%w+.-]", position) or #text + 1
  local word = text:sub(position, stop - 1)
  if word == "null" then return nil, stop end
  local value = WORDS[word]
  if value == nil then value = tonumber(word) end
  if value == nil then bad(position) end
  return value, stop
end

-- Returns the value of a JSON text that the library wrote. Raises an error for anything else.
function json.decode(text)
  local value, position = read(text, 1)
  if skip(text, position) <= #text then bad(position) end
  return value
end

return json
