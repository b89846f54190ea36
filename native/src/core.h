/* core.h: one engine: queues, groups of workers that subscribe to them, timers, the registry of known
 * tasks, retention of finished ones, and the figures. The only part that knows the others.
 *
 * It never calls back and never runs a task: the binding takes claimed slots, runs them and reports the
 * outcome. All times are nanoseconds of the engine's clock, which is CLOCK_MONOTONIC or, once
 * bl_core_set_now() was called, a hand-set clock for tests.
 *
 * References: a slot in a lane, in the timers or taken by a worker carries one reference of the binding's
 * owner object, which moves with it; a slot in the registry carries another. Functions that hand a slot to
 * the caller hand over the reference too.
 */
#ifndef BL_CORE_H
#define BL_CORE_H

#include "histogram.h"
#include "park.h"
#include "queue.h"
#include "registry.h"
#include "timer.h"

#define BL_MAX_QUEUES 65536
#define BL_MAX_GROUPS 4096
#define BL_MAX_WORKERS 4096
#define BL_RATE_SECONDS 16

typedef struct bl_core bl_core;

typedef struct bl_config {
    size_t ring_size;   /* per lane; rounded up to a power of two */
    uint32_t aging;     /* every n-th take starts at the lowest lane; 0: never */
    int64_t result_ttl; /* nanoseconds, BL_NEVER: results do not age */
    uint64_t result_max; /* finished slots kept; UINT64_MAX: no cap */
    uint32_t relay;     /* 1: of a group's sleepers one at a time is on its way, and wakes the next if there is more */
} bl_config;

/* Counts per second of the last BL_RATE_SECONDS seconds; one writer unless `shared`. */
typedef struct bl_rate {
    bl_a64 cells[BL_RATE_SECONDS]; /* second << 32 | count */
} bl_rate;

/* What one worker writes; nobody else does. Starts on its own cache line. */
typedef struct bl_worker {
    _Alignas(BL_CACHE_LINE) bl_a64 token; /* serial << 1 | BL_T_PEEK; 0: between tasks */
    bl_a64 interrupted;                   /* serial that bl_worker_interrupted() was called for */
    bl_a32 peeked;                        /* set by the peeker when it lets go */
    bl_a32 abandoned;                     /* the thread is stuck and was replaced: it leaves when it returns */
    _Atomic(bl_slot *) slot;              /* what it runs */
    bl_a32 attempt;
    bl_a32 lowest_in;                     /* takes until the next one from the lowest lane */
    bl_ai64 deadline;                     /* of the running attempt; BL_NEVER: none */
    bl_ai64 started;
    uint64_t serial;
    uint16_t index;
    uint16_t group;
    bl_a32 used;                          /* the record belongs to a thread */
    uintptr_t thread;                     /* for the binding: thread identifier */
    void *owner;                          /* for the binding */
    _Alignas(BL_CACHE_LINE) bl_a64 completed;
    bl_a64 failed;
    bl_a64 cancelled;
    bl_a64 retried;
    bl_a64 expired;
    bl_a64 done;                          /* terminal outcomes whose callbacks have run */
    bl_a64 busy;                          /* nanoseconds spent in tasks */
    bl_ai64 born;
    bl_rate finish_rate;
    bl_hist run;                          /* execution time */
    bl_hist wait[4];                      /* queue wait by lane (lanes above 3 count in the last) */
} bl_worker;

#define BL_T_PEEK 1u

bl_core *bl_core_new(const bl_config *config); /* NULL: no memory */
void bl_core_free(bl_core *core);              /* the caller has taken every slot out before */

/* An empty core with the same queues, groups and subscriptions (after a fork, when `old` belongs to the
 * parent). `old` is only read. */
bl_core *bl_core_new_like(const bl_core *old);

int64_t bl_core_now(bl_core *core);
void bl_core_set_now(bl_core *core, int64_t now); /* from the first call on, time stands still between calls */
bool bl_core_manual(const bl_core *core);

bl_pool *bl_core_pool(bl_core *core);
bl_registry *bl_core_registry(bl_core *core);
uint64_t bl_core_next_ids(bl_core *core, uint64_t count, int64_t now); /* the first of `count` new ids; counts the submits */

/* Queues are never removed; an unused one costs a few hundred bytes. Index, or a negative bl_error. */
int bl_core_add_queue(bl_core *core, unsigned lanes);
bl_queue *bl_core_queue(bl_core *core, unsigned index); /* NULL: no such queue */

/* Groups: workers of a group share a set of queues (tried in order) and sleep together. A `reserve` group
 * takes from lane 0 only and is woken only when no ordinary group of that queue has a sleeper. */
int bl_core_add_group(bl_core *core, bool reserve); /* index, or a negative bl_error */
bool bl_core_has_group(const bl_core *core, unsigned group);
int bl_core_subscribe(bl_core *core, unsigned group, const uint16_t *queues, size_t count); /* BL_OK, BL_NOMEM, BL_INVALID */
void bl_core_rotate(bl_core *core, unsigned group, bool on); /* round robin: each take starts one queue further */
void bl_core_pause(bl_core *core, unsigned group, bool paused);

/* For a worker that leaves: what it was woken for is for others to take. */
void bl_core_pass_on(bl_core *core, unsigned group);
bool bl_core_paused(const bl_core *core, unsigned group);
bl_ec *bl_core_group_ec(bl_core *core, unsigned group);

bl_worker *bl_core_add_worker(bl_core *core, unsigned group); /* NULL: no memory or too many */
void bl_core_remove_worker(bl_core *core, bl_worker *worker); /* its figures are kept in the totals */
bl_worker *bl_core_worker(bl_core *core, unsigned index);     /* NULL: no such worker now */
unsigned bl_core_worker_limit(bl_core *core);                 /* indexes are below this */

/* Submitting: reserve, then push each. `count` slots that go in with one reserve are all or nothing. */
int bl_core_reserve(bl_core *core, unsigned queue, unsigned lane, uint64_t count, uint64_t limit);
void bl_core_unreserve(bl_core *core, unsigned queue, unsigned lane, uint64_t count);
/* The slot is QUEUED, its room reserved. *woken: a worker of an ordinary group was idle and is woken for it. */
int bl_core_push(bl_core *core, bl_slot *slot, bool front, bool *woken);
void bl_core_wake(bl_core *core, unsigned queue, unsigned lane, uint64_t count); /* after bl_core_push_quiet */
int bl_core_push_quiet(bl_core *core, bl_slot *slot, bool front);

/* Delays and expiry. A DELAYED slot is given to the timers with its reference; a QUEUED slot with an expiry
 * is put in as well, with a second reference. Wakes the keeper when it is the earliest. */
int bl_core_schedule(bl_core *core, bl_slot *slot, int64_t when);
bool bl_core_unschedule(bl_core *core, bl_slot *slot); /* true: it was in the timers; the reference is the caller's */
/* DELAYED or QUEUED -> CANCELLED, giving back the lane's room. As bl_slot_cancel. */
int bl_core_cancel(bl_core *core, bl_slot *slot, uint32_t *seen);
bl_slot *bl_core_pop_due(bl_core *core, int64_t now);

enum bl_taken {
    BL_TAKEN_NONE = 0,
    BL_TAKEN_RUN,       /* claimed: `attempt` holds the number */
    BL_TAKEN_TOMBSTONE, /* somebody ended it while it was queued: drop the reference */
    BL_TAKEN_EXPIRED    /* this call made it CANCELLED: `seen` is the word before */
};

typedef struct bl_take {
    enum bl_taken kind;
    bl_slot *slot;
    uint32_t attempt;
    uint32_t seen;
} bl_take;

void bl_core_take(bl_core *core, bl_worker *worker, bl_take *take);
/* After bl_ec_cancel: whoever does not sleep after all may have been counted on (bl_ec_nudge). */
void bl_core_stayed(bl_core *core, unsigned group);
/* The same from explicit queues (run-until-empty, burst workers): no group, no aging. */
void bl_core_take_from(bl_core *core, const uint16_t *queues, size_t count, bl_take *take);

/* Around a task. begin sets slot->started, the wait figures and the deadline (waking the keeper when it is
 * earlier than what it sleeps for). end closes the attempt for peekers, adds the figures and returns true
 * when the thread has to clear a pending interrupt. */
void bl_worker_begin(bl_core *core, bl_worker *worker, bl_slot *slot, uint32_t attempt, int64_t now);
bool bl_worker_end(bl_core *core, bl_worker *worker, int64_t now);
/* Outcomes, counted once each. */
void bl_worker_count(bl_core *core, bl_worker *worker, unsigned state, int64_t now); /* worker NULL: the shared figures */
void bl_core_count_retry(bl_core *core, bl_worker *worker);
void bl_core_count_expired(bl_core *core, bl_worker *worker);
/* Terminal and its callbacks have run. With a worker, drainers are told by its next bl_core_idle (it calls
 * that before it sleeps or leaves); without one, at once. */
void bl_core_done(bl_core *core, bl_worker *worker);
void bl_core_idle(bl_core *core, bl_worker *worker);

/* Peeking at a running worker from another thread: between peek and unpeek the worker cannot leave its
 * attempt, so its slot's owner is alive. The holder must neither sleep nor let go of the GIL. */
bool bl_worker_peek(bl_worker *worker, uint64_t token); /* false: it has moved on */
void bl_worker_set_interrupted(bl_worker *worker);      /* while peeking */
void bl_worker_unpeek(bl_worker *worker);

/* Retention: BL_OK and *evicted (may be NULL) leaves because of the cap. The registry reference of an
 * evicted slot becomes the caller's. */
bl_slot *bl_core_retain(bl_core *core, bl_slot *slot);
bl_slot *bl_core_pop_aged(bl_core *core, int64_t now); /* keeper only: finished at least result_ttl ago */
bl_slot *bl_core_pop_retained(bl_core *core);          /* tear-down: whatever is kept */
uint64_t bl_core_retained(const bl_core *core);

/* The keeper: one thread that fires what is due. Sleeps until the earliest of timers, deadlines, aged
 * results, `until`, or a kick. `until` is real time (bl_now) even while the clock is hand-set. */
int bl_core_keeper_wait(bl_core *core, int64_t until);
void bl_core_kick(bl_core *core);
/* Whoever sleeps in here looks again: workers, the keeper, submitters that wait for room; not drainers. */
void bl_core_wake_everybody(bl_core *core);

/* Draining: waits until every submitted slot is done. BL_OK, BL_TIMEOUT, BL_AGAIN (signal). */
int bl_core_drain_wait(bl_core *core, int64_t deadline);
uint64_t bl_core_outstanding(bl_core *core);

typedef struct bl_totals {
    uint64_t submitted, completed, failed, cancelled, retried, expired, done, busy;
    uint64_t overflows, conflicts, scheduled, retained;
    uint64_t submit_rate[BL_RATE_SECONDS], finish_rate[BL_RATE_SECONDS]; /* [0] is the current second */
    size_t queue_bytes, pool_reserved, pool_in_use, other_bytes;
} bl_totals;

void bl_core_totals(bl_core *core, bl_totals *totals);
void bl_core_run_times(bl_core *core, uint64_t *totals /* [BL_HIST_BUCKETS] */);
void bl_core_wait_times(bl_core *core, unsigned lane, uint64_t *totals /* [BL_HIST_BUCKETS] */);

#endif
