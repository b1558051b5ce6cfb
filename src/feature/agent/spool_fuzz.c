/* A disk buffer that finds any bytes at its start: it must open, give only what its checksums vouch
 * for, and take more. */
#include "base/hash.h"
#include "feature/agent/agent_testlib.h"
#include "feature/agent/spool.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char spool_dir[256];

static void remove_spool_dir(void) {
    agent_testdir_remove(spool_dir);
}

static void place(const char *name, struct str bytes) {
    char path[400];
    struct err err;
    err_reset(&err);
    snprintf(path, sizeof(path), "%s/%s", spool_dir, name);
    if (!file_write_atomic(path, bytes, 0600, &err))
        abort();
}

/* Checksums made right, so that what stands behind them is reached. */
static void repair(struct buf *b) {
    if (b->n < 16)
        return;
    memcpy(b->p, "HNMSPOOL\1\0\0\0", 12);
    uint32_t crc = crc32c(0, b->p, 12), n;
    memcpy(b->p + 12, &crc, 4);
    for (size_t at = 16; b->n - at > 12; at += 12 + n) {
        memcpy(&n, b->p + at, 4);
        n %= 64;
        if (n == 0 || n > b->n - at - 12)
            return;
        memcpy(b->p + at, &n, 4);
        crc = crc32c(0, b->p + at + 8, n + 4);
        memcpy(b->p + at + 4, &crc, 4);
    }
}

static void run(struct str segment, struct str released) {
    struct clock_manual manual = {INT64_C(1700000000000000000), 0};
    struct clock clock = clock_manual_view(&manual);
    struct spool_options opt = {
        .dir = spool_dir, .clock = &clock, .segment_bytes = 1000, .bytes_max = 100000};
    struct err err;
    err_reset(&err);
    place("00000000000000000005.seg", segment);
    place("00000000000000000007.seg", released);
    place("released", released);
    struct spool *s = spool_open(&opt, &err);
    if (!s)
        abort(); /* a damaged buffer must never keep the agent from working */
    struct spool_position at = {0, 0}, p;
    struct buf b = BUF_INIT;
    bool found = true, last = false;
    if (!spool_append(s, STR("the last one"), 1, &err))
        abort();
    while (spool_next(s, at, &b, &p, &found, &err) && found) {
        if (!spool_before(at, p))
            abort();
        at = p;
        last = str_eq(buf_view(&b), STR("the last one"));
    }
    if (found || !last || !spool_release(s, at, &err))
        abort();
    buf_deinit(&b);
    spool_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!spool_dir[0]) {
        agent_testdir(spool_dir);
        (void)atexit(remove_spool_dir);
    }
    if (size > 16384)
        return 0;
    struct str in = str_make((const char *)data, size);
    for (int repaired = 0; repaired < 2; repaired++) {
        struct buf b = BUF_INIT;
        char **names;
        size_t n;
        struct arena a = ARENA_INIT;
        buf_puts(&b, in);
        if (repaired)
            repair(&b);
        run(buf_view(&b), str_sub(in, 0, 40));
        buf_deinit(&b);
        if (file_list(spool_dir, &a, &names, &n, NULL))
            for (size_t i = 0; i < n; i++) {
                char path[600];
                snprintf(path, sizeof(path), "%s/%s", spool_dir, names[i]);
                if (unlink(path) != 0)
                    abort();
            }
        arena_deinit(&a);
    }
    return 0;
}
