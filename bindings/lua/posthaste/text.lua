-- posthaste.text: settings as the library takes them, which is text with its unit.

-- Returns the text of a string, number or boolean; raises an error that names the key for anything else.
return function(key, value)
  if type(value) == "string" then return value end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "number" then return value % 1 == 0 and ("%.0f"):format(value) or tostring(value) end
  error(tostring(key) .. " must be a string, a number or a boolean, not " .. type(value), 0)
end
