"""A wall clock for a server that tests can set while it runs, by a library that is preloaded with LD_PRELOAD."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <stdint.h>
#include <fcntl.h>
#include <unistd.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* The file SHIFTED_CLOCK holds one 64-bit number: seconds that the wall clock is ahead. It is mapped, not read. */
static volatile int64_t *ahead;

static void map(void) {
    const char *path = getenv("SHIFTED_CLOCK");
    static int64_t nothing;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *found = fd < 0 ? MAP_FAILED : mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    ahead = found == MAP_FAILED ? &nothing : found;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, which, time);
    if (!ahead) map();
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


class Clock:
    """The wall clock of processes started with ``environment``; sleeps and timers are not affected."""

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        source, library = directory / "clock.c", directory / "clock.so"
        source.write_text(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
        self._path = directory / "ahead"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._path)}

    def set(self, seconds: int) -> None:
        """Set the clock ``seconds`` ahead of the true time, or behind it if negative."""
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
