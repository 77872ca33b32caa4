/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fake machine: core/arch.h on plain memory, see machine.h.
 *
 *  1. RAM is one block; frame number n is its n-th page.
 *  2. A p2m entry: bit 0 present, bit 1 leaf, bits 4-7 type, the rest the
 *     frame's address.
 *  3. A guest pointer is an address in the test.
 *  4. A flush of a domain clears its TLB, which then loads what is there.
 *  5. Free frames hold POISON, or zero since the start; one that does not
 *     when it is handed out was written by somebody who had no right to it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/console.h"
#include "core/frame.h"
#include "core/kmem.h"
#include "core/main.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "fake/machine.h"
#include "lib/errno.h"
#include "lib/spinlock.h"

#define MAX_CPUS 64u
#define ENTRY_PRESENT 1ull
#define ENTRY_LEAF 2ull
#define ENTRY_TYPE_SHIFT 4
#define CONSOLE_SIZE 65536u
#define POISON 0xdb
#define MAX_TLBS 4u

struct tlb {
    struct domain *d;
    uint64_t first, count;
    mfn_t *cached;              /* invalid: not held */
};

static char *ram;
static uint64_t ram_frames;
static void *frame_table;
static unsigned int cpu_count;
static uint64_t now = 1000000000ull;
static uint64_t step;
static const char *window;
static size_t window_size;
static int copies_left = -1;
static char console[CONSOLE_SIZE];
static size_t console_used;
static unsigned int domains;
static struct vcpu *current[MAX_CPUS];
static struct tlb tlbs[MAX_TLBS];
static unsigned int tlb_count;
static pthread_mutex_t tlb_lock = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local unsigned int this_cpu;
static _Thread_local struct lock_track track;

void (*machine_on_shutdown)(unsigned int how);
void (*machine_on_kick)(unsigned int cpu);
void (*machine_on_program)(unsigned int cpu, uint64_t deadline);
void (*machine_on_leave)(struct vcpu *v);

static void __attribute__((noreturn)) wrong(const char *what)
{
    fprintf(stderr, "fake machine: %s\n", what);
    abort();
}

/* ---- TLBs ---- */

static void tlb_load(struct tlb *t)
{
    for (uint64_t i = 0; i < t->count; i++) {
        enum p2m_type type;

        if (!mfn_is_valid(t->cached[i])) {
            t->cached[i] = p2m_lookup(t->d, gfn(t->first + i), &type);
        }
    }
}

static void tlb_clear(struct tlb *t)
{
    for (uint64_t i = 0; i < t->count; i++) {
        t->cached[i] = mfn_invalid();
    }
}

static void tlb_flush(struct domain *d)
{
    pthread_mutex_lock(&tlb_lock);
    for (unsigned int n = 0; n < tlb_count; n++) {
        if (tlbs[n].d == d) {
            tlb_clear(&tlbs[n]);
            tlb_load(&tlbs[n]);
        }
    }
    pthread_mutex_unlock(&tlb_lock);
}

static void tlb_forget(struct domain *d)
{
    pthread_mutex_lock(&tlb_lock);
    for (unsigned int n = 0; n < tlb_count; n++) {
        if (tlbs[n].d == d || d == NULL) {
            free(tlbs[n].cached);
            tlbs[n--] = tlbs[--tlb_count];
        }
    }
    pthread_mutex_unlock(&tlb_lock);
}

/* Frame 'm' is free: nothing may lead there. */
static void tlb_check_free(mfn_t m)
{
    pthread_mutex_lock(&tlb_lock);
    for (unsigned int n = 0; n < tlb_count; n++) {
        for (uint64_t i = 0; i < tlbs[n].count; i++) {
            enum p2m_type type;

            if (mfn_eq(tlbs[n].cached[i], m)) {
                wrong("a frame became free that a TLB leads to");
            }
            if (mfn_eq(p2m_lookup(tlbs[n].d, gfn(tlbs[n].first + i), &type),
                       m)) {
                wrong("a frame became free that a p2m leads to");
            }
        }
    }
    pthread_mutex_unlock(&tlb_lock);
}

void machine_tlb_watch(struct domain *d, uint64_t first, uint64_t count)
{
    struct tlb *t = &tlbs[tlb_count];

    if (tlb_count == MAX_TLBS) {
        wrong("too many TLBs");
    }
    t->d = d;
    t->first = first;
    t->count = count;
    t->cached = calloc(count, sizeof(mfn_t));
    if (t->cached == NULL) {
        wrong("no memory for a TLB");
    }
    tlb_clear(t);
    tlb_count++;
}

void machine_tlb_load(void)
{
    pthread_mutex_lock(&tlb_lock);
    for (unsigned int n = 0; n < tlb_count; n++) {
        tlb_load(&tlbs[n]);
    }
    pthread_mutex_unlock(&tlb_lock);
}

void machine_tlb_check(void)
{
    pthread_mutex_lock(&tlb_lock);
    for (unsigned int n = 0; n < tlb_count; n++) {
        for (uint64_t i = 0; i < tlbs[n].count; i++) {
            enum p2m_type type;
            mfn_t m = p2m_lookup(tlbs[n].d, gfn(tlbs[n].first + i), &type);

            if (mfn_is_valid(tlbs[n].cached[i])
                && !mfn_eq(tlbs[n].cached[i], m)) {
                wrong("a TLB was not flushed");
            }
        }
    }
    pthread_mutex_unlock(&tlb_lock);
}

/* The lock is held: who flushes waits until the access is over. */
static uint64_t *tlb_translate(struct domain *d, uint64_t g)
{
    for (unsigned int n = 0; n < tlb_count; n++) {
        struct tlb *t = &tlbs[n];
        enum p2m_type type;
        mfn_t *m;

        if (t->d != d || g < t->first || g - t->first >= t->count) {
            continue;
        }
        m = &t->cached[g - t->first];
        if (!mfn_is_valid(*m)) {
            *m = p2m_lookup(d, gfn(g), &type);
        }
        return mfn_is_valid(*m) ? arch_frame_map(*m) : NULL;
    }
    wrong("an access beside the TLBs");
}

bool machine_tlb_write(struct domain *d, uint64_t g, uint64_t value)
{
    uint64_t *at;

    pthread_mutex_lock(&tlb_lock);
    at = tlb_translate(d, g);
    if (at != NULL) {
        __atomic_store_n(at, value, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&tlb_lock);
    return at != NULL;
}

bool machine_tlb_read(struct domain *d, uint64_t g, uint64_t *value)
{
    uint64_t *at;

    pthread_mutex_lock(&tlb_lock);
    at = tlb_translate(d, g);
    if (at != NULL) {
        *value = __atomic_load_n(at, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&tlb_lock);
    return at != NULL;
}

/*
 * page_alloc_watch(): poisons what becomes free, checks what is taken.  The
 * large blocks of the start are left as they are: zero.
 */
static void watch(mfn_t m, unsigned int order, bool is_free)
{
    for (uint64_t i = 0; i < 1ul << order; i++) {
        unsigned char *p = arch_frame_map(mfn_add(m, i));

        if (is_free) {
            tlb_check_free(mfn_add(m, i));
        }
        if (!is_free) {
            if ((p[0] != POISON && p[0] != 0)
                || memcmp(p, p + 1, PAGE_SIZE - 1) != 0) {
                wrong("a free frame was written to");
            }
        } else if (order <= PAGE_ORDER_2M) {
            memset(p, POISON, PAGE_SIZE);
        }
    }
}

/* ---- the test's side ---- */

void machine_start(uint64_t frames, uint64_t kept, unsigned int cpus)
{
    size_t size;

    tlb_forget(NULL);
    if (ram != NULL) {
        munmap(ram, ram_frames * PAGE_SIZE);
        free(frame_table);
    }
    ram_frames = frames;
    cpu_count = cpus;
    ram = mmap(NULL, frames * PAGE_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size = page_alloc_table_size(frames);
    frame_table = aligned_alloc(PAGE_SIZE, (size + PAGE_SIZE - 1) & PAGE_MASK);
    if (ram == MAP_FAILED || frame_table == NULL || cpus > MAX_CPUS) {
        wrong("cannot start");
    }
    memset(frame_table, 0, size);
    memset(&track, 0, sizeof(track));
    memset(current, 0, sizeof(current));
    this_cpu = 0;
    window_size = 0;
    copies_left = -1;
    domains = 0;
    dom0 = NULL;
    page_alloc_watch = watch;
    page_alloc_init(frame_table, frames);
    page_alloc_add(mfn(kept), frames - kept, 0);
    core_init(cpus);
}

void machine_set_cpu(unsigned int cpu)
{
    this_cpu = cpu;
}

void machine_step_time(uint64_t ns)
{
    __atomic_store_n(&step, ns, __ATOMIC_SEQ_CST);
}

void machine_set_time(uint64_t ns)
{
    __atomic_store_n(&now, ns, __ATOMIC_SEQ_CST);
}

void machine_set_window(const void *start, size_t size)
{
    window = start;
    window_size = size;
}

void machine_fail_copy_after(int count)
{
    copies_left = count;
}

unsigned int machine_domains(void)
{
    return domains;
}

const char *machine_console(void)
{
    console[console_used] = '\0';
    console_used = 0;
    return console;
}

/* ---- CPUs and time ---- */

struct lock_track *lock_track(void)
{
    return &track;
}

unsigned int arch_cpu_id(void)
{
    return this_cpu;
}

unsigned int arch_cpu_count(void)
{
    return cpu_count;
}

struct vcpu *arch_current(void)
{
    return current[this_cpu];
}

void arch_set_current(struct vcpu *v)
{
    current[this_cpu] = v;
}

void arch_cpu_kick(unsigned int cpu)
{
    if (cpu >= cpu_count) {
        wrong("kick of a CPU that is not there");
    }
    if (machine_on_kick != NULL) {
        machine_on_kick(cpu);
    }
}

uint64_t arch_time_now(void)
{
    return __atomic_add_fetch(&now, __atomic_load_n(&step, __ATOMIC_SEQ_CST),
                              __ATOMIC_SEQ_CST);
}

uint64_t arch_boot_wallclock(void)
{
    return 1700000000ull * 1000000000ull;
}

void arch_timer_program(uint64_t deadline)
{
    if (machine_on_program != NULL) {
        machine_on_program(this_cpu, deadline);
    }
}

void arch_pause(void)
{
}

uint64_t arch_tsc_khz(void)
{
    return 1000000;
}

void arch_machine_shutdown(unsigned int how)
{
    if (machine_on_shutdown != NULL) {
        machine_on_shutdown(how);
    }
    exit(0);
}

void arch_panic_halt(void)
{
    fprintf(stderr, "%s", machine_console());
    abort();
}

void arch_console_write(const char *text, size_t size)
{
    if (size > CONSOLE_SIZE - 1 - console_used) {
        console_used = 0;
    }
    if (size < CONSOLE_SIZE) {
        memcpy(console + console_used, text, size);
        console_used += size;
    }
}

/* ---- memory ---- */

void *arch_frame_map(mfn_t m)
{
    if (m.v >= ram_frames) {
        wrong("frame outside RAM mapped");
    }
    return ram + m.v * PAGE_SIZE;
}

mfn_t arch_virt_to_mfn(const void *va)
{
    size_t at = (const char *)va - ram;

    if ((const char *)va < ram || at >= ram_frames * PAGE_SIZE) {
        wrong("address outside RAM");
    }
    return mfn(at / PAGE_SIZE);
}

static bool may_copy(uint64_t va, size_t size)
{
    const char *at = (const char *)(uintptr_t)va;

    if (track.depth != 0) {
        wrong("guest copy with a lock held");
    }
    if (vcpu_current() == NULL) {
        wrong("guest copy without a vcpu");
    }
    if (copies_left == 0) {
        return false;
    }
    if (copies_left > 0) {
        copies_left--;
    }
    if (window_size != 0) {
        return at >= window && size <= window_size &&
               (size_t)(at - window) <= window_size - size;
    }
    return va >= PAGE_SIZE;
}

int guest_read(void *dst, struct guest_ptr src, size_t size)
{
    if (!may_copy(src.va, size)) {
        return -EFAULT;
    }
    memcpy(dst, (const void *)(uintptr_t)src.va, size);
    return 0;
}

int guest_write(struct guest_ptr dst, const void *src, size_t size)
{
    if (!may_copy(dst.va, size)) {
        return -EFAULT;
    }
    memcpy((void *)(uintptr_t)dst.va, src, size);
    return 0;
}

int guest_place_get(struct guest_place *p, struct guest_ptr dst, size_t size)
{
    if (!may_copy(dst.va, size)) {
        return -EFAULT;
    }
    p->at[0] = (char *)(uintptr_t)dst.va;
    p->first = size;
    return 0;
}

void guest_place_write(const struct guest_place *p, size_t offset,
                       const void *src, size_t size)
{
    if (offset > p->first || size > p->first - offset) {
        wrong("guest_place_write beyond what was asked for");
    }
    memcpy(p->at[0] + offset, src, size);
}

void guest_place_put(struct guest_place *p)
{
    p->first = 0;
}

/* ---- p2m entries ---- */

uint64_t arch_p2m_leaf(mfn_t m, unsigned int level, unsigned int type)
{
    (void)level;
    return m.v << PAGE_SHIFT | type << ENTRY_TYPE_SHIFT | ENTRY_LEAF |
           ENTRY_PRESENT;
}

uint64_t arch_p2m_table(mfn_t m)
{
    return m.v << PAGE_SHIFT | ENTRY_PRESENT;
}

bool arch_p2m_is_present(uint64_t entry)
{
    return entry & ENTRY_PRESENT;
}

bool arch_p2m_is_leaf(uint64_t entry, unsigned int level)
{
    (void)level;
    return entry & ENTRY_LEAF;
}

mfn_t arch_p2m_mfn(uint64_t entry)
{
    return mfn(entry >> PAGE_SHIFT);
}

unsigned int arch_p2m_type(uint64_t entry)
{
    return entry >> ENTRY_TYPE_SHIFT & 15;
}

unsigned int arch_p2m_max_leaf(void)
{
    return 3;
}

void arch_p2m_flush(struct domain *d)
{
    if (d->arch == NULL) {
        return;
    }
    __atomic_fetch_add(&d->arch->flushes, 1, __ATOMIC_SEQ_CST);
    tlb_flush(d);
}

/* ---- domains and vcpus ---- */

int arch_domain_create(struct domain *d,
                       const struct xen_domctl_createdomain *config)
{
    (void)config;
    d->arch = kmem_alloc(sizeof(*d->arch));
    if (d->arch == NULL) {
        return -ENOMEM;
    }
    domains++;
    return 0;
}

void arch_domain_destroy(struct domain *d)
{
    if (d->arch != NULL) {
        domains--;
    }
    tlb_forget(d);
    kmem_free(d->arch);
    d->arch = NULL;
}

int arch_vcpu_create(struct vcpu *v)
{
    v->arch = kmem_alloc(sizeof(*v->arch));
    return v->arch == NULL ? -ENOMEM : 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    kmem_free(v->arch);
    v->arch = NULL;
}

void arch_vcpu_switch_from(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->arch->on_cpu, 0, __ATOMIC_SEQ_CST)
        != this_cpu + 1) {
        wrong("a vcpu left a CPU that it was not on");
    }
    if (machine_on_leave != NULL) {
        machine_on_leave(v);
    }
}

void arch_vcpu_switch_to(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->arch->on_cpu, this_cpu + 1,
                            __ATOMIC_SEQ_CST) != 0) {
        wrong("a vcpu runs on two CPUs");
    }
}

/* Whose registers are read or set does not run meanwhile. */
static void want_paused(const struct vcpu *v)
{
    if (v->sched.is_running || vcpu_is_runnable(v)) {
        wrong("the registers of a vcpu that may run are touched");
    }
}

void arch_vcpu_reset(struct vcpu *v)
{
    want_paused(v);
    v->arch->rax = 0;
}

bool arch_vcpu_is_between(struct vcpu *v)
{
    return __atomic_load_n(&v->arch->is_between, __ATOMIC_SEQ_CST);
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    want_paused(v);
    v->arch->rax = c->user_regs.rax;
    return 0;
}

void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    want_paused(v);
    memset(c, 0, sizeof(*c));
    c->user_regs.rax = v->arch->rax;
}

int arch_vcpu_set_hvm_context(struct vcpu *v,
                              const struct vcpu_hvm_context *c)
{
    (void)v;
    return c->mode == VCPU_HVM_MODE_32B || c->mode == VCPU_HVM_MODE_64B
           ? 0 : -EINVAL;
}

int arch_vcpu_send_nmi(struct vcpu *v)
{
    v->arch->nmis++;
    return 0;
}

void arch_vcpu_upcall(struct vcpu *v)
{
    __atomic_fetch_add(&v->arch->upcalls, 1, __ATOMIC_SEQ_CST);
}

bool arch_vcpu_has_pending(struct vcpu *v)
{
    return __atomic_load_n(&v->arch->has_pending, __ATOMIC_SEQ_CST);
}

bool arch_vcpu_is_interruptible(struct vcpu *v)
{
    return !v->arch->is_masked;
}

int arch_vcpu_set_upcall_vector(struct vcpu *v, unsigned int vector)
{
    v->arch->vector = vector;
    return 0;
}

int arch_domain_set_callback(struct domain *d, uint64_t via)
{
    d->arch->callback = via;
    return 0;
}

void arch_time_info(struct vcpu *v, struct vcpu_time_info *t)
{
    (void)v;
    t->system_time = arch_time_now();
    t->tsc_to_system_mul = 1u << 31;
    t->tsc_shift = 1;
}

void arch_hypercall_args(struct vcpu *v, uint64_t a[6])
{
    memcpy(a, v->arch->arg, 6 * sizeof(a[0]));
}

void arch_hypercall_set_arg(struct vcpu *v, unsigned int n, uint64_t val)
{
    v->arch->arg[n] = val;
}

/* ---- what the toolstack reads and sets ---- */

unsigned int arch_cpu_policy(enum cpu_policy_kind kind, xen_cpuid_leaf_t *out)
{
    (void)kind;
    memset(out, 0, sizeof(*out));
    out->subleaf = XEN_CPUID_NO_SUBLEAF;
    return 1;
}

unsigned int arch_domain_cpu_policy(struct domain *d, xen_cpuid_leaf_t *out)
{
    (void)d;
    return arch_cpu_policy(CPU_POLICY_HOST, out);
}

int arch_domain_set_cpu_policy(struct domain *d, const xen_cpuid_leaf_t *leaf,
                               unsigned int count)
{
    (void)d;
    (void)leaf;
    return count > CPU_POLICY_MAX_LEAVES ? -EINVAL : 0;
}

/* Ours are: rax of each vcpu, in order. */
size_t arch_hvm_context_size(const struct domain *d)
{
    return d->max_vcpus * sizeof(uint64_t);
}

int arch_hvm_context_save(struct domain *d, void *buf, size_t size,
                          size_t *used)
{
    uint64_t *rax = buf;

    if (d->is_pv) {
        wrong("a PV domain's HVM records are asked for");
    }
    *used = 0;
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] == NULL) {
            continue;
        }
        want_paused(d->vcpu[i]);
        if (size - *used < sizeof(*rax)) {
            return -ENOSPC;
        }
        *rax++ = d->vcpu[i]->arch->rax;
        *used += sizeof(*rax);
    }
    return 0;
}

int arch_hvm_context_load(struct domain *d, const void *buf, size_t size)
{
    const uint64_t *rax = buf;

    if (d->is_pv) {
        wrong("a PV domain's HVM records are set");
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] == NULL) {
            continue;
        }
        want_paused(d->vcpu[i]);
        if (size < sizeof(*rax)) {
            return -ENODATA;
        }
        d->vcpu[i]->arch->rax = *rax++;
        size -= sizeof(*rax);
    }
    return 0;
}

size_t arch_hvm_record_size(uint32_t type)
{
    return type == HVM_SAVE_CODE(CPU) ? sizeof(struct hvm_hw_cpu)
         : type == HVM_SAVE_CODE(MTRR) ? sizeof(struct hvm_hw_mtrr) : 0;
}

bool arch_hvm_record_is_of_down(uint32_t type)
{
    return type == HVM_SAVE_CODE(MTRR);
}

void arch_hvm_record_save(struct vcpu *v, uint32_t type, void *record)
{
    struct hvm_hw_cpu *cpu = record;

    want_paused(v);
    memset(record, 0, arch_hvm_record_size(type));
    if (type == HVM_SAVE_CODE(CPU)) {
        cpu->rip = 0x1000 + v->id;
    } else if (type != HVM_SAVE_CODE(MTRR)) {
        wrong("a record is read that has no size");
    }
}

/* Ours has rax as its only component. */
#define XSTATE_WORDS 3u

uint64_t arch_xstate_max(size_t *size)
{
    *size = XSTATE_WORDS * sizeof(uint64_t);
    return FAKE_XSTATE;
}

size_t arch_xstate_size(const struct vcpu *v)
{
    (void)v;
    return XSTATE_WORDS * sizeof(uint64_t);
}

void arch_xstate_save(struct vcpu *v, void *record)
{
    const uint64_t words[XSTATE_WORDS] = { 1, FAKE_XSTATE, v->arch->rax };

    want_paused(v);
    memcpy(record, words, sizeof(words));
}

int arch_xstate_load(struct vcpu *v, const void *record, size_t size)
{
    uint64_t words[XSTATE_WORDS];

    want_paused(v);
    if (size != sizeof(words)) {
        return -EINVAL;
    }
    memcpy(words, record, sizeof(words));
    if (words[1] != FAKE_XSTATE) {
        return -EINVAL;
    }
    v->arch->rax = words[2];
    return 0;
}

uint32_t arch_cpu_apic_id(unsigned int cpu)
{
    return cpu;
}

uint64_t arch_max_mfn(void)
{
    return ram_frames;
}

const char *arch_command_line(void)
{
    return "dom0_mem=256M loglvl=all";
}
