/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV guest that makes random hypercalls (fuzz/fuzz.h): "seed=N steps=N",
 * and "wild" for one that may ruin itself.
 */
#include "pv/pv.h"
#include "fuzz/fuzz.h"

#define VERSION (4 << 16 | 17)

static long call(uint64_t nr, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    uint64_t rdi = a[0], rsi = a[1], rdx = a[2];
    long ret = (long)nr;

    __asm__ volatile("syscall"
                     : "+a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8), "+r"(r9) : : "memory", "rcx", "r11", "cc");
    return ret;
}

void pv_main(void)
{
    const char *line = (const char *)start_info->cmd_line;
    void *scratch = pv_pages(FUZZ_SCRATCH);
    void *absent = pv_pages(1);
    void *spare = pv_pages(FUZZ_SPARE);
    struct fuzz f = {
        .call = call, .scratch = scratch, .absent = PTR(absent),
        .spare = PTR(spare), .spare_frame = mfn_of(spare),
        .image = PTR(image_start),
        .image_size = (uint64_t)(image_end - image_start),
        .seed = fuzz_option(line, "seed", 1), .is_pv = true,
        .is_wild = pv_has_arg("wild"),
    };

    (void)update_va(absent, 0);
    fuzz_run(&f, (unsigned int)fuzz_option(line, "steps", 1000));
    pv_equal("fuzz-answers", hypercall(__HYPERVISOR_xen_version,
                                       XENVER_version, 0, 0), VERSION);
}
