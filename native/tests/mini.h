/* mini.h: the smallest user of the core, in the binding's place: jobs with reference counts, a worker loop, a
 * keeper loop, cancelling, draining, tearing down. Every job counts how often it ran and ended.
 *
 * It has no callbacks, no interrupts and no hooks.
 */
#ifndef BL_MINI_H
#define BL_MINI_H

#include "check.h"
#include "core.h"

#define MILLI INT64_C(1000000)

typedef struct job {
    bl_a32 refs; /* the slot goes back to the pool with the last one */
    bl_a32 runs;
    bl_a32 ends;
    bl_a32 end_state;
    unsigned fails;    /* attempts that fail and are retried; not together with an expiry */
    int64_t takes;     /* nanoseconds that an attempt lasts */
    bl_slot *slot;
} job;

typedef struct mini {
    bl_core *core;
    bl_a32 stop;        /* workers and keeper leave */
    bl_a64 late;        /* outcomes that came too late */
    bl_a64 timed_out;
    bl_a64 expired;
} mini;

typedef struct plan {
    unsigned queue;
    uint8_t lane;
    bool front;
    int64_t delay, expires, timeout; /* 0: none */
    uint64_t limit;
    unsigned fails;
    int64_t takes;
} plan;

static inline void job_ref(job *j) { bl_add_relaxed(&j->refs, 1); }

static inline void job_drop(mini *m, job *j) {
    if (bl_sub_acq_rel(&j->refs, 1) == 1) {
        bl_pool_give(bl_core_pool(m->core), j->slot);
    }
}

static inline void forget(mini *m, bl_slot *slot) {
    if (slot != NULL && bl_registry_remove(bl_core_registry(m->core), slot)) {
        job_drop(m, slot->owner);
    }
}

/* After the winning transition; the caller holds a reference. */
static inline void job_ended(mini *m, bl_worker *worker, bl_slot *slot, unsigned state) {
    job *j = slot->owner;
    int64_t now = bl_core_now(m->core);
    slot->finished = now;
    CHECK(bl_add_seq(&j->ends, 1) == 0);
    bl_store_seq(&j->end_state, state);
    bl_worker_count(m->core, worker, state, now);
    if (slot->expires != BL_NEVER && bl_core_unschedule(m->core, slot)) {
        job_drop(m, j);
    }
    forget(m, bl_core_retain(m->core, slot));
    bl_core_done(m->core, worker);
}

/* BL_OK, or BL_FULL when the lane has no room. */
static inline int mini_submit(mini *m, job *j, const plan *p) {
    bl_core *core = m->core;
    uint32_t seen;
    bool woken;
    int64_t now = bl_core_now(core);
    CHECK(p->fails == 0 || p->expires == 0);
    if (p->delay == 0) {
        int rc = bl_core_reserve(core, p->queue, p->lane, 1, p->limit);
        if (rc != BL_OK) {
            return rc;
        }
    }
    bl_slot *slot = bl_pool_take(bl_core_pool(core));
    CHECK(slot != NULL);
    bool timed = p->expires != 0 && p->delay == 0;
    j->slot = slot;
    j->fails = p->fails;
    j->takes = p->takes;
    bl_store_relaxed(&j->refs, timed ? 3u : 2u);
    slot->owner = j;
    slot->lane = p->lane;
    slot->queue = (uint16_t)p->queue;
    slot->created = now;
    slot->timeout = p->timeout;
    slot->expires = p->expires != 0 ? now + p->expires : BL_NEVER;
    slot->id = bl_core_next_ids(core, 1, now);
    CHECK(bl_registry_put(bl_core_registry(core), slot) == BL_OK);
    if (p->delay != 0) {
        slot->due = now + p->delay;
        CHECK(bl_core_schedule(core, slot, slot->due) == BL_OK);
        return BL_OK;
    }
    /* Found by its id a canceller may have been faster; the slot goes in all the same, as a tombstone. */
    if (bl_slot_ready(slot, &seen) != BL_OK) {
        bl_core_unreserve(core, p->queue, p->lane, 1);
    }
    if (timed) { /* not before it is QUEUED: mini_fire takes a DELAYED slot for one that is due */
        CHECK(bl_core_schedule(core, slot, slot->expires) == BL_OK);
    }
    CHECK(bl_core_push(core, slot, p->front, &woken) == BL_OK);
    return BL_OK;
}

static inline void mini_fire(mini *m, bl_slot *slot) {
    uint32_t seen;
    bool woken;
    job *j = slot->owner;
    bl_core *core = m->core;
    if (bl_word_state(bl_load_acquire(&slot->word)) == BL_DELAYED) {
        CHECK(bl_core_reserve(core, slot->queue, slot->lane, 1, 0) == BL_OK);
        if (slot->expires != BL_NEVER) {
            job_ref(j);
            CHECK(bl_core_schedule(core, slot, slot->expires) == BL_OK);
        }
        if (bl_slot_ready(slot, &seen) == BL_OK) {
            CHECK(bl_core_push(core, slot, false, &woken) == BL_OK); /* the timers' reference is the lane's now */
            return;
        }
        bl_core_unreserve(core, slot->queue, slot->lane, 1);
    } else if (slot->expires <= bl_core_now(core) && bl_core_cancel(core, slot, &seen) == BL_OK) {
        bl_core_count_expired(core, NULL);
        bl_add_relaxed(&m->expired, 1);
        job_ended(m, NULL, slot, BL_CANCELLED);
    }
    job_drop(m, j);
}

static inline void mini_look_at_deadlines(mini *m, int64_t now) {
    for (unsigned i = 0; i < bl_core_worker_limit(m->core); i++) {
        bl_worker *worker = bl_core_worker(m->core, i);
        uint64_t token = worker != NULL ? bl_load_acquire(&worker->token) : 0;
        if (token == 0 || bl_load_relaxed(&worker->deadline) > now || !bl_worker_peek(worker, token)) {
            continue;
        }
        bool over = bl_load_relaxed(&worker->deadline) <= now;
        bl_slot *slot = bl_load_relaxed(&worker->slot);
        uint32_t attempt = bl_load_relaxed(&worker->attempt);
        if (over) {
            job_ref(slot->owner);
            bl_store_relaxed(&worker->deadline, BL_NEVER);
        }
        bl_worker_unpeek(worker);
        if (over) {
            uint32_t seen;
            if (bl_slot_finish(slot, attempt, BL_FAILED, &seen) == BL_OK) {
                bl_add_relaxed(&m->timed_out, 1);
                job_ended(m, NULL, slot, BL_FAILED);
            }
            job_drop(m, slot->owner);
        }
    }
}

static inline void mini_keep_once(mini *m) {
    int64_t now = bl_core_now(m->core);
    bl_slot *slot;
    while ((slot = bl_core_pop_due(m->core, now)) != NULL) {
        mini_fire(m, slot);
    }
    mini_look_at_deadlines(m, now);
    while ((slot = bl_core_pop_aged(m->core, now)) != NULL) {
        forget(m, slot);
    }
}

static inline void mini_keep(mini *m) {
    while (bl_load_seq(&m->stop) == 0) {
        (void)bl_core_keeper_wait(m->core, bl_core_now(m->core) + 1000 * MILLI);
        mini_keep_once(m);
    }
}

/* Runs what was taken; `worker` may be NULL for a thread that only drains a queue. */
static inline void mini_run(mini *m, bl_worker *worker, const bl_take *take) {
    bl_slot *slot = take->slot;
    job *j = slot->owner;
    uint32_t seen;
    if (take->kind == BL_TAKEN_EXPIRED) {
        bl_core_count_expired(m->core, worker);
        bl_add_relaxed(&m->expired, 1);
        job_ended(m, worker, slot, BL_CANCELLED);
    }
    if (take->kind != BL_TAKEN_RUN) {
        job_drop(m, j);
        return;
    }
    int64_t now = bl_core_now(m->core);
    if (worker != NULL) {
        bl_worker_begin(m->core, worker, slot, take->attempt, now);
    }
    uint32_t run = bl_add_seq(&j->runs, 1) + 1;
    while (j->takes > 0 && bl_now() - now < j->takes) {
        sched_yield();
    }
    if (worker != NULL) {
        (void)bl_worker_end(m->core, worker, bl_core_now(m->core));
    }
    if (run <= j->fails) {
        slot->due = bl_core_now(m->core) + (int64_t)run * 1000;
        if (bl_slot_retry(slot, take->attempt, BL_DELAYED, &seen) == BL_OK) {
            bl_core_count_retry(m->core, worker);
            CHECK(bl_core_schedule(m->core, slot, slot->due) == BL_OK); /* with the lane's reference */
            return;
        }
        bl_add_relaxed(&m->late, 1);
    } else if (bl_slot_finish(slot, take->attempt, BL_COMPLETED, &seen) == BL_OK) {
        job_ended(m, worker, slot, BL_COMPLETED);
    } else {
        bl_add_relaxed(&m->late, 1);
    }
    job_drop(m, j);
}

static inline void mini_work(mini *m, unsigned group, const bl_a32 *leave) {
    bl_worker *worker = bl_core_add_worker(m->core, group);
    bl_ec *ec = bl_core_group_ec(m->core, group);
    bl_take take;
    CHECK(worker != NULL);
    while (leave == NULL || bl_load_seq(leave) == 0) {
        bl_core_take(m->core, worker, &take);
        if (take.kind == BL_TAKEN_NONE) {
            bl_core_idle(m->core, worker);
            uint32_t key = bl_ec_prepare(ec);
            bl_core_take(m->core, worker, &take);
            if (take.kind == BL_TAKEN_NONE && bl_load_seq(&m->stop) == 0) {
                (void)bl_ec_wait(ec, key, INT64_MAX);
                continue;
            }
            bl_ec_cancel(ec);
            if (take.kind == BL_TAKEN_NONE) {
                break;
            }
        }
        mini_run(m, worker, &take);
    }
    bl_core_idle(m->core, worker);
    bl_core_remove_worker(m->core, worker);
}

static inline void note_and_ref(bl_slot *slot, void *arg) {
    job_ref(slot->owner); /* the registry's lock keeps its reference there meanwhile */
    *(bl_slot **)arg = slot;
}

/* True: this call ended it. */
static inline bool mini_cancel(mini *m, uint64_t id) {
    bl_slot *slot = NULL;
    uint32_t seen;
    if (!bl_registry_find(bl_core_registry(m->core), id, note_and_ref, &slot)) {
        return false;
    }
    bool won = bl_core_cancel(m->core, slot, &seen) == BL_OK;
    if (won) {
        if (bl_core_unschedule(m->core, slot)) {
            job_drop(m, slot->owner);
        }
        job_ended(m, NULL, slot, BL_CANCELLED);
    }
    job_drop(m, slot->owner);
    return won;
}

static inline void mini_stop(mini *m, unsigned groups) {
    bl_store_seq(&m->stop, 1);
    for (unsigned i = 0; i < groups; i++) {
        bl_ec_notify_all(bl_core_group_ec(m->core, i));
    }
    bl_core_kick(m->core);
}

static inline bool first_found(bl_slot *slot, void *arg) {
    *(bl_slot **)arg = slot;
    return false;
}

/* Nothing runs any more: take everything out and see that every slot has come back. */
static inline void mini_tear_down(mini *m) {
    bl_slot *slot;
    while ((slot = bl_core_pop_due(m->core, INT64_MAX - 1)) != NULL) {
        job_drop(m, slot->owner);
    }
    while ((slot = bl_core_pop_aged(m->core, BL_NEVER)) != NULL || (slot = bl_core_pop_retained(m->core)) != NULL) {
        forget(m, slot);
    }
    CHECK(bl_core_retained(m->core) == 0);
    for (slot = NULL; bl_registry_walk(bl_core_registry(m->core), first_found, &slot), slot != NULL; slot = NULL) {
        forget(m, slot);
    }
    CHECK(bl_pool_in_use(bl_core_pool(m->core)) == 0);
    bl_core_free(m->core);
}

#endif
