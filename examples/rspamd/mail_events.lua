-- mail_events: an rspamd plugin that pushes injection and policy_rejection events, one for each recipient of a message,
-- with the score and the symbols in `rcpt_meta`. README.md says how to install it and where each field comes from.
--
-- Each worker that scans mail has a producer of its own, made after the fork: it writes events into the spool directory,
-- from where `posthaste serve` delivers them. `push` returns when the event is in the file, before rspamd answers, so that
-- what rspamd answered survives the death of the worker. Nothing here waits for the network, and mail goes on when the
-- spool is full: rspamd's log says then what was lost.
local rspamd_hash = require("rspamd_cryptobox_hash")
local rspamd_logger = require("rspamd_logger")
local rspamd_util = require("rspamd_util")

local MODULE = "mail_events"
-- What the client of the mail server is told, and so what the event is. Every other action lets the message in.
local REFUSALS = {
  reject = { code = "554", text = "Spam message rejected" },
  ["soft reject"] = { code = "451", text = "Try again later" },
  discard = { code = "250", text = "the message was taken and dropped" },
}
-- Bounce class "Admin Failure": a policy of this server.
local POLICY_CLASS = "25"
-- Failures are logged this often; in between they are counted.
local LOG_EVERY_S = 60

local settings = rspamd_config:get_all_opt(MODULE)
if not (settings and settings.enabled ~= false and settings.spool_dir) then
  rspamd_logger.infox(rspamd_config, "%s: not enabled, or spool_dir is missing", MODULE)
  return
end

if settings.lua_path then package.path = settings.lua_path .. "/?.lua;" .. package.path end
package.preload["posthaste.library"] = function() return settings.library or "libposthaste_producer.so.0" end
local posthaste = require("posthaste")

local hostname = rspamd_util.get_hostname()

-- ---- The producer

local producer
local injection, rejection
local failures, logged_at = 0, 0

local function complain(message)
  failures = failures + 1
  local now = rspamd_util.get_time()
  if now - logged_at < LOG_EVERY_S then return end
  rspamd_logger.errx(rspamd_config, "%s: %s events lost, the last one: %s", MODULE, failures, message)
  failures, logged_at = 0, now
end

local function make_producer()
  local conf = { role = "producer", ["spool.dir"] = settings.spool_dir }
  for key, value in pairs(settings.settings or {}) do conf[key] = value end
  local engine, message = posthaste.new(conf)
  local is_started
  if engine then is_started, message = engine:start() end
  if not is_started then
    rspamd_logger.errx(rspamd_config, "%s: no events: %s", MODULE, message)
    return
  end
  producer = engine
  injection, rejection = posthaste.event("injection"), posthaste.event("policy_rejection")
end

-- Runs in each worker once it is forked. The controller scans what an operator shows it, which is no mail.
rspamd_config:add_on_load(function(_, _, worker)
  local name = worker:get_name()
  if name == "normal" or name == "rspamd_proxy" then make_producer() end
end)

-- ---- What rspamd knows of a message

local function domain_of(address)
  return address:match("@([^@]+)$")
end

-- As the samples of the original: the text without what differs from one refusal to the next.
local function normalised(text)
  text = text:gsub("%d+%.%d+%.%d+%.%d+", "a.b.c.d"):gsub("%x*:%x*:[%x:]+", "a:b::c")
  return (text:gsub("[%w._+-]+@[%w.-]+", "user@domain"))
end

-- Score and symbols, the heaviest first. A rule may give a score that is no number.
local function metadata(task, action)
  local score = task:get_metric_score("default") or {}
  local symbols = posthaste.array()
  for _, symbol in ipairs(task:get_symbols_all() or {}) do
    local is_finite = symbol.score and symbol.score == symbol.score and math.abs(symbol.score) < math.huge
    symbols[#symbols + 1] = { name = symbol.name, score = is_finite and symbol.score or 0, options = symbol.options }
  end
  table.sort(symbols, function(one, other)
    if one.score ~= other.score then return math.abs(one.score) > math.abs(other.score) end
    return one.name < other.name
  end)
  return { action = action, score = score[1] or 0, required_score = score[2] or 0, symbols = symbols }
end

-- In which header each recipient stands: "cc" for Cc, "bcc" for none, nil for To.
local function header_types(task)
  local types = {}
  for _, header in ipairs({ "Cc", "To" }) do
    for _, value in ipairs(task:get_header_full(header) or {}) do
      for _, address in ipairs(rspamd_util.parse_mail_address(value.decoded or "", task:get_mempool()) or {}) do
        if address.addr then types[address.addr:lower()] = header == "Cc" and "cc" or "to" end
      end
    end
  end
  return types
end

local function iso_time(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(seconds)) .. (".%03dZ"):format(math.floor(seconds % 1 * 1000))
end

-- The Subject without its folds, RFC 2047 words decoded. Where there are none it is taken as it came, since rspamd's
-- decoded text has question marks for control characters; the library repairs what is not UTF-8.
local function subject_of(task)
  local header = (task:get_header_full("Subject") or {})[1]
  if not header then return nil end
  if header.value:find("=?", 1, true) then return header.decoded end
  local text = header.raw:gsub("^[^:]*:[ \t]*", ""):gsub("\r?\n([ \t])", "%1"):gsub("[\r\n]+$", "")
  return text
end

-- The fields of all recipients.
local function common_fields(task, action)
  local mime_from = (task:get_from("mime") or {})[1]
  local smtp_from = (task:get_from("smtp") or {})[1]
  local address = task:get_from_ip()
  local friendly_from = mime_from and mime_from.addr ~= "" and mime_from.addr or nil
  local fields = {
    node_name = hostname,
    message_id = task:get_queue_id() or task:get_uid(),
    injection_time = iso_time(task:get_date({ format = "connect", gmt = true }) or rspamd_util.get_time()),
    friendly_from = friendly_from,
    sending_domain = friendly_from and domain_of(friendly_from),
    msg_from = smtp_from and smtp_from.addr,
    rcpt_meta = metadata(task, action),
  }
  local refusal = REFUSALS[action]
  if not refusal then
    fields.subject = subject_of(task)
    fields.msg_size = task:get_size()
    return fields
  end
  local _, _, reason = task:has_pre_result()
  if type(reason) ~= "string" or reason == "" then reason = refusal.text end
  fields.error_code = refusal.code
  fields.bounce_class = POLICY_CLASS
  fields.raw_reason = reason
  fields.reason = normalised(reason)
  fields.remote_addr = address and address:is_valid() and address:to_string() or nil
  return fields
end

-- A message that is scanned again, because the worker or the connection died before the answer, gets the same id, by
-- which receivers drop the repetition. Without a queue id nothing tells a repetition from a message that was sent twice.
local function event_id(task, action, recipient)
  local queue_id = task:get_queue_id()
  if not queue_id then return nil end
  local hash = rspamd_hash.create()
  for _, part in ipairs({ hostname, queue_id, task:get_digest(), action, recipient }) do
    hash:update(part)
    hash:update("\0")
  end
  return hash:hex():sub(1, 32)
end

local function recipient_fields(task, action, address, types)
  local kind = types[address:lower()] or "bcc"
  return {
    event_id = event_id(task, action, address),
    rcpt_to = address:lower(),
    raw_rcpt_to = address,
    recipient_domain = (domain_of(address) or ""):lower(),
    rcpt_type = kind ~= "to" and kind or nil,
  }
end

-- ---- Pushing

local function push(event, fields)
  local is_set, message = event:rewind()
  if is_set then is_set, message = event:set(fields) end
  if is_set then is_set, message = producer:push(event) end
  if not is_set then complain(message) end
end

local function push_all(task)
  local action = task:get_metric_action("default")
  local event = REFUSALS[action] and rejection or injection
  event:reset()
  local is_set, message = event:set(common_fields(task, action))
  if is_set then is_set, message = event:mark() end
  if not is_set then return complain(message) end
  local types = header_types(task)
  local recipients = task:get_recipients("smtp") or {}
  for _, recipient in ipairs(recipients) do push(event, recipient_fields(task, action, recipient.addr, types)) end
  if #recipients == 0 then push(event, { event_id = event_id(task, action, "") }) end
  if settings.sync then
    is_set, message = producer:sync()
    if not is_set then complain(message) end
  end
end

rspamd_config:register_symbol({
  name = "MAIL_EVENTS",
  type = "idempotent",
  flags = "empty,explicit_disable,ignore_passthrough",
  callback = function(task)
    if not producer then return end
    local is_good, message = pcall(push_all, task)
    if not is_good then complain(tostring(message)) end
  end,
})
