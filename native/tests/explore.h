/* explore.h: runs a few short threads in every interleaving of their atomic accesses.
 *
 * DESIGN
 * With BL_MODEL each access through atom.h is a scheduling point. Threads are fibers of one real thread; at a
 * point the explorer goes on with the same fiber or, as long as fewer than `preemptions` switches of that kind
 * were made in this run, with another one. A run is replayed from its list of choices, the last of which that
 * has an alternative is changed for the next run, until none is left. bl_addr_wait blocks a fiber; a wait with
 * a deadline may time out at any point. bl_addr_wake may wake any of the sleepers. When nobody can go on and
 * somebody is not done, a wake-up was lost: the run fails as a deadlock.
 *
 * It explores sequentially consistent executions only: weak memory orders and races of plain accesses are not
 * seen (the orders are argued in the sources, plain accesses are ThreadSanitizer's part). A fiber that spins ends
 * as "too many steps", unless it calls sched_yield, which always goes on with another one.
 */
#ifndef BL_EXPLORE_H
#define BL_EXPLORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BL_MODEL_THREADS 4

typedef struct bl_model {
    const char *name;
    void *(*setup)(void);       /* before each run */
    void (*threads[BL_MODEL_THREADS])(void *state);
    void (*check)(void *state); /* after a run in which all threads ended */
    void (*clear)(void *state); /* after each run that did not fail; a failed one leaks */
    unsigned preemptions;
} bl_model;

typedef struct bl_model_result {
    uint64_t runs;
    const char *failure;     /* NULL: every run was right */
    const char *interleaving; /* of the failed run: the thread of each step */
} bl_model_result;

bl_model_result bl_model_explore(const bl_model *model);

/* Explores and ends the program unless every run is right (or, for `broken`, unless one fails). */
void bl_model_must_hold(const bl_model *model);
void bl_model_must_break(const bl_model *model, const char *expected);

#define MODEL_TEXT_(line) #line
#define MODEL_TEXT(line) MODEL_TEXT_(line)
#define MODEL_CHECK(condition)                                                           \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            bl_model_fail(__FILE__ ":" MODEL_TEXT(__LINE__) ": failed: " #condition);   \
        }                                                                                \
    } while (0)

void bl_model_fail(const char *why); /* does not return to a fiber */

/* Between true and false the calling fiber's accesses are no scheduling points (long loops over figures). It can
 * still block. */
void bl_model_quiet(bool quiet);

/* Called by atom.h and park.c. Outside of a run the step does nothing. */
void bl_model_step(void);
int bl_model_wait(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline);
void bl_model_wake(_Atomic(uint32_t) *word, int count);

#endif
