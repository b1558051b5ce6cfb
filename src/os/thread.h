/* thread.h - named threads, and a mutex with its condition, over pthreads (errors of which are
 * programmer errors and abort). */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include "base/err.h"
#include "base/timev.h"

#include <pthread.h>

struct thread {
    pthread_t id;
    bool started;
};

/* name: at most 15 bytes, shown by ps -L and top -H. Signals are blocked in all threads but main's.
 */
bool thread_start(struct thread *t, const char *name, void (*fn)(void *), void *arg,
                  struct err *err) MUST_USE;
void thread_join(struct thread *t); /* no-op when never started */

struct mutex {
    pthread_mutex_t m;
};
struct cond {
    pthread_cond_t c; /* on CLOCK_MONOTONIC */
};
#define MUTEX_INIT ((struct mutex){PTHREAD_MUTEX_INITIALIZER})
void mutex_init(struct mutex *m);
void mutex_deinit(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void cond_init(struct cond *c);
void cond_deinit(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
/* false on timeout */
bool cond_wait_for(struct cond *c, struct mutex *m, dur_t at_most);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

struct rwlock {
    pthread_rwlock_t l;
};
void rwlock_init(struct rwlock *l);
/* Waiting writers go before new readers, so that readers that overlap for ever do not starve them.
 * A thread must not take the read lock twice. */
void rwlock_init_writer_first(struct rwlock *l);
void rwlock_deinit(struct rwlock *l);
void rwlock_read(struct rwlock *l);
void rwlock_write(struct rwlock *l);
void rwlock_unlock(struct rwlock *l);

#endif
