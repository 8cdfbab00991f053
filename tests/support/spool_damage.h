// Damage to the files of a spool directory, described in one line of text, so that a corpus of
// damaged spools is a list that people can read. tests/corpus/spool/README.md has the words. It
// knows the formats of docs/spool-format.md by itself, not by the library's code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace posthaste::testing {

// Damages the directory as the line says; several damages are separated by commas. Throws when the
// line makes no sense for it: a corpus that damages nothing proves nothing.
void damage_spool(const std::filesystem::path& directory, std::string_view line);

// One random damage as such a line; the same for the same seed and directory.
std::string random_damage(const std::filesystem::path& directory, uint64_t seed);

// A spool as a killed process leaves it, without what means nothing: ballast, lock, spare files.
void copy_spool(const std::filesystem::path& from, const std::filesystem::path& to);

std::string read_bytes(const std::filesystem::path& path);

}  // namespace posthaste::testing
