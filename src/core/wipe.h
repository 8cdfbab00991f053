// Overwrites secrets when they are over, so that neither a core dump nor the next owner of the
// memory has them. Called by whoever made a text with a secret in it.
#pragma once

#include <string>

namespace posthaste::core {

// Leaves an empty text. Through a volatile pointer, since a compiler may drop writes to memory that
// nobody reads any more.
inline void wipe(std::string& text) {
  text.resize(text.capacity());  // what was cut off or moved away may still stand there
  volatile char* bytes = text.data();
  for (size_t i = 0; i < text.size(); ++i) bytes[i] = '\0';
  text.clear();
}

}  // namespace posthaste::core
