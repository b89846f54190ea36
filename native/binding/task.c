/* task.c: the type Task: the handle of one submit and, at the same time, what travels through the lanes.
 *
 * One object per task: the Python references are here, the numbers in its bl_slot. Positional arguments and
 * keyword values stand inline, ready for a vectorcall. brokerless.handle.TaskResult subclasses it.
 * It does not decide anything: transitions are in finish.c, policies in Python.
 */
#include "binding.h"

#include <limits.h>
#include <structmember.h>

static void reset_slot(bl_slot *slot, TaskObject *task, const Submission *what, int64_t now) {
    slot->owner = task;
    slot->queue = (uint16_t)what->queue;
    slot->lane = (uint8_t)what->lane;
    slot->mark = what->keep ? 1 : 0;
    slot->created = now;
    slot->started = 0;
    slot->finished = 0;
    slot->due = what->delay > 0 ? now + what->delay : BL_NEVER;
    slot->expires = what->expires == BL_NEVER ? BL_NEVER : now + what->expires;
    slot->timeout = what->timeout;
}

Py_ssize_t bl_task_nargs(TaskObject *task) {
    return Py_SIZE(task) - ((task->shape & BL_HAS_KWNAMES) != 0) - ((task->shape & BL_HAS_CONTEXT) != 0);
}

PyObject *bl_task_kwnames(TaskObject *task) {
    return (task->shape & BL_HAS_KWNAMES) != 0 ? task->items[bl_task_nargs(task)] : NULL;
}

PyObject *bl_task_context(TaskObject *task) {
    return (task->shape & BL_HAS_CONTEXT) != 0 ? task->items[Py_SIZE(task) - 1] : NULL;
}

/* A snapshot of the context variables if the caller has any; NULL without an exception when there is none. */
static PyObject *snapshot(void) {
#if PY_VERSION_HEX < 0x030E0000
    PyObject *context = PyThreadState_Get()->context;
    if (context == NULL || PyObject_Size(context) == 0)
        return NULL;
#endif
    return PyContext_CopyCurrent();
}

TaskObject *bl_task_new(EngineObject *engine, const Submission *what) {
    PyObject *context = what->context ? snapshot() : NULL;
    if (context == NULL && PyErr_Occurred())
        return NULL;
    bool named = what->kwnames != NULL;
    Py_ssize_t size = what->nargs + named + (context != NULL);
    TaskObject *task = (TaskObject *)engine->task_type->tp_alloc(engine->task_type, size);
    if (task == NULL) {
        Py_XDECREF(context);
        return NULL;
    }
    PyObject_GC_UnTrack(task); /* see bl_task_leaves_engine */
    for (Py_ssize_t i = 0; i < what->nargs; i++)
        task->items[i] = Py_NewRef(what->args[i]);
    if (named)
        task->items[what->nargs] = Py_NewRef(what->kwnames);
    if (context != NULL)
        task->items[size - 1] = context;
    task->shape = (uint16_t)((named ? BL_HAS_KWNAMES : 0) | (context != NULL ? BL_HAS_CONTEXT : 0));
    task->generation = (uint16_t)engine->generation;
    task->engine = (EngineObject *)Py_NewRef(engine);
    task->func = Py_NewRef(what->func);
    task->options = Py_XNewRef(what->options);
    task->extra = Py_XNewRef(what->extra);
    task->slot = bl_pool_take(bl_core_pool(engine->core));
    if (task->slot == NULL) {
        Py_DECREF(task);
        PyErr_NoMemory();
        return NULL;
    }
    reset_slot(task->slot, task, what, what->now != 0 ? what->now : bl_core_now(engine->core));
    return task;
}

bool bl_task_foreign(TaskObject *task) { return task->generation != (uint16_t)bl_generation; }

/* The collector has nothing to find in a task that the engine holds, and a million queued tasks would only slow
 * it down: tasks are tracked from the moment the engine lets go of them, and only when what they still refer
 * to could lead back to them. A completed task has let go of its function and arguments by then. */
void bl_task_leaves_engine(TaskObject *task) {
    if (Py_REFCNT(task) == 1 || PyObject_GC_IsTracked((PyObject *)task))
        return;
    bool harmless = (task->shape & BL_RELEASED) != 0 && (task->outcome == NULL || !PyObject_IS_GC(task->outcome)) &&
                    task->extra == NULL && task->callbacks == NULL;
    if (!harmless)
        PyObject_GC_Track(task);
}

/* The name stays where the function was: it is what lists and messages show. */
static PyObject *name_of(PyObject *func) {
    if (PyUnicode_Check(func))
        return Py_NewRef(func);
    if (PyFunction_Check(func))
        return Py_NewRef(((PyFunctionObject *)func)->func_qualname);
    PyObject *name = PyObject_GetAttrString(func, "__qualname__");
    if (name != NULL && PyUnicode_Check(name))
        return name;
    PyErr_Clear();
    Py_XDECREF(name);
    return PyUnicode_FromString(Py_TYPE(func)->tp_name);
}

static PyObject *release_function(TaskObject *task) {
    PyObject *name = name_of(task->func);
    if (name == NULL) {
        PyErr_Clear();
        return NULL;
    }
    bl_mutex_lock(&task->lock);
    PyObject *func = task->func;
    task->func = name;
    bl_mutex_unlock(&task->lock);
    return func;
}

void bl_task_release(TaskObject *task) {
    PyObject *func = release_function(task);
    Py_XDECREF(func);
    PyObject *held[8];
    Py_ssize_t next = 0;
    do { /* in batches, because the lock is not held while references are let go */
        Py_ssize_t filled = 0;
        bl_mutex_lock(&task->lock);
        task->shape |= BL_RELEASED;
        for (; next < Py_SIZE(task) && filled < 8; next++) {
            held[filled++] = task->items[next];
            task->items[next] = NULL;
        }
        bl_mutex_unlock(&task->lock);
        while (filled > 0)
            Py_XDECREF(held[--filled]);
    } while (next < Py_SIZE(task));
}

static int task_traverse(PyObject *self, visitproc visit, void *arg) {
    TaskObject *task = (TaskObject *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(task->engine);
    Py_VISIT(task->func);
    Py_VISIT(task->outcome);
    Py_VISIT(task->options);
    Py_VISIT(task->extra);
    for (Callback *callback = task->callbacks; callback != NULL; callback = callback->next)
        Py_VISIT(callback->function);
    for (Py_ssize_t i = 0; i < Py_SIZE(task); i++)
        Py_VISIT(task->items[i]);
    return 0;
}

static int task_clear(PyObject *self) {
    TaskObject *task = (TaskObject *)self;
    Py_CLEAR(task->func);
    Py_CLEAR(task->outcome);
    Py_CLEAR(task->options);
    Py_CLEAR(task->extra);
    while (task->callbacks != NULL) {
        Callback *callback = task->callbacks;
        task->callbacks = callback->next;
        Py_DECREF(callback->function);
        PyMem_Free(callback);
    }
    for (Py_ssize_t i = 0; i < Py_SIZE(task); i++)
        Py_CLEAR(task->items[i]);
    return 0;
}

static void task_dealloc(PyObject *self) {
    TaskObject *task = (TaskObject *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, task_dealloc)
    (void)task_clear(self);
    /* the parent's pool is left alone in a child: its memory may have been in mid-change at the fork */
    if (task->slot != NULL && !bl_task_foreign(task))
        bl_pool_give(bl_core_pool(task->engine->core), task->slot);
    task->slot = NULL;
    Py_CLEAR(task->engine);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *task_refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return PyErr_Format(PyExc_TypeError, "%s objects are made by an engine's submit methods", type->tp_name);
}

PyObject *bl_task_identifier(TaskObject *task) {
    char text[33];
    PyOS_snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)bl_engine_prefix(task->engine, task->generation),
                  (unsigned long long)task->slot->id);
    return PyUnicode_FromStringAndSize(text, 32);
}

static uint32_t word_of(TaskObject *task) {
    return bl_load_acquire(&task->slot->word); /* every transition in slots.c releases */
}

static PyObject *get_id(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((TaskObject *)self)->slot->id);
}

static PyObject *get_task_id(PyObject *self, void *unused) {
    (void)unused;
    return bl_task_identifier((TaskObject *)self);
}

static PyObject *get_engine(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((TaskObject *)self)->engine);
}

static PyObject *get_state(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong((long)bl_word_state(word_of((TaskObject *)self)));
}

static PyObject *get_attempt(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong((long)bl_word_attempt(word_of((TaskObject *)self)));
}

static PyObject *get_lane(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(((TaskObject *)self)->slot->lane);
}

static PyObject *get_queue(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromLong(((TaskObject *)self)->slot->queue);
}

static PyObject *or_none(PyObject *value) { return Py_NewRef(value != NULL ? value : Py_None); }

static PyObject *function_or_name(TaskObject *task) {
    bl_mutex_lock(&task->lock);
    PyObject *func = or_none(task->func);
    bl_mutex_unlock(&task->lock);
    return func;
}

static PyObject *get_func(PyObject *self, void *unused) {
    (void)unused;
    PyObject *func = function_or_name((TaskObject *)self);
    if (PyUnicode_Check(func))
        Py_SETREF(func, Py_NewRef(Py_None));
    return func;
}

static PyObject *get_name(PyObject *self, void *unused) {
    (void)unused;
    PyObject *func = function_or_name((TaskObject *)self);
    PyObject *name = name_of(func);
    Py_DECREF(func);
    return name;
}

/* A reference to each argument, taken under the lock; NULL without an exception when they are released. */
static PyObject *arguments(TaskObject *task, PyObject **kwnames) {
    Py_ssize_t count = bl_task_nargs(task);
    PyObject *all = PyTuple_New(count);
    if (all == NULL)
        return NULL;
    bl_mutex_lock(&task->lock);
    bool released = (task->shape & BL_RELEASED) != 0;
    for (Py_ssize_t i = 0; !released && i < count; i++)
        PyTuple_SET_ITEM(all, i, Py_NewRef(task->items[i]));
    *kwnames = released ? NULL : Py_XNewRef(bl_task_kwnames(task));
    bl_mutex_unlock(&task->lock);
    if (released)
        Py_CLEAR(all);
    return all;
}

static PyObject *get_args(PyObject *self, void *unused) {
    (void)unused;
    PyObject *kwnames;
    PyObject *all = arguments((TaskObject *)self, &kwnames);
    if (all == NULL)
        return PyErr_Occurred() != NULL ? NULL : Py_NewRef(Py_None);
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    PyObject *args = PyTuple_GetSlice(all, 0, PyTuple_GET_SIZE(all) - named);
    Py_DECREF(all);
    Py_XDECREF(kwnames);
    return args;
}

static PyObject *get_kwargs(PyObject *self, void *unused) {
    (void)unused;
    PyObject *kwnames;
    PyObject *all = arguments((TaskObject *)self, &kwnames);
    if (all == NULL)
        return PyErr_Occurred() != NULL ? NULL : Py_NewRef(Py_None);
    PyObject *kwargs = PyDict_New();
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    Py_ssize_t first = PyTuple_GET_SIZE(all) - named;
    for (Py_ssize_t i = 0; kwargs != NULL && i < named; i++)
        if (PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), PyTuple_GET_ITEM(all, first + i)) < 0)
            Py_CLEAR(kwargs);
    Py_DECREF(all);
    Py_XDECREF(kwnames);
    return kwargs;
}

static PyObject *get_value(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    return or_none(bl_word_state(word_of(task)) == BL_COMPLETED ? task->outcome : NULL);
}

static PyObject *get_error(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    return or_none(bl_word_state(word_of(task)) > BL_COMPLETED ? task->outcome : NULL);
}

static PyObject *get_options(PyObject *self, void *unused) {
    (void)unused;
    return or_none(((TaskObject *)self)->options);
}

static PyObject *get_extra(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    bl_mutex_lock(&task->lock);
    PyObject *extra = or_none(task->extra);
    bl_mutex_unlock(&task->lock);
    return extra;
}

static int set_extra(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    Py_XINCREF(value);
    bl_mutex_lock(&task->lock);
    PyObject *old = task->extra;
    task->extra = value;
    bl_mutex_unlock(&task->lock);
    Py_XDECREF(old);
    return 0;
}

static PyObject *epoch_or_none(TaskObject *task, int64_t time) {
    if (time == 0 || time == BL_NEVER)
        Py_RETURN_NONE;
    return PyFloat_FromDouble(bl_epoch(task->engine, time));
}

static PyObject *get_created_at(PyObject *self, void *unused) {
    (void)unused;
    return PyFloat_FromDouble(bl_epoch(((TaskObject *)self)->engine, ((TaskObject *)self)->slot->created));
}

static PyObject *get_started_at(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    return epoch_or_none(task, bl_word_attempt(word_of(task)) > 0 ? task->slot->started : 0);
}

static PyObject *get_completed_at(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    return epoch_or_none(task, bl_word_terminal(word_of(task)) ? task->slot->finished : 0);
}

static PyObject *get_run_seconds(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    uint32_t word = word_of(task);
    if (!bl_word_terminal(word) || bl_word_attempt(word) == 0 || task->slot->started == 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)(task->slot->finished - task->slot->started) / 1e9);
}

static PyObject *get_due_at(PyObject *self, void *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    return epoch_or_none(task, bl_word_state(word_of(task)) == BL_DELAYED ? task->slot->due : 0);
}

static PyObject *get_timeout(PyObject *self, void *unused) {
    (void)unused;
    int64_t timeout = ((TaskObject *)self)->slot->timeout;
    if (timeout == 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)timeout / 1e9);
}

static PyObject *get_cancel_requested(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong((word_of((TaskObject *)self) & BL_F_CANCEL) != 0);
}

/* Sleep until the task is over. 1 over, 0 timed out, -1 exception. */
static int wait_terminal(TaskObject *task, int64_t deadline) {
    for (;;) {
        uint32_t word = word_of(task);
        if (bl_word_terminal(word))
            return 1;
        if ((word & BL_F_WAITERS) == 0) {
            uint32_t seen;
            (void)bl_slot_flag(task->slot, BL_F_WAITERS, &seen); /* lost: terminal, seen by the next look */
            continue;
        }
        int result;
        Py_BEGIN_ALLOW_THREADS
        result = bl_addr_wait(&task->slot->word, word, deadline);
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0)
            return -1;
        if (result == BL_TIMEOUT)
            return bl_word_terminal(word_of(task)) ? 1 : 0;
    }
}

static PyObject *task_wait(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"timeout", NULL};
    TaskObject *task = (TaskObject *)self;
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", names, &timeout))
        return NULL;
    if (bl_word_terminal(word_of(task)))
        Py_RETURN_TRUE;
    if (bl_task_foreign(task))
        return PyErr_Format(PyExc_RuntimeError,
                            "task %llu was submitted by the parent process and never ends in this one: submit it again here",
                            (unsigned long long)task->slot->id);
    int64_t deadline = bl_deadline(timeout);
    int over = deadline == -1 ? -1 : wait_terminal(task, deadline);
    return over < 0 ? NULL : PyBool_FromLong(over);
}

static PyObject *task_withdraw(PyObject *self, PyObject *unused) {
    (void)unused;
    TaskObject *task = (TaskObject *)self;
    if (bl_task_foreign(task))
        Py_RETURN_FALSE;
    uint32_t seen;
    if (bl_core_cancel(task->engine->core, task->slot, &seen) != BL_OK)
        Py_RETURN_FALSE;
    bl_cancelled(task, NULL, seen, false);
    Py_RETURN_TRUE;
}

static PyObject *task_request_cancel(PyObject *self, PyObject *unused) {
    (void)unused;
    uint32_t seen;
    return PyBool_FromLong(bl_slot_flag(((TaskObject *)self)->slot, BL_F_CANCEL, &seen) == BL_OK);
}

static PyObject *task_add_callback(PyObject *self, PyObject *function) {
    TaskObject *task = (TaskObject *)self;
    Callback *callback = PyMem_Malloc(sizeof *callback);
    if (callback == NULL)
        return PyErr_NoMemory();
    callback->function = Py_NewRef(function);
    uint32_t seen;
    /* Linking and flagging are one step for whoever ends the task: it takes the list under the same lock. */
    bl_mutex_lock(&task->lock);
    callback->next = task->callbacks;
    task->callbacks = callback;
    bool over = bl_slot_flag(task->slot, BL_F_CALLBACKS, &seen) != BL_OK;
    if (over)
        task->callbacks = callback->next;
    bl_mutex_unlock(&task->lock);
    if (over) {
        Py_DECREF(function);
        PyMem_Free(callback);
    }
    return PyBool_FromLong(!over);
}

static int64_t now_of(TaskObject *task) { return bl_core_now(task->engine->core); }

typedef bool (*end_attempt)(TaskObject *task, uint32_t attempt, PyObject *outcome);

static bool complete(TaskObject *task, uint32_t attempt, PyObject *value) {
    return bl_finish(task, NULL, attempt, BL_COMPLETED, value, now_of(task));
}

static bool fail_for_good(TaskObject *task, uint32_t attempt, PyObject *error) {
    return bl_finish(task, NULL, attempt, BL_FAILED, error, now_of(task));
}

static bool fail_attempt(TaskObject *task, uint32_t attempt, PyObject *error) {
    return bl_attempt_failed(task, NULL, attempt, error, now_of(task));
}

/* (attempt, outcome) from outside: whether that ended the attempt. */
static PyObject *end_from_outside(PyObject *self, PyObject *args, end_attempt end) {
    TaskObject *task = (TaskObject *)self;
    unsigned long attempt;
    PyObject *outcome;
    if (!PyArg_ParseTuple(args, "kO", &attempt, &outcome))
        return NULL;
    return PyBool_FromLong(!bl_task_foreign(task) && end(task, (uint32_t)attempt, outcome));
}

static PyObject *task_finish(PyObject *self, PyObject *args) { return end_from_outside(self, args, complete); }

static PyObject *task_fail(PyObject *self, PyObject *args) { return end_from_outside(self, args, fail_for_good); }

static PyObject *task_failed_attempt(PyObject *self, PyObject *args) { return end_from_outside(self, args, fail_attempt); }

static PyObject *task_hold(PyObject *self, PyObject *arg) {
    unsigned long attempt = PyLong_AsUnsignedLong(arg);
    if (attempt == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    TaskObject *task = (TaskObject *)self;
    if (bl_task_foreign(task))
        Py_RETURN_FALSE;
    bl_mutex_lock(&task->lock); /* bl_finish compares and stores under it */
    bool held = bl_slot_hold(task->slot, (uint32_t)attempt) == BL_OK;
    bl_mutex_unlock(&task->lock);
    return PyBool_FromLong(held);
}

static PyObject *task_drop(PyObject *self, PyObject *arg) {
    unsigned long attempt = PyLong_AsUnsignedLong(arg);
    if (attempt == (unsigned long)-1 && PyErr_Occurred())
        return NULL;
    TaskObject *task = (TaskObject *)self;
    return PyBool_FromLong(!bl_task_foreign(task) && bl_finish(task, NULL, (uint32_t)attempt, BL_CANCELLED, NULL, now_of(task)));
}

static PyMethodDef task_methods[] = {
    {"wait", (PyCFunction)(void (*)(void))task_wait, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("wait(timeout=None) -> bool: block until the task is over or `timeout` seconds have passed.")},
    {"withdraw", task_withdraw, METH_NOARGS, PyDoc_STR("withdraw() -> bool: cancel it if it has not started.")},
    {"request_cancel", task_request_cancel, METH_NOARGS,
     PyDoc_STR("request_cancel() -> bool: ask the running attempt to stop; False when the task is over.")},
    {"add_callback", task_add_callback, METH_O,
     PyDoc_STR("add_callback(callback) -> bool: keep it for the end; False when the task is over already.")},
    {"finish", task_finish, METH_VARARGS, PyDoc_STR("finish(attempt, value) -> bool: that running attempt succeeded.")},
    {"fail", task_fail, METH_VARARGS, PyDoc_STR("fail(attempt, error) -> bool: that running attempt failed for good.")},
    {"failed_attempt", task_failed_attempt, METH_VARARGS,
     PyDoc_STR("failed_attempt(attempt, error) -> bool: that running attempt failed; the engine decides on a retry.")},
    {"hold", task_hold, METH_O,
     PyDoc_STR("hold(attempt) -> bool: that running attempt can no longer end the task, which stays RUNNING as attempt + 1.")},
    {"drop", task_drop, METH_O, PyDoc_STR("drop(attempt) -> bool: that running attempt was cancelled.")},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef task_getset[] = {
    {"id", get_id, NULL, NULL, NULL},
    {"task_id", get_task_id, NULL, NULL, NULL},
    {"engine", get_engine, NULL, NULL, NULL},
    {"state", get_state, NULL, NULL, NULL},
    {"attempt", get_attempt, NULL, NULL, NULL},
    {"lane", get_lane, NULL, NULL, NULL},
    {"queue", get_queue, NULL, NULL, NULL},
    {"func", get_func, NULL, NULL, NULL},
    {"name", get_name, NULL, NULL, NULL},
    {"args", get_args, NULL, NULL, NULL},
    {"kwargs", get_kwargs, NULL, NULL, NULL},
    {"value", get_value, NULL, NULL, NULL},
    {"error", get_error, NULL, NULL, NULL},
    {"options", get_options, NULL, NULL, NULL},
    {"extra", get_extra, set_extra, NULL, NULL},
    {"created_at", get_created_at, NULL, NULL, NULL},
    {"started_at", get_started_at, NULL, NULL, NULL},
    {"completed_at", get_completed_at, NULL, NULL, NULL},
    {"run_seconds", get_run_seconds, NULL, NULL, NULL},
    {"due_at", get_due_at, NULL, NULL, NULL},
    {"timeout", get_timeout, NULL, NULL, NULL},
    {"cancel_requested", get_cancel_requested, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot task_slots[] = {
    {Py_tp_doc, "One submitted task: its state, outcome and times."},
    {Py_tp_new, task_refuse_new},
    {Py_tp_dealloc, task_dealloc},
    {Py_tp_traverse, task_traverse},
    {Py_tp_clear, task_clear},
    {Py_tp_methods, task_methods},
    {Py_tp_getset, task_getset},
    {0, NULL},
};

PyType_Spec bl_task_spec = {
    .name = "brokerless.native._engine.Task",
    .basicsize = offsetof(TaskObject, items),
    .itemsize = sizeof(PyObject *),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = task_slots,
};
