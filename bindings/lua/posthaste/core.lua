-- posthaste.core: the C functions, by LuaJIT's ffi where there is one, else by the C module posthaste.core_c. Both have
-- the same functions with the same arguments, results and errors; the rules stand in core_ffi.lua. Who wants the other
-- one sets package.loaded["posthaste.core"] before.
local has_ffi = type(rawget(_G, "jit")) == "table" and pcall(require, "ffi")
return require(has_ffi and "posthaste.core_ffi" or "posthaste.core_c")
