/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH guest that makes random hypercalls (fuzz/fuzz.h): "seed=N steps=N",
 * and "wild" for one that may ruin itself.
 */
#include "lib/guest.h"
#include "fuzz/fuzz.h"

#define VERSION (4 << 16 | 17)
#define ABOVE_TABLES 0x100000000ul

extern const char image_start[], image_end[];

static long call(uint64_t nr, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    uint64_t rdi = a[0], rsi = a[1], rdx = a[2];
    long ret = (long)nr;

    __asm__ volatile("vmmcall"
                     : "+a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8), "+r"(r9) : : "memory", "rcx", "r11");
    return ret;
}

/* VCPUOP_send_nmi is among the calls. */
static void take_nmi(struct trap_frame *frame)
{
    (void)frame;
}

void guest_main(void)
{
    char *scratch = guest_pages(FUZZ_SCRATCH);
    void *after = guest_pages(1);
    void *spare = guest_pages(FUZZ_SPARE);
    xen_pfn_t gone = gfn_of(after);
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .domid = DOMID_SELF };
    struct fuzz f = {
        .call = call, .scratch = (uint64_t *)(void *)scratch,
        .absent = ABOVE_TABLES, .spare = PTR(spare),
        .spare_frame = gfn_of(spare), .image = PTR(image_start),
        .image_size = (uint64_t)(image_end - image_start),
        .seed = fuzz_option(guest_args, "seed", 1),
        .is_wild = guest_has_arg("wild"),
    };

    trap_set_handler(2, take_nmi);
    set_xen_guest_handle(r.extent_start, &gone);
    guest_equal("page-behind-scratch-gone",
                memory_op(XENMEM_decrease_reservation, &r), 1);
    fuzz_run(&f, (unsigned int)fuzz_option(guest_args, "steps", 1000));
    guest_equal("fuzz-answers", version_op(XENVER_version, NULL), VERSION);
}
