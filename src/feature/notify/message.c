/* What is told, as Alertmanager's webhook JSON (version 4): the outbox keeps it, webhooks get it,
 * Slack's text is made of it. */
#include "base/hash.h"
#include "feature/notify/notify_int.h"

#include <stdio.h>

#define TITLE_WHERE_BYTES 80

void message_key(char out[KEY_BYTES + 1], struct str text) {
    (void)snprintf(out, KEY_BYTES + 1, "%016llx%016llx",
                   (unsigned long long)hash_bytes_seed(text.p, text.n, 11),
                   (unsigned long long)hash_bytes_seed(text.p, text.n, 12));
}

static void put_labels(struct jsonw *w, const char *key, struct labels ls) {
    jsonw_kobject(w, key);
    for (uint32_t i = 0; i < ls.n; i++) {
        jsonw_key_str(w, ls.l[i].name);
        jsonw_str(w, ls.l[i].value);
    }
    jsonw_end(w);
}

static struct labels texts_of(const struct message_alert *m, bool annotations) {
    return annotations ? *m->a->annotations : *m->a->labels;
}

/* What all of them share. */
static void put_common(struct jsonw *w, const char *key, const struct message_alert *v, size_t n,
                       bool annotations) {
    jsonw_kobject(w, key);
    struct labels first = n ? texts_of(&v[0], annotations) : (struct labels){NULL, 0};
    for (uint32_t i = 0; i < first.n; i++) {
        bool same = true;
        for (size_t k = 1; same && k < n; k++)
            same =
                str_eq(labels_get(texts_of(&v[k], annotations), first.l[i].name), first.l[i].value);
        if (same) {
            jsonw_key_str(w, first.l[i].name);
            jsonw_str(w, first.l[i].value);
        }
    }
    jsonw_end(w);
}

static bool any_firing(const struct message_alert *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (v[i].firing)
            return true;
    return false;
}

void message_body(struct buf *out, const struct message_alert *v, size_t n, struct str receiver,
                  struct str group_key, struct labels group_labels, struct str external_url) {
    struct jsonw w = JSONW_INIT(out);
    size_t shown = n > NOTIFY_ALERTS_MAX ? NOTIFY_ALERTS_MAX : n;
    jsonw_object(&w);
    jsonw_kz(&w, "version", "4");
    jsonw_kstr(&w, "groupKey", group_key);
    jsonw_ku64(&w, "truncatedAlerts", n - shown);
    jsonw_kz(&w, "status", any_firing(v, n) ? "firing" : "resolved");
    jsonw_kstr(&w, "receiver", receiver);
    put_labels(&w, "groupLabels", group_labels);
    put_common(&w, "commonLabels", v, n, false);
    put_common(&w, "commonAnnotations", v, n, true);
    jsonw_kstr(&w, "externalURL", external_url);
    jsonw_karray(&w, "alerts");
    for (size_t i = 0; i < shown; i++) {
        const struct alert_rec *a = v[i].a;
        jsonw_object(&w);
        jsonw_kz(&w, "status", v[i].firing ? "firing" : "resolved");
        put_labels(&w, "labels", *a->labels);
        put_labels(&w, "annotations", *a->annotations);
        jsonw_ktime(&w, "startsAt", a->starts_ms);
        if (v[i].firing)
            jsonw_kz(&w, "endsAt", "0001-01-01T00:00:00Z");
        else
            jsonw_ktime(&w, "endsAt", a->ends_ms);
        jsonw_kz(&w, "generatorURL", a->url ? a->url : "");
        jsonw_kstr(&w, "fingerprint", (struct str){a->key, 16});
        jsonw_kz(&w, "value", a->value); /* ours: as text, so that NaN passes */
        jsonw_ki64(&w, "startsAtMs", a->starts_ms);
        jsonw_ki64(&w, "endsAtMs", v[i].firing ? 0 : a->ends_ms);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
}

static void cut(struct buf *b, size_t max) {
    if (b->n <= max)
        return;
    size_t n = max;
    while (n > 0 && ((unsigned char)b->p[n] & 0xc0) == 0x80)
        n--;
    b->n = n;
    b->p[n] = 0;
}

void message_title(char out[NOTIFY_TITLE_BYTES], const struct message_alert *v, size_t n) {
    struct buf b = BUF_INIT;
    if (n) {
        buf_puts(&b, labels_get(*v[0].a->labels, STR("alertname")));
        struct str summary = labels_get(*v[0].a->annotations, STR("summary"));
        if (summary.n) {
            buf_putz(&b, ": ");
            buf_puts(&b, summary);
        }
    }
    if (n > 1) {
        buf_printf(&b, " (+%zu)", n - 1);
    } else if (n == 1) { /* which one of its kind */
        size_t start = b.n;
        for (uint32_t i = 0; i < v[0].a->labels->n; i++) {
            struct label l = v[0].a->labels->l[i];
            if (str_eqz(l.name, "alertname") || str_eqz(l.name, "severity") ||
                b.n - start + l.name.n + l.value.n > TITLE_WHERE_BYTES)
                continue;
            buf_putz(&b, b.n == start ? " (" : ", ");
            buf_puts(&b, l.name);
            buf_putc(&b, '=');
            buf_puts(&b, l.value);
        }
        if (b.n > start)
            buf_putc(&b, ')');
    }
    cut(&b, NOTIFY_TITLE_BYTES - 16);
    (void)snprintf(out, NOTIFY_TITLE_BYTES, "%s", b.p ? b.p : "");
    buf_deinit(&b);
}

static void copy_json(struct jsonw *w, const struct jsonr *v, unsigned depth) {
    struct str s;
    int64_t i;
    double f;
    bool b;
    enum jsonr_type t = jsonr_type(v);
    if (depth > 16) {
        jsonw_null(w);
    } else if (t == JSONR_OBJECT) {
        jsonw_object(w);
        for (struct jsonr_iter it = jsonr_first(v); it.value; it = jsonr_next(it)) {
            jsonw_key_str(w, it.key);
            copy_json(w, it.value, depth + 1);
        }
        jsonw_end(w);
    } else if (t == JSONR_ARRAY) {
        jsonw_array(w);
        for (size_t k = 0; k < jsonr_len(v); k++)
            copy_json(w, jsonr_at(v, k), depth + 1);
        jsonw_end(w);
    } else if (jsonr_str(v, &s)) {
        jsonw_str(w, s);
    } else if (t == JSONR_INT && jsonr_i64(v, &i)) {
        jsonw_i64(w, i);
    } else if (t == JSONR_FLOAT && jsonr_f64(v, &f)) {
        jsonw_f64(w, f);
    } else if (jsonr_bool(v, &b)) {
        jsonw_bool(w, b);
    } else {
        jsonw_null(w);
    }
}

void message_copy(struct jsonw *w, const struct jsonr *v) {
    copy_json(w, v, 0);
}

void message_webhook(struct buf *out, struct str body, int64_t max_alerts) {
    struct err e;
    struct jsonr_doc *doc = max_alerts > 0 ? jsonr_parse(body, &e) : NULL;
    const struct jsonr *root = doc ? jsonr_root(doc) : NULL, *alerts = jsonr_get(root, "alerts");
    if (!doc || jsonr_len(alerts) <= (size_t)max_alerts) {
        buf_puts(out, body);
        jsonr_free(doc);
        return;
    }
    struct jsonw w = JSONW_INIT(out);
    jsonw_object(&w);
    for (struct jsonr_iter it = jsonr_first(root); it.value; it = jsonr_next(it)) {
        jsonw_key_str(&w, it.key);
        if (str_eqz(it.key, "truncatedAlerts")) {
            jsonw_i64(&w, jsonr_get_i64(root, "truncatedAlerts", 0) + (int64_t)jsonr_len(alerts) -
                              max_alerts);
        } else if (str_eqz(it.key, "alerts")) {
            jsonw_array(&w);
            for (size_t k = 0; k < (size_t)max_alerts; k++)
                copy_json(&w, jsonr_at(alerts, k), 0);
            jsonw_end(&w);
        } else {
            copy_json(&w, it.value, 0);
        }
    }
    jsonw_end(&w);
    jsonr_free(doc);
}
