/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tools/bench/pv runs in a guest: one kind of work, over and over.
 *
 *   pv_load NAME      prints: NAME ns-per-operation operations
 *
 *  1. The work comes in batches of a few milliseconds, and the median batch
 *     counts: what dom0 does meanwhile, on a machine whose clock counts all
 *     CPUs' instructions, falls into a few of them.
 *  2. A batch leaves nothing behind but what the next one uses again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX 64u
#define PAGE 4096u
#define MIB (1u << 20)

struct load {
    const char *name;
    unsigned int batches;       /* odd: there is one in the middle */
    unsigned int count;         /* operations in each */
    /* Nanoseconds that 'count' operations took. */
    int64_t (*run)(unsigned int count);
};

static void die(const char *what)
{
    fprintf(stderr, "pv_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void run_on(unsigned int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        die("sched_setaffinity: has the guest two vcpus?");
    }
}

/* ---- system calls, and the hypercalls behind some ---- */

static int64_t run_syscall(unsigned int count)
{
    int64_t begin = now();

    for (unsigned int i = 0; i < count; i++) {
        (void)getppid();
    }
    return now() - begin;
}

static int64_t reads(const char *path, unsigned int count)
{
    char text[64];
    int fd = open(path, O_RDONLY);
    int64_t begin;

    if (fd < 0) {
        die(path);
    }
    begin = now();
    for (unsigned int i = 0; i < count; i++) {
        if (pread(fd, text, sizeof(text), 0) <= 0) {
            die(path);
        }
    }
    begin = now() - begin;
    close(fd);
    return begin;
}

/* 'path' asks the hypervisor at each read; the type is known to the kernel. */
static int64_t hypercalls(const char *path, unsigned int count)
{
    return reads(path, count) - reads("/sys/hypervisor/type", count);
}

static int64_t run_version(unsigned int count)
{
    return hypercalls("/sys/hypervisor/version/major", count);
}

static int64_t run_extraversion(unsigned int count)
{
    return hypercalls("/sys/hypervisor/version/extra", count);
}

/* Not a constant of the domain's life: the toolstack may change it. */
static int64_t run_handle(unsigned int count)
{
    return hypercalls("/sys/hypervisor/uuid", count);
}

/* The hypervisor says who may know it: a guest may not. */
static int64_t run_buildid(unsigned int count)
{
    return hypercalls("/sys/hypervisor/properties/buildid", count);
}

/* ---- memory ---- */

static uint8_t *map(size_t size)
{
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        die("mmap");
    }
    return p;
}

static void touch(uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i += PAGE) {
        *(volatile uint8_t *)(p + i) = 1;
    }
}

/* The faults alone. */
static int64_t run_fault(unsigned int count)
{
    size_t size = (size_t)count * PAGE;
    uint8_t *p = map(size);
    int64_t begin = now();

    touch(p, size);
    begin = now() - begin;
    munmap(p, size);
    return begin;
}

static int64_t run_mmap(unsigned int count)
{
    int64_t begin = now();

    for (unsigned int i = 0; i < count; i++) {
        uint8_t *p = map(64 * MIB);

        touch(p, 64 * MIB);
        munmap(p, 64 * MIB);
    }
    return now() - begin;
}

/* Pages that are there lose and get the right to be written. */
static int64_t run_mprotect(unsigned int count)
{
    uint8_t *p = map(64 * PAGE);
    int64_t begin;

    touch(p, 64 * PAGE);
    begin = now();
    for (unsigned int i = 0; i < count; i++) {
        if (mprotect(p, 64 * PAGE, PROT_READ) != 0
            || mprotect(p, 64 * PAGE, PROT_READ | PROT_WRITE) != 0) {
            die("mprotect");
        }
        *(volatile uint8_t *)p = 1;
    }
    begin = now() - begin;
    munmap(p, 64 * PAGE);
    return begin;
}

/* ---- processes ---- */

static void await(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child || status != 0) {
        die("a child failed");
    }
}

static int64_t run_exec(unsigned int count)
{
    char *const args[] = { (char *)"pv_load", (char *)"nothing", NULL };
    int64_t begin = now();

    for (unsigned int i = 0; i < count; i++) {
        pid_t child = fork();

        if (child < 0) {
            die("fork");
        }
        if (child == 0) {
            execv("/proc/self/exe", args);
            _exit(1);
        }
        await(child);
    }
    return now() - begin;
}

static void echo(int from, int to)
{
    char byte;

    while (read(from, &byte, 1) == 1) {
        if (write(to, &byte, 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

static void ping(int to, int from)
{
    char byte = 0;

    if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1) {
        die("ping");
    }
}

/* A byte goes to a process on 'cpu' and comes back, 'count' times. */
static int64_t ping_pong(unsigned int cpu, unsigned int count)
{
    int there[2], back[2];
    int64_t begin;
    pid_t child;

    if (pipe(there) != 0 || pipe(back) != 0) {
        die("pipe");
    }
    child = fork();
    if (child < 0) {
        die("fork");
    }
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        run_on(cpu);
        echo(there[0], back[1]);
    }
    close(there[0]);
    close(back[1]);
    ping(there[1], back[0]);        /* it is there, and has its memory */
    begin = now();
    for (unsigned int i = 0; i < count; i++) {
        ping(there[1], back[0]);
    }
    begin = now() - begin;
    close(there[1]);
    await(child);
    close(back[0]);
    return begin;
}

/* Both on one vcpu: a round trip is two switches. */
static int64_t run_switch(unsigned int count)
{
    return ping_pong(0, count / 2);
}

/* On two vcpus that sleep meanwhile: a round trip is two events. */
static int64_t run_ping(unsigned int count)
{
    return ping_pong(1, count / 2);
}

/* ---- */

static const struct load loads[] = {
    { "syscall", 33, 2000, run_syscall },
    { "fault", 33, 1024, run_fault },
    { "mmap64", 5, 1, run_mmap },
    { "mprotect", 33, 64, run_mprotect },
    { "exec", 33, 2, run_exec },
    { "switch", 33, 200, run_switch },
    { "version", 33, 1000, run_version },
    { "extraversion", 33, 1000, run_extraversion },
    { "handle", 33, 1000, run_handle },
    { "buildid", 33, 1000, run_buildid },
    { "ping", 33, 200, run_ping },
};

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void measure(const struct load *l)
{
    int64_t took[BATCHES_MAX] = { 0 };

    run_on(0);
    (void)l->run(l->count);         /* what it needs is there from now on */
    for (unsigned int i = 0; i < l->batches; i++) {
        took[i] = l->run(l->count);
    }
    qsort(took, l->batches, sizeof(took[0]), compare);
    printf("%s %" PRId64 " %u\n", l->name,
           took[l->batches / 2] / (int64_t)l->count,
           l->count * (l->batches + 1));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: pv_load NAME\n");
        return 2;
    }
    if (strcmp(argv[1], "nothing") == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (strcmp(argv[1], loads[i].name) == 0) {
            measure(&loads[i]);
            return 0;
        }
    }
    fprintf(stderr, "pv_load: no load is called \"%s\"\n", argv[1]);
    return 2;
}
