/* From configuration to compiled groups. */
#include "base/hash.h"
#include "feature/rule/rule_int.h"

#include <stdio.h>
#include <stdlib.h>

static void key_of_bytes(struct str s, char out[ALERT_KEY_BYTES + 1]) {
    (void)snprintf(out, ALERT_KEY_BYTES + 1, "%016llx%016llx",
                   (unsigned long long)hash_bytes_seed(s.p, s.n, 1),
                   (unsigned long long)hash_bytes_seed(s.p, s.n, 2));
}

void alert_key_of(struct labels ls, char out[ALERT_KEY_BYTES + 1]) {
    uint64_t a = 1, b = 2;
    for (uint32_t i = 0; i < ls.n; i++) {
        uint64_t name = hash_str(ls.l[i].name);
        a = hash_bytes_seed(ls.l[i].value.p, ls.l[i].value.n, hash_mix(a, name));
        b = hash_bytes_seed(ls.l[i].value.p, ls.l[i].value.n, hash_mix(b, ~name));
    }
    (void)snprintf(out, ALERT_KEY_BYTES + 1, "%016llx%016llx", (unsigned long long)a,
                   (unsigned long long)b);
}

void alert_free(struct alert *a) {
    if (!a)
        return;
    free(a->labels);
    free(a->annotations);
    free(a->told);
    free(a);
}

static void rule_deinit(struct rule *r) {
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = map_next(&r->alerts, e))
        alert_free(e->value);
    for (struct map_entry *e = map_next(&r->series, NULL); e; e = map_next(&r->series, e))
        free(e->value);
    map_deinit(&r->alerts);
    map_deinit(&r->series);
}

void generation_free(struct generation *g) {
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->groups[i].n; k++)
            rule_deinit(&g->groups[i].rules[k]);
    arena_deinit(&g->arena);
    free(g);
}

/* The group's labels, then the rule's. */
static bool merge_labels(struct arena *a, const struct conf_pairs *group,
                         const struct conf_pairs *rule, struct conf_pairs *out) {
    size_t n = 0;
    struct str *key = ARENA_ARRAY(a, struct str, group->n + rule->n + 1);
    struct str *value = ARENA_ARRAY(a, struct str, group->n + rule->n + 1);
    if (!key || !value)
        return false;
    const struct conf_pairs *from[2] = {group, rule};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < from[k]->n; i++) {
            size_t at = 0;
            while (at < n && !str_eq(key[at], from[k]->key[i]))
                at++;
            key[at] = from[k]->key[i];
            value[at] = from[k]->value[i];
            n += at == n;
        }
    *out = (struct conf_pairs){key, value, n};
    return true;
}

static int by_key(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* File, group, kind, name and labels say which rule it is; rules that agree in all are told apart
 * by their order. The expression is not part of it: a better threshold does not ring a second time.
 */
static bool rule_key(struct group *g, struct rule *r, size_t index, struct arena *a) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "%.*s", STR_FMT(g->file));
    buf_putc(&b, 0);
    buf_puts(&b, g->name);
    buf_putc(&b, 0);
    buf_putz(&b, r->alerting ? "alert" : "record");
    buf_putc(&b, 0);
    buf_puts(&b, r->name);
    struct str *pairs = ARENA_ARRAY(a, struct str, r->labels.n + 1);
    bool ok = pairs != NULL;
    for (size_t i = 0; ok && i < r->labels.n; i++) {
        pairs[i] =
            arena_printf(a, "%.*s=%.*s", STR_FMT(r->labels.key[i]), STR_FMT(r->labels.value[i]));
        ok = pairs[i].p != NULL;
    }
    if (ok)
        qsort(pairs, r->labels.n, sizeof(*pairs), by_key);
    for (size_t i = 0; ok && i < r->labels.n; i++) {
        buf_putc(&b, 0);
        buf_puts(&b, pairs[i]);
    }
    ok = ok && buf_ok(&b);
    if (ok) {
        key_of_bytes(buf_view(&b), r->key);
        size_t same = 0;
        for (size_t i = 0; i < index; i++)
            same += memcmp(g->rules[i].key, r->key, ALERT_KEY_BYTES - 4) == 0;
        if (same) /* the last digits count the twins */
            (void)snprintf(r->key + ALERT_KEY_BYTES - 4, 5, "%04zx", same & 0xffff);
    }
    buf_deinit(&b);
    return ok;
}

static bool compile_rule(const struct rule_options *opt, struct group *g, size_t index,
                         const struct rule_group_conf *gc, const struct rule_conf *c,
                         struct arena *a, struct err *err) {
    struct rule *r = &g->rules[index];
    r->conf = c;
    r->alerting = c->alert.n > 0;
    r->name = r->alerting ? c->alert : c->record;
    if (!merge_labels(a, &gc->labels, &c->labels, &r->labels))
        return arena_err(a, err);
    r->expr = promql_parse(c->expr, opt->promql_features, a, err);
    if (!r->expr)
        return err_prefix(err, "%.*s, group %.*s, rule %.*s", STR_FMT(g->file), STR_FMT(g->name),
                          STR_FMT(r->name));
    return rule_key(g, r, index, a) || arena_err(a, err);
}

static bool compile_group(const struct rule_options *opt, struct group *g,
                          const struct rule_source *source, const struct rule_group_conf *c,
                          struct arena *a, struct err *err) {
    g->name = c->name;
    g->file = source->file;
    g->builtin = source->builtin;
    g->source = arena_printf(a, "rule/%.*s", STR_FMT(c->name));
    g->interval_ms = c->interval_ms                ? c->interval_ms
                     : opt->evaluation_interval_ms ? opt->evaluation_interval_ms
                                                   : 60000;
    g->limit = c->limit;
    g->offset_ms =
        c->query_offset_ms >= 0 && c->query_offset.n ? c->query_offset_ms : opt->query_offset_ms;
    struct str id = arena_printf(a, "%.*s;%.*s", STR_FMT(g->file), STR_FMT(g->name));
    g->rules = ARENA_ARRAY(a, struct rule, c->rules.n + 1);
    if (!g->source.p || !id.p || !g->rules)
        return arena_err(a, err);
    key_of_bytes(id, g->key);
    g->slot_hash = hash_str(id);
    const struct rule_conf *rules = c->rules.v;
    for (; g->n < c->rules.n; g->n++)
        if (!compile_rule(opt, g, g->n, c, &rules[g->n], a, err))
            return false;
    return true;
}

struct generation *generation_new(const struct rule_options *opt, const struct rule_source *sources,
                                  size_t n, struct err *err) {
    struct generation *gen = calloc(1, sizeof(*gen));
    if (!gen) {
        err_set(err, ERR_INTERNAL, "out of memory loading rules");
        return NULL;
    }
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += sources[i].conf->groups.n;
    gen->groups = ARENA_ARRAY(&gen->arena, struct group, total + 1);
    bool ok = gen->groups || arena_err(&gen->arena, err);
    for (size_t i = 0; ok && i < n; i++) {
        const struct rule_group_conf *c = sources[i].conf->groups.v;
        for (size_t k = 0; ok && k < sources[i].conf->groups.n; k++)
            ok = compile_group(opt, &gen->groups[gen->n++], &sources[i], &c[k], &gen->arena, err);
    }
    if (!ok) {
        generation_free(gen);
        return NULL;
    }
    return gen;
}
