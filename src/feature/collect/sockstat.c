/* sockstat.c - /proc/net/sockstat and sockstat6: sockets in use by protocol. */
#include "feature/collect/collectors.h"

#include <unistd.h>

#define FIELDS_MAX 64
#define PROTOCOL_BYTES_MAX 16

struct sockstat {
    struct procfile v4, v6;
    struct emit_table *table;
    double page_bytes;
};

static const struct emit_group group = {NULL, 0, NULL, 0, FIELDS_MAX};
static const char *const known[] = {"inuse", "orphan", "tw", "alloc", "mem", "memory"};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct sockstat *s = self;
    s->table = emit_table(env->emit, &group);
    long page = sysconf(_SC_PAGESIZE);
    s->page_bytes = page > 0 ? (double)page : 4096.0;
    return procfile_init(&s->v4, env->proc, "net/sockstat", err) &&
           procfile_init(&s->v6, env->proc, "net/sockstat6", err);
}

static void put(struct sockstat *s, struct str protocol, const char *field, double value) {
    struct buf name = BUF_INIT_MAX(256);
    buf_putz(&name, "node_sockstat_");
    buf_puts(&name, protocol);
    buf_putc(&name, '_');
    buf_putz(&name, field);
    if (buf_ok(&name) && metric_name_is_legacy(buf_view(&name)))
        emit_put(
            emit_named(s->table, buf_view(&name), METRIC_GAUGE, "Number of sockets in a state:"), 0,
            value);
    buf_deinit(&name);
}

static void line_of(struct sockstat *s, struct str line) {
    struct str protocol, key;
    uint64_t v;
    if (!str_next(&line, ':', &protocol) || protocol.n == 0 || protocol.n > PROTOCOL_BYTES_MAX)
        return;
    while (scan_field(&line, &key) && scan_field_u64(&line, &v)) {
        if (str_eq(protocol, STR("sockets")) && str_eq(key, STR("used")))
            put(s, protocol, "used", (double)v);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (str_eqz(key, known[i]))
                put(s, protocol, known[i], (double)v);
        if (str_eq(key, STR("mem")))
            put(s, protocol, "mem_bytes", (double)v * s->page_bytes);
    }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct sockstat *s = self;
    struct procfile *files[] = {&s->v4, &s->v6};
    for (size_t i = 0; i < 2; i++) {
        struct str text, line;
        bool absent;
        if (!procfile_read(files[i], env->buf, &text, &absent, err))
            return false;
        while (scan_line(&text, &line))
            line_of(s, line);
    }
    return true;
}

static void deinit(void *self) {
    struct sockstat *s = self;
    procfile_deinit(&s->v4);
    procfile_deinit(&s->v6);
}

const struct collector sockstat_collector = {.name = "sockstat",
                                             .help = "Sockets in use by protocol",
                                             .every = EVERY_TICK,
                                             .size = sizeof(struct sockstat),
                                             .init = init,
                                             .collect = collect,
                                             .deinit = deinit};
