#include "os/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct start {
    void (*fn)(void *);
    void *arg;
    char name[16];
};

static void *thread_main(void *p) {
    struct start s = *(struct start *)p;
    free(p);
    (void)pthread_setname_np(pthread_self(), s.name);
    s.fn(s.arg);
    return NULL;
}

bool thread_start(struct thread *t, const char *name, void (*fn)(void *), void *arg,
                  struct err *err) {
    struct start *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_INTERNAL, "out of memory starting thread %s", name);
    s->fn = fn;
    s->arg = arg;
    strncpy(s->name, name, sizeof(s->name) - 1);
    sigset_t all, old;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_t attr;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, 1 << 20);
    int rc = pthread_create(&t->id, &attr, thread_main, s);
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        free(s);
        return err_sys(err, ERR_UNAVAILABLE, rc, "cannot start thread %s", name);
    }
    t->started = true;
    return true;
}

void thread_join(struct thread *t) {
    if (!t->started)
        return;
    int rc = pthread_join(t->id, NULL);
    assert(rc == 0);
    t->started = false;
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        assert(rc_ == 0);                                                                          \
    } while (0)

void mutex_init(struct mutex *m) {
    MUST(pthread_mutex_init(&m->m, NULL));
}
void mutex_deinit(struct mutex *m) {
    MUST(pthread_mutex_destroy(&m->m));
}
void mutex_lock(struct mutex *m) {
    MUST(pthread_mutex_lock(&m->m));
}
void mutex_unlock(struct mutex *m) {
    MUST(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c) {
    pthread_condattr_t attr;
    MUST(pthread_condattr_init(&attr));
    MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    MUST(pthread_cond_init(&c->c, &attr));
    MUST(pthread_condattr_destroy(&attr));
}
void cond_deinit(struct cond *c) {
    MUST(pthread_cond_destroy(&c->c));
}
void cond_wait(struct cond *c, struct mutex *m) {
    MUST(pthread_cond_wait(&c->c, &m->m));
}

bool cond_wait_for(struct cond *c, struct mutex *m, dur_t at_most) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + (at_most.ns > 0 ? at_most.ns : 0);
    t.tv_sec += ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    int rc = pthread_cond_timedwait(&c->c, &m->m, &t);
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *c) {
    MUST(pthread_cond_signal(&c->c));
}
void cond_broadcast(struct cond *c) {
    MUST(pthread_cond_broadcast(&c->c));
}

void rwlock_init(struct rwlock *l) {
    MUST(pthread_rwlock_init(&l->l, NULL));
}
void rwlock_init_writer_first(struct rwlock *l) {
    pthread_rwlockattr_t a;
    MUST(pthread_rwlockattr_init(&a));
    MUST(pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
    MUST(pthread_rwlock_init(&l->l, &a));
    MUST(pthread_rwlockattr_destroy(&a));
}
void rwlock_deinit(struct rwlock *l) {
    MUST(pthread_rwlock_destroy(&l->l));
}
void rwlock_read(struct rwlock *l) {
    MUST(pthread_rwlock_rdlock(&l->l));
}
void rwlock_write(struct rwlock *l) {
    MUST(pthread_rwlock_wrlock(&l->l));
}
void rwlock_unlock(struct rwlock *l) {
    MUST(pthread_rwlock_unlock(&l->l));
}
