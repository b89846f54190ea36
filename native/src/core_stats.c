/* core_stats.c: the figures: counters, rates per second, histograms, summed over workers on request.
 *
 * Each worker writes its own record with relaxed stores; a reader adds the records up under the table lock,
 * so that a worker that leaves is counted once. Figures of a moment are therefore near, not exact, while
 * tasks run; they are exact when nothing runs.
 */
#include "core_priv.h"
#include "mem.h"

void bl_rate_add(bl_rate *rate, int64_t now, uint64_t count, bool shared) {
    uint64_t second = (uint64_t)(now / 1000000000);
    bl_a64 *cell = &rate->cells[second % BL_RATE_SECONDS];
    uint64_t seen = bl_load_relaxed(cell);
    if (!shared) {
        bl_store_relaxed(cell, seen >> 32 == (second & UINT32_MAX) ? seen + count : second << 32 | count);
        return;
    }
    uint64_t next;
    do {
        next = seen >> 32 == (second & UINT32_MAX) ? seen + count : second << 32 | count;
    } while (!bl_cas_relaxed(cell, &seen, next)); /* a count: nothing is published by it */
}

static void bump(bl_a64 *own, bl_a64 *shared, bool worker) {
    if (worker)
        bl_store_relaxed(own, bl_load_relaxed(own) + 1); /* one writer */
    else
        bl_add_relaxed(shared, 1);
}

void bl_worker_count(bl_core *core, bl_worker *worker, unsigned state, int64_t now) {
    bl_worker *own = worker != NULL ? worker : &core->elsewhere;
    bl_worker *shared = &core->elsewhere;
    bl_rate_add(&own->finish_rate, now, 1, worker == NULL);
    if (state == BL_COMPLETED)
        bump(&own->completed, &shared->completed, worker != NULL);
    else if (state == BL_FAILED)
        bump(&own->failed, &shared->failed, worker != NULL);
    else
        bump(&own->cancelled, &shared->cancelled, worker != NULL);
}

void bl_core_count_retry(bl_core *core, bl_worker *worker) {
    bl_worker *own = worker != NULL ? worker : &core->elsewhere;
    bump(&own->retried, &core->elsewhere.retried, worker != NULL);
}

void bl_core_count_expired(bl_core *core, bl_worker *worker) {
    bl_worker *own = worker != NULL ? worker : &core->elsewhere;
    bump(&own->expired, &core->elsewhere.expired, worker != NULL);
}

static void fold_rate(bl_rate *into, const bl_rate *from) {
    for (size_t i = 0; i < BL_RATE_SECONDS; i++) {
        uint64_t old = bl_load_relaxed(&into->cells[i]);
        uint64_t more = bl_load_relaxed(&((bl_rate *)from)->cells[i]);
        if (more >> 32 > old >> 32)
            bl_store_relaxed(&into->cells[i], more);
        else if (more >> 32 == old >> 32)
            bl_store_relaxed(&into->cells[i], old + (more & UINT32_MAX));
    }
}

static void fold_hist(bl_hist *into, const bl_hist *from) {
    for (size_t i = 0; i < BL_HIST_BUCKETS; i++) {
        uint32_t more = bl_load_relaxed(&((bl_hist *)from)->counts[i]);
        if (more != 0)
            bl_store_relaxed(&into->counts[i], bl_load_relaxed(&into->counts[i]) + more);
    }
}

void bl_core_fold(bl_worker *into, const bl_worker *worker) {
    bl_worker *from = (bl_worker *)worker;
    bl_a64 *const to[] = {&into->completed, &into->failed, &into->cancelled, &into->retried,
                          &into->expired, &into->done, &into->busy};
    bl_a64 *const of[] = {&from->completed, &from->failed, &from->cancelled, &from->retried,
                          &from->expired, &from->done, &from->busy};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        bl_store_seq(to[i], bl_load_relaxed(to[i]) + bl_load_seq(of[i])); /* `done`: see bl_core_idle */
    fold_rate(&into->finish_rate, &from->finish_rate);
    fold_hist(&into->run, &from->run);
    for (size_t lane = 0; lane < 4; lane++)
        fold_hist(&into->wait[lane], &from->wait[lane]);
}

/* Call `visit` on every record that counts. The lock is held. */
static void each_record(bl_core *core, void (*visit)(bl_worker *, void *), void *arg) {
    visit(&core->elsewhere, arg);
    visit(&core->retired, arg);
    unsigned limit = bl_core_worker_limit(core);
    for (unsigned i = 0; i < limit; i++)
        visit(bl_load_relaxed(&core->workers[i]), arg);
}

static void add_done(bl_worker *worker, void *arg) { *(uint64_t *)arg += bl_load_seq(&worker->done); }

uint64_t bl_core_outstanding(bl_core *core) {
    uint64_t done = 0;
    bl_mutex_lock(&core->lock);
    each_record(core, add_done, &done);
    bl_mutex_unlock(&core->lock);
    uint64_t submitted = bl_load_seq(&core->next_id);
    return submitted > done ? submitted - done : 0;
}

static void add_rates(const bl_rate *rate, uint64_t second, uint64_t *out) {
    for (uint64_t back = 0; back < BL_RATE_SECONDS && back <= second; back++) {
        uint64_t cell = bl_load_relaxed(&((bl_rate *)rate)->cells[(second - back) % BL_RATE_SECONDS]);
        if (cell >> 32 == ((second - back) & UINT32_MAX))
            out[back] += cell & UINT32_MAX;
    }
}

typedef struct sum {
    bl_totals *totals;
    uint64_t second;
} sum;

static void add_counters(bl_worker *worker, void *arg) {
    sum *into = arg;
    bl_totals *totals = into->totals;
    totals->completed += bl_load_relaxed(&worker->completed);
    totals->failed += bl_load_relaxed(&worker->failed);
    totals->cancelled += bl_load_relaxed(&worker->cancelled);
    totals->retried += bl_load_relaxed(&worker->retried);
    totals->expired += bl_load_relaxed(&worker->expired);
    totals->done += bl_load_relaxed(&worker->done);
    totals->busy += bl_load_relaxed(&worker->busy);
    totals->other_bytes += sizeof *worker;
    add_rates(&worker->finish_rate, into->second, totals->finish_rate);
}

void bl_core_totals(bl_core *core, bl_totals *totals) {
    *totals = (bl_totals){0};
    sum into = {totals, (uint64_t)(bl_core_now(core) / 1000000000)};
    bl_mutex_lock(&core->lock);
    each_record(core, add_counters, &into);
    for (unsigned i = 0; i < core->queue_count; i++) {
        bl_queue *queue = bl_core_queue(core, i);
        totals->overflows += bl_queue_overflows(queue);
        totals->conflicts += bl_queue_conflicts(queue);
        totals->queue_bytes += bl_queue_bytes(queue);
    }
    bl_mutex_unlock(&core->lock);
    totals->submitted = bl_load_relaxed(&core->next_id);
    add_rates(&core->submit_rate, into.second, totals->submit_rate);
    totals->scheduled = bl_timers_count(core->timers);
    totals->retained = bl_core_retained(core);
    totals->pool_reserved = bl_pool_reserved(core->pool);
    totals->pool_in_use = bl_pool_in_use(core->pool);
    totals->other_bytes += sizeof *core + bl_timers_bytes(core->timers) + bl_registry_bytes(core->registry) +
                           bl_lane_bytes(core->kept);
}

static void add_run(bl_worker *worker, void *arg) { bl_hist_sum(&worker->run, arg); }

void bl_core_run_times(bl_core *core, uint64_t *totals) {
    bl_mutex_lock(&core->lock);
    each_record(core, add_run, totals);
    bl_mutex_unlock(&core->lock);
}

typedef struct wait_sum {
    unsigned lane;
    uint64_t *totals;
} wait_sum;

static void add_wait(bl_worker *worker, void *arg) {
    wait_sum *into = arg;
    bl_hist_sum(&worker->wait[into->lane], into->totals);
}

void bl_core_wait_times(bl_core *core, unsigned lane, uint64_t *totals) {
    wait_sum into = {lane < 3 ? lane : 3, totals};
    bl_mutex_lock(&core->lock);
    each_record(core, add_wait, &into);
    bl_mutex_unlock(&core->lock);
}
