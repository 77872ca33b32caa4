/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In a guest or in dom0, statically linked: holds values of its own in the
 * YMM registers and looks after a while whether they are there still, over and
 * over.  FILE says how often they were; a last line "lost" is the end.
 *
 * usage: guest_vectors SEED FILE
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPINS (1ul << 22)

struct ymm {
    uint64_t word[16][4];
};

/* The registers are 'y' for so many turns of a loop, and 'y' what is left. */
static void hold(struct ymm *y)
{
    uint64_t spins = SPINS;

    __asm__ volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                     "vmovdqu \\n*32(%1), %%ymm\\n\n.endr\n"
                     "1:\tdec %0\n\tjnz 1b\n\t"
                     ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
                     "vmovdqu %%ymm\\n, \\n*32(%1)\n.endr\n\t"
                     "vzeroupper"
                     : "+r" (spins) : "r" (y)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                       "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void tell(int fd, const char *line)
{
    if (pwrite(fd, line, strlen(line), 0) < 0) {
        perror("guest_vectors: write");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    uint64_t seed, round = 0;
    struct ymm want, got;
    char line[32];
    int fd;

    if (argc != 3) {
        fprintf(stderr, "usage: guest_vectors SEED FILE\n");
        return 1;
    }
    if (!__builtin_cpu_supports("avx2")) {
        fprintf(stderr, "guest_vectors: the CPU has no AVX2\n");
        return 1;
    }
    seed = strtoull(argv[1], NULL, 0);
    fd = open(argv[2], O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror("guest_vectors: open");
        return 1;
    }
    do {
        for (unsigned int i = 0; i < 64; i++) {
            want.word[i / 4][i % 4] = (seed << 32 | round++)
                                      * 0x9e3779b97f4a7c15ull;
        }
        got = want;
        snprintf(line, sizeof(line), "%lu\n", (unsigned long)(round / 64));
        tell(fd, line);
        hold(&got);
    } while (memcmp(&got, &want, sizeof(got)) == 0);
    tell(fd, "lost\n");
    return 1;
}
