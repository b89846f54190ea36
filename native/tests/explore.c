/* explore.c: see explore.h.
 *
 * It knows nothing of what the threads do. One exploration at a time; not for several real threads.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "explore.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "errors.h"

#define STACK_BYTES (128 * 1024)
#define MAX_STEPS 4000
#define MAX_RUNS 20000000
#define NOBODY (-1)

enum fiber_state { RUNNABLE, BLOCKED, DONE };

typedef struct fiber {
    ucontext_t context;
    char *stack;
    enum fiber_state state;
    const void *word; /* what it sleeps on */
    bool timed;       /* its sleep has a deadline */
    bool timed_out;
    bool quiet;
} fiber;

typedef struct choice {
    unsigned taken, options;
} choice;

static struct {
    const bl_model *model;
    void *data;
    fiber fibers[BL_MODEL_THREADS];
    int count;
    int current;
    ucontext_t home;
    choice path[2 * MAX_STEPS]; /* at most one choice per step and one per wake */
    size_t at, length; /* of the path: replayed up to length, then extended */
    unsigned preempted;
    size_t steps;
    char trace[MAX_STEPS + 1];
    const char *failure;
} x = {.current = NOBODY};

static unsigned choose(unsigned options) {
    if (options < 2) {
        return 0;
    }
    if (x.at == x.length) {
        if (x.length == 2 * MAX_STEPS) {
            abort();
        }
        x.path[x.length++] = (choice){.taken = 0, .options = options};
    }
    if (x.path[x.at].options != options) {
        fprintf(stderr, "%s: a replayed run went another way: the threads are not deterministic\n", x.model->name);
        abort();
    }
    return x.path[x.at++].taken;
}

void bl_model_fail(const char *why) {
    if (x.failure == NULL) {
        x.failure = why;
    }
    if (x.current != NOBODY) {
        x.current = NOBODY;
        setcontext(&x.home); /* the fibers are left as they are */
    }
}

static int candidates(int *list, bool yields) {
    int count = 0;
    bool stays = !yields && x.fibers[x.current].state == RUNNABLE;
    if (stays) {
        list[count++] = x.current;
        if (x.preempted == x.model->preemptions) {
            return count;
        }
    }
    for (int i = 0; i < x.count; i++) {
        if (i != x.current && x.fibers[i].state == RUNNABLE) {
            list[count++] = i;
        }
    }
    for (int i = 0; i < x.count; i++) {
        if (x.fibers[i].state == BLOCKED && x.fibers[i].timed) {
            list[count++] = i;
        }
    }
    return count;
}

static bool all_done(void) {
    for (int i = 0; i < x.count; i++) {
        if (x.fibers[i].state != DONE) {
            return false;
        }
    }
    return true;
}

/* Goes on with some fiber, perhaps the same unless it yields. */
static void reschedule(bool yields) {
    int list[BL_MODEL_THREADS];
    int count = candidates(list, yields);
    int before = x.current;
    if (count == 0 && yields) {
        return;
    }
    if (count == 0) {
        if (!all_done()) {
            bl_model_fail("deadlock: everybody sleeps, a wake-up was lost");
        }
        x.current = NOBODY;
        setcontext(&x.home);
    }
    int next = list[choose((unsigned)count)];
    if (x.fibers[next].state == BLOCKED) {
        x.fibers[next].state = RUNNABLE;
        x.fibers[next].timed_out = true;
    }
    if (next == before) {
        return;
    }
    if (x.fibers[before].state == RUNNABLE && !yields) {
        x.preempted++;
    }
    x.current = next;
    swapcontext(&x.fibers[before].context, &x.fibers[next].context);
}

void bl_model_step(void) {
    if (x.current == NOBODY || x.fibers[x.current].quiet) {
        return;
    }
    if (x.steps == MAX_STEPS) {
        bl_model_fail("too many steps: somebody spins");
    }
    reschedule(false);
    x.trace[x.steps++] = (char)('0' + x.current);
}

void bl_model_quiet(bool quiet) { x.fibers[x.current].quiet = quiet; }

int bl_model_wait(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline) {
    if (x.current == NOBODY) {
        fprintf(stderr, "%s: a wait outside of the explored threads\n", x.model != NULL ? x.model->name : "-");
        abort();
    }
    bl_model_step();
    if (atomic_load(word) != expected) {
        return BL_OK;
    }
    fiber *self = &x.fibers[x.current];
    self->state = BLOCKED;
    self->word = (const void *)word;
    self->timed = deadline != INT64_MAX;
    self->timed_out = false;
    reschedule(false);
    return self->timed_out ? BL_TIMEOUT : BL_OK;
}

void bl_model_wake(_Atomic(uint32_t) *word, int count) {
    bl_model_step();
    for (int woken = 0; woken < count; woken++) {
        fiber *sleepers[BL_MODEL_THREADS];
        unsigned number = 0;
        for (int i = 0; i < x.count; i++) {
            if (x.fibers[i].state == BLOCKED && x.fibers[i].word == (const void *)word) {
                sleepers[number++] = &x.fibers[i];
            }
        }
        if (number == 0) {
            return;
        }
        sleepers[choose(number)]->state = RUNNABLE;
    }
}

/* In place of the system's: a fiber that spins until another one has done something lets it run, for free. */
int sched_yield(void) {
    if (x.current != NOBODY) {
        reschedule(true);
    }
    return 0;
}

static void fiber_main(void) {
    int self = x.current;
    x.model->threads[self](x.data);
    x.fibers[self].state = DONE;
    reschedule(false);
    abort(); /* a fiber that is done is not chosen again */
}

static void prepare_fibers(void) {
    x.count = 0;
    while (x.count < BL_MODEL_THREADS && x.model->threads[x.count] != NULL) {
        fiber *f = &x.fibers[x.count++];
        if (f->stack == NULL) {
            f->stack = malloc(STACK_BYTES);
        }
        if (f->stack == NULL || getcontext(&f->context) != 0) {
            abort();
        }
        f->context.uc_stack.ss_sp = f->stack;
        f->context.uc_stack.ss_size = STACK_BYTES;
        f->context.uc_link = NULL;
        makecontext(&f->context, fiber_main, 0);
        f->state = RUNNABLE;
        f->quiet = false;
    }
}

static void run_once(void) {
    x.at = 0;
    x.preempted = 0;
    x.steps = 0;
    x.failure = NULL;
    x.data = x.model->setup();
    prepare_fibers();
    volatile bool entered = false; /* getcontext returns a second time when the run is over */
    getcontext(&x.home);
    if (!entered) {
        entered = true;
        x.current = (int)choose((unsigned)x.count);
        setcontext(&x.fibers[x.current].context);
    }
    x.trace[x.steps] = '\0';
    if (x.failure == NULL && x.model->check != NULL) {
        x.model->check(x.data);
    }
    if (x.failure == NULL && x.model->clear != NULL) {
        x.model->clear(x.data);
    }
}

static bool next_path(void) {
    while (x.length > 0 && x.path[x.length - 1].taken + 1 == x.path[x.length - 1].options) {
        x.length--;
    }
    if (x.length == 0) {
        return false;
    }
    x.path[x.length - 1].taken++;
    return true;
}

bl_model_result bl_model_explore(const bl_model *model) {
    bl_model_result result = {0};
    x.model = model;
    x.length = 0;
    do {
        run_once();
        result.runs++;
        result.failure = x.failure;
        result.interleaving = x.trace;
        if (result.failure == NULL && result.runs == MAX_RUNS) {
            result.failure = "too many runs: make the model smaller";
        }
    } while (result.failure == NULL && next_path());
    x.model = NULL;
    return result;
}

void bl_model_must_hold(const bl_model *model) {
    bl_model_result result = bl_model_explore(model);
    if (result.failure != NULL) {
        fprintf(stderr, "%s: run %llu: %s\n  threads by step: %.300s\n", model->name, (unsigned long long)result.runs,
                result.failure, result.interleaving);
        exit(1);
    }
    printf("ok %s: %llu interleavings, up to %u preemptions\n", model->name, (unsigned long long)result.runs,
           model->preemptions);
    fflush(stdout);
}

void bl_model_must_break(const bl_model *model, const char *expected) {
    bl_model_result result = bl_model_explore(model);
    if (result.failure == NULL || strstr(result.failure, expected) == NULL) {
        fprintf(stderr, "%s: the seeded bug was not found in %llu runs (%s)\n", model->name,
                (unsigned long long)result.runs, result.failure != NULL ? result.failure : "no failure");
        exit(1);
    }
    printf("ok %s: seeded bug found in run %llu: %s\n", model->name, (unsigned long long)result.runs, result.failure);
    fflush(stdout);
}
