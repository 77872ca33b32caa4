# SPDX-License-Identifier: GPL-2.0-only
# The hypervisor: hv/gantry.elf is the 64-bit image with symbols,
# hv/gantry the same as a 32-bit ELF, which Multiboot loaders want.
# Sources are listed by file, one a line, sorted: add yours to its list.

hv_lib_sources = \
	hv/lib/bitmap.c \
	hv/lib/elf.c \
	hv/lib/printf.c \
	hv/lib/spinlock.c

# A host build has libc's.
hv_lib_freestanding_sources = \
	hv/lib/string.c

hv_core_sources = \
	hv/core/console.c \
	hv/core/console_op.c \
	hv/core/cpu_policy.c \
	hv/core/domain.c \
	hv/core/domain_reset.c \
	hv/core/domain_shutdown.c \
	hv/core/domctl.c \
	hv/core/domctl_policy.c \
	hv/core/domctl_vcpu.c \
	hv/core/evtchn.c \
	hv/core/evtchn_2l.c \
	hv/core/evtchn_bind.c \
	hv/core/evtchn_fifo.c \
	hv/core/evtchn_op.c \
	hv/core/frame.c \
	hv/core/grant.c \
	hv/core/grant_copy.c \
	hv/core/grant_map.c \
	hv/core/grant_op.c \
	hv/core/hvm_op.c \
	hv/core/hypercall.c \
	hv/core/kmem.c \
	hv/core/main.c \
	hv/core/mca_op.c \
	hv/core/p2m.c \
	hv/core/page_alloc.c \
	hv/core/perfc.c \
	hv/core/physdev_op.c \
	hv/core/physmap.c \
	hv/core/physmap_op.c \
	hv/core/pv_op.c \
	hv/core/platform_op.c \
	hv/core/radix.c \
	hv/core/sched.c \
	hv/core/sched_op.c \
	hv/core/sysctl.c \
	hv/core/timer.c \
	hv/core/vcpu.c \
	hv/core/vcpu_op.c \
	hv/core/version_op.c \
	hv/core/vm_assist.c \
	hv/core/wallclock.c \
	hv/core/window.c \
	hv/core/xsm.c

hv_arch_sources = \
	hv/arch/x86/acpi.c \
	hv/arch/x86/apic.c \
	hv/arch/x86/boot/head.S \
	hv/arch/x86/boot/memory.c \
	hv/arch/x86/boot/multiboot.c \
	hv/arch/x86/boot/options.c \
	hv/arch/x86/boot/start.c \
	hv/arch/x86/cpu.c \
	hv/arch/x86/e820.c \
	hv/arch/x86/entry.S \
	hv/arch/x86/guest_copy.c \
	hv/arch/x86/hvm/context.c \
	hv/arch/x86/hvm/cpu_record.c \
	hv/arch/x86/hvm/cpuid.c \
	hv/arch/x86/hvm/dom0_acpi.c \
	hv/arch/x86/hvm/exit.c \
	hv/arch/x86/hvm/mmio.c \
	hv/arch/x86/hvm/mmio_decode.c \
	hv/arch/x86/hvm/msr.c \
	hv/arch/x86/hvm/pv.c \
	hv/arch/x86/hvm/pv_check.c \
	hv/arch/x86/hvm/pv_context.c \
	hv/arch/x86/hvm/pv_image.S \
	hv/arch/x86/hvm/pv_memory.c \
	hv/arch/x86/hvm/pvh_dom0.c \
	hv/arch/x86/hvm/save.c \
	hv/arch/x86/hvm/vcpu.c \
	hv/arch/x86/hvm/vcpu_context.c \
	hv/arch/x86/hvm/vioapic.c \
	hv/arch/x86/hvm/vlapic.c \
	hv/arch/x86/hvm/vpci.c \
	hv/arch/x86/hvm/vpci_caps.c \
	hv/arch/x86/hvm/xstate.c \
	hv/arch/x86/ioapic.c \
	hv/arch/x86/irq.c \
	hv/arch/x86/loop.c \
	hv/arch/x86/machine.c \
	hv/arch/x86/mmu.c \
	hv/arch/x86/nmi.c \
	hv/arch/x86/pci.c \
	hv/arch/x86/smp.c \
	hv/arch/x86/svm/entry.S \
	hv/arch/x86/svm/exit.c \
	hv/arch/x86/svm/fpu.c \
	hv/arch/x86/svm/inject.c \
	hv/arch/x86/svm/npt.c \
	hv/arch/x86/svm/predictor.c \
	hv/arch/x86/svm/state.c \
	hv/arch/x86/svm/svm.c \
	hv/arch/x86/time.c \
	hv/arch/x86/trap.c \
	hv/arch/x86/uart.c

# Headers of the Xen ABI and of the compiler, nothing else of the host's.
XEN_INCLUDE_DIR = /usr/include/xen
hv/abi/xen:
	$(AM_V_GEN)$(MKDIR_P) hv/abi && rm -f $@ && \
	ln -s $(XEN_INCLUDE_DIR) $@
BUILT_SOURCES += hv/abi/xen
CLEANFILES += hv/abi/xen

hv_cppflags = -DGANTRY_VERSION='"$(PACKAGE_VERSION)"' -nostdinc -isystem `$(CC) -print-file-name=include` \
	-idirafter hv/abi -I$(top_srcdir)/hv -I$(top_srcdir)/hv/arch/x86
HV_DEBUG_CPPFLAGS = -DHV_DEBUG
hv_cflags = $(WARN_CFLAGS) -std=gnu11 -O2 $(HV_LTO) -g -ffreestanding -fno-pic \
	-mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-strict-aliasing -fno-common \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-fcf-protection=none

noinst_PROGRAMS += hv/gantry.elf
hv_gantry_elf_SOURCES = $(hv_lib_sources) $(hv_lib_freestanding_sources) \
	$(hv_core_sources) $(hv_arch_sources)
hv_gantry_elf_CPPFLAGS = $(hv_cppflags) $(HV_DEBUG_CPPFLAGS)
hv_gantry_elf_CFLAGS = $(hv_cflags)
hv_gantry_elf_CCASFLAGS = -g -fno-pic
hv_gantry_elf_LDFLAGS = -nostdlib -static \
	-Wl,-T,$(srcdir)/hv/arch/x86/gantry.lds -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments
EXTRA_hv_gantry_elf_DEPENDENCIES = $(srcdir)/hv/arch/x86/gantry.lds
EXTRA_DIST += hv/arch/x86/gantry.lds

# The PV personality: position-fixed by its own script, part of the image.
pvkern_sources = \
	hv/arch/x86/pvkern/boot.c \
	hv/arch/x86/pvkern/bounce.c \
	hv/arch/x86/pvkern/decode.c \
	hv/arch/x86/pvkern/descriptor.c \
	hv/arch/x86/pvkern/entry.S \
	hv/arch/x86/pvkern/grant.c \
	hv/arch/x86/pvkern/hypercall.c \
	hv/arch/x86/pvkern/mmu.c \
	hv/arch/x86/pvkern/msr.c \
	hv/arch/x86/pvkern/port.c \
	hv/arch/x86/pvkern/privileged.c \
	hv/arch/x86/pvkern/segment.c \
	hv/arch/x86/pvkern/table.c \
	hv/arch/x86/pvkern/trap.c

noinst_PROGRAMS += hv/pvkern.elf
hv_pvkern_elf_SOURCES = $(pvkern_sources) $(hv_lib_freestanding_sources)
hv_pvkern_elf_CPPFLAGS = $(hv_cppflags)
hv_pvkern_elf_CFLAGS = $(WARN_CFLAGS) -std=gnu11 -O2 $(HV_LTO) -g \
	-ffreestanding \
	-fpie -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-strict-aliasing -fno-common \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-fno-jump-tables -fcf-protection=none
hv_pvkern_elf_CCASFLAGS = -g -fno-pic
hv_pvkern_elf_LDFLAGS = -nostdlib -static \
	-Wl,-T,$(srcdir)/hv/arch/x86/pvkern/pvkern.lds -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments
EXTRA_hv_pvkern_elf_DEPENDENCIES = \
	$(srcdir)/hv/arch/x86/pvkern/pvkern.lds
EXTRA_DIST += hv/arch/x86/pvkern/pvkern.lds

hv/pvkern.bin: hv/pvkern.elf
	$(AM_V_GEN)$(OBJCOPY) -O binary hv/pvkern.elf $@.tmp && mv $@.tmp $@
CLEANFILES += hv/pvkern.bin
hv/arch/x86/hvm/gantry_elf-pv_image.$(OBJEXT): hv/pvkern.bin

# BUILT_SOURCES come first for `make all' and `make check' only.
$(hv_gantry_elf_OBJECTS) $(hv_pvkern_elf_OBJECTS): | hv/abi/xen

hv/gantry: hv/gantry.elf
	$(AM_V_GEN)$(OBJCOPY) --strip-debug -O elf32-i386 hv/gantry.elf $@.tmp \
	&& mv $@.tmp $@
all_local += hv/gantry
hvimagedir = $(pkglibdir)
hvimage_DATA = hv/gantry
CLEANFILES += hv/gantry
