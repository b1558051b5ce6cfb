/* The tables that conf_yaml's unit test and fuzz target share: one of everything. */
#ifndef CODEC_CONF_YAML_TESTLIB_H
#define CODEC_CONF_YAML_TESTLIB_H

#include "codec/conf_yaml.h"

enum demo_mode { DEMO_FAST, DEMO_CAREFUL };
struct demo_inner {
    struct conf_source source;
    struct str name;
    int64_t every_ms;
    struct conf_list children; /* struct demo_inner */
};
struct demo {
    bool on;
    int64_t count, interval_ms, window_ms;
    double ratio;
    uint64_t size;
    struct str title, password, pattern, cert;
    int mode;
    struct conf_strs words, files;
    struct conf_pairs labels;
    struct demo_inner inner;
    struct demo_inner *maybe;
    struct conf_list list;
    const struct conf_node *raw;
};
extern const struct conf_table demo_table;

#endif
