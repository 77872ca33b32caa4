/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_xen_version: who we are, in the words of the ABI that we speak,
 * Xen 4.17.  What a guest may read of it is xsm_version()'s business; what
 * it may not reads "<denied>".
 *
 *  1. Every answer is written from a zeroed object: no stack is shown.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define ABI_MAJOR 4u
#define ABI_MINOR 17u
#define DENIED "<denied>"

/* HYPERVISOR_VIRT_START of the ABI: the hole that guests leave to us. */
#define VIRT_START 0xffff800000000000ul

static const xen_extraversion_t extra_version = ".5-gantry";
static const xen_changeset_info_t change_set = "gantry";
static const xen_capabilities_info_t capabilities =
    "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";
static const xen_capabilities_info_t denied_text = DENIED;

/* Writes 'size' bytes: 'text', cut if it must be, and zeros. */
static long write_text(struct guest_ptr arg, const char *text, size_t size)
{
    char piece[128];
    size_t at, length = min(strlen(text), size - 1);

    for (at = 0; at < size; at += sizeof(piece)) {
        size_t count = min(size - at, sizeof(piece));

        memset(piece, 0, count);
        if (at < length) {
            memcpy(piece, text + at, min(length - at, count));
        }
        if (guest_write(guest_ptr_add(arg, at), piece, count) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}

/* The build is reproducible: it has neither a host nor a date. */
static const struct xen_compile_info compile_info = {
    .compiler = "cc " __VERSION__,
    .compile_by = "gantry",
};

static const struct xen_compile_info denied_info = {
    .compiler = DENIED,
    .compile_by = DENIED,
    .compile_domain = DENIED,
    .compile_date = DENIED,
};

static const struct xen_platform_parameters platform_parameters = {
    .virt_start = VIRT_START,
};

size_t version_constant(struct domain *d, unsigned int cmd, const void **data)
{
    bool denied = xsm_version(d, cmd) != 0;

    switch (cmd) {
    case XENVER_extraversion:
        *data = denied ? denied_text : extra_version;
        return sizeof(extra_version);
    case XENVER_compile_info:
        *data = denied ? &denied_info : &compile_info;
        return sizeof(compile_info);
    case XENVER_capabilities:
        *data = denied ? denied_text : capabilities;
        return sizeof(capabilities);
    case XENVER_changeset:
        *data = denied ? denied_text : change_set;
        return sizeof(change_set);
    case XENVER_platform_parameters:
        *data = &platform_parameters;
        return sizeof(platform_parameters);
    default:
        return 0;
    }
}

uint32_t version_features(const struct domain *d)
{
    uint32_t map = 1u << XENFEAT_memory_op_vnode_supported;

    if (d->is_pv) {
        if (READ_ONCE(d->vm_assist) >> VMASST_TYPE_pae_extended_cr3 & 1) {
            map |= 1u << XENFEAT_pae_pgdir_above_4gb;
        }
        return map | 1u << XENFEAT_mmu_pt_update_preserve_ad |
               1u << XENFEAT_highmem_assist |
               1u << XENFEAT_gnttab_map_avail_bits |
               1u << XENFEAT_direct_mapped;
    }
    map |= 1u << XENFEAT_writable_page_tables |
           1u << XENFEAT_auto_translated_physmap |
           1u << XENFEAT_hvm_callback_vector |
           1u << XENFEAT_hvm_safe_pvclock;
    map |= d->is_direct_mapped ? 1u << XENFEAT_direct_mapped
                               : 1u << XENFEAT_not_direct_mapped;
    if (d->is_privileged) {
        map |= 1u << XENFEAT_dom0;
    }
    return map;
}

static long get_features(struct domain *d, struct guest_ptr arg)
{
    struct xen_feature_info info;

    if (guest_read(&info, arg, sizeof(info)) != 0) {
        return -EFAULT;
    }
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS) {
        return -EINVAL;
    }
    info.submap = version_features(d);
    return guest_write(arg, &info, sizeof(info));
}

static long get_handle(struct domain *d, struct guest_ptr arg, bool denied)
{
    xen_domain_handle_t handle;

    memset(handle, 0, sizeof(handle));
    if (!denied) {
        spin_lock(&d->lock);
        memcpy(handle, d->handle, sizeof(handle));
        spin_unlock(&d->lock);
    }
    return guest_write(arg, handle, sizeof(handle));
}

long version_op(unsigned int cmd, struct guest_ptr arg)
{
    struct domain *d = vcpu_current()->domain;
    bool denied = xsm_version(d, cmd) != 0;
    const void *data;
    size_t size = version_constant(d, cmd, &data);

    if (size != 0) {
        return guest_write(arg, data, size);
    }
    switch (cmd) {
    case XENVER_version:
        return ABI_MAJOR << 16 | ABI_MINOR;
    case XENVER_get_features:
        return get_features(d, arg);
    case XENVER_pagesize:
        if (denied) {
            return 0;
        }
        return guest_ptr_is_null(arg) ? (long)PAGE_SIZE : -EINVAL;
    case XENVER_guest_handle:
        return get_handle(d, arg, denied);
    case XENVER_commandline:
        return write_text(arg, denied ? DENIED : arch_command_line(),
                          sizeof(xen_commandline_t));
    case XENVER_build_id:
        return denied ? -EPERM : -ENODATA;
    default:
        return -ENOSYS;
    }
}
