/* model_core.c: the handshakes of the whole core in every interleaving: whoever sleeps is woken by what it waits
 * for (worker, keeper, drainer), and a peeker and the end of an attempt do not miss each other.
 *
 * The clock is hand-set and stands at 1000, so that a deadline before that is over at once.
 */
#include "core.h"

#define NOW 1000

typedef struct state {
    bl_core *core;
    bl_worker *worker;
    bl_slot *slots[3];
    bl_a32 runs[3];
    bl_a32 phase;
} state;

static state shared;

static const uint16_t both_queues[] = {0, 1};

static bl_slot *new_slot(uint16_t queue, uint8_t lane, unsigned word) {
    bl_slot *slot = bl_pool_take(bl_core_pool(shared.core));
    slot->queue = queue;
    slot->lane = lane;
    atomic_store(&slot->word, word);
    return slot;
}

static void *setup_with(const bl_config *config) {
    shared = (state){.core = bl_core_new(config)};
    bl_core_set_now(shared.core, NOW);
    (void)bl_core_add_queue(shared.core, 2);
    (void)bl_core_add_queue(shared.core, 2);
    (void)bl_core_add_group(shared.core, false);
    (void)bl_core_subscribe(shared.core, 0, both_queues, 1);
    for (unsigned i = 0; i < 3; i++) {
        shared.slots[i] = new_slot(0, 0, BL_QUEUED);
        shared.slots[i]->owner = &shared.runs[i];
    }
    return &shared;
}

static void *setup(void) {
    return setup_with(&(bl_config){.ring_size = 2, .result_ttl = BL_NEVER, .result_max = UINT64_MAX});
}

static void *setup_relay(void) {
    return setup_with(&(bl_config){.ring_size = 2, .result_ttl = BL_NEVER, .result_max = UINT64_MAX, .relay = 1});
}

/* Urgent slots are in lane 0, which takes no part in the relay. */
static void *setup_relay_below(void) {
    setup_relay();
    for (unsigned i = 0; i < 3; i++)
        shared.slots[i]->lane = 1;
    return &shared;
}

static void *setup_worker(void) {
    setup();
    shared.worker = bl_core_add_worker(shared.core, 0);
    return &shared;
}

static void *setup_ageing(void) {
    return setup_with(&(bl_config){.ring_size = 2, .result_ttl = 10, .result_max = UINT64_MAX});
}

static void clear(void *arg) { bl_core_free(((state *)arg)->core); }

/* Folding the figures is thousands of accesses, under a lock. */
static void leave(state *s, bl_worker *worker) {
    bl_model_quiet(true);
    bl_core_remove_worker(s->core, worker);
    bl_model_quiet(false);
}

/* ---- workers ---- */

static void work_until_one(state *s, unsigned group) {
    bl_worker *worker = bl_core_add_worker(s->core, group);
    bl_ec *ec = bl_core_group_ec(s->core, group);
    bl_take take;
    for (;;) {
        bl_core_take(s->core, worker, &take);
        if (take.kind == BL_TAKEN_NONE) {
            uint32_t key = bl_ec_prepare(ec);
            bl_core_take(s->core, worker, &take);
            if (take.kind == BL_TAKEN_NONE) {
                (void)bl_ec_wait(ec, key, INT64_MAX);
                continue;
            }
            bl_ec_cancel(ec);
            bl_core_stayed(s->core, group);
        }
        break;
    }
    bl_add_relaxed((bl_a32 *)take.slot->owner, 1);
    bl_core_done(s->core, worker);
    bl_core_idle(s->core, worker);
    leave(s, worker);
}

static void work(void *arg) { work_until_one(arg, 0); }

static void work_in_reserve(void *arg) { work_until_one(arg, 1); }

static void work_in_second(void *arg) { work_until_one(arg, 1); }

/* A worker of the first group that does not go back to sleep: a real one would, without anybody to wake it. */
static void look_until_paused(void *arg) {
    state *s = arg;
    bl_ec *ec = bl_core_group_ec(s->core, 0);
    uint32_t key = bl_ec_prepare(ec);
    if (bl_core_paused(s->core, 0)) {
        bl_ec_cancel(ec);
        return;
    }
    (void)bl_ec_wait(ec, key, INT64_MAX);
}

static void push(state *s, unsigned index) {
    bool woken;
    (void)bl_core_reserve(s->core, s->slots[index]->queue, s->slots[index]->lane, 1, 0);
    (void)bl_core_next_ids(s->core, 1, NOW);
    MODEL_CHECK(bl_core_push(s->core, s->slots[index], false, &woken) == BL_OK);
}

static void push_first(void *arg) { push(arg, 0); }

static void push_second(void *arg) { push(arg, 1); }

static void push_front(void *arg) {
    state *s = arg;
    bool woken;
    (void)bl_core_reserve(s->core, 0, 0, 1, 0);
    MODEL_CHECK(bl_core_push(s->core, s->slots[0], true, &woken) == BL_OK);
}

static void one_ran(void *arg) {
    state *s = arg;
    MODEL_CHECK(s->runs[0] == 1 && bl_queue_live_all(bl_core_queue(s->core, 0)) == 0);
}

static void two_ran(void *arg) {
    one_ran(arg);
    MODEL_CHECK(((state *)arg)->runs[1] == 1);
}

static void *setup_other_queue(void) {
    setup();
    shared.slots[0]->queue = 1;
    return &shared;
}

static void subscribe(void *arg) {
    MODEL_CHECK(bl_core_subscribe(((state *)arg)->core, 0, both_queues, 2) == BL_OK);
}

static void other_ran(void *arg) { MODEL_CHECK(((state *)arg)->runs[0] == 1); }

static void *setup_paused(void) {
    setup();
    bl_core_pause(shared.core, 0, true);
    return &shared;
}

static void resume(void *arg) { bl_core_pause(((state *)arg)->core, 0, false); }

static void *setup_two_groups(void) {
    setup();
    (void)bl_core_add_group(shared.core, false);
    (void)bl_core_subscribe(shared.core, 1, both_queues, 1);
    return &shared;
}

static void *setup_relay_two_groups(void) {
    setup_relay_below();
    (void)bl_core_add_group(shared.core, false);
    (void)bl_core_subscribe(shared.core, 1, both_queues, 1);
    return &shared;
}

static void push_both(void *arg) {
    push(arg, 0);
    push(arg, 1);
}

static void pause_first(void *arg) { bl_core_pause(((state *)arg)->core, 0, true); }

static void *setup_reserve(void) {
    setup();
    (void)bl_core_add_group(shared.core, true);
    (void)bl_core_subscribe(shared.core, 1, both_queues, 1);
    return &shared;
}

/* ---- the keeper ---- */

static void keep_until_due(void *arg) {
    state *s = arg;
    while (bl_core_keeper_wait(s->core, BL_NEVER) != BL_TIMEOUT) {
    }
}

static void begin_overdue(void *arg) {
    state *s = arg;
    s->slots[0]->timeout = 1;
    bl_worker_begin(s->core, s->worker, s->slots[0], 1, 10);
}

static void schedule_overdue(void *arg) {
    state *s = arg;
    MODEL_CHECK(bl_core_schedule(s->core, s->slots[0], 10) == BL_OK);
}

static void schedule_later_then_overdue(void *arg) {
    state *s = arg;
    MODEL_CHECK(bl_core_schedule(s->core, s->slots[1], NOW + 5) == BL_OK);
    MODEL_CHECK(bl_core_schedule(s->core, s->slots[0], 10) == BL_OK);
}

static void retain_aged(void *arg) {
    state *s = arg;
    s->slots[0]->finished = 10;
    MODEL_CHECK(bl_core_retain(s->core, s->slots[0]) == NULL);
}

static void move_clock(void *arg) { bl_core_set_now(((state *)arg)->core, 2000); }

static void *setup_scheduled(void) {
    setup();
    (void)bl_core_schedule(shared.core, shared.slots[0], 1500);
    return &shared;
}

/* ---- draining ---- */

static void *setup_submitted(void) {
    setup_worker();
    (void)bl_core_next_ids(shared.core, 2, NOW);
    return &shared;
}

static void drain(void *arg) {
    state *s = arg;
    while (bl_core_drain_wait(s->core, INT64_MAX) != BL_OK) {
    }
    MODEL_CHECK(bl_core_outstanding(s->core) == 0);
}

static void end_in_worker(void *arg) {
    state *s = arg;
    bl_core_done(s->core, s->worker);
    bl_core_idle(s->core, s->worker);
}

static void end_in_worker_that_leaves(void *arg) {
    state *s = arg;
    bl_core_done(s->core, s->worker);
    bl_core_idle(s->core, s->worker);
    leave(s, s->worker);
}

static void end_elsewhere(void *arg) { bl_core_done(((state *)arg)->core, NULL); }

/* ---- peeking ---- */

static void *setup_running(void) {
    setup_worker();
    bl_worker_begin(shared.core, shared.worker, shared.slots[0], 1, NOW);
    return &shared;
}

static void end_and_begin_next(void *arg) {
    state *s = arg;
    (void)bl_worker_end(s->core, s->worker, NOW + 1);
    bl_store_relaxed(&s->phase, 1); /* the slot may be gone from here on */
    bl_worker_begin(s->core, s->worker, s->slots[1], 1, NOW + 2);
    bool interrupted = bl_worker_end(s->core, s->worker, NOW + 3);
    MODEL_CHECK(!interrupted || s->phase == 2);
}

static void peek(void *arg) {
    state *s = arg;
    uint64_t token = bl_load_acquire(&s->worker->token);
    if (bl_worker_peek(s->worker, token)) {
        uint32_t before = bl_load_relaxed(&s->phase);
        bl_slot *slot = bl_load_relaxed(&s->worker->slot);
        MODEL_CHECK(slot == s->slots[before == 0 ? 0 : 1]);
        if (before != 0) {
            bl_worker_set_interrupted(s->worker);
            bl_store_relaxed(&s->phase, 2);
        }
        MODEL_CHECK(bl_load_relaxed(&s->worker->slot) == slot); /* it has not left the attempt */
        bl_worker_unpeek(s->worker);
    }
}

int main(void) {
    bl_model_must_hold(&(bl_model){"push wakes a worker", setup, {push_first, work}, one_ran, clear, 3});
    bl_model_must_hold(&(bl_model){"push to the front wakes a worker", setup, {push_front, work}, one_ran, clear, 3});
    bl_model_must_hold(&(bl_model){"two pushes, two workers", setup, {push_first, push_second, work, work}, two_ran,
                                   clear, 1});
    bl_model_must_hold(&(bl_model){"relay: two pushes, two workers", setup_relay_below,
                                   {push_first, push_second, work, work}, two_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"relay: one pushes twice", setup_relay_below, {push_both, work, work}, two_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"relay: one pushes twice, two groups", setup_relay_two_groups,
                                   {push_both, work, work_in_second}, two_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"relay: urgent pushes", setup_relay, {push_both, work, work}, two_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"relay: push and pause of the group that is woken first", setup_relay_two_groups,
                                   {push_first, pause_first, look_until_paused, work_in_second}, one_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"push and subscribe", setup_other_queue, {push_first, subscribe, work}, other_ran,
                                   clear, 2});
    bl_model_must_hold(&(bl_model){"push and resume", setup_paused, {push_first, resume, work}, one_ran, clear, 2});
    bl_model_must_hold(&(bl_model){"push and pause of the group that is woken first", setup_two_groups,
                                   {push_first, pause_first, look_until_paused, work_in_second}, one_ran, clear, 1});
    bl_model_must_hold(&(bl_model){"reserve worker", setup_reserve, {push_first, work_in_reserve}, one_ran, clear, 2});
    bl_model_must_hold(&(bl_model){"keeper and deadline", setup_worker, {begin_overdue, keep_until_due}, NULL, clear, 3});
    bl_model_must_hold(&(bl_model){"keeper and timer", setup, {schedule_overdue, keep_until_due}, NULL, clear, 3});
    bl_model_must_hold(&(bl_model){"keeper and two timers", setup, {schedule_later_then_overdue, keep_until_due}, NULL,
                                   clear, 3});
    bl_model_must_hold(&(bl_model){"keeper and aged result", setup_ageing, {retain_aged, keep_until_due}, NULL, clear, 3});
    bl_model_must_hold(&(bl_model){"keeper and clock", setup_scheduled, {move_clock, keep_until_due}, NULL, clear, 3});
    bl_model_must_hold(&(bl_model){"drain, worker and elsewhere", setup_submitted, {end_in_worker, end_elsewhere, drain},
                                   NULL, clear, 2});
    bl_model_must_hold(&(bl_model){"drain, worker that leaves", setup_submitted,
                                   {end_in_worker_that_leaves, end_elsewhere, drain}, NULL, clear, 2});
    bl_model_must_hold(&(bl_model){"peek and end", setup_running, {end_and_begin_next, peek}, NULL, clear, 4});
    return 0;
}
