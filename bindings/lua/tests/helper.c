/*
 * What the tests of the Lua binding need of the system and Lua does not have: processes, a look at
 * a descriptor, a pause. A module of its own, `posthaste_test_helper`; no part of the binding.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int helper_fork(lua_State* L) {
  lua_pushinteger(L, (lua_Integer)fork());
  return 1;
}

static int helper_pid(lua_State* L) {
  lua_pushinteger(L, (lua_Integer)getpid());
  return 1;
}

/* wait(pid) -> exit status, or minus the signal */
static int helper_wait(lua_State* L) {
  const pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return luaL_error(L, "no such child");
  }
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 1;
}

/* leave(status): ends the process without the Lua state's end. */
static int helper_leave(lua_State* L) {
  _exit((int)luaL_checkinteger(L, 1));
  return 0;
}

static int helper_pause_ms(lua_State* L) {
  const long ms = (long)luaL_checkinteger(L, 1);
  struct timespec left;
  left.tv_sec = ms / 1000;
  left.tv_nsec = ms % 1000 * 1000000;
  while (nanosleep(&left, &left) != 0) {
  }
  return 0;
}

/* readable(fd, timeout_ms) -> whether it is */
static int helper_readable(lua_State* L) {
  struct pollfd watched;
  watched.fd = (int)luaL_checkinteger(L, 1);
  watched.events = POLLIN;
  lua_pushboolean(L, poll(&watched, 1, (int)luaL_checkinteger(L, 2)) == 1);
  return 1;
}

/* drain(fd) -> how many bytes were there */
static int helper_drain(lua_State* L) {
  char bytes[256];
  lua_pushinteger(L, (lua_Integer)read((int)luaL_checkinteger(L, 1), bytes, sizeof(bytes)));
  return 1;
}

__attribute__((visibility("default"))) int luaopen_posthaste_test_helper(lua_State* L) {
  static const luaL_Reg functions[] = {{"fork", helper_fork},         {"pid", helper_pid},
                                       {"wait", helper_wait},         {"leave", helper_leave},
                                       {"pause_ms", helper_pause_ms}, {"readable", helper_readable},
                                       {"drain", helper_drain},       {NULL, NULL}};
  const luaL_Reg* function;
  lua_newtable(L);
  for (function = functions; function->name != NULL; function++) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
  return 1;
}
