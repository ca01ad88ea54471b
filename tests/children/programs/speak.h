/* The protocol by hand, for programs in C: the model is called like the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char line[1 << 20], id[64];

/* Read the next request and keep its id; end with the input. */
static void next_request(void) {
    if (!fgets(line, sizeof line, stdin)) exit(0);
    const char *start = strstr(line, "\"id\":\"");
    if (!start || sscanf(start + 6, "%63[^\"]", id) != 1) exit(76);
}

static void answer(const char *result) {
    printf("{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":%s}\n", id, result);
    fflush(stdout);
}

static void data(int seq, const char *text) {
    printf("{\"jsonrpc\":\"2.0\",\"method\":\"$/data\",\"params\":{\"id\":\"%s\",\"seq\":%d,\"items\":"
           "[{\"t\":\"delta\",\"part\":0,\"text\":\"%s\"}]}}\n", id, seq, text);
    fflush(stdout);
}

/* Come to the first prompt. */
static void begin(const char *path) {
    const char *name = strrchr(path, 0x2f) + 1;
    char description[200];
    next_request();
    answer("{\"protocol\":1,\"plugin\":{\"name\":\"zoo\"}}");
    next_request();
    if (!strstr(line, "\"plugin/describe\"")) return;
    snprintf(description, sizeof description, "{\"digest\":\"1\",\"models\":[{\"id\":\"%s\"}]}", name);
    answer(description);
    next_request();
}
