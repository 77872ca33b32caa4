/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest toolstack: what a test kernel that runs as dom0 needs to build
 * a guest from its initrd, to watch it and to take it down.  The initrd is a
 * bundle: struct bundle, the guest's ELF kernel, its ramdisk.
 *
 * One child at a time: child_create(), child_build_pv() or child_build_pvh(),
 * child_watch(), child_destroy().
 */
#ifndef GUEST_HOST_CHILD_H
#define GUEST_HOST_CHILD_H

#include "lib/guest.h"

#define BUNDLE_MAGIC 0x646e7562u    /* "bund" */
#define CHILD_RUNS 0x100u           /* child_watch(): it did not end */
#define CHILD_CHUNKS_MAX 64u
#define PFN(address) ((address) >> PAGE_SHIFT)

struct bundle {
    uint32_t magic, kernel_size, ramdisk_size, pages;
    uint32_t vcpus, reserved[3];
    char line[992];
};

struct child {
    domid_t id;
    uint64_t pages;             /* its RAM from gfn 0 on; multiple of 512 */
    uint64_t chunk[CHILD_CHUNKS_MAX];   /* first frame of each 512 of them */
    uint32_t vcpus;
    const char *line;           /* its command line */
    const char *kernel, *ramdisk;
    uint64_t ramdisk_size;
    struct xencons_interface *console;  /* or NULL: no ring is read */
    struct xenstore_domain_interface *store;    /* the same */
};

/* What the notes of an ELF kernel say; 0: nothing. */
struct child_image {
    uint64_t entry, pvh_entry, virt_base, hypercall_va, p2m_va;
    uint64_t next_pfn;          /* the first that nothing is in yet */
};

/* The kernel's bundle, or the end. */
const struct bundle *child_bundle(void);

/* A failed case that ends the kernel. */
void child_stop(const char *what, long rc) __attribute__((noreturn));
void child_must(const char *what, long rc);

long child_domctl(const struct child *c, uint32_t cmd,
                  struct xen_domctl *op);

/* A domain with memory, at which we look. */
void child_create(struct child *c, uint32_t flags);

/* Its frames are where child_view() says; only one child's are at a time. */
void child_look(const struct child *c);
void child_look_away(const struct child *c);
void *child_view(uint64_t pfn);
/* The child's frame where shared_info is seen. */
void *child_view_shared(const struct child *c, uint64_t gfn);
/* A PV child's machine frame, which Gantry numbers as it does the others. */
uint64_t child_frame(const struct child *c, uint64_t pfn);
/* The number that the child has for it; the end if it is none of its. */
uint64_t child_pfn(const struct child *c, uint64_t frame);

/* Copies the kernel's segments in and reads its notes. */
struct child_image child_load(const struct child *c);
evtchn_port_t child_port(const struct child *c);
uint64_t child_shared_info(const struct child *c);

/* Make it ready to run, and let it run. */
void child_build_pv(struct child *c);
void child_build_pvh(struct child *c);

/* One that suspended itself goes on: in a new domain, or as if cancelled. */
void child_restore_pv(struct child *c);
void child_resume_pv(struct child *c);
/* Cases: it does not change while it is saved, and has its registers. */
void child_look_pv(const struct child *c);

/* Answers what is in its store's ring: there is nothing in the store. */
void child_answer_store(struct xenstore_domain_interface *s);

/*
 * Shows its console until it ends: the shutdown code; or CHILD_RUNS if it
 * has not ended after 'ms' (0: wait for ever).
 */
uint32_t child_watch(struct child *c, unsigned int ms);

/* Ends it and forgets its frames: 0 or the error. */
long child_destroy(struct child *c);

#endif
