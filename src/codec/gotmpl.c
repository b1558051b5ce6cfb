/* Execution of the tree, values and printing. */
#include "codec/gotmpl.h"

#include "base/dtoa.h"
#include "base/timev.h"
#include "codec/gotmpl_int.h"

#include <math.h>

#define GOTMPL_VARS_MAX 128

struct gotmpl_value gotmpl_str(struct str s) {
    return (struct gotmpl_value){.type = GOTMPL_STR, .s = s};
}
struct gotmpl_value gotmpl_float(double f) {
    return (struct gotmpl_value){.type = GOTMPL_FLOAT, .f = f};
}
struct gotmpl_value gotmpl_int(int64_t i) {
    return (struct gotmpl_value){.type = GOTMPL_INT, .i = i};
}
struct gotmpl_value gotmpl_bool(bool b) {
    return (struct gotmpl_value){.type = GOTMPL_BOOL, .b = b};
}

struct gotmpl_value gotmpl_map(struct arena *a, size_t cap) {
    struct gotmpl_value v = {.type = GOTMPL_MAP};
    v.items = ARENA_ARRAY(a, struct gotmpl_value, cap ? cap : 1);
    v.keys = ARENA_ARRAY(a, struct str, cap ? cap : 1);
    return v.items && v.keys ? v : (struct gotmpl_value){0};
}

void gotmpl_map_put(struct gotmpl_value *map, struct str key, struct gotmpl_value v) {
    if (map->type != GOTMPL_MAP)
        return; /* memory was out when it was made */
    size_t at = 0;
    while (at < map->n && str_cmp(map->keys[at], key) < 0)
        at++;
    if (at == map->n || !str_eq(map->keys[at], key)) {
        memmove(&map->keys[at + 1], &map->keys[at], (map->n - at) * sizeof(*map->keys));
        memmove(&map->items[at + 1], &map->items[at], (map->n - at) * sizeof(*map->items));
        map->keys[at] = key;
        map->n++;
    }
    map->items[at] = v;
}

struct gotmpl_value gotmpl_list(struct arena *a, size_t n) {
    struct gotmpl_value v = {.type = GOTMPL_LIST, .n = n};
    v.items = ARENA_ARRAY(a, struct gotmpl_value, n ? n : 1);
    return v.items ? v : (struct gotmpl_value){0};
}

struct gotmpl_value gotmpl_sample(struct arena *a, struct gotmpl_value labels, double value) {
    struct gotmpl_value v = gotmpl_map(a, 2);
    v.strict = true;
    gotmpl_map_put(&v, STR("Labels"), labels);
    gotmpl_map_put(&v, STR("Value"), gotmpl_float(value));
    return v;
}

bool gotmpl_truth(const struct gotmpl_value *v) {
    switch (v->type) {
    case GOTMPL_NIL:
        return false;
    case GOTMPL_BOOL:
        return v->b;
    case GOTMPL_INT:
        return v->i != 0;
    case GOTMPL_FLOAT:
        return !(v->f == 0);
    case GOTMPL_STR:
        return v->s.n != 0;
    case GOTMPL_LIST:
    case GOTMPL_MAP:
        return v->n != 0;
    case GOTMPL_TIME:
        return true;
    }
    return false;
}

static void print_time(struct buf *b, int64_t ms) {
    int64_t s = ms / 1000, rest = ms % 1000;
    if (rest < 0) {
        rest += 1000;
        s--;
    }
    struct civil c = civil_from_s(s);
    buf_printf(b, "%04lld-%02d-%02d %02d:%02d:%02d", (long long)c.year, c.month, c.day, c.hour,
               c.minute, c.second);
    if (rest) {
        buf_printf(b, ".%03d", (int)rest);
        while (b->n && b->p[b->n - 1] == '0')
            b->p[--b->n] = 0;
    }
    buf_putz(b, " +0000 UTC");
}

/* Go's %v of a float: the shortest digits, with an exponent when it is below -4 or at least 6. */
void tmpl_put_float(struct buf *b, double v) {
    if (isnan(v) || isinf(v)) {
        buf_putz(b, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (signbit(v))
        buf_putc(b, '-');
    v = fabs(v);
    char digits[24];
    int exp10 = 1, n = v == 0 ? 0 : dtoa_digits(v, digits, &exp10), e = exp10 - 1;
    if (n == 0 || (e >= -4 && e < 6)) {
        buf_f64(b, v);
        return;
    }
    buf_putc(b, digits[0]);
    if (n > 1) {
        buf_putc(b, '.');
        buf_put(b, digits + 1, (size_t)n - 1);
    }
    buf_printf(b, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
}

static void print_depth(struct buf *b, const struct gotmpl_value *v, unsigned depth) {
    if (depth > GOTMPL_NESTING_MAX)
        return;
    switch (v->type) {
    case GOTMPL_NIL:
        buf_putz(b, "<no value>");
        break;
    case GOTMPL_BOOL:
        buf_putz(b, v->b ? "true" : "false");
        break;
    case GOTMPL_INT:
        buf_i64(b, v->i);
        break;
    case GOTMPL_FLOAT:
        tmpl_put_float(b, v->f);
        break;
    case GOTMPL_STR:
        buf_puts(b, v->s);
        break;
    case GOTMPL_TIME:
        print_time(b, v->i);
        break;
    case GOTMPL_LIST:
    case GOTMPL_MAP:
        buf_putz(b, v->type == GOTMPL_LIST ? "[" : "map[");
        for (size_t i = 0; i < v->n && buf_ok(b); i++) {
            if (i)
                buf_putc(b, ' ');
            if (v->type == GOTMPL_MAP) {
                buf_puts(b, v->keys[i]);
                buf_putc(b, ':');
            }
            print_depth(b, &v->items[i], depth + 1);
        }
        buf_putc(b, ']');
        break;
    }
}
void gotmpl_print(struct buf *b, const struct gotmpl_value *v) {
    print_depth(b, v, 0);
}

struct exec {
    const struct tmpl_tree *tree;
    const struct gotmpl_env *env;
    struct arena *a;
    struct buf out;
    struct {
        struct str name;
        struct gotmpl_value value;
    } vars[GOTMPL_VARS_MAX];
    size_t n_vars, vars_base; /* a template sees only its own variables */
    uint32_t steps, depth, queries;
    struct err *err;
};
enum flow { FLOW_OK, FLOW_FAIL, FLOW_BREAK, FLOW_CONTINUE };

static bool fail_at(struct exec *x, uint32_t line, uint32_t column) {
    x->err->line = line;
    x->err->column = column;
    return err_prefix(x->err, "template:%u:%u", line, column);
}

static bool eval_pipe(struct exec *x, const struct tmpl_pipe *p, const struct gotmpl_value *dot,
                      struct gotmpl_value *out);

static bool push_var(struct exec *x, struct str name, const struct gotmpl_value *v) {
    if (x->n_vars == GOTMPL_VARS_MAX)
        return err_set(x->err, ERR_TOO_LARGE, "more than %d template variables", GOTMPL_VARS_MAX);
    x->vars[x->n_vars].name = name;
    x->vars[x->n_vars++].value = *v;
    return true;
}

static struct gotmpl_value *find_var(struct exec *x, struct str name) {
    for (size_t i = x->n_vars; i > x->vars_base; i--)
        if (str_eq(x->vars[i - 1].name, name))
            return &x->vars[i - 1].value;
    return NULL;
}

static bool set_var(struct exec *x, const struct tmpl_pipe *p, struct str name,
                    const struct gotmpl_value *v) {
    if (!p->assign)
        return push_var(x, name, v);
    struct gotmpl_value *old = find_var(x, name);
    if (!old)
        return err_set(x->err, ERR_BAD_INPUT, "undefined variable \"%.*s\"", STR_FMT(name));
    *old = *v;
    return true;
}

static bool field(struct exec *x, const struct gotmpl_value *v, struct str name,
                  struct gotmpl_value *out) {
    if (v->type != GOTMPL_MAP)
        return err_set(x->err, ERR_BAD_INPUT, "can't evaluate field %.*s: the value has no fields",
                       STR_FMT(name));
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->keys[i], name)) {
            *out = v->items[i];
            return true;
        }
    if (v->strict)
        return err_set(x->err, ERR_BAD_INPUT, "can't evaluate field %.*s: there is no such field",
                       STR_FMT(name));
    *out = gotmpl_str((struct str){"", 0});
    return true;
}

static bool eval_operand(struct exec *x, const struct tmpl_operand *o,
                         const struct gotmpl_value *dot, struct gotmpl_value *out) {
    struct gotmpl_value v = {0};
    const struct gotmpl_value *var;
    struct tmpl_call call = {x->a, x->env, &x->queries};
    bool ok = true;
    switch (o->kind) {
    case OPERAND_DOT:
        v = *dot;
        break;
    case OPERAND_VAR:
        var = find_var(x, o->name);
        if (var)
            v = *var;
        else
            ok = err_set(x->err, ERR_BAD_INPUT, "undefined variable \"%.*s\"", STR_FMT(o->name));
        break;
    case OPERAND_CONST:
        v = o->value;
        break;
    case OPERAND_FUNC:
        ok = tmpl_call(&call, o->name, NULL, 0, &v, x->err);
        break;
    case OPERAND_PIPE:
        ok = eval_pipe(x, o->pipe, dot, &v);
        break;
    }
    for (size_t i = 0; ok && i < o->n_fields; i++) {
        struct gotmpl_value inner = v;
        ok = field(x, &inner, o->fields[i], &v);
    }
    if (!ok)
        return x->err->line ? false : fail_at(x, o->line, o->column);
    *out = v;
    return true;
}

static bool eval_call(struct exec *x, const struct tmpl_command *c, const struct gotmpl_value *dot,
                      const struct gotmpl_value *piped, struct gotmpl_value *out) {
    const struct tmpl_operand *fn = &c->v[0];
    size_t n = c->n - 1 + (piped ? 1 : 0);
    bool is_and = str_eqz(fn->name, "and"), is_or = str_eqz(fn->name, "or");
    struct gotmpl_value *args = ARENA_ARRAY(x->a, struct gotmpl_value, n ? n : 1);
    if (!args)
        return arena_err(x->a, x->err);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < c->n) {
            if (!eval_operand(x, &c->v[i + 1], dot, &args[i]))
                return false;
        } else {
            args[i] = *piped;
        }
        if ((is_and && !gotmpl_truth(&args[i])) || (is_or && gotmpl_truth(&args[i])) ||
            ((is_and || is_or) && i + 1 == n)) {
            *out = args[i];
            return true;
        }
    }
    struct tmpl_call call = {x->a, x->env, &x->queries};
    if (tmpl_call(&call, fn->name, args, n, out, x->err))
        return true;
    return x->err->line ? false : fail_at(x, fn->line, fn->column);
}

static bool eval_pipe(struct exec *x, const struct tmpl_pipe *p, const struct gotmpl_value *dot,
                      struct gotmpl_value *out) {
    if (++x->steps > GOTMPL_STEPS_MAX)
        return err_set(x->err, ERR_TOO_LARGE, "the template runs longer than %d steps",
                       GOTMPL_STEPS_MAX);
    struct gotmpl_value v = {0};
    for (size_t i = 0; i < p->n; i++) {
        const struct tmpl_command *c = &p->commands[i];
        struct gotmpl_value next;
        if (c->v[0].kind == OPERAND_FUNC) {
            if (c->v[0].n_fields || !eval_call(x, c, dot, i ? &v : NULL, &next))
                return c->v[0].n_fields ? err_set(x->err, ERR_BAD_INPUT,
                                                  "a function has no fields; use parentheses")
                                        : false;
        } else if (c->n > 1 || i) {
            err_set(x->err, ERR_BAD_INPUT, "can't give arguments to a value that is no function");
            return fail_at(x, c->v[0].line, c->v[0].column);
        } else if (!eval_operand(x, &c->v[0], dot, &next)) {
            return false;
        }
        v = next;
    }
    *out = v;
    return true;
}

static enum flow run(struct exec *x, const struct tmpl_node *n, const struct gotmpl_value *dot);

static enum flow run_branch(struct exec *x, const struct tmpl_node *n,
                            const struct gotmpl_value *dot) {
    size_t mark = x->n_vars;
    struct gotmpl_value v;
    if (!eval_pipe(x, n->pipe, dot, &v) ||
        (n->pipe->var[0].n && !set_var(x, n->pipe, n->pipe->var[0], &v)))
        return FLOW_FAIL;
    enum flow f;
    if (gotmpl_truth(&v))
        f = run(x, n->body, n->kind == NODE_WITH ? &v : dot);
    else
        f = run(x, n->otherwise, dot);
    x->n_vars = mark;
    return f;
}

static enum flow run_range(struct exec *x, const struct tmpl_node *n,
                           const struct gotmpl_value *dot) {
    size_t mark = x->n_vars;
    struct gotmpl_value v;
    if (!eval_pipe(x, n->pipe, dot, &v))
        return FLOW_FAIL;
    bool over_int = v.type == GOTMPL_INT;
    if (v.type != GOTMPL_LIST && v.type != GOTMPL_MAP && v.type != GOTMPL_NIL && !over_int) {
        err_set(x->err, ERR_BAD_INPUT, "range can't iterate over this value");
        (void)fail_at(x, n->line, n->column);
        return FLOW_FAIL;
    }
    int64_t total = over_int ? v.i : v.type == GOTMPL_NIL ? 0 : (int64_t)v.n;
    if (total <= 0)
        return run(x, n->otherwise, dot);
    const struct tmpl_pipe *p = n->pipe;
    for (int64_t i = 0; i < total; i++) {
        struct gotmpl_value item = over_int ? gotmpl_int(i) : v.items[i];
        struct gotmpl_value key = v.type == GOTMPL_MAP ? gotmpl_str(v.keys[i]) : gotmpl_int(i);
        x->n_vars = p->assign ? x->n_vars : mark;
        if (++x->steps > GOTMPL_STEPS_MAX) {
            err_set(x->err, ERR_TOO_LARGE, "the template runs longer than %d steps",
                    GOTMPL_STEPS_MAX);
            return FLOW_FAIL;
        }
        if (p->var[0].n && !set_var(x, p, p->var[0], p->var[1].n ? &key : &item))
            return FLOW_FAIL;
        if (p->var[1].n && !set_var(x, p, p->var[1], &item))
            return FLOW_FAIL;
        enum flow f = run(x, n->body, &item);
        if (f == FLOW_FAIL)
            return f;
        if (f == FLOW_BREAK)
            break;
    }
    x->n_vars = mark;
    return FLOW_OK;
}

static enum flow run_template(struct exec *x, const struct tmpl_node *n,
                              const struct gotmpl_value *dot) {
    const struct tmpl_define *d = x->tree->defines;
    while (d && !str_eq(d->name, n->text))
        d = d->next;
    if (!d) {
        err_set(x->err, ERR_BAD_INPUT, "template \"%.*s\" is not defined", STR_FMT(n->text));
        (void)fail_at(x, n->line, n->column);
        return FLOW_FAIL;
    }
    struct gotmpl_value v = {0};
    if (n->pipe && !eval_pipe(x, n->pipe, dot, &v))
        return FLOW_FAIL;
    size_t mark = x->n_vars, base = x->vars_base;
    x->vars_base = mark;
    enum flow f = push_var(x, STR("$"), &v) ? run(x, d->body, &v) : FLOW_FAIL;
    x->n_vars = mark;
    x->vars_base = base;
    return f == FLOW_FAIL ? f : FLOW_OK;
}

static enum flow run_action(struct exec *x, const struct tmpl_node *n,
                            const struct gotmpl_value *dot) {
    struct gotmpl_value v;
    if (!eval_pipe(x, n->pipe, dot, &v))
        return FLOW_FAIL;
    if (n->pipe->var[0].n)
        return set_var(x, n->pipe, n->pipe->var[0], &v) ? FLOW_OK : FLOW_FAIL;
    gotmpl_print(&x->out, &v);
    return FLOW_OK;
}

static enum flow run(struct exec *x, const struct tmpl_node *n, const struct gotmpl_value *dot) {
    if (++x->depth > GOTMPL_NESTING_MAX) {
        err_set(x->err, ERR_TOO_LARGE, "templates call each other more than %d deep",
                GOTMPL_NESTING_MAX);
        return FLOW_FAIL;
    }
    size_t mark = x->n_vars;
    enum flow f = FLOW_OK;
    for (; n && f == FLOW_OK; n = n->next) {
        switch (n->kind) {
        case NODE_TEXT:
            buf_puts(&x->out, n->text);
            break;
        case NODE_ACTION:
            f = run_action(x, n, dot);
            break;
        case NODE_IF:
        case NODE_WITH:
            f = run_branch(x, n, dot);
            break;
        case NODE_RANGE:
            f = run_range(x, n, dot);
            break;
        case NODE_TEMPLATE:
            f = run_template(x, n, dot);
            break;
        case NODE_BREAK:
            f = FLOW_BREAK;
            break;
        case NODE_CONTINUE:
            f = FLOW_CONTINUE;
            break;
        }
        if (!buf_ok(&x->out)) {
            err_set(x->err, ERR_TOO_LARGE, "the template's output is over %zu bytes",
                    x->out.bytes_max);
            f = FLOW_FAIL;
        }
    }
    if (x->n_vars > mark)
        x->n_vars = mark;
    x->depth--;
    return f;
}

bool gotmpl_check(struct str text, struct err *err) {
    struct arena a = ARENA_INIT_MAX(16 << 20);
    struct tmpl_tree tree;
    bool ok = tmpl_parse(text, &a, &tree, err);
    arena_deinit(&a);
    return ok;
}

bool gotmpl_expand(struct str text, const struct gotmpl_value *dot, const struct gotmpl_env *env,
                   struct arena *a, struct str *out, struct err *err) {
    if (str_find(text, STR("{{")) == SIZE_MAX) { /* most annotations */
        *out = arena_str(a, text);
        return !a->failed || arena_err(a, err);
    }
    struct tmpl_tree tree;
    struct err e = {0};
    bool ok = tmpl_parse(text, a, &tree, &e);
    struct exec *x = ok ? ARENA_NEW(a, struct exec) : NULL;
    if (ok && !x)
        ok = arena_err(a, &e);
    if (ok) {
        x->tree = &tree;
        x->env = env;
        x->a = a;
        x->err = &e;
        x->queries = GOTMPL_QUERIES_MAX;
        x->out.bytes_max = env->output_max ? env->output_max : GOTMPL_OUTPUT_BYTES_MAX;
        ok = push_var(x, STR("$"), dot);
        for (size_t i = 0; ok && env->vars.type == GOTMPL_MAP && i < env->vars.n; i++)
            ok = push_var(x, env->vars.keys[i], &env->vars.items[i]);
        ok = ok && run(x, tree.root, dot) != FLOW_FAIL;
        if (ok && !buf_ok(&x->out))
            ok = err_set(&e, ERR_TOO_LARGE, "the template's output is over %zu bytes",
                         x->out.bytes_max);
        if (ok) {
            struct str text_out = arena_str(a, buf_view(&x->out));
            if (a->failed)
                ok = arena_err(a, &e);
            else
                *out = text_out;
        }
        buf_deinit(&x->out);
    }
    if (!ok && err)
        *err = e;
    return ok;
}
