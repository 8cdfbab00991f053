-- LuaJIT reads the preprocessed header as it is and calls the library, as a binding in Haraka's or Rspamd's place
-- would. Usage: luajit check_ffi.lua PREPROCESSED_HEADER SHARED_LIBRARY VERSION
local ffi = require("ffi")
local header_path, library_path, version = arg[1], arg[2], arg[3]

local file = assert(io.open(header_path))
ffi.cdef(file:read("*a"))
file:close()

local library = ffi.load(library_path)
local found = ffi.string(library.posthaste_version())
assert(found == version, "posthaste_version is " .. found .. ", expected " .. version)
assert(ffi.C.POSTHASTE_E_SPOOL_IO == 401, "a constant of the header has another value in LuaJIT")

local out = ffi.new("posthaste_t *[1]")
assert(library.posthaste_new(nil, out, nil) == ffi.C.POSTHASTE_OK)
assert(library.posthaste_wants(out[0], "delivery") == 0)
library.posthaste_free(out[0])
print("LuaJIT: header read, library " .. found .. " loaded, engine made and freed")
