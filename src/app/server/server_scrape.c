/* What is scraped: the configuration's scrape_configs, and the offers that somebody accepted in the
 * screen (rows of `scrape_accepted`, which no feature reads but through here). */
#include "app/server/server.h"

#include "base/log.h"

#include <stdio.h>

enum { ACCEPTED_MAX = 1000 };

static void put_meta(void *self, const struct metric_meta *m, size_t n) {
    struct err err;
    err_reset(&err);
    if (!series_put_meta(self, m, n, &err))
        log_warn("scrape", "metadata of %zu metrics could not be kept: %s", n, err.message);
}

bool server_scrape_accepted(void *server, struct arena *a, struct api_accepted **out, size_t *out_n,
                            struct err *err) {
    struct server *s = server;
    struct api_accepted *v = ARENA_ARRAY(a, struct api_accepted, ACCEPTED_MAX);
    struct err e;
    size_t n = 0;
    err_reset(&e);
    if (!v)
        return arena_err(a, err);
    struct state_tx *tx = state_begin_read(s->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(tx, &e,
                                       "SELECT id,url,job,created_ms,coalesce(created_by,'') FROM "
                                       "scrape_accepted ORDER BY id LIMIT ?",
                                       "i", (int64_t)ACCEPTED_MAX);
    while (r && state_next(r, &e)) {
        v[n].id = arena_printf(a, "%lld", (long long)state_int(r, 0));
        v[n].url = arena_str(a, state_str(r, 1));
        v[n].job = arena_str(a, state_str(r, 2));
        v[n].created_ms = state_int(r, 3);
        v[n].created_by = arena_str(a, state_str(r, 4));
        n++;
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    if (e.code || a->failed)
        return e.code ? false : arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}

bool server_scrape_apply(struct server *s, const struct config *c, struct err *err) {
    struct arena a = ARENA_INIT;
    struct api_accepted *v;
    size_t n = 0;
    bool ok = server_scrape_accepted(s, &a, &v, &n, err);
    struct ingest_accepted *accepted = ok ? ARENA_ARRAY(&a, struct ingest_accepted, n + 1) : NULL;
    if (ok && !accepted)
        ok = arena_err(&a, err);
    for (size_t i = 0; ok && i < n; i++)
        accepted[i] = (struct ingest_accepted){v[i].id, v[i].url, v[i].job};
    struct ingest_config ic = {.global = &c->root.global.ingest,
                               .scrapes = c->root.scrape_configs.v,
                               .n_scrapes = c->root.scrape_configs.n,
                               .accepted = accepted,
                               .n_accepted = n};
    ok = ok && ingest_apply(s->ingest, &ic, err);
    arena_deinit(&a);
    return ok;
}

bool server_scrape_start(struct server *s, struct err *err) {
    struct ingest_options o = {.sink = series_sink(s->series),
                               .clock = s->clock,
                               .put_meta = put_meta,
                               .meta_self = s->series};
    s->ingest = ingest_new(&o, err);
    return s->ingest && server_scrape_apply(s, s->config, err);
}

static void copy_target(const struct ingest_target_view *t, struct api_target *out) {
    *out = (struct api_target){.discovered = t->discovered,
                               .labels = t->labels,
                               .pool = t->job,
                               .url = t->url,
                               .last_error = t->last_error.n ? t->last_error : t->rejected,
                               .last_scrape_ms = t->last_scrape_ms,
                               .duration_s = t->last_duration_s,
                               .interval_ms = t->interval_ms,
                               .timeout_ms = t->timeout_ms,
                               .health = t->health == INGEST_UP     ? 1
                                         : t->health == INGEST_DOWN ? 0
                                                                    : -1,
                               .origin = t->accepted_id.n ? STR("overridden") : STR("declared"),
                               .accepted_id = t->accepted_id};
}

bool server_scrape_targets(void *server, struct arena *a, struct api_target **out, size_t *out_n,
                           struct err *err) {
    struct server *s = server;
    struct ingest_target_view *v;
    size_t n;
    if (!ingest_targets(s->ingest, a, &v, &n, err))
        return false;
    struct api_target *list = ARENA_ARRAY(a, struct api_target, n + 1);
    if (!list)
        return arena_err(a, err);
    for (size_t i = 0; i < n; i++)
        copy_target(&v[i], &list[i]);
    *out = list;
    *out_n = n;
    return true;
}

/* Applies with the configuration of now; a reload at the same moment waits. */
static bool apply_now(struct server *s, struct err *err) {
    struct config *c = server_config(s);
    bool ok = server_scrape_apply(s, c, err);
    config_unref(c);
    return ok;
}

static bool in_transaction(struct server *s, struct err *err, const char *sql, struct str x,
                           struct str y, struct str z, int64_t number, int64_t *out_id,
                           int64_t *out_changes) {
    struct state_tx *tx = state_begin(s->state, err);
    if (!tx)
        return false;
    bool ok = x.p ? state_exec(tx, err, sql, "ssis", x, y, number, z)
                  : state_exec(tx, err, sql, "i", number);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    *out_id = state_last_id(tx);
    *out_changes = state_changes(tx);
    return state_commit(tx, err);
}

static bool remove_row(struct server *s, int64_t id, int64_t *out_changes, struct err *err) {
    int64_t unused;
    return in_transaction(s, err, "DELETE FROM scrape_accepted WHERE id=?", (struct str){NULL, 0},
                          STR(""), STR(""), id, &unused, out_changes);
}

bool server_scrape_accept(void *server, struct str url, struct str job, struct str by,
                          struct arena *a, struct api_accepted *out, struct err *err) {
    struct server *s = server;
    int64_t now = clock_wall_ms(s->clock), id = 0, changes = 0;
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        return err_set(err, ERR_BAD_INPUT,
                       "url: expected http://... or https://..., found \"%.*s\"", STR_FMT(url));
    if (job.n == 0 || job.n > 128 || !str_is_utf8(job))
        return err_set(err, ERR_BAD_INPUT, "job: expected a name of 1 to 128 bytes, found %zu",
                       job.n);
    mutex_lock(&s->reload_lock);
    bool ok = in_transaction(
        s, err,
        "INSERT INTO scrape_accepted(url,job,created_ms,created_by) VALUES(?,?,?,nullif(?,''))",
        url, job, by, now, &id, &changes);
    if (!ok && err && err->code == ERR_CONFLICT)
        (void)err_set(err, ERR_CONFLICT, "%.*s is scraped already", STR_FMT(url));
    if (ok && !apply_now(s, err)) { /* a URL that cannot be a target must not stay behind */
        struct err ignored;
        err_reset(&ignored);
        if (!remove_row(s, id, &changes, &ignored))
            log_error("scrape", "%s", ignored.message);
        ok = false;
    }
    mutex_unlock(&s->reload_lock);
    if (!ok)
        return false;
    *out = (struct api_accepted){.id = arena_printf(a, "%lld", (long long)id),
                                 .url = arena_str(a, url),
                                 .job = arena_str(a, job),
                                 .created_by = arena_str(a, by),
                                 .created_ms = now};
    return !a->failed || arena_err(a, err);
}

bool server_scrape_forget(void *server, struct str id, struct err *err) {
    struct server *s = server;
    int64_t number = 0, changes = 0;
    if (!str_to_i64(id, &number))
        return err_set(err, ERR_NOT_FOUND, "there is no accepted scrape \"%.*s\"", STR_FMT(id));
    mutex_lock(&s->reload_lock);
    bool ok = remove_row(s, number, &changes, err);
    if (ok && changes == 0)
        ok = err_set(err, ERR_NOT_FOUND, "there is no accepted scrape \"%.*s\"", STR_FMT(id));
    ok = ok && apply_now(s, err);
    mutex_unlock(&s->reload_lock);
    return ok;
}
