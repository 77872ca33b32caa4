/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend's view of a guest, for tests/sys/window in dom0: maps chunks of
 * a guest through live windows by the stock library and answers, a line
 * each, what the lines of its input ask:
 *
 *   ram             pages that do not show scratch, of those mapped
 *   count TEXT      pages that begin with it
 *   write TEXT NEW  puts NEW at the start of these; how many
 *   status          revoked, generation, gfn_count
 *   unmap N         the first N chunks; how many are left
 *   quit            ends, and leaves unmapping to the kernel
 *
 * usage: window_peek DOMID HOLE CHUNK COUNT [CHUNK COUNT]...
 * HOLE is a chunk without any RAM: what is written there all scratch shows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

#include "hv/public/window.h"

#define CHUNKS_MAX 4096u
#define PAGE 4096u
#define TOKEN "this is nobody's page"

struct chunk {
    xenforeignmemory_resource_handle *handle;
    char *at;
};

static xenforeignmemory_handle *fmem;
static uint32_t domid;
static struct chunk chunks[CHUNKS_MAX];
static unsigned int chunk_count;

static void __attribute__((noreturn)) die(const char *what)
{
    printf("error: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct chunk map_resource(unsigned int id, uint64_t frame,
                                 unsigned int count, int prot)
{
    struct chunk chunk;
    void *at = NULL;

    chunk.handle = xenforeignmemory_map_resource(
        fmem, (domid_t)domid, GANTRY_RESOURCE_WINDOW, id, frame, count, &at,
        prot, 0);
    if (chunk.handle == NULL) {
        die("map_resource");
    }
    chunk.at = at;
    return chunk;
}

static struct chunk map_chunk(uint64_t number)
{
    return map_resource(GANTRY_WINDOW_CHUNK, number * GANTRY_WINDOW_FRAMES,
                        GANTRY_WINDOW_FRAMES, PROT_READ | PROT_WRITE);
}

static void map_all(char **list)
{
    for (; list[0] != NULL && list[1] != NULL; list += 2) {
        uint64_t first = strtoull(list[0], NULL, 0);
        uint64_t count = strtoull(list[1], NULL, 0);

        for (uint64_t i = 0; i < count; i++) {
            if (chunk_count == CHUNKS_MAX) {
                errno = ENOSPC;
                die("too many chunks");
            }
            chunks[chunk_count++] = map_chunk(first + i);
        }
    }
}

/* Pages that begin with 'text', or with 'is_equal' false do not. */
static unsigned long for_pages(const char *text, bool is_equal,
                               const char *new_text)
{
    size_t size = strlen(text);
    unsigned long found = 0;

    for (unsigned int c = 0; c < chunk_count; c++) {
        for (unsigned int i = 0; i < GANTRY_WINDOW_FRAMES; i++) {
            char *page = chunks[c].at + i * PAGE;

            if ((memcmp(page, text, size) == 0) != is_equal) {
                continue;
            }
            found++;
            if (new_text != NULL) {
                memcpy(page, new_text, strlen(new_text));
            }
        }
    }
    return found;
}

static void unmap(unsigned int count)
{
    unsigned int done = count < chunk_count ? count : chunk_count;

    for (unsigned int i = 0; i < done; i++) {
        xenforeignmemory_unmap_resource(fmem, chunks[i].handle);
    }
    chunk_count -= done;
    memmove(chunks, chunks + done, chunk_count * sizeof(chunks[0]));
}

static void show_status(const struct gantry_window_status *s)
{
    printf("%" PRIu32 " %" PRIu64 " %" PRIu64 "\n",
           __atomic_load_n(&s->revoked, __ATOMIC_ACQUIRE),
           __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE),
           __atomic_load_n(&s->gfn_count, __ATOMIC_ACQUIRE));
}

static void answer(char *line, const struct gantry_window_status *s)
{
    char *word = strtok(line, " \n");
    char *one = strtok(NULL, " \n");
    char *two = strtok(NULL, " \n");

    if (word == NULL) {
        return;
    }
    if (strcmp(word, "ram") == 0) {
        printf("%lu\n", for_pages(TOKEN, false, NULL));
    } else if (strcmp(word, "count") == 0 && one != NULL) {
        printf("%lu\n", for_pages(one, true, NULL));
    } else if (strcmp(word, "write") == 0 && two != NULL) {
        printf("%lu\n", for_pages(one, true, two));
    } else if (strcmp(word, "status") == 0) {
        show_status(s);
    } else if (strcmp(word, "unmap") == 0 && one != NULL) {
        unmap((unsigned int)strtoul(one, NULL, 0));
        printf("%u\n", chunk_count);
    } else if (strcmp(word, "quit") == 0) {
        exit(0);
    } else {
        printf("error: %s?\n", word);
    }
}

int main(int argc, char **argv)
{
    struct chunk hole, status;
    char line[256];
    size_t size;

    if (argc < 5) {
        fprintf(stderr, "usage: window_peek DOMID HOLE CHUNK COUNT...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    domid = (uint32_t)strtoul(argv[1], NULL, 0);
    fmem = xenforeignmemory_open(NULL, 0);
    if (fmem == NULL) {
        die("xenforeignmemory_open");
    }
    if (xenforeignmemory_resource_size(fmem, (domid_t)domid,
                                       GANTRY_RESOURCE_WINDOW,
                                       GANTRY_WINDOW_CHUNK, &size) != 0) {
        die("resource_size");
    }
    status = map_resource(GANTRY_WINDOW_STATUS, 0, 1, PROT_READ);
    hole = map_chunk(strtoull(argv[2], NULL, 0));
    memcpy(hole.at, TOKEN, sizeof(TOKEN));
    map_all(argv + 3);
    printf("%zu\n", size / PAGE);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        answer(line, (const struct gantry_window_status *)status.at);
    }
    return 0;
}
