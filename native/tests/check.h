/* check.h: what every C test needs: CHECK (not switched off by NDEBUG), threads that start together, a
 * random generator, a watchdog against hangs, and item tags for producer/consumer tests.
 *
 * It is not a test framework: a test is a function called from main, and the first failed CHECK ends the program.
 */
#ifndef BL_CHECK_H
#define BL_CHECK_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atom.h"

#if defined(__SANITIZE_THREAD__)
#define SCALE 8 /* ThreadSanitizer is about this much slower: do less */
#elif defined(__SANITIZE_ADDRESS__)
#define SCALE 3
#else
#define SCALE 1
#endif

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: %s: failed: %s\n", __FILE__, __LINE__, __func__, #condition); \
            fflush(stderr);                                                                  \
            abort();                                                                         \
        }                                                                                    \
    } while (0)

/* A lost wake-up shows as a hang; the signal ends the program and CTest reports it. */
static inline void watchdog(unsigned seconds) { alarm(seconds); }

static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#define MAX_THREADS 32

typedef struct crew_member {
    void (*run)(unsigned index, void *arg);
    void *arg;
    unsigned index;
    bl_a32 *missing; /* threads that have not arrived yet */
} crew_member;

static inline void *crew_main(void *arg) {
    crew_member *member = arg;
    atomic_fetch_sub(member->missing, 1);
    while (atomic_load(member->missing) > 0) {
        sched_yield();
    }
    member->run(member->index, member->arg);
    return NULL;
}

/* Runs `run(0 … count-1, arg)` on threads that begin together; returns when all have returned. */
static inline void run_crew(unsigned count, void (*run)(unsigned, void *), void *arg) {
    pthread_t threads[MAX_THREADS];
    crew_member members[MAX_THREADS];
    bl_a32 missing = count;
    CHECK(count <= MAX_THREADS);
    for (unsigned i = 0; i < count; i++) {
        members[i] = (crew_member){.run = run, .arg = arg, .index = i, .missing = &missing};
        CHECK(pthread_create(&threads[i], NULL, crew_main, &members[i]) == 0);
    }
    for (unsigned i = 0; i < count; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

/* Tags: who produced the item, and which of its items it is. Checks "each once" and "in the producer's order". */
typedef struct tags {
    unsigned producers;
    uint64_t each; /* items per producer */
    bl_a32 *seen;
    bl_a64 taken;
} tags;

typedef struct tag_order {
    uint64_t last[MAX_THREADS]; /* per producer: sequence + 1 of the last item this consumer saw */
} tag_order;

static inline uint64_t tag(unsigned producer, uint64_t sequence) { return ((uint64_t)producer << 40 | sequence) + 1; }

static inline void tags_init(tags *t, unsigned producers, uint64_t each) {
    t->producers = producers;
    t->each = each;
    t->seen = calloc(producers * each, sizeof *t->seen);
    CHECK(t->seen != NULL);
    atomic_init(&t->taken, 0);
}

static inline void tags_take(tags *t, tag_order *order, uint64_t value) {
    uint64_t producer = (value - 1) >> 40;
    uint64_t sequence = (value - 1) & ((UINT64_C(1) << 40) - 1);
    CHECK(producer < t->producers && sequence < t->each);
    CHECK(atomic_fetch_add_explicit(&t->seen[producer * t->each + sequence], 1, memory_order_relaxed) == 0);
    CHECK(sequence + 1 > order->last[producer]);
    order->last[producer] = sequence + 1;
    atomic_fetch_add_explicit(&t->taken, 1, memory_order_relaxed);
}

static inline bool tags_all_taken(tags *t) {
    return atomic_load_explicit(&t->taken, memory_order_relaxed) == t->producers * t->each;
}

static inline void tags_finish(tags *t) {
    for (uint64_t i = 0; i < t->producers * t->each; i++) {
        CHECK(atomic_load_explicit(&t->seen[i], memory_order_relaxed) == 1);
    }
    free(t->seen);
}

/* BL_REPEAT in the environment runs each test that often (make stress). */
static inline void run_test(const char *name, void (*test)(void)) {
    const char *often = getenv("BL_REPEAT");
    long count = often != NULL ? strtol(often, NULL, 10) : 1;
    for (long i = 0; i < count; i++) {
        watchdog(50);
        test();
    }
    printf("ok %s\n", name);
    fflush(stdout);
}

#define RUN(test) run_test(#test, test)

#endif
