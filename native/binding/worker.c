/* worker.c: running tasks: the loop of a worker thread, and the same for a borrowed thread.
 *
 * DESIGN
 * work() is the target of a Python thread. It holds the GIL while it takes and runs tasks, and lets it go to
 * sleep. Functions in Python give the GIL away by themselves; functions in C never do, so every millisecond
 * the loop runs a Python function that does nothing: at its first instruction the interpreter honours a
 * waiting thread's request. (Letting go and taking back would not do: the thread that lets go usually gets
 * the GIL again, and the waiter's clock starts anew each time.)
 * An interrupt (asynchronous exception) can be set only while bl_worker_peek() holds the attempt open, and
 * is taken here before anything else runs: it never reaches another task.
 * A task that forks comes back twice. In the child the task, the worker's record and the core belong to the parent:
 * the loop leaves there without touching them.
 * Retries, limits, callbacks are decided elsewhere (finish.c, Python).
 */
#include "binding.h"

#define YIELD_AFTER 1000000 /* nanoseconds */

static _Thread_local TaskObject *current_task;

TaskObject *bl_current(void) { return current_task; }

void bl_forget_current(void) { current_task = NULL; }

static PyObject *vectorcall(TaskObject *task, PyObject *func, PyObject *const *items) {
    Py_ssize_t nargs = bl_task_nargs(task);
    PyObject *kwnames = (task->shape & BL_HAS_KWNAMES) != 0 ? items[nargs] : NULL;
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    return PyObject_Vectorcall(func, items, (size_t)(nargs - named), kwnames);
}

/* A C function uses what it was given without references of its own. Where an attempt may be stuck in it while a later
 * one completes the task and lets go of the arguments, they are held here. */
static PyObject *call_holding(TaskObject *task) {
    Py_ssize_t size = Py_SIZE(task);
    PyObject *held = PyTuple_New(size + 1);
    if (held == NULL)
        return NULL;
    bl_mutex_lock(&task->lock);
    bool released = (task->shape & BL_RELEASED) != 0; /* this attempt was given up before it began */
    for (Py_ssize_t i = 0; !released && i < size; i++)
        PyTuple_SET_ITEM(held, i, Py_NewRef(task->items[i]));
    PyTuple_SET_ITEM(held, size, Py_NewRef(task->func));
    bl_mutex_unlock(&task->lock);
    PyObject *result = released ? Py_NewRef(Py_None) : vectorcall(task, PyTuple_GET_ITEM(held, size), &PyTuple_GET_ITEM(held, 0));
    Py_DECREF(held);
    return result;
}

static PyObject *call_plain(TaskObject *task) {
    PyObject *runner = bl_hook(task->engine, task->slot->queue, BL_RUNNER);
    if (runner != NULL) {
        PyObject *result = PyObject_CallOneArg(runner, (PyObject *)task);
        Py_DECREF(runner);
        return result;
    }
    bool gives_up = task->slot->timeout != 0 && !PyFunction_Check(task->func);
    return gives_up ? call_holding(task) : vectorcall(task, task->func, task->items);
}

static PyObject *call(TaskObject *task, uint32_t attempt) {
    PyObject *snapshot = bl_task_context(task);
    if (snapshot == NULL)
        return call_plain(task);
    /* Each retry gets a copy: a stuck attempt may still be inside the snapshot. */
    PyObject *context = attempt > 1 ? PyContext_Copy(snapshot) : Py_NewRef(snapshot);
    if (context == NULL || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return NULL;
    }
    PyObject *result = call_plain(task);
    PyObject *error = result == NULL ? bl_fetch_exception() : NULL;
    if (PyContext_Exit(context) < 0)
        PyErr_WriteUnraisable(context);
    Py_DECREF(context);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return result;
}

/* Raise what may be pending, here, and drop it. Setting the pending exception to NULL instead would leave the
 * interpreter looking for it for ever (up to 3.12: the request is only withdrawn when one is found), which makes
 * it slow, and hang as soon as a debugger or coverage traces. */
static void take_interrupt(void) {
    PyObject *nothing = PyObject_CallNoArgs(bl_noop);
    if (nothing == NULL)
        PyErr_Clear();
    Py_XDECREF(nothing);
}

int64_t bl_run(EngineObject *engine, bl_worker *worker, TaskObject *task, uint32_t attempt) {
    bl_core *core = engine->core;
    TaskObject *outer = current_task;
    uint32_t generation = bl_generation;
    current_task = task;
    bl_observe(task, BL_ON_START);
    bl_worker_begin(core, worker, task->slot, attempt, bl_core_now(core));
    PyObject *result = call(task, attempt);
    if (generation != bl_generation) {
        Py_XDECREF(result);
        return 0;
    }
    PyObject *error = result == NULL ? bl_fetch_exception() : NULL;
    int64_t now = bl_core_now(core);
    if (bl_worker_end(core, worker, now))
        take_interrupt();
    if (error != NULL)
        (void)bl_attempt_failed(task, worker, attempt, error, now);
    else if (result != bl_deferred)
        (void)bl_finish(task, worker, attempt, BL_COMPLETED, result, now);
    Py_XDECREF(result);
    Py_XDECREF(error);
    if (generation != bl_generation) /* a callback forked */
        return 0;
    current_task = outer;
    Py_DECREF(task);
    return now;
}

/* Deal with what a take returned: the time when it was over, 0 when nothing ran. */
static int64_t handle(EngineObject *engine, bl_worker *worker, const bl_take *take) {
    TaskObject *task = take->kind != BL_TAKEN_NONE ? take->slot->owner : NULL;
    switch (take->kind) {
    case BL_TAKEN_RUN:
        return bl_run(engine, worker, task, take->attempt);
    case BL_TAKEN_EXPIRED:
        bl_cancelled(task, worker, take->seen, true);
        Py_DECREF(task);
        return 0;
    case BL_TAKEN_TOMBSTONE:
        Py_DECREF(task);
        return 0;
    default:
        return 0;
    }
}

static bool must_leave(EngineObject *engine, bl_worker *worker, bool idle) {
    /* all three are hints that change once: the event counts order them with what they are about */
    return bl_load_acquire(&worker->abandoned) != 0 || bl_load_acquire(&engine->stopping) != 0 ||
           (idle && bl_load_acquire(&engine->closed) != 0);
}

static void let_others_run(int64_t now, int64_t *last) {
    /* with a hand-set clock time stands still: then every task is followed by a yield */
    if (now > *last && now - *last < YIELD_AFTER)
        return;
    *last = now;
    PyObject *nothing = PyObject_CallNoArgs(bl_noop);
    if (nothing == NULL)
        PyErr_Clear(); /* an asynchronous exception meant for nobody: the thread has no task now */
    Py_XDECREF(nothing);
}

/* A fresh context when the last task left variables behind in the thread's own. */
static void clean_context(PyObject **context) {
    if (PyObject_Size(*context) == 0)
        return;
    PyObject *fresh = PyContext_New();
    if (fresh == NULL || PyContext_Exit(*context) < 0 || PyContext_Enter(fresh) < 0) {
        PyErr_WriteUnraisable(*context);
        Py_XDECREF(fresh);
        return;
    }
    Py_SETREF(*context, fresh);
}

static void sleep_for_work(EngineObject *engine, bl_worker *worker, bl_take *take) {
    bl_core *core = engine->core;
    bl_ec *ec = bl_core_group_ec(core, worker->group);
    uint32_t key = bl_ec_prepare(ec);
    bl_core_take(core, worker, take); /* the second look: see park.h */
    if (take->kind != BL_TAKEN_NONE || must_leave(engine, worker, true)) {
        bl_ec_cancel(ec);
        bl_core_stayed(core, worker->group);
        return;
    }
    Py_BEGIN_ALLOW_THREADS
    bl_flush_wake(worker);
    (void)bl_ec_wait(ec, key, BL_NEVER);
    Py_END_ALLOW_THREADS
}

static void loop(EngineObject *engine, bl_worker *worker, PyObject **context) {
    bl_core *core = engine->core;
    uint32_t generation = bl_generation;
    int64_t yielded = 0;
    while (!must_leave(engine, worker, false)) {
        bl_take take;
        bl_core_take(core, worker, &take);
        if (take.kind == BL_TAKEN_NONE) {
            bl_core_idle(core, worker);
            if (!must_leave(engine, worker, true)) {
                sleep_for_work(engine, worker, &take);
            } else {
                if (!must_leave(engine, worker, false)) /* closed: what came after the look and before that is still to do */
                    bl_core_take(core, worker, &take);
                if (take.kind == BL_TAKEN_NONE)
                    break;
            }
        }
        bl_flush_wake(worker);
        int64_t over = handle(engine, worker, &take);
        if (generation != bl_generation)
            return;
        if (over != 0) {
            clean_context(context);
            let_others_run(over, &yielded);
        }
    }
    bl_flush_wake(worker);
    bl_core_idle(core, worker);
    bl_core_pass_on(core, worker->group); /* what woke this thread may still be there */
}

PyObject *bl_engine_work(PyObject *self, PyObject *arg) {
    EngineObject *engine = (EngineObject *)self;
    unsigned long index = PyLong_AsUnsignedLong(arg);
    if (PyErr_Occurred())
        return NULL;
    bl_worker *worker = bl_core_worker(engine->core, (unsigned)index);
    if (worker == NULL || worker->thread != 0)
        return PyErr_Format(PyExc_ValueError, "%lu is not a free worker of this engine: use add_worker()", index);
    PyObject *context = PyContext_New();
    if (context == NULL || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return NULL;
    }
    uint32_t generation = bl_generation;
    worker->thread = PyThread_get_thread_ident();
    loop(engine, worker, &context);
    PyObject *error = PyErr_Occurred() != NULL ? bl_fetch_exception() : NULL; /* of a forked child */
    if (PyContext_Exit(context) < 0)
        PyErr_Clear();
    Py_DECREF(context);
    if (generation == bl_generation)
        bl_core_remove_worker(engine->core, worker);
    if (error == NULL)
        Py_RETURN_NONE;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

/* A worker record for a thread that is no worker. */
static bl_worker *borrow(EngineObject *engine) {
    bl_worker *worker = NULL;
    bl_mutex_lock(&engine->guest_lock);
    if (engine->guest_count > 0)
        worker = engine->guests[--engine->guest_count];
    bl_mutex_unlock(&engine->guest_lock);
    if (worker == NULL)
        worker = bl_core_add_worker(engine->core, 0);
    if (worker == NULL)
        return (void)PyErr_NoMemory(), NULL;
    worker->thread = PyThread_get_thread_ident();
    return worker;
}

static void give_back(EngineObject *engine, bl_worker *worker) {
    bl_flush_wake(worker);
    bl_core_idle(engine->core, worker);
    bl_mutex_lock(&engine->guest_lock);
    bool kept = engine->guest_count < sizeof engine->guests / sizeof *engine->guests;
    if (kept)
        engine->guests[engine->guest_count++] = worker;
    bl_mutex_unlock(&engine->guest_lock);
    if (!kept)
        bl_core_remove_worker(engine->core, worker);
}

int bl_queue_indexes(EngineObject *engine, PyObject *queues, uint16_t **indexes, Py_ssize_t *count) {
    PyObject *items = bl_own_items(queues, "queues must be a sequence of queue numbers");
    if (items == NULL)
        return -1;
    *count = PySequence_Fast_GET_SIZE(items);
    *indexes = PyMem_New(uint16_t, *count + 1);
    int result = *indexes != NULL ? 0 : -1;
    if (result < 0)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; result == 0 && i < *count; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(items, i);
        long index = PyLong_AsLong(item);
        if (!PyErr_Occurred() && (index < 0 || index >= BL_MAX_QUEUES || bl_core_queue(engine->core, (unsigned)index) == NULL))
            PyErr_Format(PyExc_ValueError, "%R is no queue of this engine: use add_queue()", item);
        if (PyErr_Occurred())
            result = -1;
        else
            (*indexes)[i] = (uint16_t)index;
    }
    if (result < 0)
        PyMem_Free(*indexes);
    Py_DECREF(items);
    return result;
}

/* Take one task that is to be run; what has ended meanwhile is thrown away on the way. */
static TaskObject *take_one(EngineObject *engine, const uint16_t *queues, Py_ssize_t count, uint32_t *attempt) {
    for (;;) {
        bl_take take;
        bl_core_take_from(engine->core, queues, (size_t)count, &take);
        if (take.kind == BL_TAKEN_NONE)
            return NULL;
        if (take.kind == BL_TAKEN_RUN) {
            *attempt = take.attempt;
            return take.slot->owner;
        }
        (void)handle(engine, NULL, &take);
    }
}

/* The group whose event count wakes threads that wait in claim() for these queues; -1 with an exception. */
static long find_claim_group(EngineObject *engine, const uint16_t *queues, Py_ssize_t count) {
    PyObject *key = PyBytes_FromStringAndSize((const char *)queues, count * (Py_ssize_t)sizeof *queues);
    if (key == NULL)
        return -1;
    long group = -1;
    PyObject *known = PyDict_GetItemWithError(engine->claim_groups, key);
    if (known != NULL) {
        group = PyLong_AsLong(known);
    } else if (!PyErr_Occurred()) {
        group = bl_core_add_group(engine->core, false);
        int result = group < 0 ? (int)group : bl_core_subscribe(engine->core, (unsigned)group, queues, (size_t)count);
        PyObject *number = result == BL_OK ? PyLong_FromLong(group) : bl_raise(result, "too many groups of workers");
        if (number == NULL || PyDict_SetItem(engine->claim_groups, key, number) < 0)
            group = -1;
        Py_XDECREF(number);
    }
    Py_DECREF(key);
    return group;
}

static long claim_group(EngineObject *engine, const uint16_t *queues, Py_ssize_t count) {
    long group;
    BL_BEGIN_CRITICAL(engine) /* two threads that claim from the same queues share one group */
    group = find_claim_group(engine, queues, count);
    BL_END_CRITICAL
    return group;
}

static TaskObject *wait_and_take(EngineObject *engine, const uint16_t *queues, Py_ssize_t count, int64_t deadline) {
    long group = claim_group(engine, queues, count);
    if (group < 0)
        return NULL;
    bl_ec *ec = bl_core_group_ec(engine->core, (unsigned)group);
    uint32_t attempt;
    for (;;) {
        uint32_t key = bl_ec_prepare(ec);
        TaskObject *task = take_one(engine, queues, count, &attempt);
        if (task != NULL || bl_load_acquire(&engine->stopping) != 0) {
            bl_ec_cancel(ec);
            bl_core_stayed(engine->core, (unsigned)group);
            return task;
        }
        int result;
        Py_BEGIN_ALLOW_THREADS
        result = bl_ec_wait(ec, key, deadline);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0) {
            bl_core_pass_on(engine->core, (unsigned)group); /* what woke this thread may still be there */
            return NULL;
        }
        if (result == BL_TIMEOUT)
            return take_one(engine, queues, count, &attempt);
    }
}

PyObject *bl_engine_claim(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"queues", "timeout", NULL};
    EngineObject *engine = (EngineObject *)self;
    PyObject *queues;
    PyObject *timeout = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:claim", names, &queues, &timeout))
        return NULL;
    int64_t deadline = timeout == NULL ? 0 : bl_deadline(timeout);
    uint16_t *indexes;
    Py_ssize_t count;
    if (deadline == -1 || bl_engine_fork_check(engine) < 0 || bl_queue_indexes(engine, queues, &indexes, &count) < 0)
        return NULL;
    uint32_t attempt;
    TaskObject *task = deadline <= bl_now() ? take_one(engine, indexes, count, &attempt)
                                            : wait_and_take(engine, indexes, count, deadline);
    PyMem_Free(indexes);
    if (task == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    return (PyObject *)task; /* with the lane's reference */
}

PyObject *bl_engine_perform(PyObject *self, PyObject *arg) {
    EngineObject *engine = (EngineObject *)self;
    if (!PyObject_TypeCheck(arg, bl_task_type) || ((TaskObject *)arg)->engine != engine)
        return PyErr_Format(PyExc_TypeError, "perform() needs a task of this engine that was claimed, not %R", arg);
    TaskObject *task = (TaskObject *)arg;
    uint32_t word = bl_load_acquire(&task->slot->word); /* transitions in slots.c release */
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    if (bl_word_state(word) != BL_RUNNING || bl_task_foreign(task))
        return PyErr_Format(PyExc_ValueError, "task %llu is not claimed: use claim() first", (unsigned long long)task->slot->id);
    bl_worker *worker = borrow(engine);
    if (worker == NULL)
        return NULL;
    Py_INCREF(task);
    uint32_t generation = bl_generation;
    bl_run(engine, worker, task, bl_word_attempt(word));
    if (generation == bl_generation)
        give_back(engine, worker);
    if (PyErr_Occurred() != NULL) /* of a forked child */
        return NULL;
    Py_RETURN_NONE;
}

PyObject *bl_engine_run_until_empty(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"queues", "max_tasks", NULL};
    EngineObject *engine = (EngineObject *)self;
    PyObject *queues = Py_None;
    PyObject *most = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:run_until_empty", names, &queues, &most))
        return NULL;
    Py_ssize_t limit = most == Py_None ? PY_SSIZE_T_MAX : PyLong_AsSsize_t(most);
    if (limit == -1 && PyErr_Occurred())
        return NULL;
    if (bl_engine_fork_check(engine) < 0)
        return NULL;
    PyObject *chosen = queues == Py_None ? Py_BuildValue("(I)", engine->defaults.queue) : Py_NewRef(queues);
    uint16_t *indexes;
    Py_ssize_t count;
    int failed = chosen == NULL || bl_queue_indexes(engine, chosen, &indexes, &count) < 0;
    Py_XDECREF(chosen);
    bl_worker *worker = failed ? NULL : borrow(engine);
    if (worker == NULL) {
        if (!failed)
            PyMem_Free(indexes);
        return NULL;
    }
    Py_ssize_t ran = 0;
    uint32_t generation = bl_generation;
    uint32_t attempt;
    TaskObject *task;
    while (ran < limit && (task = take_one(engine, indexes, count, &attempt)) != NULL) {
        bl_run(engine, worker, task, attempt);
        ran++;
        if (generation != bl_generation)
            break;
        bl_flush_wake(worker);
        if (PyErr_CheckSignals() < 0)
            break;
    }
    if (generation == bl_generation)
        give_back(engine, worker);
    PyMem_Free(indexes);
    return PyErr_Occurred() ? NULL : PyLong_FromSsize_t(ran);
}
