/* SPDX-License-Identifier: GPL-2.0-only */
/* See core_check.h.  The first thing that is wrong is what it says. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn_table.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/vcpu.h"
#include "core_check.h"

#define FRAMES_MAX 65536u
#define DOMAINS_MAX 32u
#define IDS 16u                     /* whose largest account is kept */
#define ENTRIES 512u
#define LEVELS 4u

static struct domain *domains[DOMAINS_MAX];
static unsigned int domain_count;
static const struct frame *records[FRAMES_MAX];
static uint64_t frames;
static uint32_t uses[FRAMES_MAX];
static uint64_t owned[DOMAINS_MAX];
static uint64_t most_pages[IDS];    /* a limit may be set below an account */
static char report[160];

static void __attribute__((format(printf, 1, 2))) broken(const char *format,
                                                         ...)
{
    va_list args;

    if (report[0] != '\0') {
        return;
    }
    va_start(args, format);
    vsnprintf(report, sizeof(report), format, args);
    va_end(args);
}

static void list_domains(void)
{
    struct domain *d;

    domain_count = 0;
    for (domid_t id = 0; (d = domain_get_next(id)) != NULL; id++) {
        id = d->id;
        if (domain_count == DOMAINS_MAX) {
            broken("more than %u domains", DOMAINS_MAX);
        } else {
            domains[domain_count++] = d;
        }
        domain_put(d);
    }
}

/*
 * Its index, or -1: it is gone.  One that was taken down is listed no more,
 * but there is what others have mapped of it until they give it back.
 */
static int index_of(struct domain *d)
{
    for (unsigned int i = 0; i < domain_count; i++) {
        if (domains[i] == d) {
            return (int)i;
        }
    }
    if (d->state != DOMAIN_DEAD || d->refs == 0
        || domain_count == DOMAINS_MAX) {
        return -1;
    }
    domains[domain_count] = d;
    return (int)domain_count++;
}

static void used(const struct frame *f)
{
    if (f != NULL) {
        uses[frame_mfn(f).v]++;
    }
}

/* ---- memory ---- */

static void check_ram(const struct domain *d, uint64_t g, mfn_t m)
{
    const struct frame *f = frame_of(m);

    if (f == NULL || f->owner != d || !(f->flags & FRAME_ALLOCATED)) {
        broken("d%u: gfn %lx has frame %lx, which is not its RAM", d->id, g,
               m.v);
    } else if (f->gfn != g) {
        broken("d%u: frame %lx is at gfn %lx and at %lx", d->id, m.v, g,
               f->gfn);
    }
}

static void check_leaf(const struct domain *d, uint64_t g, mfn_t m,
                       unsigned int type)
{
    switch (type) {
    case P2M_RAM_RW:
    case P2M_RAM_RO:
        check_ram(d, g, m);
        break;
    case P2M_FOREIGN:
    case P2M_FOREIGN_RO:
    case P2M_GRANT_RW:
    case P2M_GRANT_RO:
        used(frame_of(m));
        break;
    default:
        break;
    }
}

static void walk(const struct domain *d, mfn_t table, unsigned int level,
                 uint64_t g)
{
    const uint64_t *entry = arch_frame_map(table);
    uint64_t span = 1ul << 9 * (level - 1);

    for (unsigned int i = 0; i < ENTRIES; i++, g += span) {
        mfn_t m;

        if (entry[i] == 0 || !arch_p2m_is_present(entry[i])) {
            continue;
        }
        m = arch_p2m_mfn(entry[i]);
        if (level > 1 && !arch_p2m_is_leaf(entry[i], level)) {
            walk(d, m, level - 1, g);
            continue;
        }
        for (uint64_t j = 0; j < span; j++) {
            check_leaf(d, g + j, mfn(m.v + j), arch_p2m_type(entry[i]));
        }
    }
}

static void count_frames(void)
{
    for (uint64_t m = 0; m < frames; m++) {
        const struct frame *f = records[m];
        int i;

        if (f == NULL) {
            continue;
        }
        if (f->refs != uses[m]) {
            broken("frame %lx has %u references and %u uses (flags %x)", m,
                   f->refs, uses[m], f->flags);
        }
        /* Those of the core go with a domain that nobody can name any more. */
        if (f->owner == NULL || f->refs == 0 || (f->flags & FRAME_CORE)) {
            continue;
        }
        i = index_of(f->owner);
        if (i < 0) {
            broken("frame %lx is owned by a domain that is gone", m);
        } else {
            owned[i]++;
        }
    }
}

static void check_account(const struct domain *d, uint64_t pages)
{
    uint64_t *most = &most_pages[d->id % IDS];

    if (d->tot_pages != pages) {
        broken("d%u: %lu pages are accounted, %lu are there", d->id,
               d->tot_pages, pages);
    }
    if (pages > d->max_pages && pages > *most) {
        broken("d%u: %lu pages, more than %lu", d->id, pages, d->max_pages);
    }
    *most = pages;
}

/* ---- grants ---- */

static struct active *active_of(const struct grant_table *t, uint32_t ref)
{
    return &t->active[ref / GRANT_REFS_PER_FRAME]
                     [ref % GRANT_REFS_PER_FRAME];
}

static struct grant_mapping *mapping_of(const struct grant_table *t,
                                        uint32_t handle)
{
    return &t->track[handle / GRANT_HANDLES_PER_FRAME]
                    [handle % GRANT_HANDLES_PER_FRAME];
}

/* How many mappings of the entry there are, by all. */
static void count_mappings(const struct domain *owner, uint32_t ref,
                           uint32_t *readers, uint32_t *writers)
{
    *readers = *writers = 0;
    for (unsigned int i = 0; i < domain_count; i++) {
        const struct grant_table *t = domains[i]->grant;

        for (uint32_t h = 0; t != NULL
             && h < t->track_count * GRANT_HANDLES_PER_FRAME; h++) {
            const struct grant_mapping *m = mapping_of(t, h);

            if (m->owner == owner && m->ref == ref) {
                *(m->is_writable ? writers : readers) += 1;
            }
        }
    }
}

static void check_active(const struct domain *d, uint32_t ref)
{
    const struct active *act = active_of(d->grant, ref);
    uint32_t readers, writers;

    if ((act->readers + act->writers > 0) != (act->frame != NULL)) {
        broken("d%u: grant %u has %u and %u pins, frame %p", d->id, ref,
               act->readers, act->writers, (void *)act->frame);
        return;
    }
    if (act->frame == NULL) {
        return;
    }
    used(act->frame);
    count_mappings(d, ref, &readers, &writers);
    if (readers != act->readers || writers != act->writers) {
        broken("d%u: grant %u has %u and %u pins, %u and %u mappings", d->id,
               ref, act->readers, act->writers, readers, writers);
    }
}

static void check_mapping(const struct domain *d, uint32_t handle)
{
    const struct grant_mapping *m = mapping_of(d->grant, handle);

    if (m->owner == NULL) {
        return;
    }
    if (index_of(m->owner) < 0) {
        broken("d%u: handle %u maps of a domain that is gone", d->id, handle);
    } else if (m->is_unmapping) {
        broken("d%u: handle %u is being unmapped by nobody", d->id, handle);
    } else if (active_of(m->owner->grant, m->ref)->frame == NULL) {
        broken("d%u: handle %u maps grant %u of d%u, which nobody uses",
               d->id, handle, m->ref, m->owner->id);
    }
}

static void check_grants(const struct domain *d)
{
    const struct grant_table *t = d->grant;

    if (t == NULL) {
        return;
    }
    if (t->frame_count > t->max_frames || t->track_count > t->max_track) {
        broken("d%u: %u grant frames of %u, %u handle frames of %u", d->id,
               t->frame_count, t->max_frames, t->track_count, t->max_track);
        return;
    }
    for (uint32_t i = 0; i < t->frame_count * GRANT_REFS_PER_FRAME; i++) {
        check_active(d, i);
    }
    for (uint32_t i = 0; i < t->track_count * GRANT_HANDLES_PER_FRAME; i++) {
        check_mapping(d, i);
    }
}

/* ---- event channels ---- */

static void check_remote(struct domain *d, const struct evtchn *ch)
{
    const struct evtchn *other;

    if (index_of(ch->remote.d) < 0) {
        broken("d%u: port %u is bound to a domain that is gone", d->id,
               ch->port);
        return;
    }
    other = evtchn_find(ch->remote.d, ch->remote.port);
    if (other == NULL || other->state != PORT_INTERDOMAIN
        || other->remote.d != d || other->remote.port != ch->port) {
        broken("d%u: port %u is bound to d%u's %u, which is not to it",
               d->id, ch->port, ch->remote.d->id, ch->remote.port);
    }
}

static void check_port(struct domain *d, const struct evtchn *ch)
{
    const struct vcpu *v;

    switch (ch->state) {
    case PORT_INTERDOMAIN:
        check_remote(d, ch);
        break;
    case PORT_VIRQ:
        v = evtchn_virq_owner(d, ch);
        if (v == NULL || ch->virq >= NR_VIRQS
            || v->evtchn->virq_port[ch->virq] != ch->port) {
            broken("d%u: port %u is no vcpu's interrupt %u", d->id, ch->port,
                   ch->virq);
        }
        break;
    case PORT_IPI:
        if (evtchn_vcpu_of(d, ch->notify_vcpu) == NULL) {
            broken("d%u: port %u tells vcpu %u", d->id, ch->port,
                   ch->notify_vcpu);
        }
        break;
    default:
        break;
    }
}

static void check_ports(struct domain *d)
{
    const struct evtchn_table *t = d->evtchn;
    uint32_t open = 0;

    if (t == NULL) {
        return;
    }
    for (uint32_t port = 0; port < t->valid_ports; port++) {
        const struct evtchn *ch = evtchn_find(d, port);

        if (ch->state != PORT_FREE && ch->state != PORT_RESERVED) {
            open++;
            check_port(d, ch);
            if (port > t->max_port) {
                broken("d%u: port %u is above %u", d->id, port, t->max_port);
            }
        }
    }
    if (open != t->open_ports) {
        broken("d%u: %u ports are open, not %u", d->id, open, t->open_ports);
    }
    for (unsigned int i = 0; t->fifo != NULL && i < t->fifo->page_count;
         i++) {
        used(t->fifo->frame[i]);
    }
}

static void check_vcpu(struct domain *d, const struct vcpu *v)
{
    used(v->info_frame);
    used(v->evtchn->control_frame);
    for (uint32_t i = 0; i < NR_VIRQS; i++) {
        uint32_t port = v->evtchn->virq_port[i];
        const struct evtchn *ch = port == 0 ? NULL : evtchn_find(d, port);

        if (port != 0 && (ch == NULL || ch->state != PORT_VIRQ
                          || ch->virq != i)) {
            broken("d%uv%u: interrupt %u has port %u, which is not its",
                   d->id, v->id, i, port);
        }
    }
}

/* ---- */

void core_check_start(void)
{
    memset(most_pages, 0, sizeof(most_pages));
    frames = arch_max_mfn() < FRAMES_MAX ? arch_max_mfn() : FRAMES_MAX;
    for (uint64_t m = 0; m < frames; m++) {
        records[m] = frame_of(mfn(m));
    }
}

static void check_domain(struct domain *d)
{
    if (d->p2m != NULL) {
        walk(d, p2m_root(d), LEVELS, 0);
    }
    check_grants(d);
    check_ports(d);
    for (unsigned int i = 0; d->vcpu != NULL && i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL) {
            check_vcpu(d, d->vcpu[i]);
        }
    }
}

const char *core_check(void)
{
    report[0] = '\0';
    memset(owned, 0, sizeof(owned));
    list_domains();
    for (uint64_t m = 0; m < frames; m++) {
        const struct frame *f = records[m];

        uses[m] = f != NULL && (f->flags & FRAME_ALLOCATED) ? 1 : 0;
    }
    for (unsigned int i = 0; i < domain_count; i++) {
        check_domain(domains[i]);   /* which may find more of them */
    }
    count_frames();
    for (unsigned int i = 0; i < domain_count; i++) {
        check_account(domains[i], owned[i]);
    }
    return report[0] == '\0' ? NULL : report;
}
