/* /api/v1/rules and alerts. */
#include "api/api_int.h"

#include "base/dtoa.h"
#include "base/hash.h"

#include <stdio.h>

/* Go's zero time stands for "never". */
static void ktime_or_never(struct jsonw *w, const char *key, int64_t ms) {
    if (ms)
        jsonw_ktime(w, key, ms);
    else
        jsonw_kz(w, key, "0001-01-01T00:00:00Z");
}

static void put_alert(struct jsonw *w, const struct rule_alert_view *a) {
    char value[DTOA_BYTES_MAX];
    jsonw_object(w);
    jsonw_klabels(w, "labels", a->labels);
    jsonw_klabels(w, "annotations", a->annotations);
    jsonw_kz(w, "state", alert_state_name(a->state));
    jsonw_ktime(w, "activeAt", a->active_ms);
    if (a->keep_since_ms)
        jsonw_ktime(w, "keepFiringSince", a->keep_since_ms);
    jsonw_kstr(w, "value", str_make(value, dtoa_e(a->value, value)));
    jsonw_end(w);
}

void prom_alerts(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct rule_alert_view *v = NULL;
    size_t n = 0;
    if (api->d.rules && !rule_manager_alerts(api->d.rules, r->arena, &v, &n, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "alerts");
    for (size_t i = 0; i < n; i++)
        put_alert(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
    prom_end(res, NULL);
}

struct filter {
    struct api *api;
    struct http_req *r;
    bool alerting, recording, exclude_alerts;
    bool by_name, by_group, by_file; /* whether rule_name[], rule_group[], file[] were given */
    struct prom_selector *match;
    size_t n_match;
    int64_t group_limit;
    struct str next_token;
};

static bool listed(struct http_req *r, const char *param, struct str value) {
    struct str s;
    for (size_t i = 0; http_req_param(r, param, i, &s); i++)
        if (str_eq(s, value))
            return true;
    return false;
}

static bool given(struct http_req *r, const char *param) {
    struct str s;
    return http_req_param(r, param, 0, &s);
}

static bool filter_type(struct http_req *r, struct filter *f, struct err *err) {
    struct str type = prom_param(r, "type");
    f->alerting = type.n == 0 || str_eq_nocase(type, STR("alert"));
    f->recording = type.n == 0 || str_eq_nocase(type, STR("record"));
    if (!f->alerting && !f->recording) {
        (void)err_set(err, ERR_BAD_INPUT, "not supported value %.*s",
                      STR_FMT(prom_quoted(r, type)));
        return prom_invalid(r, "type", err);
    }
    struct str x = prom_param(r, "exclude_alerts");
    static const char *const yes[] = {"1", "t", "true"}, *const no[] = {"0", "f", "false"};
    bool known = x.n == 0;
    for (int i = 0; i < 3; i++) {
        f->exclude_alerts |= str_eq_nocase(x, str_from(yes[i]));
        known |= str_eq_nocase(x, str_from(yes[i])) || str_eq_nocase(x, str_from(no[i]));
    }
    if (!known) {
        (void)err_set(
            err, ERR_BAD_INPUT,
            "error converting exclude_alerts: strconv.ParseBool: parsing %.*s: invalid syntax",
            STR_FMT(prom_quoted(r, x)));
        return prom_invalid(r, "exclude_alerts", err);
    }
    return true;
}

static bool filter_pages(struct http_req *r, struct filter *f, struct err *err) {
    struct str limit = prom_param(r, "group_limit");
    f->next_token = prom_param(r, "group_next_token");
    f->group_limit = 0;
    if (f->next_token.n && limit.n == 0) {
        (void)err_set(err, ERR_BAD_INPUT,
                      "group_limit needs to be present in order to paginate over the groups");
        return prom_invalid(r, "group_next_token", err);
    }
    if (limit.n && !str_to_i64(limit, &f->group_limit)) {
        (void)err_set(err, ERR_BAD_INPUT,
                      "group_limit needs to be a valid number: strconv.ParseInt: parsing %.*s: "
                      "invalid syntax",
                      STR_FMT(prom_quoted(r, limit)));
        return prom_invalid(r, "group_limit", err);
    }
    if (limit.n && f->group_limit <= 0) {
        (void)err_set(err, ERR_BAD_INPUT, "group_limit needs to be greater than 0");
        return prom_invalid(r, "group_limit", err);
    }
    return true;
}

static bool rule_wanted(const struct filter *f, const struct rule_view *v) {
    if (v->alerting ? !f->alerting : !f->recording)
        return false;
    if (f->by_name && !listed(f->r, "rule_name[]", v->name))
        return false;
    bool match = f->n_match == 0;
    for (size_t i = 0; i < f->n_match && !match; i++)
        match = matchers_match(f->match[i].m, f->match[i].n, v->labels);
    return match;
}

static void put_rule(struct jsonw *w, const struct filter *f, const struct rule_view *v) {
    jsonw_object(w);
    if (v->alerting)
        jsonw_kz(w, "state", alert_state_name(v->state));
    jsonw_kstr(w, "name", v->name);
    jsonw_kstr(w, "query", v->query);
    if (v->alerting) {
        jsonw_kf64(w, "duration", (double)v->for_ms / 1000);
        jsonw_kf64(w, "keepFiringFor", (double)v->keep_firing_for_ms / 1000);
    }
    jsonw_klabels(w, "labels", v->labels);
    if (v->alerting) {
        jsonw_klabels(w, "annotations", v->annotations);
        if (f->exclude_alerts) {
            jsonw_key(w, "alerts");
            jsonw_null(w);
        } else {
            jsonw_karray(w, "alerts");
            for (size_t i = 0; i < v->n_alerts; i++)
                put_alert(w, &v->alerts[i]);
            jsonw_end(w);
        }
    }
    jsonw_kz(w, "health", rule_health_name(v->health));
    if (v->last_error.n)
        jsonw_kstr(w, "lastError", v->last_error);
    jsonw_kf64(w, "evaluationTime", v->evaluation_s);
    ktime_or_never(w, "lastEvaluation", v->last_eval_ms);
    jsonw_kz(w, "type", v->alerting ? "alerting" : "recording");
    jsonw_end(w);
}

static void put_group(struct jsonw *w, const struct filter *f, const struct rule_group_view *g) {
    jsonw_object(w);
    jsonw_kstr(w, "name", g->name);
    jsonw_kstr(w, "file", g->file);
    jsonw_karray(w, "rules");
    for (size_t i = 0; i < g->n_rules; i++)
        if (rule_wanted(f, &g->rules[i]))
            put_rule(w, f, &g->rules[i]);
    jsonw_end(w);
    jsonw_kf64(w, "interval", (double)g->interval_ms / 1000);
    jsonw_ki64(w, "limit", g->limit);
    jsonw_kf64(w, "evaluationTime", g->evaluation_s);
    ktime_or_never(w, "lastEvaluation", g->last_eval_ms);
    jsonw_end(w);
}

static bool group_wanted(const struct filter *f, const struct rule_group_view *g) {
    if ((f->by_group && !listed(f->r, "rule_group[]", g->name)) ||
        (f->by_file && !listed(f->r, "file[]", g->file)))
        return false;
    for (size_t i = 0; i < g->n_rules; i++)
        if (rule_wanted(f, &g->rules[i]))
            return true;
    return false; /* a group of which nothing is left is left out, too */
}

/* Names a group for paging; only this server has to know it again. */
static void group_token(const struct rule_group_view *g, char out[17]) {
    (void)snprintf(out, 17, "%016llx",
                   (unsigned long long)hash_mix(hash_str(g->file), hash_str(g->name)));
}

static bool put_groups(struct http_res *res, const struct filter *f,
                       const struct rule_group_view *v, size_t n, struct err *err) {
    char token[17], next[17] = "";
    size_t i = 0, shown = 0;
    for (; f->next_token.n && i < n; i++) {
        group_token(&v[i], token);
        if (str_eqz(f->next_token, token))
            break;
    }
    if (f->next_token.n && i == n) {
        (void)err_set(err, ERR_BAD_INPUT,
                      "invalid group_next_token '%.*s'. were rule groups changed?",
                      STR_FMT(str_sub(f->next_token, 0, 100)));
        return prom_invalid(f->r, "group_next_token", err);
    }
    prom_begin(f->r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "groups");
    for (; i < n; i++) {
        if (!group_wanted(f, &v[i]))
            continue;
        if (f->group_limit && shown == (size_t)f->group_limit) {
            group_token(&v[i], next);
            break;
        }
        put_group(&w, f, &v[i]);
        shown++;
    }
    jsonw_end(&w);
    if (next[0])
        jsonw_kz(&w, "groupNextToken", next);
    jsonw_end(&w);
    prom_end(res, NULL);
    return true;
}

void prom_rules(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct filter f = {.api = api, .r = r};
    struct rule_group_view *v = NULL;
    size_t n = 0;
    f.by_name = given(r, "rule_name[]");
    f.by_group = given(r, "rule_group[]");
    f.by_file = given(r, "file[]");
    bool ok = prom_selectors(api, r, "match[]", &f.match, &f.n_match, &err) &&
              filter_type(r, &f, &err) && filter_pages(r, &f, &err) &&
              (!api->d.rules || rule_manager_groups(api->d.rules, r->arena, &v, &n, &err)) &&
              put_groups(res, &f, v, n, &err);
    if (!ok)
        prom_fail(r, res, &err);
}
