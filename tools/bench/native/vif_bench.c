/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cycles that the backend spends on a packet: from_guest and to_guest over
 * a local vif, without DPDK and without a switch.  The frontend is a process
 * of its own on another CPU, so that every ring and page comes from another
 * core's cache, as a guest's does.
 *
 * usage: vif_bench [-b CPU] [-f CPU] [-t SECONDS] [-n RUNS]
 *
 * One line per direction and size: the median of the runs.  A run's cycles
 * per packet are the median over its bursts, so that a burst during which
 * the thread lost its CPU does not count; Mpps are what really went.  Cycles
 * are the TSC's: compare lines of one run on one machine.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <x86intrin.h>

#include "netback/from_guest.h"
#include "netback/local_front.h"
#include "netback/to_guest.h"

#define BURST 32u
#define BUFFERS 4096u           /* as many as a switch's pool has in use */
#define BUFFER_SIZE 2176u       /* a DPDK mbuf's default data room */
#define RUNS_MAX 15u
#define SAMPLES (1u << 18)      /* bursts of a run that are looked at */

struct options {
    int back_cpu, front_cpu;
    double seconds;
    unsigned int runs;
};

struct result {
    double cycles;              /* per packet */
    double mpps;
    double burst;
};

struct backend {
    struct journal_half journal[2];
    struct window_counts counts;
    struct local_link link;
    struct access *access;
    struct from_guest from;
    struct to_guest to;
    struct from_guest_burst from_burst;
    struct to_guest_burst to_burst;
    uint8_t *buffers;
    unsigned int next;          /* buffer to be used next */
    float *samples;             /* cycles per packet, by burst */
};

static void die(const char *what)
{
    fprintf(stderr, "vif_bench: %s\n", what);
    exit(1);
}

static void use_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        fprintf(stderr, "vif_bench: CPU %d is not there: name two with -b "
                "and -f\n", cpu);
        exit(1);
    }
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The frontend's process: send or discard until it is killed. */
static void run_frontend(const struct options *options, const char *path,
                         bool sends, uint32_t size, int ready)
{
    static const uint8_t mac[6] = { 0, 0x16, 0x3e, 0, 0, 1 };
    struct local_front *front = local_front_create(path, 1, LOCAL_SG, mac);
    uint64_t bytes = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    use_cpu(options->front_cpu);
    if (front == NULL || write(ready, "r", 1) != 1 ||
        local_front_accept(front, 5000) != 0) {
        die("the frontend could not be made");
    }
    while (!local_front_is_closed(front)) {
        for (unsigned int i = 0; i < 10000; i++) {
            if (sends) {
                local_front_resend(front, 0, BURST, size, true);
            } else {
                local_front_discard(front, 0, BURST, &bytes);
            }
        }
    }
    local_front_destroy(front);
    exit(0);
}

static uint8_t *next_buffer(struct backend *b)
{
    b->next = (b->next + 1) % BUFFERS;
    return b->buffers + (size_t)b->next * BUFFER_SIZE;
}

static unsigned int from_guest_burst_once(struct backend *b)
{
    int count = from_guest_take(&b->from, &b->from_burst, BURST);

    if (count > 0) {
        count = from_guest_parse(&b->from_burst);
    }
    if (count < 0) {
        die(from_guest_fault_text(b->from_burst.fault));
    }
    if (count == 0) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        struct from_guest_span span = { next_buffer(b), BUFFER_SIZE };

        from_guest_plan(&b->from_burst, (unsigned int)i, &span, 1);
    }
    access_copy(b->access, ACCESS_FROM_GUEST, b->from_burst.copies,
                b->from_burst.copy_count);
    from_guest_settle(&b->from_burst);
    if (from_guest_respond(&b->from, &b->from_burst)) {
        b->access->ops->notify(b->access, b->link.event[0]);
    }
    return (unsigned int)count;
}

static unsigned int to_guest_burst_once(struct backend *b, uint32_t size)
{
    struct to_guest_span spans[BURST];
    struct to_guest_packet packets[BURST];
    unsigned int first = b->next;
    int count;

    memset(packets, 0, sizeof(packets));
    for (unsigned int i = 0; i < BURST; i++) {
        spans[i] = (struct to_guest_span){ next_buffer(b), size };
        packets[i].spans = &spans[i];
        packets[i].span_count = 1;
    }
    count = to_guest_take(&b->to, &b->to_burst, packets, BURST);
    if (count <= 0) {
        b->next = first;
        return 0;
    }
    access_copy(b->access, ACCESS_TO_GUEST, b->to_burst.copies,
                b->to_burst.copy_count);
    if (to_guest_respond(&b->to, &b->to_burst)) {
        b->access->ops->notify(b->access, b->link.event[0]);
    }
    b->next = (first + (unsigned int)count) % BUFFERS;
    return (unsigned int)count;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static struct result measure(struct backend *b, bool from, uint32_t size,
                             double seconds)
{
    double start = now(), end;
    uint64_t packets = 0, bursts = 0;
    size_t count;

    do {
        for (unsigned int i = 0; i < 1000; i++) {
            uint64_t before = __rdtsc();
            unsigned int got = from ? from_guest_burst_once(b) :
                               to_guest_burst_once(b, size);

            if (got != 0) {
                b->samples[bursts++ % SAMPLES] =
                    (float)(__rdtsc() - before) / (float)got;
                packets += got;
            }
        }
        end = now();
    } while (end - start < seconds);
    if (packets == 0) {
        return (struct result){ .cycles = 0 };
    }
    count = bursts < SAMPLES ? bursts : SAMPLES;
    qsort(b->samples, count, sizeof(b->samples[0]), by_value);
    return (struct result){
        .cycles = b->samples[count / 2],
        .mpps = (double)packets / (end - start) / 1e6,
        .burst = (double)packets / (double)bursts,
    };
}

static void attach(struct backend *b, const char *path)
{
    const char *why = "";

    if (local_connect(path, 1, LOCAL_SG, 5000, &b->link, &why) != 0) {
        die(why);
    }
    b->access = local_create(&b->link, &b->journal[0], &b->counts);
    if (b->access == NULL ||
        from_guest_init(&b->from, b->access->ops->map(
            b->access, b->link.tx_ref[0])) != 0 ||
        to_guest_init(&b->to, b->access->ops->map(
            b->access, b->link.rx_ref[0])) != 0) {
        die("the rings cannot be used");
    }
    b->from.journal = &b->journal[0];
    b->to.journal = &b->journal[1];
    local_answer(&b->link, 0);
}

static struct result run(struct backend *b, const struct options *options,
                         bool from, uint32_t size)
{
    char dir[] = "/tmp/vif_bench.XXXXXX", path[64];
    struct result result;
    int ready[2];
    char byte;
    pid_t child;

    if (mkdtemp(dir) == NULL || pipe(ready) != 0) {
        die("no directory for the socket in /tmp");
    }
    snprintf(path, sizeof(path), "%s/vif", dir);
    child = fork();
    if (child == 0) {
        run_frontend(options, path, from, size, ready[1]);
    }
    if (child < 0 || read(ready[0], &byte, 1) != 1) {
        die("the frontend did not start");
    }
    attach(b, path);
    measure(b, from, size, options->seconds / 4);
    result = measure(b, from, size, options->seconds);
    if (result.burst == 0) {
        die("no packet came: is the frontend's CPU free?");
    }
    b->access->ops->destroy(b->access);
    local_disconnect(&b->link);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    rmdir(dir);
    return result;
}

static int by_cycles(const void *a, const void *b)
{
    double x = ((const struct result *)a)->cycles;
    double y = ((const struct result *)b)->cycles;

    return (x > y) - (x < y);
}

static void report(struct backend *b, const struct options *options,
                   bool from, uint32_t size)
{
    struct result results[RUNS_MAX];
    const struct result *median = &results[options->runs / 2];

    for (unsigned int i = 0; i < options->runs; i++) {
        results[i] = run(b, options, from, size);
    }
    qsort(results, options->runs, sizeof(results[0]), by_cycles);
    printf("%-10s %5u B  %6.1f cycles/packet  %6.2f Mpps  %4.1f a burst"
           "  (%.1f to %.1f)\n", from ? "from_guest" : "to_guest", size,
           median->cycles, median->mpps, median->burst, results[0].cycles,
           results[options->runs - 1].cycles);
    fflush(stdout);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {
        .back_cpu = 0, .front_cpu = 1, .seconds = 1, .runs = 3,
    };
    int c;

    while ((c = getopt(argc, argv, "b:f:t:n:")) != -1) {
        switch (c) {
        case 'b': o.back_cpu = atoi(optarg); break;
        case 'f': o.front_cpu = atoi(optarg); break;
        case 't': o.seconds = atof(optarg); break;
        case 'n': o.runs = (unsigned int)atoi(optarg); break;
        default:
            fprintf(stderr, "usage: vif_bench [-b CPU] [-f CPU] "
                    "[-t SECONDS] [-n RUNS]\n");
            exit(2);
        }
    }
    if (o.seconds <= 0 || o.runs == 0 || o.runs > RUNS_MAX) {
        die("SECONDS must be above 0 and RUNS from 1 to 15");
    }
    return o;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = { 64, 256, 1500 };
    static struct backend backend;
    struct options options = parse(argc, argv);

    use_cpu(options.back_cpu);
    backend.buffers = aligned_alloc(4096, (size_t)BUFFERS * BUFFER_SIZE);
    backend.samples = calloc(SAMPLES, sizeof(backend.samples[0]));
    if (backend.buffers == NULL || backend.samples == NULL) {
        die("no memory for the buffers");
    }
    memset(backend.buffers, 0x5a, (size_t)BUFFERS * BUFFER_SIZE);
    for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        report(&backend, &options, true, sizes[i]);
        report(&backend, &options, false, sizes[i]);
    }
    return 0;
}
