/* Many that wait for one receiver become one message; they stay as rows that point to it.
 *
 * The message is Alertmanager's JSON again (a group of its own, with the alerts of all), so that
 * any receiver can read it, and for Slack the list of titles besides ("digest"). What finds no room
 * is counted in truncatedAlerts; a webhook's fold takes only as many as have room, and the rest
 * makes the next one. */
#include "feature/notify/notify_int.h"

#include <stdio.h>

struct fold {
    struct buf alerts, titles; /* inner text of two JSON arrays */
    int64_t n_rows, n_alerts, n_hidden, first, last;
    bool firing, full;
};

static void add_title(struct fold *f, struct str kind, struct str title, int64_t alerts) {
    if (f->titles.n)
        buf_putc(&f->titles, ',');
    struct jsonw w = JSONW_INIT(&f->titles);
    jsonw_object(&w);
    jsonw_kstr(&w, "kind", kind);
    jsonw_kstr(&w, "title", title);
    jsonw_ki64(&w, "alerts", alerts);
    jsonw_end(&w);
}

/* false: no room; the row stays for the next fold. */
static bool add_row(struct fold *f, const struct dest *d, struct state_rows *r) {
    struct err e;
    struct jsonr_doc *doc = jsonr_parse(state_str(r, 3), &e);
    const struct jsonr *root = doc ? jsonr_root(doc) : NULL, *list = jsonr_get(root, "alerts");
    int64_t n = (int64_t)jsonr_len(list), hidden = jsonr_get_i64(root, "truncatedAlerts", 0);
    if (d->kind != DEST_SLACK && f->n_rows && f->n_alerts + n > NOTIFY_ALERTS_MAX) {
        f->full = true;
        jsonr_free(doc);
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        const struct jsonr *a = jsonr_at(list, (size_t)i);
        f->firing |= str_eqz(jsonr_get_str(a, "status"), "firing");
        if (f->n_alerts >= NOTIFY_ALERTS_MAX) {
            f->n_hidden++;
            continue;
        }
        if (f->alerts.n)
            buf_putc(&f->alerts, ',');
        struct jsonw w = JSONW_INIT(&f->alerts);
        message_copy(&w, a);
        f->n_alerts++;
    }
    f->n_hidden += hidden;
    if (d->kind == DEST_SLACK)
        add_title(f, state_str(r, 1), state_str(r, 2), n + hidden);
    f->last = state_int(r, 0);
    f->first = f->first ? f->first : f->last;
    f->n_rows++;
    jsonr_free(doc);
    return true;
}

static bool gather(struct state_tx *tx, const struct dest *d, struct fold *f, struct err *err) {
    struct err e = {0};
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT id,kind,title,body FROM outbox WHERE receiver=? AND state='waiting' AND "
        "state IN ('waiting','sending') AND kind<>'test' AND key NOT LIKE 'digest/%' ORDER BY id",
        "s", d->id);
    bool ok = r != NULL;
    while (ok && state_next(r, &e) && add_row(f, d, r))
        ;
    state_rows_free(r);
    if (ok && e.code == ERR_OK && (!buf_ok(&f->alerts) || !buf_ok(&f->titles)))
        err_set(&e, ERR_INTERNAL, "out of memory folding messages");
    if (e.code && err)
        *err = e;
    return ok && e.code == ERR_OK;
}

static void compose(struct buf *out, const struct fold *f, const struct dest *d, struct str key,
                    struct str external_url) {
    struct jsonw w = JSONW_INIT(out);
    jsonw_object(&w);
    jsonw_kz(&w, "version", "4");
    jsonw_kstr(&w, "groupKey", key);
    jsonw_ki64(&w, "truncatedAlerts", f->n_hidden);
    jsonw_kz(&w, "status", f->firing ? "firing" : "resolved");
    jsonw_kstr(&w, "receiver", d->receiver);
    static const char *const empty[] = {"groupLabels", "commonLabels", "commonAnnotations"};
    for (size_t i = 0; i < 3; i++) {
        jsonw_kobject(&w, empty[i]);
        jsonw_end(&w);
    }
    jsonw_kstr(&w, "externalURL", external_url);
    buf_putz(out, ",\"alerts\":["); /* made of valid JSON above */
    buf_puts(out, buf_view(&f->alerts));
    buf_putc(out, ']');
    if (d->kind == DEST_SLACK) {
        buf_putz(out, ",\"digest\":[");
        buf_puts(out, buf_view(&f->titles));
        buf_putc(out, ']');
    }
    jsonw_end(&w);
}

static bool write_fold(struct notify *n, struct state_tx *tx, const struct dest *d,
                       const struct fold *f, int64_t now_ms, struct err *err) {
    char key[200], title[96];
    struct buf body = BUF_INIT;
    (void)snprintf(key, sizeof(key), "digest/%lld-%lld/%.*s", (long long)f->first,
                   (long long)f->last, (int)(d->id.n > 128 ? 128 : d->id.n), d->id.p);
    (void)snprintf(title, sizeof(title), "%lld notifications in one message (%lld alerts)",
                   (long long)f->n_rows, (long long)(f->n_alerts + f->n_hidden));
    compose(&body, f, d, str_from(key), n->opt.public_url);
    struct outbox_new o = {.key = str_from(key),
                           .receiver = d->id,
                           .kind = f->firing ? STR("alert") : STR("resolved"),
                           .title = str_from(title),
                           .body = buf_view(&body)};
    bool ok = (buf_ok(&body) || err_set(err, ERR_INTERNAL, "out of memory folding messages")) &&
              outbox_put(tx, &o, now_ms, err);
    int64_t id = ok ? state_last_id(tx) : 0;
    buf_deinit(&body);
    return ok && state_exec(tx, err,
                            "UPDATE outbox SET state='folded', folded_into=? WHERE receiver=? AND "
                            "state='waiting' AND kind<>'test' "
                            "AND key NOT LIKE 'digest/%' AND id<=? AND id<>?",
                            "isii", id, d->id, f->last, id);
}

static bool count_waiting(struct notify *n, const struct dest *d, int64_t *out, struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    struct state_rows *r =
        state_query(tx, &e,
                    "SELECT count(*) FROM outbox WHERE receiver=? AND state IN "
                    "('waiting','sending') AND kind<>'test' AND key NOT LIKE 'digest/%'",
                    "s", d->id);
    if (r && state_next(r, &e))
        *out = state_int(r, 0);
    state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    return e.code == ERR_OK;
}

bool outbox_fold(struct notify *n, const struct dest *d, int64_t now_ms, struct err *err) {
    int64_t min = d->kind == DEST_SLACK ? NOTIFY_FOLD_MIN : NOTIFY_FOLD_WEBHOOK_MIN, waiting = 0;
    if (!count_waiting(n, d, &waiting, err))
        return false;
    bool ok = true, more = waiting >= min;
    while (ok && more) {
        struct fold f = {.alerts = BUF_INIT, .titles = BUF_INIT};
        struct state_tx *tx = state_begin(n->opt.state, err);
        ok = tx && gather(tx, d, &f, err);
        more = ok && f.n_rows > 1;
        ok = ok && (!more || write_fold(n, tx, d, &f, now_ms, err));
        if (ok && more)
            ok = state_commit(tx, err);
        else if (tx)
            state_rollback(tx);
        more = more && f.full;
        buf_deinit(&f.alerts);
        buf_deinit(&f.titles);
    }
    return ok;
}
