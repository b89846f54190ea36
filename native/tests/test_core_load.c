/* test_core_load.c: the whole core under load: submitters, workers, a keeper, cancellers, and somebody who changes
 * subscriptions, pauses groups and replaces workers meanwhile. Every job ends exactly once, the drain sees the last
 * one, and every slot comes back.
 */
#include "mini.h"

#include "mem.h"

enum { SUBMITTERS = 2, WORKERS = 3, RESERVES = 1, CANCELLERS = 1, QUEUES = 3 };

typedef struct load {
    mini m;
    uint64_t each;
    job *jobs;
    bl_a32 submitting;
    bl_a32 leave[WORKERS]; /* asks this worker to leave; another takes its place */
    bool rough;            /* expiry, time limits, cancelling, changing subscriptions */
} load;

static void submit_all(load *l, unsigned index) {
    uint64_t random = index + 1;
    for (uint64_t i = 0; i < l->each; i++) {
        uint64_t dice = next_random(&random);
        plan p = {.queue = (unsigned)(dice % QUEUES), .lane = (uint8_t)(dice / 8 % 4)};
        if (l->rough) {
            p.front = dice >> 8 & 1;
            p.delay = (dice >> 16 & 7) == 0 ? 1 + (int64_t)(dice >> 40 & 0xfffff) : 0;
            p.expires = (dice >> 20 & 7) == 0 ? 1 + (int64_t)(dice >> 36 & 0x3fffff) : 0;
            p.timeout = (dice >> 24 & 7) == 0 ? 1 + (int64_t)(dice >> 44 & 0x3ffff) : 0;
            p.fails = p.expires == 0 && (dice >> 28 & 15) == 0 ? 2 : 0;
            p.takes = p.timeout != 0 ? (int64_t)(dice >> 44 & 0x3ffff) : 0;
            p.limit = (dice >> 32 & 1) != 0 ? 64 : 0;
        }
        while (mini_submit(&l->m, &l->jobs[index * l->each + i], &p) != BL_OK) {
            sched_yield();
        }
    }
    bl_sub_seq(&l->submitting, 1);
}

static void cancel_some(load *l, unsigned index) {
    uint64_t random = index + 1000;
    while (bl_load_seq(&l->submitting) > 0) {
        bl_totals totals;
        bl_core_totals(l->m.core, &totals);
        for (int i = 0; i < 16 && totals.submitted > 0; i++) {
            uint64_t back = next_random(&random) % 50;
            if (back < totals.submitted) {
                (void)mini_cancel(&l->m, totals.submitted - back);
            }
        }
        sched_yield();
    }
}

static void disturb(load *l) {
    static const uint16_t sets[][QUEUES] = {{0, 1, 2}, {2, 0, 1}, {1, 0, 2}, {2, 1, 0}};
    uint64_t random = 77;
    while (bl_load_seq(&l->submitting) > 0) {
        uint64_t dice = next_random(&random);
        switch (dice % 4) {
        case 0:
            CHECK(bl_core_subscribe(l->m.core, 0, sets[dice / 4 % 4], 1 + dice / 16 % QUEUES) == BL_OK);
            break;
        case 1:
            bl_core_pause(l->m.core, 0, dice / 4 % 4 == 0);
            break;
        case 2:
            bl_core_rotate(l->m.core, 0, dice / 4 % 2 == 0);
            break;
        default:
            bl_store_seq(&l->leave[dice / 4 % WORKERS], 1);
            bl_ec_notify_all(bl_core_group_ec(l->m.core, 0));
        }
        sched_yield();
    }
    CHECK(bl_core_subscribe(l->m.core, 0, sets[0], QUEUES) == BL_OK);
    bl_core_pause(l->m.core, 0, false);
}

static void drain_and_stop(load *l) {
    while (bl_load_seq(&l->submitting) > 0) {
        sched_yield();
    }
    int rc;
    do {
        rc = bl_core_drain_wait(l->m.core, INT64_MAX);
    } while (rc != BL_OK);
    CHECK(bl_core_outstanding(l->m.core) == 0);
    mini_stop(&l->m, 2);
}

static void part(unsigned index, void *arg) {
    load *l = arg;
    if (index < SUBMITTERS) {
        submit_all(l, index);
        return;
    }
    index -= SUBMITTERS;
    if (index < WORKERS) {
        while (bl_load_seq(&l->m.stop) == 0) {
            mini_work(&l->m, 0, &l->leave[index]);
            bl_store_seq(&l->leave[index], 0);
        }
        return;
    }
    index -= WORKERS;
    if (index < RESERVES) {
        mini_work(&l->m, 1, NULL);
    } else if (index == RESERVES) {
        mini_keep(&l->m);
    } else if (index == RESERVES + 1) {
        drain_and_stop(l);
    } else if (index == RESERVES + 2) {
        disturb(l);
    } else {
        cancel_some(l, index);
    }
}

static void run_load(const bl_config *config, bool rough, uint64_t each) {
    static const uint16_t all[QUEUES] = {0, 1, 2};
    load l = {.m = {.core = bl_core_new(config)}, .each = each / SCALE, .rough = rough};
    uint64_t total = SUBMITTERS * l.each;
    bl_totals totals;
    l.jobs = calloc(total, sizeof *l.jobs);
    CHECK(l.m.core != NULL && l.jobs != NULL);
    atomic_store(&l.submitting, SUBMITTERS);
    for (int i = 0; i < QUEUES; i++) {
        CHECK(bl_core_add_queue(l.m.core, 4) == i);
    }
    for (unsigned i = 0; i < 2; i++) {
        CHECK(bl_core_add_group(l.m.core, i == 1) == (int)i && bl_core_subscribe(l.m.core, i, all, QUEUES) == BL_OK);
    }
    run_crew(SUBMITTERS + WORKERS + RESERVES + 2 + (rough ? 1 + CANCELLERS : 0), part, &l);
    for (uint64_t i = 0; i < total; i++) {
        CHECK(atomic_load(&l.jobs[i].ends) == 1);
        uint32_t state = atomic_load(&l.jobs[i].end_state);
        CHECK(state != BL_COMPLETED || atomic_load(&l.jobs[i].runs) == l.jobs[i].fails + 1);
        CHECK(rough || state == BL_COMPLETED);
    }
    bl_core_totals(l.m.core, &totals);
    CHECK(totals.submitted == total && totals.done == total);
    CHECK(totals.completed + totals.failed + totals.cancelled == total);
    CHECK(totals.failed == atomic_load(&l.m.timed_out) && totals.expired == atomic_load(&l.m.expired));
    CHECK(rough || totals.completed == total);
    for (unsigned i = 0; i < QUEUES; i++) {
        CHECK(bl_queue_live_all(bl_core_queue(l.m.core, i)) == 0);
        bl_take take;
        do { /* tombstones that nobody met */
            bl_core_take_from(l.m.core, (const uint16_t[]){(uint16_t)i}, 1, &take);
            CHECK(take.kind == BL_TAKEN_NONE || take.kind == BL_TAKEN_TOMBSTONE);
            if (take.kind == BL_TAKEN_TOMBSTONE) {
                job_drop(&l.m, take.slot->owner);
            }
        } while (take.kind != BL_TAKEN_NONE);
    }
    if (rough) {
        printf("  completed %lu timed out %lu cancelled %lu expired %lu late %lu\n", (unsigned long)totals.completed,
               (unsigned long)totals.failed, (unsigned long)totals.cancelled, (unsigned long)totals.expired,
               (unsigned long)atomic_load(&l.m.late));
    }
    mini_tear_down(&l.m);
    free(l.jobs);
}

static void test_plain_flow(void) {
    run_load(&(bl_config){.ring_size = 64, .aging = 64, .result_ttl = BL_NEVER, .result_max = 100}, false, 50000);
}

static void test_nothing_retained(void) {
    run_load(&(bl_config){.ring_size = 8, .aging = 0, .result_ttl = BL_NEVER, .result_max = 0}, false, 50000);
}

static void test_rough_flow_with_ageing_results(void) {
    run_load(&(bl_config){.ring_size = 16, .aging = 8, .result_ttl = MILLI, .result_max = UINT64_MAX}, true, 8000);
}

static void test_rough_flow_with_a_cap(void) {
    run_load(&(bl_config){.ring_size = 2, .aging = 1, .result_ttl = BL_NEVER, .result_max = 50}, true, 8000);
}

int main(void) {
    RUN(test_plain_flow);
    RUN(test_nothing_retained);
    RUN(test_rough_flow_with_ageing_results);
    RUN(test_rough_flow_with_a_cap);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
