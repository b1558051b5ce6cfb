/* queue.h - a bounded queue of pointers between threads. Ownership of the pointee moves with it. A
 * full queue refuses (the caller answers 429/503 or counts a drop); it never blocks a producer. */
#ifndef OS_QUEUE_H
#define OS_QUEUE_H

#include "os/thread.h"

struct queue {
    struct mutex lock;
    struct cond readable;
    void **items;
    size_t cap, head, n;
    bool closed;
};

bool queue_init(struct queue *q, size_t cap, struct err *err) MUST_USE;
void queue_deinit(struct queue *q);           /* must be empty or its items owned elsewhere */
bool queue_push(struct queue *q, void *item); /* false: full or closed; item stays the caller's */
/* Waits up to at_most (negative: for ever). NULL: timed out, or closed and empty. */
void *queue_pop(struct queue *q, dur_t at_most);
void queue_close(struct queue *q); /* wakes all; pops drain what is left, then give NULL */
size_t queue_length(struct queue *q);

#endif
