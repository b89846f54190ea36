/* test_registry.c: finding by id, memory that follows what is kept, walks beside put and remove. */
#include "registry.h"

#include "check.h"
#include "mem.h"

enum { COUNT = 20000 };

static void note(bl_slot *slot, void *arg) { *(bl_slot **)arg = slot; }

static bl_slot *find(bl_registry *registry, uint64_t id) {
    bl_slot *found = NULL;
    bool yes = bl_registry_find(registry, id, note, &found);
    CHECK(yes == (found != NULL));
    return found;
}

typedef struct listing {
    uint64_t last;
    size_t count;
    size_t stop_after;
} listing;

static bool list(bl_slot *slot, void *arg) {
    listing *l = arg;
    CHECK(slot->id > l->last);
    l->last = slot->id;
    return ++l->count != l->stop_after;
}

static size_t count_all(bl_registry *registry) {
    listing l = {0};
    bl_registry_walk(registry, list, &l);
    return l.count;
}

static bl_slot *make_slots(size_t count) {
    bl_slot *slots = calloc(count, sizeof *slots);
    CHECK(slots != NULL);
    for (size_t i = 0; i < count; i++) {
        slots[i].id = i + 1;
    }
    return slots;
}

static void test_put_find_remove_walk(void) {
    bl_slot *slots = make_slots(COUNT);
    bl_registry *registry = bl_registry_new();
    bl_slot stranger = {.id = 5};
    CHECK(find(registry, 1) == NULL && count_all(registry) == 0);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(bl_registry_put(registry, &slots[i]) == BL_OK);
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(find(registry, i + 1) == &slots[i]);
    }
    CHECK(find(registry, 0) == NULL && find(registry, COUNT + 1) == NULL && find(registry, UINT64_MAX) == NULL);
    CHECK(!bl_registry_remove(registry, &stranger));
    CHECK(count_all(registry) == COUNT);
    listing some = {.stop_after = 10};
    bl_registry_walk(registry, list, &some);
    CHECK(some.count == 10 && some.last == 10);
    for (size_t i = 0; i < COUNT; i += 2) {
        CHECK(bl_registry_remove(registry, &slots[i]) && !bl_registry_remove(registry, &slots[i]));
        CHECK(find(registry, i + 1) == NULL && find(registry, i + 2) == &slots[i + 1]);
    }
    CHECK(count_all(registry) == COUNT / 2);
    bl_registry_free(registry);
    free(slots);
}

static void test_memory_follows_what_is_kept(void) {
    enum { WINDOW = 3000, TOTAL = 200000 / SCALE };
    bl_registry *registry = bl_registry_new();
    bl_slot *slots = make_slots(WINDOW);
    size_t highest = 0;
    for (uint64_t id = 1; id <= TOTAL; id++) {
        bl_slot *slot = &slots[id % WINDOW];
        if (slot->mark) {
            CHECK(bl_registry_remove(registry, slot));
        }
        slot->id = id;
        slot->mark = id % 7 != 0;
        if (slot->mark) {
            CHECK(bl_registry_put(registry, slot) == BL_OK);
        } else {
            bl_registry_skip(registry, id); /* a submit that failed */
        }
        if (id == 2 * WINDOW) {
            highest = bl_registry_bytes(registry);
        }
    }
    /* A top-level table may be added on the way, nothing else. */
    CHECK(bl_registry_bytes(registry) <= highest + 200000);
    CHECK(bl_mem_in_use() == bl_registry_bytes(registry));
    bl_registry_free(registry);
    free(slots);
}

/* Ids that were skipped never needed a chunk; ids that are gone must not need one any more. */
static void test_chunks_are_given_back(void) {
    enum { LAST = 4095 }; /* the last of a chunk at all sizes; 0 is never given out */
    bl_registry *used = bl_registry_new();
    bl_registry *skipped = bl_registry_new();
    bl_slot *slots = make_slots(LAST);
    for (size_t i = 0; i < LAST; i++) {
        CHECK(bl_registry_put(used, &slots[i]) == BL_OK);
    }
    for (size_t i = 0; i < LAST; i++) {
        CHECK(bl_registry_remove(used, &slots[i]));
    }
    size_t afterwards = bl_registry_bytes(used);
    for (uint64_t id = 1; id <= LAST; id++) {
        bl_registry_skip(skipped, id);
    }
    size_t least = bl_registry_bytes(skipped);
    bl_registry_free(used);
    bl_registry_free(skipped);
    CHECK(bl_mem_in_use() == 0);
#ifdef BL_TINY
    CHECK(afterwards > least); /* nodes that were in use at one time are kept for reuse */
    used = bl_registry_new();
    for (size_t i = 0; i < LAST; i++) {
        CHECK(bl_registry_put(used, &slots[i]) == BL_OK && bl_registry_remove(used, &slots[i]));
    }
    afterwards = bl_registry_bytes(used);
    bl_registry_free(used);
#endif
    CHECK(afterwards == least);
    free(slots);
}

static void test_far_apart_ids(void) {
    static const uint64_t ids[] = {1, 1023, 1024, 1025, 4095, 65535, 200000, 262143};
    bl_slot slots[8] = {{.id = 0}};
    bl_registry *registry = bl_registry_new();
    for (size_t i = 0; i < 8; i++) {
        slots[i].id = ids[i];
        CHECK(bl_registry_put(registry, &slots[i]) == BL_OK);
    }
    for (size_t i = 0; i < 8; i++) {
        CHECK(find(registry, ids[i]) == &slots[i]);
    }
    CHECK(count_all(registry) == 8);
    bl_slot beyond = {.id = UINT64_MAX};
    CHECK(bl_registry_put(registry, &beyond) == BL_NOMEM && !bl_registry_remove(registry, &beyond));
    bl_registry_free(registry);
}

static void test_no_memory(void) {
    size_t before = bl_mem_in_use();
    bl_mem_fail_after(0);
    CHECK(bl_registry_new() == NULL);
    bl_mem_fail_after(-1);
    bl_slot *slots = make_slots(COUNT);
    bl_registry *registry = bl_registry_new();
    size_t failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        long n = 0;
        bl_mem_fail_after(n);
        while (bl_registry_put(registry, &slots[i]) != BL_OK) {
            failed++;
            bl_mem_fail_after(-1);
            CHECK(find(registry, i + 1) == NULL && !bl_registry_remove(registry, &slots[i]));
            bl_mem_fail_after(++n);
        }
    }
    bl_mem_fail_after(-1);
    CHECK(failed > COUNT / 1024 && count_all(registry) == COUNT);
    bl_registry_free(registry);
    free(slots);
    CHECK(bl_mem_in_use() == before);
}

enum { STABLE = 100 };

typedef struct shared {
    bl_registry *registry;
    bl_slot stable[STABLE];
    bl_a64 next_id;
    bl_a32 churning;
} shared;

static void churn(shared *s, unsigned index) {
    enum { KEEP = 32 };
    bl_slot *mine = calloc(KEEP, sizeof *mine);
    uint64_t random = index + 1;
    CHECK(mine != NULL);
    for (int i = 0; i < 40000 / SCALE; i++) {
        bl_slot *slot = &mine[next_random(&random) % KEEP];
        if (slot->id != 0) {
            CHECK(find(s->registry, slot->id) == slot);
            CHECK(bl_registry_remove(s->registry, slot));
            slot->id = 0;
        } else {
            slot->id = atomic_fetch_add(&s->next_id, 1);
            if (next_random(&random) % 16 == 0) {
                bl_registry_skip(s->registry, slot->id);
                slot->id = 0;
            } else {
                CHECK(bl_registry_put(s->registry, slot) == BL_OK);
            }
        }
    }
    for (int i = 0; i < KEEP; i++) {
        CHECK(mine[i].id == 0 || bl_registry_remove(s->registry, &mine[i]));
    }
    atomic_fetch_sub(&s->churning, 1);
    free(mine);
}

typedef struct census {
    const shared *s;
    uint64_t last;
    unsigned stable;
} census;

static bool take_census(bl_slot *slot, void *arg) {
    census *c = arg;
    /* The id may be read: whoever removes the slot needs the lock that is held now. */
    CHECK(slot->id > c->last);
    c->last = slot->id;
    c->stable += slot >= c->s->stable && slot < c->s->stable + STABLE;
    return true;
}

static void churn_find_or_walk(unsigned index, void *arg) {
    shared *s = arg;
    uint64_t random = index + 100;
    if (index < 4) {
        churn(s, index);
        return;
    }
    while (atomic_load(&s->churning) > 0) {
        if (index == 4) {
            census c = {.s = s};
            bl_registry_walk(s->registry, take_census, &c);
            CHECK(c.stable == STABLE);
            sched_yield();
        } else {
            bl_slot *seen = NULL;
            (void)bl_registry_find(s->registry, next_random(&random) % atomic_load(&s->next_id), note, &seen);
        }
    }
}

static void test_walk_and_find_beside_churn(void) {
    shared *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->registry = bl_registry_new();
    for (size_t i = 0; i < STABLE; i++) {
        s->stable[i].id = i + 1;
        CHECK(bl_registry_put(s->registry, &s->stable[i]) == BL_OK);
    }
    atomic_store(&s->next_id, STABLE + 1);
    atomic_store(&s->churning, 4);
    run_crew(6, churn_find_or_walk, s);
    CHECK(count_all(s->registry) == STABLE);
    bl_registry_free(s->registry);
    free(s);
}

typedef struct contest {
    bl_registry *registry;
    bl_slot *slots;
    bl_a32 *wins;
} contest;

static void remove_all(unsigned index, void *arg) {
    contest *c = arg;
    (void)index;
    for (size_t i = 0; i < COUNT / SCALE; i++) {
        if (bl_registry_remove(c->registry, &c->slots[i])) {
            atomic_fetch_add(&c->wins[i], 1);
        }
    }
}

static void test_one_remover_wins(void) {
    contest c = {.registry = bl_registry_new(), .slots = make_slots(COUNT), .wins = calloc(COUNT, sizeof(bl_a32))};
    CHECK(c.registry != NULL && c.wins != NULL);
    for (size_t i = 0; i < COUNT / SCALE; i++) {
        CHECK(bl_registry_put(c.registry, &c.slots[i]) == BL_OK);
    }
    run_crew(4, remove_all, &c);
    for (size_t i = 0; i < COUNT / SCALE; i++) {
        CHECK(atomic_load(&c.wins[i]) == 1);
    }
    bl_registry_free(c.registry);
    free(c.slots);
    free(c.wins);
}

int main(void) {
    RUN(test_put_find_remove_walk);
    RUN(test_memory_follows_what_is_kept);
    RUN(test_chunks_are_given_back);
    RUN(test_far_apart_ids);
    RUN(test_no_memory);
    RUN(test_walk_and_find_beside_churn);
    RUN(test_one_remover_wins);
    CHECK(bl_mem_in_use() == 0);
    return 0;
}
