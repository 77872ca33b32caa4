/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH child: a kernel with a PHYS32 entry, start_info and command line in
 * low memory, a console ring, and the registers that
 * arch-x86/hvm/start_info.h promises.
 */
#include "host/child.h"

#include <xen/hvm/save.h>

#define START_INFO 0x80000ul
#define LINE 0x81000ul
#define CONSOLE 0x82000ul
#define CODE_32 0xc9b
#define DATA_32 0xc93
#define TSS_32 0x8b
#define CR0_PROTECTED 0x11

struct records {
    struct hvm_save_descriptor header_at;
    struct hvm_save_header header;
    struct hvm_save_descriptor cpu_at;
    struct hvm_hw_cpu cpu;
    struct hvm_save_descriptor end_at;
};

static void fill_start_info(const struct child *c)
{
    struct hvm_start_info *s = child_view(PFN(START_INFO));

    memset(s, 0, sizeof(*s));
    s->magic = XEN_HVM_START_MAGIC_VALUE;
    s->version = 1;
    s->cmdline_paddr = LINE;
    memcpy(child_view(PFN(LINE)), c->line, strlen(c->line) + 1);
}

static void fill_cpu(struct hvm_hw_cpu *cpu, uint64_t entry)
{
    cpu->cs_arbytes = CODE_32;
    cpu->ds_arbytes = cpu->es_arbytes = cpu->ss_arbytes = DATA_32;
    cpu->fs_arbytes = cpu->gs_arbytes = DATA_32;
    cpu->cs_limit = cpu->ds_limit = cpu->es_limit = cpu->ss_limit = ~0u;
    cpu->fs_limit = cpu->gs_limit = ~0u;
    cpu->tr_arbytes = TSS_32;
    cpu->tr_limit = 0x67;
    cpu->cr0 = CR0_PROTECTED;
    cpu->dr6 = 0xffff0ff0;
    cpu->dr7 = 0x400;
    cpu->rflags = 2;
    cpu->rbx = START_INFO;
    cpu->rip = entry;
}

static void set_context(const struct child *c, uint64_t entry)
{
    static struct records r;
    struct xen_domctl op = { 0 };

    memset(&r, 0, sizeof(r));
    r.header_at.typecode = HVM_SAVE_CODE(HEADER);
    r.header_at.length = sizeof(r.header);
    r.header.magic = HVM_FILE_MAGIC;
    r.header.version = HVM_FILE_VERSION;
    r.cpu_at.typecode = HVM_SAVE_CODE(CPU);
    r.cpu_at.length = sizeof(r.cpu);
    fill_cpu(&r.cpu, entry);
    r.end_at.typecode = HVM_SAVE_CODE(END);
    op.u.hvmcontext.size = sizeof(r);
    set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t *)&r);
    child_must("records", child_domctl(c, XEN_DOMCTL_sethvmcontext, &op));
}

static void set_param(const struct child *c, uint32_t index, uint64_t value)
{
    struct xen_hvm_param p = { .domid = c->id, .index = index,
                               .value = value };

    child_must("param", hvm_op(HVMOP_set_param, &p));
}

void child_build_pvh(struct child *c)
{
    struct child_image image = child_load(c);
    struct xen_domctl op = { 0 };

    c->console = child_view(PFN(CONSOLE));
    set_param(c, HVM_PARAM_CONSOLE_PFN, PFN(CONSOLE));
    set_param(c, HVM_PARAM_CONSOLE_EVTCHN, child_port(c));
    fill_start_info(c);
    set_context(c, image.pvh_entry);
    child_must("unpause", child_domctl(c, XEN_DOMCTL_unpausedomain, &op));
}
