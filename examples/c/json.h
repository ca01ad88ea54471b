/* JSON without an allocation: a value is a piece of the text that it was read from.
 *
 * `json_read` looks once over a whole text and says whether it is JSON (RFC 8259, UTF-8, not nested deeper than
 * JSON_DEPTH). Only then may the other functions walk through it; they need no bounds but the text's own, because
 * what they walk through is known to be well formed. Every function takes time linear in the text it is given.
 *
 * C11, no library but the standard one. A program includes this file once.
 */

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { JSON_DEPTH = 512 };

/* A value, from its first byte to behind its last. Absent: `from` is NULL. */
typedef struct {
    const char *from;
    const char *to;
} Json;

static const Json JSON_ABSENT = {NULL, NULL};

/* What kind of value it is: '{', '[', '"', '0' for a number, 't', 'f', 'n'; 0 if it is absent. */
static inline char json_kind(Json value) {
    if (value.from == NULL) return 0;
    char first = *value.from;
    return first == '-' || (first >= '0' && first <= '9') ? '0' : first;
}

/* -- reading: is it JSON? -------------------------------------------------------------------------------------- */

static inline const char *json_skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

static inline bool json_is_digit(const char *at, const char *end) { return at < end && *at >= '0' && *at <= '9'; }

static inline int json_hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/* The length of the UTF-8 sequence at `at`; 0 if there is none. Overlong forms, surrogates and what lies beyond
 * U+10FFFF are none. */
static inline size_t json_utf8_length(const char *at, const char *end) {
    const unsigned char *byte = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (left == 0) return 0;
    if (byte[0] < 0x80) return 1;
    size_t length = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
    if (byte[0] < 0xC2 || byte[0] > 0xF4 || left < length) return 0;
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80) return 0;
    }
    if (byte[0] == 0xE0 && byte[1] < 0xA0) return 0;
    if (byte[0] == 0xED && byte[1] > 0x9F) return 0;
    if (byte[0] == 0xF0 && byte[1] < 0x90) return 0;
    if (byte[0] == 0xF4 && byte[1] > 0x8F) return 0;
    return length;
}

/* Each of these three takes a value's first byte and gives the byte behind its last, or NULL. */

static inline const char *json_read_string(const char *at, const char *end) {
    for (at++; at < end;) {
        if (*at == '"') return at + 1;
        if (*at == '\\') {
            if (++at == end) return NULL;
            if (*at == 'u') {
                if (end - at < 5) return NULL;
                for (int i = 1; i < 5; i++) {
                    if (json_hex_digit(at[i]) < 0) return NULL;
                }
                at += 5;
            } else if (*at != '\0' && strchr("\"\\/bfnrt", *at) != NULL) {
                at++;
            } else {
                return NULL;
            }
            continue;
        }
        size_t length = (unsigned char)*at < 0x20 ? 0 : json_utf8_length(at, end);
        if (length == 0) return NULL;
        at += length;
    }
    return NULL;
}

static inline const char *json_read_number(const char *at, const char *end) {
    if (*at == '-') at++;
    if (!json_is_digit(at, end)) return NULL;
    if (*at == '0') {
        at++;
    } else {
        while (json_is_digit(at, end)) at++;
    }
    if (at < end && *at == '.') {
        if (!json_is_digit(++at, end)) return NULL;
        while (json_is_digit(at, end)) at++;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        if (!json_is_digit(at, end)) return NULL;
        while (json_is_digit(at, end)) at++;
    }
    return at;
}

static inline const char *json_read_word(const char *at, const char *end) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) return at + length;
    }
    return NULL;
}

static inline const char *json_read_scalar(const char *at, const char *end) {
    if (*at == '"') return json_read_string(at, end);
    if (*at == '-' || json_is_digit(at, end)) return json_read_number(at, end);
    return json_read_word(at, end);
}

/* In an object: a name and its colon. Gives the first byte of the value, or NULL. */
static inline const char *json_read_name(const char *at, const char *end) {
    if (at == end || *at != '"' || (at = json_read_string(at, end)) == NULL) return NULL;
    at = json_skip_space(at, end);
    return at < end && *at == ':' ? json_skip_space(at + 1, end) : NULL;
}

/* Read a whole text: one value with nothing but space around it. Absent if it is anything else. */
static inline Json json_read(const char *text, size_t size) {
    char open[JSON_DEPTH]; /* what is open, outermost first: '{' or '[' */
    size_t depth = 0;
    const char *end = text + size;
    const char *at = json_skip_space(text, end);
    const char *from = at;
    for (;;) { /* `at` is where a value must begin */
        if (at == end) return JSON_ABSENT;
        if (*at == '{' || *at == '[') {
            if (depth == JSON_DEPTH) return JSON_ABSENT;
            char kind = open[depth++] = *at;
            at = json_skip_space(at + 1, end);
            if (at == end) return JSON_ABSENT;
            if (*at != (kind == '{' ? '}' : ']')) {
                if (kind == '{' && (at = json_read_name(at, end)) == NULL) return JSON_ABSENT;
                continue;
            }
            depth--;
            at++;
        } else if ((at = json_read_scalar(at, end)) == NULL) {
            return JSON_ABSENT;
        }
        for (;;) { /* a value has ended */
            const char *to = at;
            at = json_skip_space(at, end);
            if (depth == 0) return at == end ? (Json){from, to} : JSON_ABSENT;
            if (at == end) return JSON_ABSENT;
            char kind = open[depth - 1];
            if (*at == ',') {
                at = json_skip_space(at + 1, end);
                if (kind == '{' && (at = json_read_name(at, end)) == NULL) return JSON_ABSENT;
                break;
            }
            if (*at != (kind == '{' ? '}' : ']')) return JSON_ABSENT;
            depth--;
            at++;
        }
    }
}

/* -- walking through what was read ----------------------------------------------------------------------------- */

/* Behind the last byte of the value that begins at `at`, in a text that json_read has accepted. */
static inline const char *json_behind(const char *at, const char *end) {
    size_t depth = 0;
    do {
        at = json_skip_space(at, end);
        if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at == ',' || *at == ':') {
            at++;
        } else {
            at = json_read_scalar(at, end);
        }
    } while (depth > 0);
    return at;
}

/* Step through an array, or through the members of an object. `item` (and `name`, for an object) begin absent.
 *
 *     for (Json item = JSON_ABSENT; json_next(array, NULL, &item);) …
 */
static inline bool json_next(Json whole, Json *name, Json *item) {
    char kind = json_kind(whole);
    if (kind != (name == NULL ? '[' : '{')) return false;
    const char *at = json_skip_space(item->from == NULL ? whole.from + 1 : item->to, whole.to);
    if (*at == ']' || *at == '}') return false;
    if (*at == ',') at = json_skip_space(at + 1, whole.to);
    if (name != NULL) {
        *name = (Json){at, json_read_string(at, whole.to)};
        at = json_read_name(at, whole.to);
    }
    *item = (Json){at, json_behind(at, whole.to)};
    return true;
}

static inline unsigned json_hex(const char *at) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) value = value << 4 | (unsigned)json_hex_digit(at[i]);
    return value;
}

static inline size_t json_put_utf8(unsigned code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* The next character of a string, as UTF-8, from `*at`, which moves on; a lone surrogate becomes U+FFFD. Gives
 * its length, 1 to 4, never more than the bytes it was written with; 0 at the closing quote. */
static inline size_t json_character(const char **at, const char *end, char out[4]) {
    const char *from = *at;
    if (*from == '"') return 0;
    if (*from != '\\') {
        size_t length = json_utf8_length(from, end);
        memcpy(out, from, length);
        *at = from + length;
        return length;
    }
    if (from[1] != 'u') {
        static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        out[0] = meant[strchr(written, from[1]) - written];
        *at = from + 2;
        return 1;
    }
    unsigned code = json_hex(from + 2);
    *at = from + 6;
    if (code >= 0xD800 && code < 0xDC00 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        unsigned low = json_hex(*at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            *at += 6;
            return json_put_utf8(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), out);
        }
    }
    return json_put_utf8(code >= 0xD800 && code < 0xE000 ? 0xFFFD : code, out);
}

/* Decode a string into `out`, which has room for `to - from` bytes; gives its length. It may hold '\0'. */
static inline size_t json_decode(Json string, char *out) {
    size_t size = 0;
    if (json_kind(string) != '"') return 0;
    for (const char *at = string.from + 1;;) {
        char character[4];
        size_t length = json_character(&at, string.to, character);
        if (length == 0) return size;
        memcpy(out + size, character, length);
        size += length;
    }
}

/* Whether a string says exactly this, however it is escaped. */
static inline bool json_says(Json string, const char *text) {
    if (json_kind(string) != '"') return false;
    for (const char *at = string.from + 1;;) {
        char character[4];
        size_t length = json_character(&at, string.to, character);
        if (length == 0) return *text == '\0';
        if (strncmp(text, character, length) != 0 || character[0] == '\0') return false;
        text += length;
    }
}

/* The member of an object; absent if there is none. Of several with one name, the last counts. */
static inline Json json_get(Json object, const char *wanted) {
    Json name = JSON_ABSENT, item = JSON_ABSENT, found = JSON_ABSENT;
    while (json_next(object, &name, &item)) {
        if (json_says(name, wanted)) found = item;
    }
    return found;
}

/* A number as an integer, if it is one from 0 to 10^18. */
static inline bool json_integer(Json number, long long *value) {
    if (json_kind(number) != '0' || number.to - number.from > 18) return false;
    long long sum = 0;
    for (const char *at = number.from; at < number.to; at++) {
        if (*at < '0' || *at > '9') return false;
        sum = sum * 10 + (*at - '0');
    }
    *value = sum;
    return true;
}

#endif
