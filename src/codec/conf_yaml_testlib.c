#include "codec/conf_yaml_testlib.h"

static const char *const modes[] = {"fast", "careful", NULL};

static bool check_inner(void *object, struct arena *a, struct err *err)
{
    (void)a;
    const struct demo_inner *in = object;
    return !str_eq(in->name, STR("forbidden")) || err_set(err, ERR_BAD_INPUT, "name: \"forbidden\" is taken; choose another");
}

static const struct conf_table inner_table;
static const struct conf_option inner_options[] = {
    {.name = "name", .type = CONF_STR, .offset = offsetof(struct demo_inner, name), .def = "nobody", .help = "Who."},
    {.name = "every", .type = CONF_DURATION, .offset = offsetof(struct demo_inner, every_ms), .def = "1m", .help = "How often."},
    {.name = "children", .type = CONF_LIST, .offset = offsetof(struct demo_inner, children), .table = &inner_table,
     .help = "More of the same."},
};
static const struct conf_table inner_table = {.name = "inner",
                                              .help = "A thing in a thing.",
                                              .size = sizeof(struct demo_inner),
                                              .options = inner_options,
                                              .n = CONF_N(inner_options),
                                              .source_offset = offsetof(struct demo_inner, source),
                                              .check = check_inner};

static const struct conf_option demo_options[] = {
    {.name = "on", .type = CONF_BOOL, .offset = offsetof(struct demo, on), .def = "true", .help = "Whether it runs."},
    {.name = "count", .type = CONF_INT, .offset = offsetof(struct demo, count), .min = 1, .max = 10, .def = "3", .help = "How many."},
    {.name = "interval", .type = CONF_DURATION, .offset = offsetof(struct demo, interval_ms), .min = 1000, .max = 3600000,
     .def = "15s", .help = "How often."},
    {.name = "window", .type = CONF_DURATION, .offset = offsetof(struct demo, window_ms), .min = 0, .max = INT64_MAX, .def = "1h",
     .help = "How far back."},
    {.name = "ratio", .type = CONF_FLOAT, .offset = offsetof(struct demo, ratio), .def = "0.5", .help = "How much."},
    {.name = "size", .type = CONF_BYTES, .offset = offsetof(struct demo, size), .def = "64KiB", .help = "How large."},
    {.name = "title", .type = CONF_STR, .offset = offsetof(struct demo, title), .help = "What it is called.", .help_ja = "名前。"},
    {.name = "password", .type = CONF_SECRET, .offset = offsetof(struct demo, password), .help = "A secret."},
    {.name = "pattern", .type = CONF_REGEX, .offset = offsetof(struct demo, pattern), .help = "What matches."},
    {.name = "cert", .type = CONF_PATH, .offset = offsetof(struct demo, cert), .help = "A file."},
    {.name = "mode", .type = CONF_ENUM, .offset = offsetof(struct demo, mode), .names = modes, .def = "fast", .help = "How."},
    {.name = "words", .type = CONF_STRS, .offset = offsetof(struct demo, words), .def = "[a, b]", .help = "Words."},
    {.name = "files", .type = CONF_PATHS, .offset = offsetof(struct demo, files), .help = "Files."},
    {.name = "labels", .type = CONF_PAIRS, .offset = offsetof(struct demo, labels), .help = "Labels."},
    {.name = "inner", .type = CONF_TABLE, .offset = offsetof(struct demo, inner), .table = &inner_table, .help = "Always there."},
    {.name = "maybe", .type = CONF_TABLE_OPT, .offset = offsetof(struct demo, maybe), .table = &inner_table, .help = "Perhaps."},
    {.name = "list", .type = CONF_LIST, .offset = offsetof(struct demo, list), .table = &inner_table, .help = "Several."},
    {.name = "raw", .type = CONF_NODE, .offset = offsetof(struct demo, raw), .help = "Anything."},
    {.name = "remote_write", .type = CONF_NODE, .ignored = "this program does not send", .help = "Not ours."},
};
const struct conf_table demo_table = {.name = "demo",
                                      .help = "One of everything.",
                                      .size = sizeof(struct demo),
                                      .options = demo_options,
                                      .n = CONF_N(demo_options),
                                      .source_offset = SIZE_MAX};
