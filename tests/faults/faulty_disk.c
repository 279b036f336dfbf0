/* A layer between one job and its files, loaded with LD_PRELOAD: it counts what the job does to files below a folder and
   lets the n-th of these operations fail as a disk or a dying machine would.

   FAULT_UNDER  absolute folder, with a slash at its end: only files below it count
   FAULT_OF     only processes whose command line holds this text are disturbed
   FAULT_KIND   none | kill | eio | enospc | short | torn
   FAULT_AT     which operation, from 1
   FAULT_LOG    where each operation is noted, one line each, so that a run can be described and counted
   A process can also set kind and number itself: fault_set, fault_count.

   kill    SIGKILL before the n-th operation
   eio     the n-th operation fails with EIO
   enospc  every write from the n-th operation on fails with ENOSPC
   short   every write from the n-th on takes half of what it is given (POSIX allows that)
   torn    the first write from the n-th on takes half of what it is given, whatever follows fails with EIO

   glibc's stdio does not call the write() that others see, so fwrite is a layer of its own: NumPy writes with it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { NONE, KILL, EIO_ONCE, ENOSPC_FROM, SHORT, TORN };

static const char *under;
static size_t under_length;
static enum kind kind = NONE;
static long at;
static int log_fd = -1;
static int active;
static atomic_long done;
static atomic_int torn;

static ssize_t raw_write(int fd, const void *bytes, size_t count) { return syscall(SYS_write, fd, bytes, count); }

static int is_disturbed(void) {
    const char *of = getenv("FAULT_OF");
    char line[8192];
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    if (length <= 0 || of == NULL) return 0;
    for (ssize_t i = 0; i < length; i++)
        if (line[i] == 0) line[i] = ' ';
    line[length] = 0;
    return strstr(line, of) != NULL;
}

void fault_set(const char *name, long number) {
    static const char *names[] = {"none", "kill", "eio", "enospc", "short", "torn"};
    for (int i = 0; name != NULL && i < 6; i++)
        if (strcmp(name, names[i]) == 0) kind = (enum kind)i;
    at = number;
    atomic_store(&done, 0);
    atomic_store(&torn, 0);
}

long fault_count(void) { return atomic_load(&done); }

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULT_KIND"), *number = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
    under = getenv("FAULT_UNDER");
    if (under == NULL || !is_disturbed()) return;
    under_length = strlen(under);
    fault_set(name, number == NULL ? 0 : atol(number));
    if (log != NULL) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    active = 1;
}

static int is_below(const char *path) {
    char whole[PATH_MAX * 2];
    if (path[0] != '/') {
        if (getcwd(whole, PATH_MAX) == NULL) return 0;
        size_t length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", path);
        path = whole;
    }
    return strncmp(path, under, under_length) == 0;
}

static int is_ours(int fd) {
    char link[64], path[PATH_MAX];
    if (!active) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, under, under_length) == 0;
}

/* Note one operation; 1 where it is to fail with errno set. `bytes` is what a write may take of it. */
static int disturb(const char *what, const char *name, int is_write, size_t *bytes) {
    int saved = errno;
    long number = atomic_fetch_add(&done, 1) + 1;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, what, name);
        raw_write(log_fd, line, length < (int)sizeof line ? (size_t)length : sizeof line);
    }
    errno = saved;
    if (kind == KILL && number == at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (kind == EIO_ONCE && number == at) {
        errno = EIO;
        return 1;
    }
    if (kind == ENOSPC_FROM && number >= at && is_write) {
        errno = ENOSPC;
        return 1;
    }
    if (kind == SHORT && number >= at && bytes != NULL && *bytes > 1) *bytes = (*bytes + 1) / 2;
    if (kind == TORN && number >= at) {
        if (atomic_load(&torn)) {
            errno = EIO;
            return 1;
        }
        if (is_write) {
            atomic_store(&torn, 1);
            if (bytes != NULL) *bytes = (*bytes + 1) / 2;
        }
    }
    return 0;
}

static int disturb_fd(const char *what, int fd, int is_write, size_t *bytes) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return disturb(what, path, is_write, bytes);
}

/* What the next library calls by this name. */
#define NEXT(name)                                                                                                     \
    static __typeof__(&name) next;                                                                                     \
    if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *buffer, size_t count) {
    if (is_ours(fd) && disturb_fd("write", fd, 1, &count)) return -1;
    return raw_write(fd, buffer, count);
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset) {
    if (is_ours(fd) && disturb_fd("pwrite", fd, 1, &count)) return -1;
    return syscall(SYS_pwrite64, fd, buffer, count, offset);
}

ssize_t pwrite64(int fd, const void *buffer, size_t count, off_t offset) { return pwrite(fd, buffer, count, offset); }

ssize_t writev(int fd, const struct iovec *parts, int n) {
    if (is_ours(fd) && disturb_fd("writev", fd, 1, NULL)) return -1;
    return syscall(SYS_writev, fd, parts, n);
}

size_t fwrite(const void *buffer, size_t size, size_t n, FILE *file) {
    NEXT(fwrite);
    int fd = fileno(file);
    if (fd >= 0 && is_ours(fd)) {
        size_t bytes = size * n, wanted = bytes;
        /* a short write that is no error is repeated inside stdio, so here it is none */
        if (disturb_fd("fwrite", fd, 1, kind == SHORT ? NULL : &bytes)) return 0;
        if (bytes < wanted) {
            size_t written = next(buffer, 1, bytes, file);
            errno = EIO;
            return size ? written / size : 0;
        }
    }
    return next(buffer, size, n, file);
}

int fsync(int fd) {
    if (is_ours(fd) && disturb_fd("fsync", fd, 0, NULL)) return -1;
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to) {
    NEXT(rename);
    if (active && is_below(to) && disturb("rename", to, 0, NULL)) return -1;
    return next(from, to);
}

int link(const char *from, const char *to) {
    NEXT(link);
    if (active && is_below(to) && disturb("link", to, 0, NULL)) return -1;
    return next(from, to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    NEXT(linkat);
    if (active && is_below(to) && disturb("link", to, 0, NULL)) return -1;
    return next(from_fd, from, to_fd, to, flags);
}

static int makes_file(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

static int opened(const char *path, int flags, mode_t mode) {
    if (active && (flags & O_CREAT) && is_below(path) && disturb("create", path, 1, NULL)) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, flags);
    mode_t mode = makes_file(flags) ? (mode_t)__builtin_va_arg(arguments, int) : 0;
    __builtin_va_end(arguments);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, flags);
    mode_t mode = makes_file(flags) ? (mode_t)__builtin_va_arg(arguments, int) : 0;
    __builtin_va_end(arguments);
    return opened(path, flags, mode);
}
