-- Rules for the test of the rspamd plugin: what a subject asks for happens to its message.
local VERDICTS = {
  ["please refuse"] = { "reject", "IP 192.0.2.7 of <bad@guest.test> is in our list" },
  ["please defer"] = { "soft reject", "come back in 5 minutes" },
  ["please drop"] = { "discard", "nobody wants this" },
}

rspamd_config:register_symbol({
  name = "ASKED_FOR",
  type = "prefilter",
  callback = function(task)
    local verdict = VERDICTS[task:get_subject() or ""]
    if verdict then task:set_pre_result(verdict[1], verdict[2], "test") end
  end,
})

rspamd_config:register_symbol({
  name = "HEAVY",
  score = 7.5,
  callback = function(task)
    if task:get_subject() == "please mark" then return true, 1.0, 'an "option"', "two" end
  end,
})

rspamd_config:register_symbol({
  name = "SPAM",
  score = 20,
  callback = function(task)
    return task:get_subject() == "spam"
  end,
})

rspamd_config:register_symbol({
  name = "ALWAYS",
  score = 0.25,
  callback = function() return true end,
})
