/*
 * The transfer encodings of RFC 2045, base64 and quoted-printable, both ways.
 */
#include "codec.h"

static const char kBase64Digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char digit) {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
  if (digit >= '0' && digit <= '9') return digit - '0' + 52;
  if (digit == '+') return 62;
  return digit == '/' ? 63 : -1;
}

int base64_decode(struct span text, struct buffer* out) {
  uint32_t bits = 0;
  int bit_count = 0;
  int is_padded = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '=') is_padded = 1;
    int value = base64_value(text.data[i]);
    if (value < 0) continue;
    if (is_padded) return -1;
    bits = (bits << 6 | (uint32_t)value) & 0xffffff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    unsigned char byte = (unsigned char)(bits >> bit_count & 0xff);
    buffer_append(out, &byte, 1);
  }
  return 0;
}

void base64_encode(struct span bytes, struct buffer* out) {
  size_t column = 0;
  for (size_t i = 0; i < bytes.size; i += 3) {
    size_t left = bytes.size - i;
    uint32_t bits = (uint32_t)(unsigned char)bytes.data[i] << 16;
    if (left > 1) bits |= (uint32_t)(unsigned char)bytes.data[i + 1] << 8;
    if (left > 2) bits |= (uint32_t)(unsigned char)bytes.data[i + 2];
    char digits[4] = {kBase64Digits[bits >> 18], kBase64Digits[bits >> 12 & 63], '=', '='};
    if (left > 1) digits[2] = kBase64Digits[bits >> 6 & 63];
    if (left > 2) digits[3] = kBase64Digits[bits & 63];
    buffer_append(out, digits, sizeof digits);
    column += sizeof digits;
    if (column == 76) {
      buffer_append_text(out, "\r\n");
      column = 0;
    }
  }
  if (column > 0) buffer_append_text(out, "\r\n");
}

static int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  char lower = ascii_lower(digit);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Returns the size of the soft line break at `at`, an equals sign: spaces may stand before the line
 * end. */
static size_t soft_break_size(struct span text, size_t at) {
  size_t i = at + 1;
  while (i < text.size && (text.data[i] == ' ' || text.data[i] == '\t')) i++;
  if (i == text.size) return i - at;
  if (text.data[i] == '\r' && i + 1 < text.size && text.data[i + 1] == '\n') return i + 2 - at;
  return text.data[i] == '\n' ? i + 1 - at : 0;
}

void quoted_printable_decode(struct span text, int underscore_is_space, struct buffer* out) {
  for (size_t i = 0; i < text.size; i++) {
    char character = text.data[i];
    if (character == '_' && underscore_is_space) character = ' ';
    if (character == '=') {
      int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
      int low = i + 2 < text.size ? hex_value(text.data[i + 2]) : -1;
      size_t size = soft_break_size(text, i);
      if (high >= 0 && low >= 0) {
        character = (char)(unsigned char)(high * 16 + low);
        i += 2;
      } else if (size > 0) {
        i += size - 1;
        continue;
      }
    }
    buffer_append(out, &character, 1);
  }
}

void quoted_printable_encode(struct span bytes, struct buffer* out) {
  size_t column = 0;
  for (size_t i = 0; i < bytes.size; i++) {
    unsigned char byte = (unsigned char)bytes.data[i];
    int at_line_end = i + 1 == bytes.size || bytes.data[i + 1] == '\r';
    if (byte == '\r' && i + 1 < bytes.size && bytes.data[i + 1] == '\n') {
      buffer_append_text(out, "\r\n");
      column = 0;
      i++;
      continue;
    }
    int is_blank = byte == ' ' || byte == '\t';
    int is_literal = (byte > ' ' && byte < 0x7f && byte != '=') || (is_blank && !at_line_end);
    if (column + (is_literal ? 1 : 3) > 75) {
      buffer_append_text(out, "=\r\n");
      column = 0;
    }
    if (is_literal) {
      buffer_append(out, &byte, 1);
    } else {
      buffer_format(out, "=%02X", (unsigned)byte);
    }
    column += is_literal ? 1 : 3;
  }
}
