/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a fuzz target without libFuzzer: on the files named, or on random
 * inputs that depend only on a seed and the run's number, so that a failure
 * is replayed by the two.  Talks to LLVMFuzzerTestOneInput.
 *
 * usage: fuzz_<what> [-n RUNS] [-s SEED] [-r RUN] [FILE...]
 * The environment's FUZZ_RUNS sets another default for RUNS.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX 8192u
#define RUNS_DEFAULT 20000u

static unsigned long long seed = 1;
static volatile unsigned long long current;
static const char *volatile current_file;

/* Sanitizers shall end in SIGABRT, so that the run is named. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "abort_on_error=1:detect_leaks=0";
}

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void name_run(int signal_number)
{
    (void)signal_number;
    if (current_file != NULL) {
        fprintf(stderr, "failed on file %s\n", current_file);
    } else {
        fprintf(stderr, "failed; replay with -s %llu -r %llu\n", seed,
                current);
    }
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* splitmix64: a good enough stream from any state. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void run_random(unsigned long long run)
{
    uint64_t state = seed * 0x100000001b3u + run;
    uint64_t shape = next(&state);
    size_t size = next(&state) % (shape & 1 ? INPUT_MAX : 512);
    uint8_t *data = malloc(size + 1);

    if (data == NULL) {
        perror("malloc");
        exit(1);
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t word = next(&state);

        /* Mostly small bytes in half of the runs: they nest deeper. */
        data[i] = (shape & 2) != 0 && (word & 0x300) != 0 ?
                  (uint8_t)(word & 7) : (uint8_t)word;
    }
    current = run;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static int run_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    uint8_t *data = malloc(1u << 20);
    size_t size;

    if (file == NULL || data == NULL) {
        fprintf(stderr, "cannot read %s: %s\n", name, strerror(errno));
        free(data);
        if (file != NULL) {
            fclose(file);
        }
        return 1;
    }
    size = fread(data, 1, 1u << 20, file);
    fclose(file);
    current_file = name;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    const char *text = getenv("FUZZ_RUNS");
    unsigned long long runs = text != NULL ? strtoull(text, NULL, 0) :
                              RUNS_DEFAULT;
    unsigned long long first = 0;
    int option, bad = 0;

    while ((option = getopt(argc, argv, "n:s:r:")) != -1) {
        switch (option) {
        case 'n':
            runs = strtoull(optarg, NULL, 0);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            first = strtoull(optarg, NULL, 0);
            runs = 1;
            break;
        default:
            fprintf(stderr, "usage: %s [-n RUNS] [-s SEED] [-r RUN] "
                    "[FILE...]\n", argv[0]);
            return 2;
        }
    }
    signal(SIGABRT, name_run);
    signal(SIGSEGV, name_run);
    if (optind < argc) {
        for (int i = optind; i < argc; i++) {
            bad |= run_file(argv[i]);
        }
        return bad;
    }
    for (unsigned long long run = first; run < first + runs; run++) {
        run_random(run);
    }
    printf("%llu runs, seed %llu\n", runs, seed);
    return 0;
}
