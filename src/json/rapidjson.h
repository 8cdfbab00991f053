// RapidJSON's reader and writer under a namespace of our own, for value.cpp and writer.cpp. The
// library's objects are linked into hosts that may hold another version of RapidJSON, and the
// linker would merge equally named templates of the two.
#pragma once

#define RAPIDJSON_NAMESPACE posthaste::json::rapidjson
#define RAPIDJSON_NAMESPACE_BEGIN namespace posthaste::json::rapidjson {
#define RAPIDJSON_NAMESPACE_END }

#include <rapidjson/reader.h>
#include <rapidjson/writer.h>
