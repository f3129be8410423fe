/*
 * launch.c - runs a program in this interpreter the way CPython's own main does.
 *
 * Layer: bindings/python, above frames.h. Does not set sys.argv, sys.path or __main__ (hakmem/cli/run.py does).
 * Thread rule: main thread, with the GIL held.
 *
 * In C, since CPython's main calls the same PyRun_... functions, which print the program's exception themselves. So
 * a traceback begins with the program's own first frame, excepthooks get the same arguments, and SystemExit, a full
 * disk behind stdout and an exception in the excepthook end as under `python`.
 */
#include "launch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "frames.h"

/* PyErr_Print stores the type of what it printed in sys.last_type. A subclass does not count, as in CPython's
 * main. */
static bool printed_keyboard_interrupt(void) { return PySys_GetObject("last_type") == PyExc_KeyboardInterrupt; }

static PyObject *exit_code(int failed) {
    if (failed == 0) return PyLong_FromLong(0);
    return PyLong_FromLong(printed_keyboard_interrupt() ? -SIGINT : 1);
}

/* ---- A script ---- */

/* False: the script cannot be opened; the message is printed and `*code` is the exit code, as in CPython's main. */
static bool open_script(PyObject *program_name, PyObject *path, const char *encoded_path, FILE **file, int *code) {
    struct stat status;
    *file = fopen(encoded_path, "rbe");
    if (*file == NULL) {
        PySys_FormatStderr("%S: can't open file %R: [Errno %d] %s\n", program_name, path, errno, strerror(errno));
        *code = 2;
        return false;
    }
    if (fstat(fileno(*file), &status) == 0 && S_ISDIR(status.st_mode)) {
        PySys_FormatStderr("%S: %R is a directory, cannot continue\n", program_name, path);
        fclose(*file);
        *code = 1;
        return false;
    }
    return true;
}

PyObject *launch_file(PyObject *module, PyObject *arguments) {
    PyObject *program_name, *path, *encoded_path;
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    FILE *file;
    int code;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "UU:run_file", &program_name, &path)) return NULL;
    if (PySys_Audit("cpython.run_file", "O", path) < 0) return NULL;
    encoded_path = PyUnicode_EncodeFSDefault(path);
    if (encoded_path == NULL) return NULL;
    if (!open_script(program_name, path, PyBytes_AS_STRING(encoded_path), &file, &code)) {
        Py_DECREF(encoded_path);
        return PyLong_FromLong(code);
    }
    HiddenFrames hidden = frames_hide();
    int failed = PyRun_AnyFileExFlags(file, PyBytes_AS_STRING(encoded_path), 1, &flags);
    frames_restore(hidden);
    Py_DECREF(encoded_path);
    return exit_code(failed);
}

PyObject *launch_stdin(PyObject *module, PyObject *arguments) {
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    (void)module;
    (void)arguments;
    if (PySys_Audit("cpython.run_stdin", NULL) < 0) return NULL;
    HiddenFrames hidden = frames_hide();
    int failed = PyRun_AnyFileExFlags(stdin, "<stdin>", 0, &flags);
    frames_restore(hidden);
    return exit_code(failed);
}

/* ---- A command ---- */

/* NULL, after the line that CPython's main has before the exception: it is no text. */
static const char *text_of(PyObject *command) {
    const char *text = PyUnicode_AsUTF8(command);
    if (text == NULL) PySys_WriteStderr("Unable to decode the command from the command line:\n");
    return text;
}

#if PY_VERSION_HEX >= 0x030D0000
/* From 3.13 on tracebacks show the lines of a command, by a function that CPython does not export. This does the
 * same: compile, register the source with linecache, evaluate in __main__. */
static int register_source(PyObject *code, PyObject *command) {
    PyObject *linecache = PyImport_ImportModule("linecache");
    if (linecache == NULL) return -1;
    PyObject *name = PyUnicode_FromString("<string>");
    /* linecache with an _interactive_cache finds the source by its code object, the older one by its file name. */
    bool by_code = PyObject_HasAttrString(linecache, "_interactive_cache");
    PyObject *registered =
        name == NULL ? NULL
                     : PyObject_CallMethod(linecache, "_register_code", "OOO", by_code ? code : name, command, name);
    int failed = registered == NULL ? -1 : 0;
    Py_XDECREF(registered);
    Py_XDECREF(name);
    Py_DECREF(linecache);
    return failed;
}

static int run_command(PyObject *command) {
    PyObject *main_module = PyImport_AddModule("__main__"); /* borrowed */
    const char *text = text_of(command);
    PyObject *code = NULL, *result = NULL;
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    flags.cf_flags |= PyCF_IGNORE_COOKIE;
    if (main_module != NULL && text != NULL)
        code = Py_CompileStringExFlags(text, "<string>", Py_file_input, &flags, -1);
    if (code != NULL && register_source(code, command) == 0) {
        PyObject *globals = PyModule_GetDict(main_module);
        result = PyEval_EvalCode(code, globals, globals);
    }
    if (result == NULL) PyErr_Print();
    int failed = result == NULL ? -1 : 0;
    Py_XDECREF(result);
    Py_XDECREF(code);
    return failed;
}
#else
static int run_command(PyObject *command) {
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    const char *text = text_of(command);
    flags.cf_flags |= PyCF_IGNORE_COOKIE;
    if (text != NULL) return PyRun_SimpleStringFlags(text, &flags);
    PyErr_Print();
    return -1;
}
#endif

PyObject *launch_command(PyObject *module, PyObject *arguments) {
    PyObject *command;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "U:run_command", &command)) return NULL;
    if (PySys_Audit("cpython.run_command", "O", command) < 0) return NULL;
    HiddenFrames hidden = frames_hide();
    int failed = run_command(command);
    frames_restore(hidden);
    return exit_code(failed);
}

/* ---- A module ---- */

static int run_module(PyObject *name, int set_argv0) {
    PyObject *runpy = PyImport_ImportModule("runpy");
    PyObject *result = NULL;
    if (runpy != NULL) result = PyObject_CallMethod(runpy, "_run_module_as_main", "Oi", name, set_argv0);
    if (result == NULL) PyErr_Print();
    int failed = result == NULL ? -1 : 0;
    Py_XDECREF(result);
    Py_XDECREF(runpy);
    return failed;
}

PyObject *launch_module(PyObject *module, PyObject *arguments) {
    PyObject *name;
    int set_argv0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Up:run_module", &name, &set_argv0)) return NULL;
    if (PySys_Audit("cpython.run_module", "O", name) < 0) return NULL;
    HiddenFrames hidden = frames_hide();
    int failed = run_module(name, set_argv0);
    frames_restore(hidden);
    return exit_code(failed);
}

PyObject *launch_end(PyObject *module, PyObject *code) {
    (void)module;
    long number = PyLong_AsLong(code);
    if (number == -1 && PyErr_Occurred() != NULL) return NULL;
    Py_Exit((int)number);
}

PyObject *launch_is_importable(PyObject *module, PyObject *path) {
    (void)module;
    PyObject *importer = PyImport_GetImporter(path);
    if (importer == NULL) return NULL;
    int importable = importer != Py_None;
    Py_DECREF(importer);
    return PyBool_FromLong(importable);
}

PyObject *launch_executed_path(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    const char *path = (const char *)getauxval(AT_EXECFN); /* NULL under an old kernel or an emulator */
    return PyUnicode_DecodeFSDefault(path == NULL ? "" : path);
}
