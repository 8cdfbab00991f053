/*
 * posthaste.core_c: the C functions for PUC Lua 5.1 to 5.4 (and LuaJIT), one to one, as
 * posthaste.core_ffi makes them for LuaJIT without a compiler; the rules stand there. Called by the
 * Lua files beside it, not by users. functions.inc is made from the public header.
 *
 * Threads: as any Lua module, one thread in a state at a time. Ownership: an object of the library
 * is in a userdata that frees it when it is collected, unless that was done before.
 */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <posthaste/posthaste.h>
#include <stdint.h>
#include <string.h>

#include "constants.h"

typedef struct {
  void* handle;
  int kind;
} box_t;

static box_t* push_box(lua_State* L, int kind);
static int give_box(lua_State* L, const box_t* box);
static int give_code_and_box(lua_State* L, int32_t code, const box_t* box);
static void end_box(lua_State* L, int index, int kind);
static void* to_handle(lua_State* L, int index, int kind, const char* name);
static posthaste_error_t* to_error(lua_State* L);
static const char* to_bytes(lua_State* L, int index, const char* name, size_t* out_size);
static const char* to_text(lua_State* L, int index, const char* name);
static double to_number(lua_State* L, int index, const char* name);
static int64_t to_whole(lua_State* L, int index, const char* name, int64_t low, int64_t high);
static void push_whole(lua_State* L, int64_t value);
static void push_text(lua_State* L, posthaste_text_t* text);

#include "functions.inc"

/* Made before the call whose result it takes, so that want of memory does not lose an object. */
static box_t* push_box(lua_State* L, int kind) {
  box_t* box = lua_newuserdata(L, sizeof(box_t));
  box->handle = NULL;
  box->kind = kind;
  luaL_getmetatable(L, kinds[kind].name);
  lua_setmetatable(L, -2);
  return box;
}

/* Returns the box on top of the stack, or nil when it is empty. */
static int give_box(lua_State* L, const box_t* box) {
  if (box->handle == NULL) lua_pushnil(L);
  return 1;
}

static int give_code_and_box(lua_State* L, int32_t code, const box_t* box) {
  give_box(L, box);
  lua_pushinteger(L, code);
  lua_insert(L, -2);
  return 2;
}

static box_t* to_box(lua_State* L, int index, int kind) {
  box_t* box = lua_touserdata(L, index);
  int is_same;
  if (box == NULL || !lua_getmetatable(L, index)) return NULL;
  luaL_getmetatable(L, kinds[kind].name);
  is_same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_same ? box : NULL;
}

static void end_box(lua_State* L, int index, int kind) {
  box_t* box = to_box(L, index, kind);
  void* handle = box == NULL ? NULL : box->handle;
  if (box != NULL) box->handle = NULL;
  if (handle != NULL) kinds[kind].end(handle);
}

static int collect_box(lua_State* L) {
  box_t* box = lua_touserdata(L, 1);
  void* handle = box->handle;
  box->handle = NULL;
  if (handle != NULL) kinds[box->kind].end(handle);
  return 0;
}

static int refuse(lua_State* L, int index, const char* name, const char* wanted) {
  return luaL_error(L, "%s must be %s, not %s", name, wanted, luaL_typename(L, index));
}

static void* to_handle(lua_State* L, int index, int kind, const char* name) {
  box_t* box;
  if (lua_isnoneornil(L, index)) return NULL;
  box = to_box(L, index, kind);
  if (box == NULL) refuse(L, index, name, "posthaste's own object");
  return box->handle;
}

/* The one error object of the state, an upvalue of every function. */
static posthaste_error_t* to_error(lua_State* L) {
  posthaste_error_t** error = lua_touserdata(L, lua_upvalueindex(1));
  return *error;
}

static int collect_error(lua_State* L) {
  posthaste_error_t** error = lua_touserdata(L, 1);
  posthaste_error_free(*error);
  *error = NULL;
  return 0;
}

static const char* to_bytes(lua_State* L, int index, const char* name, size_t* out_size) {
  if (lua_isnoneornil(L, index)) return NULL;
  if (lua_type(L, index) != LUA_TSTRING) refuse(L, index, name, "a string");
  return lua_tolstring(L, index, out_size);
}

static const char* to_text(lua_State* L, int index, const char* name) {
  size_t size = 0;
  const char* text = to_bytes(L, index, name, &size);
  if (text != NULL && strlen(text) != size) luaL_error(L, "%s holds a NUL character", name);
  return text;
}

static double to_number(lua_State* L, int index, const char* name) {
  if (lua_type(L, index) != LUA_TNUMBER) refuse(L, index, name, "a number");
  return lua_tonumber(L, index);
}

/* The bounds are those of the C type; of a float, also that it has no fraction. */
static int64_t to_whole(lua_State* L, int index, const char* name, int64_t low, int64_t high) {
  double value;
  if (lua_type(L, index) != LUA_TNUMBER) refuse(L, index, name, "a number");
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index)) {
    const lua_Integer integer = lua_tointeger(L, index);
    if (integer < low || integer > high) luaL_error(L, "%s is out of range", name);
    return integer;
  }
#endif
  value = lua_tonumber(L, index);
  /* Not `>= high`: the largest int64_t is no double. */
  if (!(value >= (double)low && value < 9223372036854775808.0 && value <= (double)high)) {
    luaL_error(L, "%s is out of range", name);
  }
  if (floor(value) != value) luaL_error(L, "%s must be a whole number", name);
  return (int64_t)value;
}

static void push_whole(lua_State* L, int64_t value) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)value);
#else
  lua_pushnumber(L, (lua_Number)value);
#endif
}

static void push_text(lua_State* L, posthaste_text_t* text) {
  if (text == NULL) {
    lua_pushnil(L);
    return;
  }
  lua_pushlstring(L, posthaste_text_data(text), posthaste_text_size(text));
  posthaste_text_free(text);
}

/* push_many(ph, type, lines, codes_count) -> code, consumed, codes */
static int core_push_many(lua_State* L) {
  posthaste_t* ph = to_handle(L, 1, KIND_ENGINE, "ph");
  const char* type = to_text(L, 2, "type");
  size_t size = 0;
  const char* lines = to_bytes(L, 3, "lines", &size);
  size_t count = (size_t)to_whole(L, 4, "codes_count", 0, INT32_MAX);
  int32_t* codes = lua_newuserdata(L, (count + 1) * sizeof(int32_t));
  size_t consumed = 0;
  size_t i;
  int32_t code;
  memset(codes, 0xff, (count + 1) * sizeof(int32_t));
  code = posthaste_push_many(ph, type, lines, size, &consumed, codes, count);
  push_whole(L, code);
  push_whole(L, (int64_t)consumed);
  lua_newtable(L);
  for (i = 0; i < count && codes[i] >= 0; i++) {
    lua_pushinteger(L, codes[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 3;
}

/* Calls the Lua function on top of the stack; false or an error ends the export. */
static int32_t write_piece(const char* data, size_t size, void* user_data) {
  lua_State* L = user_data;
  int32_t is_over = 1;
  lua_pushvalue(L, -1);
  lua_pushlstring(L, data, size);
  if (lua_pcall(L, 1, 1, 0) == 0) is_over = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_over;
}

/* batch_export(ph, batch_id, write) -> code, events */
static int core_batch_export(lua_State* L) {
  posthaste_t* ph = to_handle(L, 1, KIND_ENGINE, "ph");
  const char* batch_id = to_text(L, 2, "batch_id");
  uint64_t events = 0;
  int32_t code;
  if (!lua_isfunction(L, 3)) refuse(L, 3, "write", "a function");
  lua_settop(L, 3);
  luaL_checkstack(L, 4, "batch_export");
  code = posthaste_batch_export(ph, batch_id, &events, to_error(L), write_piece, L);
  push_whole(L, code);
  push_whole(L, (int64_t)events);
  return 2;
}

static void push_constants(lua_State* L) {
  size_t i;
  lua_newtable(L);
  for (i = 0; i < sizeof(posthaste_constants) / sizeof(*posthaste_constants); i++) {
    lua_pushinteger(L, posthaste_constants[i].value);
    lua_setfield(L, -2, posthaste_constants[i].name);
  }
}

static void make_metatables(lua_State* L) {
  int kind;
  for (kind = 0; kind < KIND_COUNT; kind++) {
    luaL_newmetatable(L, kinds[kind].name);
    lua_pushcfunction(L, collect_box);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
  }
}

static void push_error_object(lua_State* L) {
  posthaste_error_t** error = lua_newuserdata(L, sizeof(posthaste_error_t*));
  *error = posthaste_error_new();
  lua_newtable(L);
  lua_pushcfunction(L, collect_error);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

POSTHASTE_API int luaopen_posthaste_core_c(lua_State* L) {
  static const luaL_Reg by_hand[] = {
      {"push_many", core_push_many}, {"batch_export", core_batch_export}, {NULL, NULL}};
  const luaL_Reg* const lists[] = {functions, by_hand};
  const luaL_Reg* function;
  size_t i;
  make_metatables(L);
  lua_newtable(L);
  push_error_object(L);
  for (i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
    for (function = lists[i]; function->name != NULL; function++) {
      lua_pushvalue(L, -1);
      lua_pushcclosure(L, function->func, 1);
      lua_setfield(L, -3, function->name);
    }
  }
  lua_pop(L, 1);
  push_constants(L);
  lua_setfield(L, -2, "constants");
  lua_pushliteral(L, "c");
  lua_setfield(L, -2, "kind");
  return 1;
}
