/* submit.c: from a call to a QUEUED or DELAYED task.
 *
 * DESIGN
 * submit() and add_task() are the hot path: no options to parse, one object, one slot, one push. Whatever
 * needs a decision (options, coroutine functions, decorated tasks) goes to engine._add_with_options in
 * Python, which comes back through enqueue(). A bounded lane that is full asks engine._full, which waits with
 * wait_room() or raises. close() may come between the first look at `closed` and the push, when the workers have looked
 * for the last time: a second look follows the push, and what nobody has taken by then is taken back.
 * enqueue_many() builds all tasks first, reserves room for all, and then pushes: all or nothing.
 */
#include <time.h>

#include "binding.h"

/* A task of the most urgent lane found nobody idle: the reserved worker may have to be started, and whoever
 * waits for the GIL gets it now instead of after the submitter's time slice. */
static void urge(EngineObject *engine) {
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)engine, bl_str_need_reserve);
    if (result == NULL)
        PyErr_WriteUnraisable((PyObject *)engine);
    Py_XDECREF(result);
    const struct timespec moment = {.tv_nsec = 20000}; /* a thread that only yields takes the GIL straight back */
    Py_BEGIN_ALLOW_THREADS
    (void)nanosleep(&moment, NULL);
    Py_END_ALLOW_THREADS
}

void bl_pushed(EngineObject *engine, unsigned queue, unsigned lane, bool woken) {
    PyObject *hook = bl_hook(engine, queue, BL_ON_PUSH);
    if (hook != NULL) {
        PyObject *result = PyObject_CallNoArgs(hook);
        if (result == NULL)
            PyErr_WriteUnraisable(hook);
        Py_XDECREF(result);
        Py_DECREF(hook);
    } else if (lane == 0 && !woken) {
        urge(engine);
    }
}

int bl_ask_for_room(EngineObject *engine, unsigned queue, unsigned lane, uint64_t count, uint64_t limit) {
    PyObject *again = PyObject_CallMethod((PyObject *)engine, "_full", "IIKK", queue, lane, (unsigned long long)count,
                                          (unsigned long long)limit);
    if (again == NULL)
        return -1;
    int yes = PyObject_IsTrue(again);
    Py_DECREF(again);
    if (yes == 0)
        (void)bl_raise(BL_FULL, "the queue is full");
    return yes > 0 ? bl_engine_enter(engine) : -1;
}

/* 1 there was room or the engine is closed, 0 timed out, -1 exception. */
static int wait_for_room(EngineObject *engine, bl_queue *queue, unsigned lane, uint64_t count, uint64_t limit,
                         int64_t deadline) {
    bl_ec *ec = bl_queue_room(queue, lane);
    for (;;) {
        uint32_t key = bl_ec_prepare(ec);
        /* closed: stored by close() before it wakes whoever waits here */
        if (bl_queue_has_room(queue, lane, count, limit) || bl_load_seq(&engine->closed) != 0) {
            bl_ec_cancel(ec);
            return 1;
        }
        int result;
        Py_BEGIN_ALLOW_THREADS
        result = bl_ec_wait(ec, key, deadline);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0)
            return -1;
        if (result == BL_TIMEOUT)
            return bl_queue_has_room(queue, lane, count, limit);
    }
}

PyObject *bl_engine_wait_room(PyObject *self, PyObject *args) {
    EngineObject *engine = (EngineObject *)self;
    unsigned int index, lane;
    unsigned long long count, limit;
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTuple(args, "IIKK|O:wait_room", &index, &lane, &count, &limit, &timeout) ||
        bl_engine_fork_check(engine) < 0)
        return NULL;
    bl_queue *queue = bl_core_queue(engine->core, index);
    if (queue == NULL || lane >= bl_queue_lanes(queue))
        return PyErr_Format(PyExc_ValueError, "queue %u has no lane %u", index, lane);
    int64_t deadline = bl_deadline(timeout);
    int there = deadline < 0 ? -1 : wait_for_room(engine, queue, lane, count, limit, deadline);
    return there < 0 ? NULL : PyBool_FromLong(there);
}

static int reserve(EngineObject *engine, unsigned queue, unsigned lane, uint64_t count, uint64_t limit) {
    for (;;) {
        int result = bl_core_reserve(engine->core, queue, lane, count, limit);
        if (result == BL_OK)
            return 0;
        if (result != BL_FULL) {
            PyErr_Format(PyExc_ValueError, "queue %u has no lane %u", queue, lane);
            return -1;
        }
        if (bl_ask_for_room(engine, queue, lane, count, limit) < 0)
            return -1;
    }
}

/* Give the new task its id and put it where others can find it. */
static int enlist(EngineObject *engine, TaskObject *task, uint64_t id) {
    task->slot->id = id;
    Py_INCREF(task);
    if (bl_registry_put(bl_core_registry(engine->core), task->slot) == BL_OK)
        return 0;
    Py_DECREF(task);
    bl_core_done(engine->core, NULL); /* the id was counted as submitted */
    PyErr_NoMemory();
    return -1;
}

static void unlist(EngineObject *engine, TaskObject *task) {
    if (bl_registry_remove(bl_core_registry(engine->core), task->slot))
        Py_DECREF(task);
    bl_core_done(engine->core, NULL);
    PyErr_NoMemory();
}

/* The task is in its lane: a worker may be running it, or be through with it. A retry has a timer of its own, and a
 * task that is over needs none; both ends of an attempt look for this one under the lock or after their transition. */
void bl_arm_expiry(EngineObject *engine, TaskObject *task) {
    bl_slot *slot = task->slot;
    Py_INCREF(task);
    bl_mutex_lock(&task->lock);
    uint32_t word = bl_load_acquire(&slot->word); /* transitions in slots.c release */
    bool armed = !bl_word_terminal(word) && bl_word_state(word) != BL_DELAYED && slot->expires != BL_NEVER &&
                 bl_core_schedule(engine->core, slot, slot->expires) == BL_OK;
    bl_mutex_unlock(&task->lock);
    /* without memory for the timer, the worker that takes the task finds out that it has expired */
    if (!armed || (bl_word_terminal(bl_load_acquire(&slot->word)) && bl_core_unschedule(engine->core, slot)))
        Py_DECREF(task);
}

static int push(EngineObject *engine, TaskObject *task, bool front) {
    unsigned queue = task->slot->queue;
    unsigned lane = task->slot->lane;
    bool expires = task->slot->expires != BL_NEVER;
    bool woken = false;
    bl_store_release(&task->slot->word, BL_QUEUED); /* private until the push; acquire in the transitions */
    Py_INCREF(task);
    if (bl_core_push(engine->core, task->slot, front, &woken) != BL_OK) {
        Py_DECREF(task);
        bl_core_unreserve(engine->core, queue, lane, 1);
        return -1;
    }
    if (expires)
        bl_arm_expiry(engine, task);
    if (lane == 0 || bl_load_relaxed(&engine->hooks) != NULL)
        bl_pushed(engine, queue, lane, woken);
    return 0;
}

static int delay(EngineObject *engine, TaskObject *task) {
    Py_INCREF(task);
    int result = bl_core_schedule(engine->core, task->slot, task->slot->due) == BL_OK ? 0 : -1;
    /* it stands in the registry already: somebody may have cancelled it before it had its timer */
    if (result < 0 || (bl_word_terminal(bl_load_acquire(&task->slot->word)) && bl_core_unschedule(engine->core, task->slot)))
        Py_DECREF(task);
    return result;
}

/* Either this load sees what close() stored, or a worker that leaves because of it sees the push: both are seq_cst, as are
 * the push and a leaving worker's look (worker.c). True: the engine is closed and the task has ended as CANCELLED. */
bool bl_too_late(EngineObject *engine, TaskObject *task) {
    uint32_t seen;
    if (bl_load_seq(&engine->closed) == 0 || bl_core_cancel(engine->core, task->slot, &seen) != BL_OK)
        return false;
    bl_cancelled(task, NULL, seen, false);
    if (bl_load_seq(&engine->stopping) != 0) /* stored by stop(): nobody takes the tombstone out of its lane */
        (void)bl_discard(engine);
    return true;
}

PyObject *bl_submit(EngineObject *engine, const Submission *what) {
    if (bl_engine_enter(engine) < 0)
        return NULL;
    bool delayed = what->delay > 0;
    if (!delayed && reserve(engine, what->queue, what->lane, 1, what->limit) < 0)
        return NULL;
    if (delayed && (bl_core_queue(engine->core, what->queue) == NULL ||
                    what->lane >= bl_queue_lanes(bl_core_queue(engine->core, what->queue))))
        return PyErr_Format(PyExc_ValueError, "queue %u has no lane %u", what->queue, what->lane);
    TaskObject *task = bl_task_new(engine, what);
    if (task == NULL) {
        if (!delayed)
            bl_core_unreserve(engine->core, what->queue, what->lane, 1);
        return NULL;
    }
    uint64_t id = bl_core_next_ids(engine->core, 1, task->slot->created);
    if (enlist(engine, task, id) < 0) {
        if (!delayed)
            bl_core_unreserve(engine->core, what->queue, what->lane, 1);
        Py_DECREF(task);
        return NULL;
    }
    bl_observe(task, BL_ON_SUBMIT);
    if ((delayed ? delay(engine, task) : push(engine, task, what->front)) < 0) {
        unlist(engine, task);
        Py_DECREF(task);
        return NULL;
    }
    if (bl_too_late(engine, task)) {
        Py_DECREF(task);
        return bl_raise(BL_CLOSED, "the engine was shut down while the task was submitted");
    }
    return (PyObject *)task;
}

int bl_requeue(EngineObject *engine, TaskObject *task) {
    bl_core *core = engine->core;
    bl_slot *slot = task->slot;
    unsigned queue = slot->queue;
    unsigned lane = slot->lane;
    uint32_t seen;
    bool woken = false;
    (void)bl_core_reserve(core, queue, lane, 1, 0);
    if (bl_slot_ready(slot, &seen) != BL_OK) {
        bl_core_unreserve(core, queue, lane, 1);
        Py_DECREF(task);
        return 0;
    }
    bool expires = slot->expires != BL_NEVER;
    if (expires)
        Py_INCREF(task);
    if (bl_core_push(core, slot, false, &woken) != BL_OK) {
        /* no memory for a lane that had none: the only honest end is a failure that says so */
        bl_core_unreserve(core, queue, lane, 1);
        if (bl_core_cancel(core, slot, &seen) == BL_OK)
            bl_cancelled(task, NULL, seen, false);
        if (expires)
            Py_DECREF(task);
        Py_DECREF(task);
        return -1;
    }
    if (expires) {
        bl_arm_expiry(engine, task);
        Py_DECREF(task);
    }
    bl_pushed(engine, queue, lane, woken);
    return 1;
}

static Submission with_defaults(const EngineObject *engine) {
    return (Submission){
        .queue = engine->defaults.queue,
        .lane = engine->defaults.lane,
        .expires = BL_NEVER,
        .keep = true,
        .context = true,
    };
}

PyObject *bl_engine_submit(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    EngineObject *engine = (EngineObject *)self;
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    if (nargs < 1)
        return PyErr_Format(PyExc_TypeError, "submit() needs the function to run as its first argument");
    Submission what = with_defaults(engine);
    what.func = args[0];
    what.args = args + 1;
    what.nargs = nargs - 1 + named;
    what.kwnames = kwnames;
    return bl_submit(engine, &what);
}

/* A callable whose kind is known and which is no coroutine function: needs no look from Python. */
static bool plain_function(PyObject *func) {
    if (PyMethod_Check(func))
        func = PyMethod_GET_FUNCTION(func);
    if (PyFunction_Check(func)) {
        PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(func);
        return (code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR | CO_ITERABLE_COROUTINE)) == 0;
    }
    return PyCFunction_Check(func) || Py_IS_TYPE(func, &PyMethodDescr_Type);
}

/* 1: a plain priority was found and stored; 0: the keywords hold options for Python; -1: exception. `priority`
 * alone, as a plain small int, stays here; it is then the only keyword that is ours. */
static int scan_keywords(PyObject *kwnames, PyObject *const *values, unsigned *lane, Py_ssize_t *at) {
    *at = -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (name == bl_str_priority && PyLong_Check(values[i])) {
            long value = PyLong_AsLong(values[i]);
            if (value < 0 || value > 3 || PyBool_Check(values[i])) {
                PyErr_Clear();
                return 0;
            }
            *lane = (unsigned)value;
            *at = i;
            continue;
        }
        int ours = PySet_Contains(bl_option_names, name);
        if (ours != 0)
            return ours < 0 ? -1 : 0;
    }
    return 1;
}

static PyObject *add_with_options(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *positional = PyTuple_New(nargs - 1);
    PyObject *keywords = PyDict_New();
    PyObject *result = NULL;
    if (positional == NULL || keywords == NULL)
        goto done;
    for (Py_ssize_t i = 1; i < nargs; i++)
        PyTuple_SET_ITEM(positional, i - 1, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++)
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0)
            goto done;
    result = PyObject_CallMethodObjArgs(self, bl_str_add_with_options, args[0], positional, keywords, NULL);
done:
    Py_XDECREF(positional);
    Py_XDECREF(keywords);
    return result;
}

/* All keywords but the one at `skip`. `values` gets positional arguments and the remaining values. */
static PyObject *without_keyword(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, Py_ssize_t skip,
                                 PyObject **values) {
    Py_ssize_t named = PyTuple_GET_SIZE(kwnames);
    PyObject *names = PyTuple_New(named - 1);
    if (names == NULL)
        return NULL;
    Py_ssize_t used = 0;
    for (Py_ssize_t i = 0; i < nargs; i++)
        values[used++] = args[i];
    for (Py_ssize_t i = 0; i < named; i++) {
        if (i == skip)
            continue;
        PyTuple_SET_ITEM(names, used - nargs, Py_NewRef(PyTuple_GET_ITEM(kwnames, i)));
        values[used++] = args[nargs + i];
    }
    return names;
}

PyObject *bl_engine_add_task(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    EngineObject *engine = (EngineObject *)self;
    if (nargs < 1 || !plain_function(args[0]) || !bl_engine_knows(engine, args[0]))
        return nargs < 1 ? PyErr_Format(PyExc_TypeError, "add_task() needs the function to run as its first argument")
                         : add_with_options(self, args, nargs, kwnames);
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    Submission what = with_defaults(engine);
    what.func = args[0];
    what.args = args + 1;
    what.nargs = nargs - 1 + named;
    what.kwnames = kwnames;
    what.limit = engine->defaults.limit;
    what.timeout = engine->defaults.timeout;
    what.options = engine->defaults.options;
    if (named == 0)
        return bl_submit(engine, &what);
    Py_ssize_t priority;
    int mine = scan_keywords(kwnames, args + nargs, &what.lane, &priority);
    if (mine < 0)
        return NULL;
    if (mine == 0)
        return add_with_options(self, args, nargs, kwnames);
    if (what.lane == 0)
        what.limit = 0; /* the most urgent lane is exempt from the bound */
    if (priority < 0)
        return bl_submit(engine, &what);
    PyObject *small[16];
    PyObject **values = what.nargs <= 16 ? small : PyMem_New(PyObject *, what.nargs);
    if (values == NULL)
        return PyErr_NoMemory();
    PyObject *names = without_keyword(args + 1, nargs - 1, kwnames, priority, values);
    PyObject *task = NULL;
    if (names != NULL) {
        what.args = values;
        what.nargs -= 1;
        what.kwnames = named > 1 ? names : NULL;
        task = bl_submit(engine, &what);
    }
    Py_XDECREF(names);
    if (values != small)
        PyMem_Free(values);
    return task;
}

/* Lay a tuple and a dict out for a Submission. `*names` and `*values` are the caller's to free. */
static int lay_out(PyObject *args, PyObject *kwargs, Submission *what, PyObject **names, PyObject ***values) {
    *names = NULL;
    *values = NULL;
    if (!PyTuple_Check(args)) {
        PyErr_Format(PyExc_TypeError, "args must be a tuple, not %R", args);
        return -1;
    }
    Py_ssize_t positional = PyTuple_GET_SIZE(args);
    Py_ssize_t named = kwargs != NULL ? PyDict_Size(kwargs) : 0;
    if (named < 0)
        return -1;
    what->args = &PyTuple_GET_ITEM(args, 0);
    what->nargs = positional + named;
    if (named == 0)
        return 0;
    *names = PyTuple_New(named);
    *values = PyMem_New(PyObject *, positional + named);
    if (*names == NULL || *values == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < positional; i++)
        (*values)[i] = PyTuple_GET_ITEM(args, i);
    PyObject *key, *value;
    for (Py_ssize_t at = 0, i = 0; PyDict_Next(kwargs, &at, &key, &value); i++) {
        if (!PyUnicode_Check(key)) {
            PyErr_Format(PyExc_TypeError, "keyword names must be strings, not %R", key);
            return -1;
        }
        PyTuple_SET_ITEM(*names, i, Py_NewRef(key));
        (*values)[positional + i] = value;
    }
    what->args = *values;
    what->kwnames = *names;
    return 0;
}

static int seconds_into(PyObject *value, int64_t none, int64_t *out) {
    *out = bl_nanoseconds(value, none);
    return *out == -1 ? -1 : 0;
}

enum { K_QUEUE, K_LANE, K_FRONT, K_DELAY, K_EXPIRES, K_TIMEOUT, K_LIMIT, K_KEEP, K_OPTIONS, K_EXTRA, K_CONTEXT, K_COUNT };

static PyObject *enqueue_names[K_COUNT];

int bl_submit_init(void) {
    static const char *const names[K_COUNT] = {"queue",   "lane",  "front", "delay",   "expires", "timeout",
                                               "limit", "keep", "options", "extra", "context"};
    for (int i = 0; i < K_COUNT; i++)
        if (enqueue_names[i] == NULL && (enqueue_names[i] = PyUnicode_InternFromString(names[i])) == NULL)
            return -1;
    return 0;
}

static int set_option(Submission *what, int which, PyObject *value) {
    long number = which == K_QUEUE || which == K_LANE || which == K_LIMIT ? PyLong_AsLong(value) : 0;
    if (number < 0) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "%U must be at least 0, not %R", enqueue_names[which], value);
        return -1;
    }
    int truth = which == K_FRONT || which == K_KEEP || which == K_CONTEXT ? PyObject_IsTrue(value) : 0;
    switch (which) {
    case K_QUEUE:
        what->queue = number > UINT16_MAX ? UINT16_MAX : (unsigned)number;
        return 0;
    case K_LANE:
        what->lane = number > UINT8_MAX ? UINT8_MAX : (unsigned)number;
        return 0;
    case K_LIMIT:
        what->limit = (uint64_t)number;
        return 0;
    case K_FRONT:
        what->front = truth > 0;
        break;
    case K_KEEP:
        what->keep = truth > 0;
        break;
    case K_CONTEXT:
        what->context = truth > 0;
        break;
    case K_DELAY:
        return seconds_into(value, 0, &what->delay);
    case K_EXPIRES:
        return seconds_into(value, BL_NEVER, &what->expires);
    case K_TIMEOUT:
        return seconds_into(value, 0, &what->timeout);
    case K_OPTIONS:
        what->options = value != Py_None ? value : NULL;
        break;
    default:
        what->extra = value != Py_None ? value : NULL;
        break;
    }
    return truth < 0 ? -1 : 0;
}

static int find_option(PyObject *name) {
    for (int i = 0; i < K_COUNT; i++)
        if (name == enqueue_names[i])
            return i;
    for (int i = 0; i < K_COUNT; i++)
        if (PyUnicode_Compare(name, enqueue_names[i]) == 0)
            return i;
    PyErr_Format(PyExc_TypeError, "enqueue() has no option %R", name);
    return -1;
}

PyObject *bl_engine_enqueue(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    EngineObject *engine = (EngineObject *)self;
    if (nargs < 1 || nargs > 3)
        return PyErr_Format(PyExc_TypeError, "enqueue() takes func, args and kwargs by position, %zd were given", nargs);
    Submission what = {.func = args[0], .expires = BL_NEVER, .keep = true, .context = true};
    for (Py_ssize_t i = 0; kwnames != NULL && i < PyTuple_GET_SIZE(kwnames); i++) {
        int which = find_option(PyTuple_GET_ITEM(kwnames, i));
        if (which < 0 || set_option(&what, which, args[nargs + i]) < 0)
            return NULL;
    }
    PyObject *names = NULL;
    PyObject **values = NULL;
    PyObject *task = NULL;
    PyObject *keywords = nargs > 2 && args[2] != Py_None ? PyDict_Copy(args[2]) : NULL;
    if (nargs > 2 && args[2] != Py_None && keywords == NULL)
        return NULL;
    if (nargs == 1 || lay_out(args[1], keywords, &what, &names, &values) == 0)
        task = bl_submit(engine, &what);
    Py_XDECREF(keywords);
    Py_XDECREF(names);
    PyMem_Free(values);
    return task;
}
