/* test_core.c: the core's rules one by one, on one thread and a hand-set clock. Load is in test_core_load.c. */
#include "mini.h"

#include "mem.h"

static mini make(bl_config config) {
    if (config.ring_size == 0) {
        config.ring_size = 4;
    }
    mini m = {.core = bl_core_new(&config)};
    CHECK(m.core != NULL);
    bl_core_set_now(m.core, 1000);
    return m;
}

static const bl_config plain = {.aging = 0, .result_ttl = BL_NEVER, .result_max = UINT64_MAX};

/* A queue with four lanes, a group that serves it, a worker of that group. */
static bl_worker *basics(mini *m) {
    static const uint16_t queues[] = {0};
    CHECK(bl_core_add_queue(m->core, 4) == 0);
    CHECK(bl_core_add_group(m->core, false) == 0);
    CHECK(bl_core_subscribe(m->core, 0, queues, 1) == BL_OK);
    bl_worker *worker = bl_core_add_worker(m->core, 0);
    CHECK(worker != NULL);
    return worker;
}

static job *take_next(mini *m, bl_worker *worker) {
    bl_take take;
    bl_core_take(m->core, worker, &take);
    if (take.kind == BL_TAKEN_NONE) {
        return NULL;
    }
    CHECK(take.kind == BL_TAKEN_RUN);
    job *j = take.slot->owner;
    mini_run(m, worker, &take);
    return j;
}

static void test_submit_take_run_retain(void) {
    mini m = make((bl_config){.result_ttl = BL_NEVER, .result_max = 2});
    bl_worker *worker = basics(&m);
    job jobs[4] = {{.runs = 0}};
    bl_totals totals;
    for (int i = 0; i < 4; i++) {
        CHECK(mini_submit(&m, &jobs[i], &(plan){.lane = 2}) == BL_OK);
        CHECK(jobs[i].slot->id == (uint64_t)i + 1);
    }
    CHECK(bl_core_outstanding(m.core) == 4 && bl_queue_live(bl_core_queue(m.core, 0), 2) == 4);
    for (int i = 0; i < 4; i++) {
        bl_core_set_now(m.core, 2000 + i * 100);
        CHECK(take_next(&m, worker) == &jobs[i] && jobs[i].end_state == BL_COMPLETED);
    }
    CHECK(take_next(&m, worker) == NULL);
    CHECK(bl_core_outstanding(m.core) == 0 && bl_core_drain_wait(m.core, 0) == BL_OK);
    CHECK(bl_core_retained(m.core) == 2); /* the cap: the two oldest have left */
    CHECK(jobs[0].refs == 0 && jobs[1].refs == 0 && jobs[2].refs == 1 && jobs[3].refs == 1);
    bl_core_totals(m.core, &totals);
    CHECK(totals.submitted == 4 && totals.completed == 4 && totals.done == 4 && totals.retained == 2);
    CHECK(totals.submit_rate[0] == 4 && totals.finish_rate[0] == 4);
    CHECK(totals.pool_in_use == 2 * sizeof(bl_slot));
    uint64_t waits[BL_HIST_BUCKETS] = {0};
    bl_core_wait_times(m.core, 2, waits);
    int64_t median = bl_hist_quantile(waits, 0.5);
    CHECK(median >= 1000 && median <= 1300);
    mini_tear_down(&m);
}

static void test_aging_takes_the_lowest_now_and_then(void) {
    mini m = make((bl_config){.aging = 4, .result_ttl = BL_NEVER, .result_max = 0});
    bl_worker *worker = basics(&m);
    job high[9] = {{.runs = 0}};
    job low[3] = {{.runs = 0}};
    for (int i = 0; i < 9; i++) {
        CHECK(mini_submit(&m, &high[i], &(plan){.lane = 1}) == BL_OK);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(mini_submit(&m, &low[i], &(plan){.lane = 3}) == BL_OK);
    }
    int next_high = 0;
    int next_low = 0;
    for (int i = 1; i <= 12; i++) {
        job *expected = i % 4 == 0 ? &low[next_low++] : &high[next_high++];
        CHECK(take_next(&m, worker) == expected);
    }
    mini_tear_down(&m);
}

static void test_front_and_queue_order_and_rotation(void) {
    static const uint16_t both[] = {1, 0};
    static const uint16_t one[] = {0};
    static const uint16_t unknown[] = {7};
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job jobs[12] = {{.runs = 0}};
    CHECK(bl_core_add_queue(m.core, 1) == 1);
    CHECK(bl_core_add_queue(m.core, 0) == BL_INVALID && bl_core_add_queue(m.core, BL_MAX_LANES + 1) == BL_INVALID);
    CHECK(bl_core_subscribe(m.core, 0, unknown, 1) == BL_INVALID && bl_core_subscribe(m.core, 5, one, 1) == BL_INVALID);
    CHECK(bl_core_reserve(m.core, 7, 0, 1, 0) == BL_INVALID && bl_core_reserve(m.core, 1, 1, 1, 0) == BL_INVALID);
    CHECK(bl_core_subscribe(m.core, 0, both, 2) == BL_OK);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(mini_submit(&m, &jobs[i], &(plan){.queue = i % 2, .front = i >= 2}) == BL_OK);
    }
    CHECK(take_next(&m, worker) == &jobs[3] && take_next(&m, worker) == &jobs[1]);
    CHECK(bl_core_subscribe(m.core, 0, NULL, 0) == BL_OK && take_next(&m, worker) == NULL);
    CHECK(bl_core_subscribe(m.core, 0, one, 1) == BL_OK);
    CHECK(take_next(&m, worker) == &jobs[2] && take_next(&m, worker) == &jobs[0]);
    CHECK(bl_core_subscribe(m.core, 0, both, 2) == BL_OK);
    bl_core_rotate(m.core, 0, true);
    for (unsigned i = 4; i < 12; i++) {
        CHECK(mini_submit(&m, &jobs[i], &(plan){.queue = i % 2}) == BL_OK);
    }
    unsigned last = 9;
    for (unsigned i = 4; i < 12; i++) {
        job *j = take_next(&m, worker);
        CHECK(j != NULL && j->slot->queue != last);
        last = j->slot->queue;
    }
    mini_tear_down(&m);
}

static void test_pause(void) {
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job j = {.runs = 0};
    bl_core_pause(m.core, 0, true);
    CHECK(bl_core_paused(m.core, 0) && mini_submit(&m, &j, &(plan){.lane = 0}) == BL_OK);
    CHECK(take_next(&m, worker) == NULL);
    uint32_t key = bl_ec_prepare(bl_core_group_ec(m.core, 0));
    bl_core_pause(m.core, 0, false);
    CHECK(bl_ec_wait(bl_core_group_ec(m.core, 0), key, INT64_MAX) == BL_OK); /* resuming wakes sleepers */
    CHECK(!bl_core_paused(m.core, 0) && take_next(&m, worker) == &j);
    mini_tear_down(&m);
}

static void test_limit_and_cancel_give_room_back(void) {
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job jobs[4] = {{.runs = 0}};
    const plan bounded = {.lane = 1, .limit = 2};
    CHECK(mini_submit(&m, &jobs[0], &bounded) == BL_OK && mini_submit(&m, &jobs[1], &bounded) == BL_OK);
    CHECK(mini_submit(&m, &jobs[2], &bounded) == BL_FULL);
    CHECK(mini_cancel(&m, jobs[0].slot->id) && !mini_cancel(&m, jobs[0].slot->id));
    CHECK(mini_submit(&m, &jobs[2], &bounded) == BL_OK); /* the tombstone takes no room */
    bl_take take;
    bl_core_take(m.core, worker, &take);
    CHECK(take.kind == BL_TAKEN_TOMBSTONE && take.slot->owner == &jobs[0]);
    mini_run(&m, worker, &take);
    CHECK(take_next(&m, worker) == &jobs[1] && take_next(&m, worker) == &jobs[2]);
    CHECK(jobs[0].runs == 0 && jobs[0].end_state == BL_CANCELLED && bl_core_outstanding(m.core) == 0);
    CHECK(bl_queue_live_all(bl_core_queue(m.core, 0)) == 0);
    mini_tear_down(&m);
}

static void test_delay_expiry_and_retry(void) {
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job delayed = {.runs = 0};
    job expiring[2] = {{.runs = 0}};
    job failing = {.runs = 0};
    CHECK(mini_submit(&m, &delayed, &(plan){.delay = 500, .expires = 900}) == BL_OK);
    CHECK(mini_submit(&m, &expiring[0], &(plan){.lane = 1, .expires = 100}) == BL_OK);
    CHECK(mini_submit(&m, &expiring[1], &(plan){.lane = 1, .expires = 300}) == BL_OK);
    mini_keep_once(&m);
    CHECK(delayed.ends == 0 && expiring[0].ends == 0);
    bl_core_set_now(m.core, 1100);
    mini_keep_once(&m); /* the keeper's way to expiry */
    CHECK(expiring[0].end_state == BL_CANCELLED && bl_queue_live_all(bl_core_queue(m.core, 0)) == 1);
    bl_core_set_now(m.core, 1300); /* to the nanosecond, and the taker is faster than the keeper */
    bl_take take;
    bl_core_take(m.core, worker, &take);
    CHECK(take.kind == BL_TAKEN_TOMBSTONE);
    mini_run(&m, worker, &take);
    bl_core_take(m.core, worker, &take);
    CHECK(take.kind == BL_TAKEN_EXPIRED && take.slot->owner == &expiring[1]);
    mini_run(&m, worker, &take);
    CHECK(expiring[1].end_state == BL_CANCELLED && take_next(&m, worker) == NULL);
    bl_core_set_now(m.core, 1500);
    mini_keep_once(&m);
    CHECK(take_next(&m, worker) == &delayed && delayed.end_state == BL_COMPLETED);
    CHECK(mini_submit(&m, &failing, &(plan){.lane = 3, .fails = 2}) == BL_OK);
    for (int i = 1; i <= 3; i++) {
        CHECK(take_next(&m, worker) == &failing && failing.runs == (uint32_t)i && failing.ends == (i == 3));
        CHECK(take_next(&m, worker) == NULL);
        bl_core_set_now(m.core, 100000 * i);
        mini_keep_once(&m);
    }
    CHECK(bl_word_attempt(failing.slot->word) == 3 && bl_core_outstanding(m.core) == 0);
    bl_totals totals;
    bl_core_totals(m.core, &totals);
    CHECK(totals.retried == 2 && totals.expired == 2 && totals.cancelled == 2 && totals.scheduled == 0);
    mini_tear_down(&m);
}

static void test_results_age(void) {
    mini m = make((bl_config){.result_ttl = 1000, .result_max = UINT64_MAX});
    bl_worker *worker = basics(&m);
    job jobs[3] = {{.runs = 0}};
    for (int i = 0; i < 3; i++) {
        bl_core_set_now(m.core, 2000 + i * 400);
        CHECK(mini_submit(&m, &jobs[i], &(plan){.lane = 0}) == BL_OK && take_next(&m, worker) == &jobs[i]);
    }
    CHECK(bl_core_retained(m.core) == 3 && bl_core_pop_aged(m.core, 2999) == NULL);
    bl_core_set_now(m.core, 3400);
    mini_keep_once(&m);
    CHECK(bl_core_retained(m.core) == 1 && jobs[1].refs == 0 && jobs[2].refs == 1);
    CHECK(!mini_cancel(&m, 1) && !mini_cancel(&m, 3));
    mini_tear_down(&m);
}

static void test_deadline_and_peek(void) {
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job j = {.runs = 0};
    bl_take take;
    uint32_t seen;
    CHECK(mini_submit(&m, &j, &(plan){.lane = 0, .timeout = 500}) == BL_OK);
    bl_core_take(m.core, worker, &take);
    CHECK(take.kind == BL_TAKEN_RUN && take.attempt == 1);
    bl_worker_begin(m.core, worker, take.slot, 1, 2000);
    CHECK(worker->deadline == 2500);
    mini_look_at_deadlines(&m, 2499);
    CHECK(j.ends == 0);
    uint64_t token = worker->token;
    CHECK(!bl_worker_peek(worker, token + 2) && bl_worker_peek(worker, token));
    bl_worker_set_interrupted(worker);
    bl_worker_unpeek(worker);
    mini_look_at_deadlines(&m, 2500);
    CHECK(j.end_state == BL_FAILED && m.timed_out == 1 && bl_core_outstanding(m.core) == 0);
    CHECK(bl_worker_end(m.core, worker, 3000)); /* has an interrupt to clear */
    CHECK(bl_slot_finish(take.slot, 1, BL_COMPLETED, &seen) == BL_LOST);
    CHECK(!bl_worker_peek(worker, token));
    job_drop(&m, &j);
    bl_worker_begin(m.core, worker, take.slot, 2, 4000);
    CHECK(!bl_worker_end(m.core, worker, 4100)); /* and only then */
    mini_tear_down(&m);
}

static void test_keeper_returns_when_something_is_due(void) {
    mini m = make(plain);
    (void)basics(&m);
    job j = {.runs = 0};
    CHECK(bl_core_keeper_wait(m.core, 1000) == BL_TIMEOUT);
    CHECK(mini_submit(&m, &j, &(plan){.delay = 10}) == BL_OK);
    bl_core_set_now(m.core, 1010);
    CHECK(bl_core_keeper_wait(m.core, BL_NEVER) == BL_TIMEOUT);
    mini_keep_once(&m);
    CHECK(bl_queue_live_all(bl_core_queue(m.core, 0)) == 1);
    CHECK(mini_cancel(&m, 1));
    bl_take take;
    bl_core_take_from(m.core, (const uint16_t[]){0}, 1, &take);
    CHECK(take.kind == BL_TAKEN_TOMBSTONE);
    mini_run(&m, NULL, &take);
    mini_tear_down(&m);
}

static void test_reserve_group(void) {
    static const uint16_t queues[] = {0};
    mini m = make(plain);
    bl_worker *ordinary = basics(&m);
    job jobs[4] = {{.runs = 0}};
    CHECK(bl_core_add_group(m.core, true) == 1 && bl_core_subscribe(m.core, 1, queues, 1) == BL_OK);
    bl_worker *reserve = bl_core_add_worker(m.core, 1);
    bl_ec *first = bl_core_group_ec(m.core, 0);
    bl_ec *second = bl_core_group_ec(m.core, 1);
    (void)bl_ec_prepare(first);
    (void)bl_ec_prepare(second);
    CHECK(mini_submit(&m, &jobs[0], &(plan){.lane = 0}) == BL_OK);
    CHECK(bl_ec_waiters(first) == 0 && bl_ec_waiters(second) == 1);
    CHECK(mini_submit(&m, &jobs[1], &(plan){.lane = 1}) == BL_OK);
    CHECK(bl_ec_waiters(second) == 1); /* not for lane 1 */
    CHECK(take_next(&m, reserve) == &jobs[0] && take_next(&m, reserve) == NULL);
    CHECK(mini_submit(&m, &jobs[2], &(plan){.lane = 0}) == BL_OK);
    CHECK(bl_ec_waiters(second) == 0); /* the ordinary worker is taken: now the reserve */
    CHECK(take_next(&m, ordinary) == &jobs[2] && take_next(&m, ordinary) == &jobs[1]);
    bl_ec_cancel(first);
    bl_ec_cancel(second);
    mini_tear_down(&m);
}

static void test_worker_records_are_reused_and_their_figures_kept(void) {
    mini m = make(plain);
    bl_worker *worker = basics(&m);
    job jobs[2] = {{.runs = 0}};
    bl_totals totals;
    for (int i = 0; i < 2; i++) {
        CHECK(mini_submit(&m, &jobs[i], &(plan){.lane = 0}) == BL_OK && take_next(&m, worker) == &jobs[i]);
        bl_core_remove_worker(m.core, worker);
        CHECK(bl_core_worker(m.core, 0) == NULL);
        bl_core_totals(m.core, &totals);
        CHECK(totals.completed == (uint64_t)i + 1 && bl_core_outstanding(m.core) == 0);
        bl_worker *again = bl_core_add_worker(m.core, 0);
        CHECK(again == worker && again->completed == 0 && bl_core_worker_limit(m.core) == 1);
    }
    mini_tear_down(&m);
}

static void test_new_like(void) {
    mini m = make(plain);
    (void)basics(&m);
    job j = {.runs = 0};
    CHECK(bl_core_add_queue(m.core, 7) == 1 && bl_core_add_group(m.core, true) == 1);
    CHECK(mini_submit(&m, &j, &(plan){.lane = 0}) == BL_OK);
    mini copy = {.core = bl_core_new_like(m.core)};
    CHECK(copy.core != NULL && bl_queue_lanes(bl_core_queue(copy.core, 1)) == 7 && bl_core_has_group(copy.core, 1));
    CHECK(bl_core_outstanding(copy.core) == 0);
    bl_worker *worker = bl_core_add_worker(copy.core, 0);
    job k = {.runs = 0};
    CHECK(mini_submit(&copy, &k, &(plan){.lane = 0}) == BL_OK && k.slot->id == 1 && take_next(&copy, worker) == &k);
    mini_tear_down(&copy);
    worker = bl_core_worker(m.core, 0);
    CHECK(take_next(&m, worker) == &j);
    mini_tear_down(&m);
}

/* The n-th allocation fails, for every n, in a life that touches everything. */
static bool try_life(long n) {
    static const uint16_t queues[] = {0, 1};
    const bl_config config = {.ring_size = 4, .aging = 2, .result_ttl = 10, .result_max = 1};
    bool ok = false;
    bl_mem_fail_after(n);
    bl_core *core = bl_core_new(&config);
    if (core != NULL) {
        ok = bl_core_add_queue(core, 2) == 0 && bl_core_add_queue(core, 2) == 1 && bl_core_add_group(core, false) == 0 &&
             bl_core_subscribe(core, 0, queues, 2) == BL_OK && bl_core_add_worker(core, 0) != NULL;
        bl_slot *slot = ok ? bl_pool_take(bl_core_pool(core)) : NULL;
        bool woken;
        uint32_t seen;
        ok = slot != NULL;
        if (ok) {
            slot->id = bl_core_next_ids(core, 1, 0);
            ok = bl_registry_put(bl_core_registry(core), slot) == BL_OK && bl_core_schedule(core, slot, 5) == BL_OK;
            CHECK(!ok || bl_core_pop_due(core, 5) == slot);
        }
        if (ok) {
            bl_slot_ready(slot, &seen);
            ok = bl_core_reserve(core, 0, 1, 1, 0) == BL_OK;
            slot->lane = 1;
            ok = ok && bl_core_push(core, slot, false, &woken) == BL_OK;
            bl_take take;
            bl_core_take(core, bl_core_worker(core, 0), &take);
            CHECK(take.kind == (ok ? BL_TAKEN_RUN : BL_TAKEN_NONE));
            ok = ok && bl_core_retain(core, slot) == NULL; /* without memory it is handed back at once */
        }
        bl_core_free(core);
    }
    bl_mem_fail_after(-1);
    CHECK(bl_mem_in_use() == 0);
    return ok;
}

static void test_no_memory(void) {
    long n = 0;
    while (!try_life(n)) {
        n++;
    }
    CHECK(n > 20);
}

int main(void) {
    RUN(test_submit_take_run_retain);
    RUN(test_aging_takes_the_lowest_now_and_then);
    RUN(test_front_and_queue_order_and_rotation);
    RUN(test_pause);
    RUN(test_limit_and_cancel_give_room_back);
    RUN(test_delay_expiry_and_retry);
    RUN(test_results_age);
    RUN(test_deadline_and_peek);
    RUN(test_keeper_returns_when_something_is_due);
    RUN(test_reserve_group);
    RUN(test_worker_records_are_reused_and_their_figures_kept);
    RUN(test_new_like);
    RUN(test_no_memory);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
