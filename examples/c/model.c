/* A model for Cellwall in C: it says what it was told backwards. One file, no libraries; json.h beside it.
 *
 *     cc -O2 -Wall -Wextra -Werror -std=c11 -o model model.c
 *
 * Numbers such as [P-42] are the rules of protocol.md. The program is one loop around `poll`. It reads whenever
 * there is something to read [P-23]; it writes only what the pipe takes without waiting; and it makes a line of
 * an answer only when nothing else waits to be written, so that everything else overtakes it [P-47].
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "json.h"

enum {
    EARLY_LINE = 65536,         /* bytes; the longest line before `initialize` is answered [P-11] */
    USUAL_LINE = 8 << 20,       /* bytes; the longest line after it, unless the host says another */
    USUAL_DATA_LINE = 65536,    /* bytes; the longest line of an answer, likewise [P-44] */
    MOST_CALLS = 8,             /* prompts that are answered at once */
    MOST_TIMES = 1000000,       /* what the option `times` may say */
    MOST_JUNK = 100,            /* lines that are no messages; the host tolerates as many [P-15] */
    MOST_UNREAD = 16 << 20,     /* bytes of answers that a host which does not read may leave waiting */
    PIECE = 2048,               /* bytes of text in one item at most */
    ID_ROOM = 24,               /* bytes of the id of a call, with its '\0' */
    SHOWN = 80,                 /* bytes of a name from outside that are repeated in a message */
    EXIT_NO_MEMORY = 70,
    EXIT_HOST_BROKE_THE_PROTOCOL = 76 /* [P-5] */
};

/* -- text that grows ------------------------------------------------------------------------------------------- */

typedef struct {
    char *bytes;
    size_t size, room;
} Text;

static _Noreturn void stop(int code, const char *why) {
    fprintf(stderr, "model: %s\n", why);
    exit(code);
}

static void *allocate(void *old, size_t size) {
    void *memory = realloc(old, size > 0 ? size : 1);
    if (memory == NULL) stop(EXIT_NO_MEMORY, "there is no memory left");
    return memory;
}

static void put_bytes(Text *text, const char *bytes, size_t size) {
    if (size == 0) return;
    if (text->room - text->size < size) {
        text->room = (text->size + size) * 2;
        text->bytes = allocate(text->bytes, text->room);
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void put(Text *text, const char *words) { put_bytes(text, words, strlen(words)); }

static void put_number(Text *text, long long number) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", number);
    put_bytes(text, digits, (size_t)size);
}

/* A JSON string of bytes that are UTF-8. */
static void put_string(Text *text, const char *bytes, size_t size) {
    put(text, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '"' || byte == '\\') {
            put(text, byte == '"' ? "\\\"" : "\\\\");
        } else if (byte < 0x20) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", byte);
            put(text, escape);
        } else {
            put_bytes(text, bytes + i, 1);
        }
    }
    put(text, "\"");
}

/* -- the connection -------------------------------------------------------------------------------------------- */

typedef struct {
    char id[ID_ROOM]; /* empty: this place is free */
    char *text;       /* what is said, backwards already */
    size_t size, at;
    long long times;  /* how often it is still to be said, this time included */
    long long credit; /* bytes of lines that the host still takes [P-42] */
    long long seq, items, said;
    bool is_open; /* its part has begun */
} Call;

static enum { NEW, READY, CLOSING } state;
static Text out; /* what waits to be written, from out_at on */
static size_t out_at;
static long long line_limit = EARLY_LINE, data_line = USUAL_DATA_LINE, last_id;
static int junk_lines;
static Call calls[MOST_CALLS];
static size_t next_call; /* whose turn it is */

static void refuse(const char *id, int code, const char *kind, const char *message, const char *more);

static void result(const char *id, const char *json) {
    size_t from = out.size;
    put(&out, "{\"jsonrpc\":\"2.0\",\"id\":\"");
    put(&out, id);
    put(&out, "\",\"result\":");
    put(&out, json);
    put(&out, "}\n");
    if ((long long)(out.size - from) <= line_limit) return;
    out.size = from; /* [P-11] */
    refuse(id, 1008, "TooLarge", "the answer is longer than a line may be", "");
}

/* Refuse a request [P-70]; `id` is NULL if it has none that could be repeated. `more` is more of `data`. */
static void refuse(const char *id, int code, const char *kind, const char *message, const char *more) {
    put(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id == NULL) {
        put(&out, "null");
    } else {
        put_string(&out, id, strlen(id));
    }
    put(&out, ",\"error\":{\"code\":");
    put_number(&out, code);
    put(&out, ",\"message\":");
    put_string(&out, message, strlen(message));
    put(&out, ",\"data\":{\"kind\":\"");
    put(&out, kind);
    put(&out, "\"");
    put(&out, more);
    put(&out, "}}}\n");
}

/* The beginning of a string from outside, for a message: whole characters, none of them a control character. */
static const char *shown(Json string) {
    static char words[SHOWN + 5];
    size_t size = 0;
    if (json_kind(string) == '"') {
        for (const char *at = string.from + 1; size < SHOWN;) {
            char character[4];
            size_t length = json_character(&at, string.to, character);
            if (length == 0) break;
            if ((unsigned char)character[0] < 0x20) character[0] = '?';
            memcpy(words + size, character, length);
            size += length;
        }
    }
    words[size] = '\0';
    return words;
}

/* -- prompts --------------------------------------------------------------------------------------------------- */

static Call *find_call(Json id) {
    for (size_t i = 0; i < MOST_CALLS; i++) {
        if (calls[i].id[0] != '\0' && json_says(id, calls[i].id)) return &calls[i];
    }
    return NULL;
}

/* Free a call's place; its one response has been written [P-22]. */
static void end_call(Call *call) {
    free(call->text);
    *call = (Call){0};
}

/* Turn text around, character by character, in its own place. */
static void turn_around(char *text, size_t size) {
    for (size_t i = 0, j = size; i + 1 < j; i++, j--) {
        char byte = text[i];
        text[i] = text[j - 1];
        text[j - 1] = byte;
    }
    for (size_t i = 0; i < size;) { /* now the bytes of each character are the wrong way round */
        size_t length = 1;
        while (i + length < size && ((unsigned char)text[i + length - 1] & 0xC0) == 0x80) length++;
        for (size_t j = 0; j < length / 2; j++) {
            char byte = text[i + j];
            text[i + j] = text[i + length - 1 - j];
            text[i + length - 1 - j] = byte;
        }
        i += length;
    }
}

/* Collect the text of the last message [P-61]; parts of other types are passed over. False: it is no message. */
static bool collect(Call *call, Json messages) {
    Json last = JSON_ABSENT;
    for (Json item = JSON_ABSENT; json_next(messages, NULL, &item);) last = item;
    if (json_kind(messages) != '[' || json_kind(last) != '{') return false;
    Json parts = json_get(last, "parts");
    if (json_kind(parts) != '[') return false;
    call->text = allocate(NULL, (size_t)(last.to - last.from)); /* decoded text is never longer */
    for (Json part = JSON_ABSENT; json_next(parts, NULL, &part);) {
        if (!json_says(json_get(part, "type"), "text")) continue;
        call->size += json_decode(json_get(part, "text"), call->text + call->size);
    }
    turn_around(call->text, call->size);
    return true;
}

/* Read the options, which are strings [P-64]; false: one is wrong, and was refused. */
static bool read_options(const char *id, Json options, long long *times) {
    char message[SHOWN + 80];
    Json name = JSON_ABSENT, value = JSON_ABSENT;
    while (json_next(options, &name, &value)) {
        if (!json_says(name, "times")) {
            snprintf(message, sizeof message, "there is no option '%s'", shown(name));
            refuse(id, 2008, "BadOptions", message, "");
            return false;
        }
        Json digits = json_kind(value) == '"' ? (Json){value.from + 1, value.to - 1} : value;
        if (digits.from == digits.to || !json_integer(digits, times) || *times < 1 || *times > MOST_TIMES) {
            snprintf(message, sizeof message, "option times: it must be a whole number from 1 to %d", MOST_TIMES);
            refuse(id, 2008, "BadOptions", message, "");
            return false;
        }
    }
    return true;
}

static void prompt(const char *id, Json params) {
    Call *call = NULL;
    for (size_t i = 0; i < MOST_CALLS; i++) {
        if (calls[i].id[0] == '\0') call = &calls[i];
    }
    if (call == NULL) {
        refuse(id, 2005, "Overloaded", "too many prompts are being answered", ",\"retryable\":true");
        return;
    }
    Json model = json_get(params, "model");
    if (json_kind(model) != '"') {
        refuse(id, -32602, "InvalidParams", "model/prompt: the model must be a string", "");
        return;
    }
    if (!json_says(model, "c-mirror")) {
        char message[SHOWN + 80];
        snprintf(message, sizeof message, "there is no model '%s' in this plugin", shown(model));
        refuse(id, 2003, "UnknownModel", message, "");
        return;
    }
    *call = (Call){.times = 1};
    if (!read_options(id, json_get(params, "options"), &call->times)) return;
    if (!collect(call, json_get(params, "messages"))) {
        end_call(call);
        refuse(id, -32602, "InvalidParams", "model/prompt: the messages do not fit", "");
        return;
    }
    json_integer(json_get(json_get(params, "meta"), "credit"), &call->credit); /* absent means 0 [P-42] */
    snprintf(call->id, sizeof call->id, "%s", id);
}

/* Cut text at the beginning of a character. */
static size_t whole_characters(const char *text, size_t size, size_t most) {
    if (size <= most) return size;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
    return most;
}

/* Begin a line of an answer [P-40]. */
static void begin_line(Text *line, const Call *call) {
    line->size = 0;
    put(line, "{\"jsonrpc\":\"2.0\",\"method\":\"$/data\",\"params\":{\"id\":\"");
    put(line, call->id);
    put(line, "\",\"seq\":");
    put_number(line, call->seq);
    put(line, ",\"items\":[");
}

/* Write a line of an answer, if the credit and the limit allow it [P-42] [P-44]. */
static bool send_line(Text *line, Call *call, int items) {
    put(line, "]}}\n");
    if ((long long)line->size > call->credit || (long long)line->size > data_line) return false;
    put_bytes(&out, line->bytes, line->size);
    call->credit -= (long long)line->size;
    call->seq++;
    call->items += items;
    return true;
}

/* Send the next piece of text; where there is too little credit for all of it, less. */
static bool send_piece(Text *line, Call *call) {
    size_t left = call->size - call->at;
    for (size_t most = PIECE; most >= 4; most /= 2) { /* a character has up to four bytes */
        size_t size = whole_characters(call->text + call->at, left, most);
        begin_line(line, call);
        if (!call->is_open) put(line, "{\"t\":\"part\",\"part\":0,\"type\":\"text\"},"); /* [P-63] */
        put(line, "{\"t\":\"delta\",\"part\":0,\"text\":");
        put_string(line, call->text + call->at, size);
        put(line, "}");
        if (!send_line(line, call, call->is_open ? 1 : 2)) continue;
        call->is_open = true;
        call->at += size;
        call->said += (long long)size;
        return true;
    }
    return false;
}

/* End the answer: its last items, and the response that counts them [P-41]. */
static bool finish(Text *line, Call *call) {
    begin_line(line, call);
    if (call->is_open) put(line, "{\"t\":\"end\",\"part\":0},");
    put(line, "{\"t\":\"usage\",\"usage\":{\"input\":");
    put_number(line, (long long)call->size);
    put(line, ",\"output\":");
    put_number(line, call->said);
    put(line, "}}");
    if (!send_line(line, call, call->is_open ? 2 : 1)) return false;
    char json[80];
    snprintf(json, sizeof json, "{\"finish\":\"stop\",\"items\":%lld}", call->items);
    result(call->id, json);
    end_call(call);
    return true;
}

/* Send one line of one answer; false if every call waits for credit, or there is none. */
static bool send_data(void) {
    static Text line;
    for (size_t tried = 0; tried < MOST_CALLS; tried++) {
        Call *call = &calls[next_call];
        next_call = (next_call + 1) % MOST_CALLS;
        if (call->id[0] == '\0') continue;
        if (call->at == call->size && --call->times > 0) call->at = 0;
        bool is_over = call->at == call->size;
        if (is_over) call->times = 1; /* so that it is over the next time, too */
        if (is_over ? finish(&line, call) : send_piece(&line, call)) return true;
    }
    return false;
}

/* -- messages -------------------------------------------------------------------------------------------------- */

static void initialize(const char *id, Json params) {
    Json protocols = json_get(params, "protocols"), limits = json_get(params, "limits");
    bool is_spoken = false, is_older = true;
    char requested[512] = "";
    size_t size = 0;
    if (state != NEW) {
        refuse(id, -32600, "InvalidRequest", "initialize was answered already", "");
        return;
    }
    if (json_kind(protocols) != '[') {
        refuse(id, -32602, "InvalidParams", "initialize: protocols must be a list", "");
        return;
    }
    for (Json item = JSON_ABSENT; json_next(protocols, NULL, &item);) {
        long long version;
        if (!json_integer(item, &version)) continue;
        if (version == 1) is_spoken = true;
        if (version > 1) is_older = false;
        if (size < sizeof requested - 24) {
            size += (size_t)snprintf(requested + size, 24, "%s%lld", size > 0 ? "," : "", version);
        }
    }
    if (!is_spoken) { /* [P-32] */
        char more[sizeof requested + 64], message[80];
        snprintf(more, sizeof more, ",\"supported\":[1],\"requested\":[%s]", requested);
        snprintf(message, sizeof message, "this plugin speaks protocol 1; the %s is too old",
                 is_older ? "host" : "plugin");
        refuse(id, 1002, "UnsupportedVersion", message, more);
        return;
    }
    line_limit = USUAL_LINE;
    if (json_integer(json_get(limits, "line"), &line_limit) && line_limit < 1) line_limit = USUAL_LINE;
    if (json_integer(json_get(limits, "data_line"), &data_line) && data_line < 1) data_line = USUAL_DATA_LINE;
    if (data_line > line_limit) data_line = line_limit;
    state = READY;
    result(id, "{\"protocol\":1,\"plugin\":{\"name\":\"example-c\",\"version\":\"0.1.0\"},"
               "\"limits\":{\"concurrency\":8}}");
}

static void describe(const char *id) { /* always the same [P-66]; a new version of the program has a new digest */
    result(id, "{\"digest\":\"1\",\"models\":[{\"id\":\"c-mirror\",\"title\":\"Says what it was told backwards\","
               "\"supports\":{\"stream\":true},\"options_schema\":{\"type\":\"object\",\"properties\":{\"times\":"
               "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000,\"default\":1,"
               "\"description\":\"How often it says it.\"}}}}]}");
}

/* Copy the id of a request of the host: `h` and a number that is larger than all before [P-21]. */
static bool read_id(Json id, char *copy, long long *number) {
    if (json_kind(id) != '"' || id.to - id.from > ID_ROOM - 2) return false;
    size_t size = json_decode(id, copy);
    copy[size] = '\0';
    Json digits = {copy + 1, copy + size};
    return size > 1 && copy[0] == 'h' && copy[1] != '0' && json_integer(digits, number);
}

static void request(Json id_given, Json method, Json params) {
    char id[ID_ROOM];
    long long number;
    if (!read_id(id_given, id, &number)) {
        const char *repeated = json_kind(id_given) == '"' ? shown(id_given) : NULL;
        refuse(repeated, -32600, "InvalidRequest", "ids are strings like h1, h2", "");
        return;
    }
    if (number <= last_id) stop(EXIT_HOST_BROKE_THE_PROTOCOL, "the host used an id twice");
    last_id = number;
    if (state == CLOSING) { /* [P-36] */
        refuse(id, 1009, "ShuttingDown", "this came after shutdown", "");
    } else if (state == NEW && !json_says(method, "initialize")) { /* [P-33] */
        refuse(id, 1001, "NotInitialized", "this came before initialize was answered", "");
    } else if (params.from != NULL && json_kind(params) != '{') {
        refuse(id, -32602, "InvalidParams", "params must be an object", "");
    } else if (json_says(method, "initialize")) {
        initialize(id, params);
    } else if (json_says(method, "ping")) { /* [P-48] */
        result(id, "{}");
    } else if (json_says(method, "plugin/describe")) {
        describe(id);
    } else if (json_says(method, "model/prompt")) {
        prompt(id, params);
    } else if (json_says(method, "shutdown")) {
        state = CLOSING;
        result(id, "{}");
    } else { /* [P-13] */
        char message[SHOWN + 80];
        snprintf(message, sizeof message, "there is no method '%s' here", shown(method));
        refuse(id, -32601, "MethodNotFound", message, "");
    }
}

/* Unknown ones are ignored [P-13], and so are those about a call that is not open [P-52]. */
static void notification(Json method, Json params) {
    Call *call = find_call(json_get(params, "id"));
    if (call == NULL) return;
    if (json_says(method, "$/credit")) {
        long long more;
        if (json_integer(json_get(params, "n"), &more) && call->credit <= LLONG_MAX - more) call->credit += more;
    } else if (json_says(method, "$/cancel")) { /* [P-46] [P-53] */
        char more[80];
        snprintf(more, sizeof more, ",\"items_sent\":%lld", call->items);
        refuse(call->id, -32800, "Cancelled", "cancelled", more);
        end_call(call);
    }
}

static void junk(void) { /* [P-15] */
    if (++junk_lines > MOST_JUNK) stop(EXIT_HOST_BROKE_THE_PROTOCOL, "the host sent too many lines that are none");
    fprintf(stderr, "model: a line that is no message was skipped\n");
}

static void take_line(const char *text, size_t size) {
    if (json_skip_space(text, text + size) == text + size) return; /* [P-12] */
    Json message = json_read(text, size); /* for which a carriage return at the end is space [P-10] */
    if (json_kind(message) == '[') { /* [P-16] */
        refuse(NULL, -32600, "InvalidRequest", "batches are not part of this protocol", "");
        return;
    }
    Json id = json_get(message, "id"), method = json_get(message, "method");
    if (!json_says(json_get(message, "jsonrpc"), "2.0")) {
        junk();
    } else if (json_kind(method) == '"') {
        if (id.from == NULL) {
            notification(method, json_get(message, "params"));
        } else {
            request(id, method, json_get(message, "params"));
        }
    } else if (json_get(message, "result").from == NULL && json_get(message, "error").from == NULL) {
        junk();
    } /* else a response, and this plugin asks nothing [P-22] */
}

/* -- reading and writing --------------------------------------------------------------------------------------- */

static Text in;

/* Take bytes, cut anywhere [P-10]. The line that is not complete stays; each byte is looked at once. */
static void take_bytes(const char *bytes, size_t size) {
    while (size > 0) {
        const char *newline = memchr(bytes, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - bytes);
        put_bytes(&in, bytes, length);
        size_t line = in.size - (in.size > 0 && in.bytes[in.size - 1] == '\r' ? 1 : 0);
        if ((long long)line > line_limit) stop(EXIT_HOST_BROKE_THE_PROTOCOL, "the host sent a line that is too long");
        if (newline == NULL) return;
        if (line > 0) take_line(in.bytes, line);
        in.size = 0;
        bytes += length + 1;
        size -= length + 1;
    }
}

/* The pipe has room, for at least so many bytes; more might make us wait [P-23]. */
static void write_some(void) {
    size_t size = out.size - out_at;
    ssize_t written = write(STDOUT_FILENO, out.bytes + out_at, size < _POSIX_PIPE_BUF ? size : _POSIX_PIPE_BUF);
    if (written < 0 && errno != EINTR) exit(0); /* the host is gone [P-4] */
    if (written > 0) out_at += (size_t)written;
    if (out_at == out.size) out_at = out.size = 0;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        if (out.size == 0) send_data();
        if (out.size - out_at > MOST_UNREAD) stop(EXIT_HOST_BROKE_THE_PROTOCOL, "the host asks and does not read");
        struct pollfd ends[2] = {{STDIN_FILENO, POLLIN, 0}, {out.size > 0 ? STDOUT_FILENO : -1, POLLOUT, 0}};
        if (poll(ends, 2, -1) < 0) {
            if (errno == EINTR) continue;
            stop(EXIT_NO_MEMORY, "the system does not let it wait");
        }
        if (ends[1].revents != 0) write_some();
        if (ends[0].revents == 0) continue;
        static char chunk[65536];
        ssize_t size = read(STDIN_FILENO, chunk, sizeof chunk);
        if (size == 0 || (size < 0 && errno != EINTR)) return 0; /* the end [P-4] */
        if (size > 0) take_bytes(chunk, (size_t)size);
    }
}
