#include "api/overview_json.h"

#include "base/dtoa.h"

const char *const overview_section_names[SECTION_COUNT] = {
#define X(name) #name,
    OVERVIEW_SECTIONS(X)
#undef X
};

enum { RECEIVERS_KNOWN_MS = 5000 };

/* Where alerts go is asked of the state store, so seldom. */
static bool has_receiver(struct api *api, struct arena *a) {
    struct notify_receiver *v = NULL;
    size_t n = 0;
    int64_t now = clock_mono_ms(api->d.clock), asked = atomic_load(&api->receivers_read_ms);
    if (!api->d.notify)
        return false;
    if (asked && now - asked < RECEIVERS_KNOWN_MS)
        return atomic_load(&api->receivers) > 0;
    if (!notify_receivers(api->d.notify, a, &v, &n, NULL))
        return false;
    atomic_store(&api->receivers, (int64_t)n);
    atomic_store(&api->receivers_read_ms, now ? now : 1);
    return n > 0;
}

bool overview_facts_gather(struct api *api, struct arena *a, struct overview_facts *out,
                           struct err *err) {
    const struct api_app *app = &api->d.app;
    *out = (struct overview_facts){0};
    overview_init(&out->o, clock_wall_ms(api->d.clock));
    if (api->d.collect && !collect_overview(api->d.collect, a, &out->o))
        return arena_err(a, err);
    if (api->d.rules) {
        if (!rule_manager_alerts(api->d.rules, a, &out->alerts, &out->n_alerts, err))
            return false;
        rule_manager_summary(api->d.rules, &out->rules);
    }
    if (app->targets && !app->targets(app->self, a, &out->targets, &out->n_targets, err))
        return false;
    if (api->d.agents && !agent_server_list(api->d.agents, a, &out->agents, &out->n_agents, err))
        return false;
    out->has_receiver = has_receiver(api, a);
    out->has_target = out->n_targets > 0;
    out->inventory = api->d.inventory ? inventory_get(api->d.inventory) : NULL;
    for (size_t i = 0; out->inventory && i < out->inventory->n_services; i++)
        out->has_service |= out->inventory->services[i].origin != ORIGIN_OBSERVED;
    return true;
}

/* Six significant digits are enough for a screen, and keep a section the same when only noise
 * moved. */
static void kratio(struct jsonw *w, const char *key, double v) {
    jsonw_key(w, key);
    if (v != v)
        jsonw_null(w);
    else
        jsonw_f64(w, (double)(int64_t)(v * 1e6 + (v < 0 ? -0.5 : 0.5)) / 1e6);
}

static void krate(struct jsonw *w, const char *key, double v) {
    jsonw_key(w, key);
    if (v != v)
        jsonw_null(w);
    else if (v < 9e15 && v > -9e15)
        jsonw_f64(w, (double)(int64_t)(v * 10 + (v < 0 ? -0.5 : 0.5)) / 10);
    else
        jsonw_f64(w, v);
}

void overview_facts_release(struct overview_facts *f) {
    inventory_unref(f->inventory);
    f->inventory = NULL;
}

static void put_host(struct jsonw *w, const struct overview_host *h) {
    jsonw_object(w);
    jsonw_kstr(w, "name", h->name);
    jsonw_kstr_or_null(w, "os", h->os);
    jsonw_kstr_or_null(w, "kernel", h->kernel);
    jsonw_kstr_or_null(w, "architecture", h->architecture);
    jsonw_kknown(w, "in_container", h->in_container);
    jsonw_kstr_or_null(w, "container_kind", h->container_kind);
    jsonw_kms(w, "boot_ms", h->boot_ms);
    jsonw_kf64(w, "uptime_seconds", h->uptime_s);
    jsonw_kms(w, "cpus", h->cpus);
    jsonw_end(w);
}

static void put_cpu(struct jsonw *w, const struct overview_cpu *c) {
    jsonw_object(w);
    kratio(w, "used_ratio", c->used_ratio);
    jsonw_kobject(w, "modes");
    for (int i = 0; i < CPU_MODES; i++)
        if (c->modes[i] == c->modes[i])
            kratio(w, overview_cpu_mode_names[i], c->modes[i]);
    jsonw_end(w);
    jsonw_kf64(w, "load1", c->load1);
    jsonw_kf64(w, "load5", c->load5);
    jsonw_kf64(w, "load15", c->load15);
    jsonw_karray(w, "cores");
    for (size_t i = 0; i < c->n_cores; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "cpu", c->cores[i].cpu);
        kratio(w, "used_ratio", c->cores[i].used_ratio);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
}

static void put_memory(struct jsonw *w, const struct overview_memory *m) {
    jsonw_object(w);
    jsonw_kms(w, "total_bytes", m->total_bytes);
    jsonw_kms(w, "available_bytes", m->available_bytes);
    jsonw_kms(w, "used_bytes", m->used_bytes);
    jsonw_kms(w, "cached_bytes", m->cached_bytes);
    jsonw_kms(w, "swap_total_bytes", m->swap_total_bytes);
    jsonw_kms(w, "swap_used_bytes", m->swap_used_bytes);
    jsonw_end(w);
}

static void put_psi(struct jsonw *w, const struct overview_psi *p) {
    const struct {
        const char *name;
        const struct overview_pressure *p;
    } parts[] = {{"cpu", &p->cpu}, {"memory", &p->memory}, {"io", &p->io}};
    if (!p->known) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    for (size_t i = 0; i < 3; i++) {
        jsonw_kobject(w, parts[i].name);
        kratio(w, "some_ratio", parts[i].p->some_ratio);
        kratio(w, "full_ratio", parts[i].p->full_ratio);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_disks(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_disks; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "device", o->disks[i].device);
        krate(w, "read_bytes_per_s", o->disks[i].read_bytes_per_s);
        krate(w, "write_bytes_per_s", o->disks[i].write_bytes_per_s);
        kratio(w, "busy_ratio", o->disks[i].busy_ratio);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_network(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_networks; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "device", o->networks[i].device);
        krate(w, "rx_bytes_per_s", o->networks[i].rx_bytes_per_s);
        krate(w, "tx_bytes_per_s", o->networks[i].tx_bytes_per_s);
        krate(w, "errors_per_s", o->networks[i].errors_per_s);
        jsonw_kknown(w, "up", o->networks[i].up);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_filesystems(struct jsonw *w, const struct overview *o) {
    static const char *const reasons[] = {NULL, "not_growing", "too_little_history"};
    jsonw_array(w);
    for (size_t i = 0; i < o->n_filesystems; i++) {
        const struct overview_filesystem *f = &o->filesystems[i];
        jsonw_object(w);
        jsonw_kstr(w, "mountpoint", f->mountpoint);
        jsonw_kstr(w, "device", f->device);
        jsonw_kstr(w, "fstype", f->fstype);
        jsonw_kms(w, "size_bytes", f->size_bytes);
        jsonw_kms(w, "available_bytes", f->available_bytes);
        kratio(w, "used_ratio", f->used_ratio);
        kratio(w, "inodes_used_ratio", f->inodes_used_ratio);
        jsonw_kknown(w, "read_only", f->read_only);
        krate(w, "days_to_full", f->days_to_full);
        jsonw_kz(w, "days_to_full_reason", reasons[f->days_reason]);
        jsonw_kstr_or_null(w, "error", f->error);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_processes(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_processes && i < OVERVIEW_PROCESSES_MAX; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "group", o->processes[i].group);
        jsonw_ki64(w, "count", o->processes[i].count);
        kratio(w, "cpu_ratio", o->processes[i].cpu_ratio);
        jsonw_kms(w, "rss_bytes", o->processes[i].rss_bytes);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static bool is_scraped(const struct overview_facts *f, const struct overview_listener *l) {
    for (size_t i = 0; l->offer.present && i < f->n_targets; i++)
        if (str_eq(f->targets[i].url, l->offer.url))
            return true;
    return false;
}

/* The service behind a listener of this host, as the inventory knows it. */
static struct str service_at(const struct overview_facts *f, const struct overview_listener *l) {
    const struct inventory_snapshot *s = f->inventory;
    for (size_t i = 0; s && i < s->n_endpoints; i++) {
        const struct inventory_endpoint *e = &s->endpoints[i];
        bool same = e->service.n && e->port == l->port && str_eq(e->proto, l->proto);
        const struct inventory_host *h = same ? inventory_find_host(s, e->host) : NULL;
        if (h && h->is_self)
            return e->service;
    }
    return STR("");
}

static void put_listeners(struct jsonw *w, const struct overview_facts *f) {
    jsonw_array(w);
    for (size_t i = 0; i < f->o.n_listeners; i++) {
        const struct overview_listener *l = &f->o.listeners[i];
        bool scraped = is_scraped(f, l);
        jsonw_object(w);
        jsonw_kstr(w, "proto", l->proto);
        jsonw_kstr(w, "address", l->address);
        jsonw_ki64(w, "port", l->port);
        jsonw_kstr_or_null(w, "process", l->process);
        jsonw_kstr(w, "kind", l->kind.n ? l->kind : STR("unknown"));
        jsonw_kstr_or_null(w, "service", service_at(f, l));
        jsonw_kknown(w, "tls", l->tls);
        jsonw_kbool(w, "scraped", scraped);
        jsonw_key(w, "scrape_offer");
        if (l->offer.present && !scraped) {
            jsonw_object(w);
            jsonw_kstr(w, "job", l->offer.job);
            jsonw_kstr(w, "url", l->offer.url);
            jsonw_kstr(w, "yaml", l->offer.yaml);
            jsonw_end(w);
        } else {
            jsonw_null(w);
        }
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_containers(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_containers; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "id", o->containers[i].id);
        jsonw_kstr_or_null(w, "name", o->containers[i].name);
        jsonw_kstr_or_null(w, "runtime", o->containers[i].runtime);
        kratio(w, "cpu_ratio", o->containers[i].cpu_ratio);
        jsonw_kms(w, "memory_bytes", o->containers[i].memory_bytes);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_units(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_units; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", o->units[i].name);
        jsonw_kstr_or_null(w, "state", o->units[i].state);
        kratio(w, "cpu_ratio", o->units[i].cpu_ratio);
        jsonw_kms(w, "memory_bytes", o->units[i].memory_bytes);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_certificates(struct jsonw *w, const struct overview *o) {
    jsonw_array(w);
    for (size_t i = 0; i < o->n_certificates; i++) {
        const struct overview_certificate *c = &o->certificates[i];
        jsonw_object(w);
        jsonw_kstr(w, "address", c->address);
        jsonw_kstr_or_null(w, "subject", c->subject);
        jsonw_karray(w, "names");
        for (size_t k = 0; k < c->n_names; k++)
            jsonw_str(w, c->names[k]);
        jsonw_end(w);
        jsonw_kstr_or_null(w, "issuer", c->issuer);
        jsonw_kms(w, "not_before_ms", c->not_before_ms);
        jsonw_kms(w, "not_after_ms", c->not_after_ms);
        krate(w, "days_left", c->days_left);
        jsonw_kstr_or_null(w, "error", c->error);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_alerts(struct jsonw *w, const struct overview_facts *f) {
    jsonw_array(w);
    for (size_t i = 0; i < f->n_alerts; i++) {
        const struct rule_alert_view *v = &f->alerts[i];
        char value[DTOA_BYTES_MAX];
        jsonw_object(w);
        jsonw_kstr(w, "fingerprint", v->key);
        jsonw_kstr(w, "name", v->rule);
        jsonw_kstr_or_null(w, "severity", labels_get(v->labels, STR("severity")));
        jsonw_kz(w, "state", v->state == ALERT_FIRING ? "firing" : "pending");
        jsonw_ki64(w, "since_ms", v->active_ms);
        jsonw_kstr_or_null(w, "summary", labels_get(v->annotations, STR("summary")));
        jsonw_kstr(w, "value", str_make(value, dtoa_g(v->value, value)));
        jsonw_klabels(w, "labels", v->labels);
        jsonw_klabels(w, "annotations", v->annotations);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_rules(struct jsonw *w, const struct rule_summary *s) {
    jsonw_object(w);
    jsonw_ku64(w, "total", s->total);
    jsonw_ku64(w, "unhealthy", s->unhealthy);
    jsonw_kms(w, "last_evaluation_ms", s->last_eval_ms ? s->last_eval_ms : OVERVIEW_UNKNOWN);
    jsonw_end(w);
}

static void put_next_steps(struct jsonw *w, const struct overview_facts *f) {
    const struct {
        const char *id;
        bool done;
    } steps[] = {{"connect_slack", f->has_receiver},
                 {"add_service", f->has_service},
                 {"add_check", f->has_target}};
    jsonw_array(w);
    for (size_t i = 0; i < 3; i++) {
        jsonw_object(w);
        jsonw_kz(w, "id", steps[i].id);
        jsonw_kbool(w, "done", steps[i].done);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_source(struct jsonw *w, struct str name, const char *kind, enum freshness f,
                       int64_t last_ms, struct str detail) {
    jsonw_object(w);
    jsonw_kstr(w, "name", name);
    jsonw_kz(w, "kind", kind);
    jsonw_kz(w, "freshness", freshness_name(f));
    jsonw_kms(w, "last_ms", last_ms);
    jsonw_kstr_or_null(w, "detail", detail);
    jsonw_end(w);
}

static void put_sources(struct jsonw *w, const struct overview_facts *f, struct arena *a) {
    int64_t now = f->o.now_ms;
    jsonw_array(w);
    for (size_t i = 0; i < f->o.n_sources; i++) {
        const struct overview_source *s = &f->o.sources[i];
        put_source(w, s->name, "collector", s->freshness, s->last_ms, s->detail);
    }
    for (size_t i = 0; i < f->n_targets; i++) {
        const struct api_target *t = &f->targets[i];
        struct str name = arena_printf(a, "%.*s %.*s", STR_FMT(labels_get(t->labels, STR("job"))),
                                       STR_FMT(labels_get(t->labels, STR("instance"))));
        /* Three intervals without a scrape, or a failed one: what is shown of it is old. */
        bool late = t->last_scrape_ms && now - t->last_scrape_ms > 3 * t->interval_ms;
        enum freshness fresh = !t->last_scrape_ms        ? FRESH_UNKNOWN
                               : t->health == 1 && !late ? FRESH_OK
                                                         : FRESH_STALE;
        put_source(
            w, name, "target", fresh,
            /* A scrape that failed brought nothing: when something last came is not known. */
            t->last_scrape_ms && t->health == 1 ? t->last_scrape_ms : OVERVIEW_UNKNOWN,
            t->last_error);
    }
    for (size_t i = 0; i < f->n_agents; i++) {
        const struct agent_info *g = &f->agents[i];
        bool stale = g->last_seen_ms && now - g->last_seen_ms > AGENT_STALE_MS;
        put_source(w, g->host, "agent",
                   !g->last_seen_ms ? FRESH_UNKNOWN
                   : stale          ? FRESH_STALE
                                    : FRESH_OK,
                   g->last_seen_ms ? g->last_seen_ms : OVERVIEW_UNKNOWN,
                   stale ? STR("it has not been heard of") : STR(""));
    }
    jsonw_end(w);
}

void overview_section_put(const struct overview_facts *f, enum overview_section s, struct arena *a,
                          struct buf *out) {
    struct jsonw w = JSONW_INIT(out);
    const struct overview *o = &f->o;
    switch (s) {
    case SECTION_host:
        put_host(&w, &o->host);
        break;
    case SECTION_cpu:
        put_cpu(&w, &o->cpu);
        break;
    case SECTION_memory:
        put_memory(&w, &o->memory);
        break;
    case SECTION_psi:
        put_psi(&w, &o->psi);
        break;
    case SECTION_disks:
        put_disks(&w, o);
        break;
    case SECTION_network:
        put_network(&w, o);
        break;
    case SECTION_filesystems:
        put_filesystems(&w, o);
        break;
    case SECTION_processes:
        put_processes(&w, o);
        break;
    case SECTION_listeners:
        put_listeners(&w, f);
        break;
    case SECTION_containers:
        put_containers(&w, o);
        break;
    case SECTION_units:
        put_units(&w, o);
        break;
    case SECTION_certificates:
        put_certificates(&w, o);
        break;
    case SECTION_alerts:
        put_alerts(&w, f);
        break;
    case SECTION_rules:
        put_rules(&w, &f->rules);
        break;
    case SECTION_next_steps:
        put_next_steps(&w, f);
        break;
    case SECTION_sources:
        put_sources(&w, f, a);
        break;
    case SECTION_COUNT:
        break;
    }
}
