/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Xen ABI, from libxen-dev's public headers.  All of hv/ includes it
 * through this file, so that the interface version is chosen once.
 */
#ifndef CORE_XEN_ABI_H
#define CORE_XEN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#define __XEN_INTERFACE_VERSION__ 0x00041100

#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#endif
