/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cycles that the backend spends on a packet: from_guest and to_guest over
 * a local vif, without DPDK and without a switch; and the plain copy of the
 * same bytes, which is the limit.  The guest is a process of its own on
 * another CPU, so that every ring and page comes from another core's cache,
 * as a guest's does.
 *
 * usage: vif_bench [-b CPU] [-f CPU] [-t SECONDS] [-p PAGES] CASE SIZE
 *
 *   from_guest, to_guest   the ring code with the local access
 *   copy_from, copy_to     memcpy and nothing else, in the same bursts
 *   parts                  from_guest, its steps timed one by one
 *   alone                  both ways, the guest in the same thread: for
 *                          counting instructions, which repeat exactly
 *
 * One line for each figure: its name, cycles per packet, Mpps and packets a
 * burst.  Cycles per packet are the median over the run's bursts, so that a
 * burst during which the thread lost its CPU does not count; Mpps are what
 * really went.  Cycles are the TSC's: compare lines of one run.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <x86intrin.h>

#include "local_load.h"
#include "netback/from_guest.h"
#include "netback/ring.h"
#include "netback/to_guest.h"

#define BURST TRAFFIC_BURST
#define BUFFERS 128u            /* as few as a pool hands out in turn */
#define BUFFER_SIZE 2176u       /* a DPDK mbuf's default data room */
#define SIZE_MAX_PLAIN 12288u   /* bytes of a plainly copied packet */
#define SAMPLES (1u << 18)      /* bursts of a run that are looked at */
#define RING 256u               /* packets between copier and guest */
#define PARTS_MAX 5u
#define SOCKET_MAX 100          /* bytes of a socket's name */

struct options {
    int back_cpu, front_cpu;
    double seconds;
    uint32_t pages;
    uint32_t size;
    const char *name;
};

/* What a plain copy shares with its guest. */
struct plain {
    uint32_t filled __attribute__((aligned(128)));
    uint32_t emptied __attribute__((aligned(128)));
    uint8_t pages[] __attribute__((aligned(4096)));
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
    size_t buffer_size;
    unsigned int next;          /* buffer to be used next */
    uint32_t size;              /* of a packet */
    struct plain *plain;
    uint32_t places;            /* for packets in plain's pages */
    size_t stride;              /* bytes from one place to the next */
    struct traffic traffic;     /* the sizes of a plain copy's packets */
    float *samples[PARTS_MAX];  /* cycles per packet, by burst */
    unsigned int parts;         /* figures of a burst */
    uint64_t stamps[PARTS_MAX]; /* when each part of a burst ended */
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

/* The frontend makes it and removes it. */
static void name_socket(char path[SOCKET_MAX])
{
    const char *dir = getenv("TMPDIR");

    snprintf(path, SOCKET_MAX, "%s/vif_bench.%d", dir != NULL ? dir : "/tmp",
             (int)getpid());
}

static struct local_front *make_front(const struct options *options,
                                      const char *path)
{
    struct local_front_config config = {
        .path = path, .queue_count = 1, .features = LOCAL_SG,
        .tx_pages = options->pages, .mac = { 0x02, 0x16, 0x3e, 0, 0, 0 },
    };

    return local_front_create_with(&config);
}

/* The guest's process: send and take until the backend goes. */
static void run_guest(const struct options *options, const char *path,
                      int ready)
{
    struct local_front *front = make_front(options, path);
    struct traffic traffic = { .size = options->size, .flows = 1 };
    bool sends = strcmp(options->name, "to_guest") != 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    use_cpu(options->front_cpu);
    if (front == NULL || write(ready, "r", 1) != 1 ||
        local_front_accept(front, 5000) != 0) {
        die("the frontend could not be made");
    }
    while (!local_front_is_closed(front)) {
        for (unsigned int i = 0; i < 10000; i++) {
            if (sends) {
                local_load_send(front, 0, &traffic);
            } else {
                local_load_take(front, 0);
            }
        }
    }
    local_front_destroy(front);
    exit(0);
}

static uint8_t *plain_place(const struct backend *b, uint32_t i)
{
    return b->plain->pages + (i % b->places) * b->stride;
}

static uint32_t plain_size(struct backend *b)
{
    uint32_t size = traffic_size(&b->traffic);

    b->traffic.number++;
    return size;
}

/* The guest of a plain copy dirties the pages in turn ... */
static void plain_send(struct backend *b)
{
    struct plain *p = b->plain;

    for (uint32_t at = 0; ; at += BURST) {
        while (at + BURST - ring_load(&p->emptied) > RING) {
            _mm_pause();
        }
        for (uint32_t i = at; i != at + BURST; i++) {
            uint32_t size = traffic_size(&b->traffic);

            traffic_write(&b->traffic, plain_place(b, i), size, size);
        }
        ring_publish(&p->filled, at + BURST);
    }
}

/* ... or reads them. */
static void plain_take(struct backend *b)
{
    struct plain *p = b->plain;

    for (uint32_t at = 0; ; at += BURST) {
        while (ring_load(&p->filled) == at) {
            _mm_pause();
        }
        for (uint32_t i = at; i != at + BURST; i++) {
            traffic_read(plain_place(b, i), plain_size(b));
        }
        ring_publish(&p->emptied, at + BURST);
    }
}

static uint8_t *next_buffer(struct backend *b)
{
    b->next = (b->next + 1) % BUFFERS;
    return b->buffers + (size_t)b->next * b->buffer_size;
}

static unsigned int from_guest_once(struct backend *b)
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
    b->stamps[0] = __rdtsc();
    return (unsigned int)count;
}

static unsigned int to_guest_once(struct backend *b)
{
    struct to_guest_span spans[BURST];
    struct to_guest_packet packets[BURST];
    unsigned int first = b->next;
    int count;

    memset(packets, 0, sizeof(packets));
    for (unsigned int i = 0; i < BURST; i++) {
        spans[i] = (struct to_guest_span){ next_buffer(b), b->size };
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
    b->stamps[0] = __rdtsc();
    return (unsigned int)count;
}

static unsigned int copy_from_once(struct backend *b)
{
    uint32_t at = b->plain->emptied;

    if (ring_load(&b->plain->filled) == at) {
        return 0;
    }
    for (uint32_t i = at; i != at + BURST; i++) {
        memcpy(next_buffer(b), plain_place(b, i), plain_size(b));
    }
    ring_publish(&b->plain->emptied, at + BURST);
    b->stamps[0] = __rdtsc();
    return BURST;
}

static unsigned int copy_to_once(struct backend *b)
{
    uint32_t at = b->plain->filled;

    if (at + BURST - ring_load(&b->plain->emptied) > RING) {
        return 0;
    }
    for (uint32_t i = at; i != at + BURST; i++) {
        memcpy(plain_place(b, i), next_buffer(b), plain_size(b));
    }
    ring_publish(&b->plain->filled, at + BURST);
    b->stamps[0] = __rdtsc();
    return BURST;
}

/* As the local access does it, a step for all packets before the next. */
static unsigned int parts_once(struct backend *b)
{
    union grant_v1 *grants = (union grant_v1 *)b->link.memory;
    struct from_guest_burst *burst = &b->from_burst;
    uint32_t frames[BURST];
    uint64_t records[BURST];
    uint16_t flags[BURST];
    int count = from_guest_take(&b->from, burst, BURST);

    if (count <= 0 || from_guest_parse(burst) != (int)BURST) {
        return 0;
    }
    for (unsigned int i = 0; i < BURST; i++) {
        struct from_guest_span span = { next_buffer(b), BUFFER_SIZE };

        from_guest_plan(burst, i, &span, 1);
    }
    b->stamps[0] = __rdtsc();
    for (unsigned int i = 0; i < BURST; i++) {
        frames[i] = *(volatile uint32_t *)&grants[
            burst->copies[i].ref].word.frame;
    }
    b->stamps[1] = __rdtsc();
    for (unsigned int i = 0; i < BURST; i++) {
        const grant_ref_t ref = burst->copies[i].ref;

        if (grant_pin(&grants[ref], ref, LOCAL_BACKEND, false, &records[i],
                      &flags[i]) != GNTST_okay) {
            die("a packet is not granted");
        }
    }
    b->stamps[2] = __rdtsc();
    for (unsigned int i = 0; i < BURST; i++) {
        const struct access_copy *copy = &burst->copies[i];

        memcpy(copy->host, b->link.memory +
               (size_t)frames[i] * ACCESS_PAGE_SIZE + copy->offset,
               copy->size);
    }
    b->stamps[3] = __rdtsc();
    for (unsigned int i = 0; i < BURST; i++) {
        grant_unpin(&grants[burst->copies[i].ref], flags[i], &records[i]);
        burst->copies[i].status = GNTST_okay;
    }
    b->stamps[4] = __rdtsc();
    from_guest_settle(burst);
    from_guest_respond(&b->from, burst);
    return BURST;
}

struct bench_case {
    const char *name;
    unsigned int (*once)(struct backend *b);
    bool plain;
    unsigned int parts;
    const char *part[PARTS_MAX];
};

static const struct bench_case cases[] = {
    { "from_guest", from_guest_once, false, 1, { "from_guest" } },
    { "to_guest", to_guest_once, false, 1, { "to_guest" } },
    { "copy_from", copy_from_once, true, 1, { "copy_from" } },
    { "copy_to", copy_to_once, true, 1, { "copy_to" } },
    { "parts", parts_once, false, 5,
      { "take", "lookup", "cas", "copy", "clear" } },
};

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void note(struct backend *b, uint64_t sample, uint64_t before,
                 unsigned int got)
{
    for (unsigned int i = 0; i < b->parts; i++) {
        b->samples[i][sample % SAMPLES] =
            (float)(b->stamps[i] - before) / (float)got;
        before = b->stamps[i];
    }
}

static void measure(struct backend *b, const struct bench_case *c,
                    double seconds, bool tell)
{
    double start = now(), end;
    uint64_t packets = 0, bursts = 0;
    size_t count;

    do {
        for (unsigned int i = 0; i < 1000; i++) {
            uint64_t before = __rdtsc();
            unsigned int got = c->once(b);

            if (got != 0) {
                note(b, bursts++, before, got);
                packets += got;
            }
        }
        end = now();
    } while (end - start < seconds);
    if (packets == 0) {
        die("no packet came: is the guest's CPU free?");
    }
    count = bursts < SAMPLES ? bursts : SAMPLES;
    for (unsigned int i = 0; i < b->parts && tell; i++) {
        qsort(b->samples[i], count, sizeof(float), by_value);
        printf("%s %.1f %.3f %.1f\n", c->part[i],
               (double)b->samples[i][count / 2],
               (double)packets / (end - start) / 1e6,
               (double)packets / (double)bursts);
    }
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

static void measure_twice(struct backend *b, const struct bench_case *c,
                          double seconds)
{
    b->parts = c->parts;
    measure(b, c, seconds / 4, false);
    measure(b, c, seconds, true);
}

static void run_vif(struct backend *b, const struct bench_case *c,
                    const struct options *options)
{
    char path[SOCKET_MAX];
    int ready[2];
    char byte;
    pid_t child;

    name_socket(path);
    if (pipe(ready) != 0) {
        die("no pipe");
    }
    child = fork();
    if (child == 0) {
        run_guest(options, path, ready[1]);
    }
    if (child < 0 || read(ready[0], &byte, 1) != 1) {
        die("the frontend did not start");
    }
    attach(b, path);
    measure_twice(b, c, options->seconds);
    b->access->ops->destroy(b->access);
    local_disconnect(&b->link);
    waitpid(child, NULL, 0);
}

static void run_plain(struct backend *b, const struct bench_case *c,
                      const struct options *options)
{
    bool sends = c->once == copy_from_once;
    size_t size = sizeof(struct plain) +
                  (size_t)options->pages * ACCESS_PAGE_SIZE;
    pid_t child;

    /* A guest takes into as many pages as its ring has slots. */
    b->places = sends ? options->pages : RING;
    b->stride = ACCESS_PAGE_SIZE;
    if (options->size > ACCESS_PAGE_SIZE) {
        b->stride = SIZE_MAX_PLAIN;
        b->places /= SIZE_MAX_PLAIN / ACCESS_PAGE_SIZE;
    }
    b->traffic = (struct traffic){ .size = options->size, .flows = 1 };
    b->plain = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (b->plain == MAP_FAILED || options->pages < RING) {
        die("no memory, or PAGES is below 256");
    }
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        use_cpu(options->front_cpu);
        (sends ? plain_send : plain_take)(b);
    }
    measure_twice(b, c, options->seconds);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/*
 * SECONDS count thousands of bursts here.  Collect what is inclusive of
 * from_guest_once and to_guest_once (callgrind's --toggle-collect).
 */
static void run_alone(struct backend *b, const struct options *options)
{
    char path[SOCKET_MAX];
    struct traffic traffic = { .size = options->size, .flows = 1 };
    unsigned int bursts = (unsigned int)(options->seconds * 1000);
    uint64_t from = 0, to = 0;
    struct local_front *front;
    pid_t child;

    name_socket(path);
    front = make_front(options, path);
    if (front == NULL) {
        die("the frontend could not be made");
    }
    /* It waits for an answer that we cannot give meanwhile. */
    child = fork();
    if (child == 0) {
        local_front_accept(front, 5000);
        _exit(0);
    }
    attach(b, path);
    for (unsigned int i = 0; i < bursts; i++) {
        local_load_send(front, 0, &traffic);
        from += from_guest_once(b);
        to += to_guest_once(b);
        local_load_take(front, 0);
    }
    printf("alone %lu %lu\n", (unsigned long)from, (unsigned long)to);
    b->access->ops->destroy(b->access);
    local_disconnect(&b->link);
    local_front_destroy(front);
    waitpid(child, NULL, 0);
}

static void usage(void)
{
    fprintf(stderr, "usage: vif_bench [-b CPU] [-f CPU] [-t SECONDS] "
            "[-p PAGES] from_guest|to_guest|copy_from|copy_to|parts|alone "
            "SIZE\n       SIZE is from 64 to 2048 bytes; for copies "
            "to 9216, or 0 for an IMIX\n");
    exit(2);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {
        .back_cpu = 0, .front_cpu = 1, .seconds = 1, .pages = 4096,
    };
    int c;

    while ((c = getopt(argc, argv, "b:f:t:p:")) != -1) {
        switch (c) {
        case 'b': o.back_cpu = atoi(optarg); break;
        case 'f': o.front_cpu = atoi(optarg); break;
        case 't': o.seconds = atof(optarg); break;
        case 'p': o.pages = (uint32_t)strtoul(optarg, NULL, 0); break;
        default: usage();
        }
    }
    if (optind + 2 != argc || o.seconds <= 0) {
        usage();
    }
    o.name = argv[optind];
    o.size = (uint32_t)strtoul(argv[optind + 1], NULL, 0);
    if (strncmp(o.name, "copy", 4) == 0 ?
            o.size > 9216 || (o.size != 0 && o.size < 64) :
            o.size < 64 || o.size > 2048) {
        usage();
    }
    return o;
}

static void run(struct backend *b, const struct options *options)
{
    if (strcmp(options->name, "alone") == 0) {
        run_alone(b, options);
        return;
    }
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(options->name, cases[i].name) == 0) {
            (cases[i].plain ? run_plain : run_vif)(b, &cases[i], options);
            return;
        }
    }
    usage();
}

int main(int argc, char **argv)
{
    static struct backend backend;
    struct options options = parse(argc, argv);

    use_cpu(options.back_cpu);
    backend.size = options.size;
    backend.buffer_size = options.size <= 2048 ? BUFFER_SIZE :
                                                 SIZE_MAX_PLAIN;
    backend.buffers = aligned_alloc(4096, BUFFERS * backend.buffer_size);
    if (backend.buffers == NULL) {
        die("no memory for the buffers");
    }
    for (unsigned int i = 0; i < PARTS_MAX; i++) {
        backend.samples[i] = calloc(SAMPLES, sizeof(float));
        if (backend.samples[i] == NULL) {
            die("no memory for the samples");
        }
    }
    memset(backend.buffers, 0x5a, BUFFERS * backend.buffer_size);
    run(&backend, &options);
    return 0;
}
