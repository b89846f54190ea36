/* binding.h: the CPython side of the engine: object layouts and the calls between the binding's files.
 *
 * Files: module.c (start-up, constants, errors), task.c (type Task), engine.c (type Engine: set-up, queues,
 * groups), hooks.c, fork.c, submit.c, worker.c (the loop), batch.c, finish.c (every way an attempt or a task ends), keeper.c
 * (due work, deadlines, interrupts), query.c (lists and figures).
 *
 * RULES
 * Written as if there were no GIL: what two threads may write goes through the core's atomics or the task's
 * small lock; the lock is never held across a call that can run Python code, release the GIL or detach the thread
 * (without a GIL, a thread that waits for it would keep the one that detached from coming back).
 * What a caller may change meanwhile (lists, dicts, hooks) is used through references of one's own.
 * A slot's references: one for the registry, one that moves lane -> worker or timers -> lane; see core.h.
 */
#ifndef BL_BINDING_H
#define BL_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"

/* Without a GIL, one thread at a time per object, as the GIL would have it for a stretch that does not run Python code. */
#ifdef Py_GIL_DISABLED
#define BL_BEGIN_CRITICAL(object) Py_BEGIN_CRITICAL_SECTION(object);
#define BL_END_CRITICAL Py_END_CRITICAL_SECTION();
#else
#define BL_BEGIN_CRITICAL(object) {
#define BL_END_CRITICAL }
#endif

#define BL_QUEUE_HOOKS 4096 /* queues with an index below this may have hooks */

typedef enum bl_hook_kind { BL_ON_SUBMIT, BL_ON_PUSH, BL_RUNNER, BL_ON_START, BL_ON_FINISH, BL_HOOK_KINDS } bl_hook_kind;

typedef struct QueueHooks {
    bl_aptr of[BL_HOOK_KINDS]; /* PyObject *, changed under hook_lock */
} QueueHooks;

typedef struct Defaults {
    unsigned queue;
    unsigned lane;
    uint64_t limit;
    int64_t timeout; /* nanoseconds, 0: none */
    PyObject *options;
} Defaults;

typedef struct Former {
    uint64_t prefix;
    uint16_t generation;
} Former;

typedef struct EngineObject {
    PyObject_HEAD
    bl_core *core;
    PyTypeObject *task_type;
    PyObject *weakrefs;
    uint64_t prefix;          /* first half of every task id */
    bl_a32 generation;        /* of the process (forks) that the core belongs to; stored after the core */
    bl_mutex fork_lock;       /* of several threads that find themselves in a child, one makes the new core */
    Former *former;           /* what prefix was in the parent, its parent and so on */
    unsigned former_count;
    bl_a32 started;           /* _start() was called */
    bl_a32 closed;            /* no more submits; workers leave when the lanes are empty */
    bl_a32 stopping;          /* workers leave after their task */
    bl_a32 reserve_asked;
    bl_aptr hooks;            /* QueueHooks[BL_QUEUE_HOOKS], made at the first set_hooks */
    bl_mutex hook_lock;       /* between reading a hook and having a reference of one's own */
    Defaults defaults;
    PyObject *options;        /* list: what was ever a default; a submit may be taking a reference to an earlier one */
    bl_mutex guest_lock;
    bl_worker *guests[16];    /* records of threads that are no workers and run tasks (perform) */
    unsigned guest_count;
    PyObject *claim_groups;   /* tuple of queues -> group, for claim() that waits */
    bl_a32 shows_functions;   /* Python functions go to _add_with_options until they are in `seen` */
    bl_aptr seen[128];        /* code objects by address, never followed; a collision costs one more look */
} EngineObject;

/* Whether add_task() may take the function without showing it to Python. */
static inline bool bl_engine_knows(EngineObject *engine, PyObject *func) {
    if (bl_load_relaxed(&engine->shows_functions) == 0 || !PyFunction_Check(func))
        return true;
    const void *code = PyFunction_GET_CODE(func);
    return bl_load_relaxed(&engine->seen[((uintptr_t)code >> 4) % 128]) == code;
}

typedef struct Callback {
    struct Callback *next;
    PyObject *function;
} Callback;

#define BL_HAS_KWNAMES 1u /* one item more: the tuple of names of the last arguments */
#define BL_HAS_CONTEXT 2u /* one item more: the snapshot of the submitter's context variables */
#define BL_RELEASED 4u    /* the items were let go */

typedef struct TaskObject {
    PyObject_VAR_HEAD
    bl_slot *slot;
    EngineObject *engine;
    PyObject *func;      /* or, once released, its name */
    PyObject *outcome;   /* COMPLETED: the value. FAILED or CANCELLED: the exception or NULL */
    PyObject *options;
    PyObject *extra;
    Callback *callbacks; /* newest first, guarded by `lock`; taken by whoever ends the task */
    bl_mutex lock;       /* outcome, callbacks, extra, release of the items */
    uint16_t generation;
    uint16_t shape;      /* BL_HAS_KWNAMES and so on */
    PyObject *items[1];  /* positional arguments, keyword values, [names], [context] */
} TaskObject;

typedef struct Submission {
    PyObject *func;
    PyObject *const *args; /* positional, then values for kwnames */
    Py_ssize_t nargs;      /* all of them */
    PyObject *kwnames;
    PyObject *options;
    PyObject *extra;
    unsigned queue;
    unsigned lane;
    uint64_t limit;
    int64_t delay;   /* nanoseconds, 0: none */
    int64_t expires; /* nanoseconds from now, BL_NEVER: none */
    int64_t timeout;
    int64_t now;     /* time of the submit, 0: read the clock */
    bool front;
    bool keep;
    bool context;
} Submission;

/* module.c */
extern PyTypeObject *bl_task_type;
extern PyTypeObject *bl_engine_type;
extern PyObject *bl_deferred;
extern PyObject *bl_str_start, *bl_str_failed, *bl_str_callbacks, *bl_str_full, *bl_str_need_reserve,
    *bl_str_add_with_options, *bl_str_forked, *bl_str_priority;
extern PyObject *bl_noop;          /* a Python function that does nothing: running it lets a waiting thread have the GIL */
extern PyObject *bl_option_names;  /* frozenset of add_task's own keywords */
PyObject *bl_raise(int code, const char *what); /* sets the exception for a bl_error; NULL */
int64_t bl_nanoseconds(PyObject *seconds, int64_t none); /* float or int seconds; None -> none; -1 with an exception set */
int64_t bl_deadline(PyObject *seconds); /* so many seconds from now on bl_now()'s clock; None: BL_NEVER; -1 with an exception */
/* The deadline of a call whose only argument is `timeout`; `format` as for PyArg_ParseTupleAndKeywords. */
int64_t bl_parse_deadline(PyObject *args, PyObject *kwargs, const char *format);
double bl_epoch(EngineObject *engine, int64_t time);

/* task.c */
TaskObject *bl_task_new(EngineObject *engine, const Submission *what);
Py_ssize_t bl_task_nargs(TaskObject *task);     /* arguments of both kinds */
PyObject *bl_task_kwnames(TaskObject *task);    /* borrowed, or NULL */
PyObject *bl_task_context(TaskObject *task);    /* borrowed, or NULL */
PyObject *bl_task_identifier(TaskObject *task);
void bl_task_release(TaskObject *task); /* lets go of function, arguments and context */
void bl_task_leaves_engine(TaskObject *task); /* before the engine's last reference goes */
bool bl_task_foreign(TaskObject *task); /* it belongs to the parent process */
extern PyType_Spec bl_task_spec;

/* engine.c */
int bl_engine_enter(EngineObject *engine); /* before each use: fork check, lazy start. -1 with an exception set */
long bl_discard(EngineObject *engine);      /* cancel what has not started, empty lanes and timers; how many */
extern PyType_Spec bl_engine_spec;

/* hooks.c */
PyObject *bl_hook(EngineObject *engine, unsigned queue, bl_hook_kind kind); /* a new reference, or NULL: there is none */
bool bl_has_hook(EngineObject *engine, unsigned queue, bl_hook_kind kind);
void bl_observe(TaskObject *task, bl_hook_kind kind); /* call the hook with the task; its error is reported and dropped */
int bl_hooks_visit(EngineObject *engine, visitproc visit, void *arg);
void bl_hooks_clear(EngineObject *engine);
PyObject *bl_engine_set_hooks(PyObject *self, PyObject *args, PyObject *kwargs);

/* fork.c */
extern uint32_t bl_generation; /* counts forks; changed only in a child that has one thread */
int bl_watch_forks(void);
int bl_engine_new_prefix(EngineObject *engine);
int bl_engine_fork_check(EngineObject *engine); /* a fresh core in a child. -1 with an exception set */
uint64_t bl_engine_prefix(EngineObject *engine, uint16_t generation); /* of the ids of that generation's tasks */

/* submit.c */
PyObject *bl_submit(EngineObject *engine, const Submission *what);
bool bl_too_late(EngineObject *engine, TaskObject *task); /* after the push: close() came between, the task is over */
void bl_pushed(EngineObject *engine, unsigned queue, unsigned lane, bool woken); /* hooks after something became QUEUED */
PyObject *bl_engine_submit(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *bl_engine_add_task(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *bl_engine_enqueue(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
/* batch.c */
PyObject *bl_engine_enqueue_many(PyObject *self, PyObject *args, PyObject *kwargs);
int bl_batch_init(void);
/* submit.c again */
int bl_submit_init(void);
void bl_arm_expiry(EngineObject *engine, TaskObject *task); /* after the push; holds a reference while it is armed */
int bl_requeue(EngineObject *engine, TaskObject *task); /* DELAYED -> QUEUED, past any bound; consumes the reference */
/* Ask engine._full about a full lane: 0 try again, -1 exception set. */
int bl_ask_for_room(EngineObject *engine, unsigned queue, unsigned lane, uint64_t count, uint64_t limit);
PyObject *bl_engine_wait_room(PyObject *self, PyObject *args);

/* finish.c: each consumes nothing; true when this call ended the attempt */
bool bl_finish(TaskObject *task, bl_worker *worker, uint32_t attempt, unsigned state, PyObject *outcome, int64_t now);
bool bl_attempt_failed(TaskObject *task, bl_worker *worker, uint32_t attempt, PyObject *error, int64_t now);
void bl_cancelled(TaskObject *task, bl_worker *worker, uint32_t seen, bool expired); /* after the transition was won */
void bl_flush_wake(bl_worker *worker); /* wake whom the worker's last task was waited for by */
PyObject *bl_fetch_exception(void);

/* worker.c */
TaskObject *bl_current(void);
void bl_forget_current(void);
/* Consumes the reference; when it ended. Look at bl_generation afterwards: if the task forked and this is the child,
 * nothing was ended, and an exception may be set. */
int64_t bl_run(EngineObject *engine, bl_worker *worker, TaskObject *task, uint32_t attempt);
void bl_leave_registry(bl_core *core, bl_slot *slot);
PyObject *bl_engine_work(PyObject *self, PyObject *arg);
PyObject *bl_engine_claim(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bl_engine_perform(PyObject *self, PyObject *arg);
PyObject *bl_engine_run_until_empty(PyObject *self, PyObject *args, PyObject *kwargs);
int bl_queue_indexes(EngineObject *engine, PyObject *queues, uint16_t **indexes, Py_ssize_t *count); /* PyMem_Free it */

/* keeper.c and query.c: methods, listed in engine.c */
PyObject *bl_engine_keeper_wait(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bl_engine_kick(PyObject *self, PyObject *unused);
PyObject *bl_engine_fire_due(PyObject *self, PyObject *unused);
PyObject *bl_engine_age(PyObject *self, PyObject *unused);
PyObject *bl_engine_overdue(PyObject *self, PyObject *unused);
PyObject *bl_engine_extend(PyObject *self, PyObject *args);
PyObject *bl_engine_interrupt(PyObject *self, PyObject *args);
PyObject *bl_engine_abandon(PyObject *self, PyObject *arg);
PyObject *bl_engine_stop_worker(PyObject *self, PyObject *arg);
PyObject *bl_engine_get(PyObject *self, PyObject *arg);
PyObject *bl_engine_tasks(PyObject *self, PyObject *unused);
PyObject *bl_engine_pending(PyObject *self, PyObject *arg);
PyObject *bl_engine_delayed(PyObject *self, PyObject *unused);
PyObject *bl_engine_position(PyObject *self, PyObject *arg);
PyObject *bl_engine_queued(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bl_engine_outstanding(PyObject *self, PyObject *unused);
PyObject *bl_engine_drain(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *bl_engine_totals(PyObject *self, PyObject *unused);
PyObject *bl_engine_run_quantiles(PyObject *self, PyObject *arg);
PyObject *bl_engine_wait_quantiles(PyObject *self, PyObject *args);
PyObject *bl_engine_workers(PyObject *self, PyObject *unused);
PyObject *bl_engine_worker_info(PyObject *self, PyObject *arg);
PyObject *bl_memory_stats(PyObject *module, PyObject *unused);

/* values.c */
PyObject *bl_copy_plain(PyObject *module, PyObject *value);
PyObject *bl_copy_arguments(PyObject *module, PyObject *const *args, Py_ssize_t count);
/* A tuple or list that nobody changes while it is looked at: a new reference, or NULL with an exception. A caller's own list may
 * be changed by another thread, with a GIL too: an allocation may run the collector, and that a callback in Python. */
PyObject *bl_own_items(PyObject *given, const char *refusal);
int bl_values_init(PyObject *module);

#endif
