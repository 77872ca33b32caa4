/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the loader (Multiboot 1, 32-bit, paging off) or from the real-mode
 * trampoline (other CPUs) into C in 64-bit mode.
 * 1. boot_l4 maps the first 4 GiB at 0, at DIRECT_BASE and the first GiB
 *    at IMAGE_BASE; it lives until mmu_init().
 */
#include "layout.h"

#define PHYS(symbol) (symbol - IMAGE_BASE)
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3

        .section .multiboot, "ax"
        .balign 4
        .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS
        .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

        .text
        .code32
        .globl start32
start32:
        cli
        cld
        cmp $0x2badb002, %eax
        jne not_loaded
        mov %ebx, %esi
        mov $0x80000001, %eax
        cpuid
        bt $29, %edx
        jnc no_long_mode
        mov $PHYS(boot_l4), %eax
        mov $PHYS(enter_bsp), %ebp

/* ebp: physical address to go to in 64-bit mode, eax: cr3; keeps esi. */
go_long:
        mov %eax, %cr3
        mov %cr4, %eax
        or $0x6a0, %eax         /* PAE, PGE, OSFXSR, OSXMMEXCPT */
        mov %eax, %cr4
        mov $0xc0000080, %ecx
        rdmsr
        or $0x900, %eax         /* LME, NXE */
        wrmsr
        mov $0x80010033, %eax   /* PG, WP, NE, ET, MP, PE */
        mov %eax, %cr0
        lgdt PHYS(boot_gdt_pointer)
        mov $SELECTOR_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        ljmp $SELECTOR_CODE, $PHYS(go_high)

not_loaded:
no_long_mode:
        mov $PHYS(no_long_mode_text), %esi
        mov $0x3f8, %edx
1:      lodsb
        test %al, %al
        jz 2f
        out %al, %dx
        jmp 1b
2:      hlt
        jmp 2b

        .code64
go_high:
        mov $(IMAGE_BASE), %rax
        mov %ebp, %ebp
        add %rbp, %rax
        jmp *%rax

enter_bsp:
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        lgdt boot_gdt_pointer_high
        mov $boot_stack_top, %rsp
        mov %esi, %edi
        xor %ebp, %ebp
        call start_bsp
        ud2

enter_ap:
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        lgdt boot_gdt_pointer_high
        mov ap_stack, %rsp
        xor %ebp, %ebp
        mov ap_cr3, %rax
        mov %rax, %cr3
        call start_ap
        ud2

/* Copied to TRAMPOLINE_BASE; a started CPU is in real mode, cs = base >> 4. */
        .section .rodata
        .globl trampoline_start, trampoline_end
        .code16
trampoline_start:
        cli
        cld
        xor %ax, %ax
        mov %ax, %ds
        lgdtl TRAMPOLINE_BASE + (trampoline_gdt_pointer - trampoline_start)
        mov $1, %eax
        mov %eax, %cr0
        ljmpl $0x18, $TRAMPOLINE_BASE + (trampoline32 - trampoline_start)
        .code32
trampoline32:
        mov $SELECTOR_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $PHYS(enter_ap), %ebp
        mov $PHYS(boot_l4), %eax
        mov $PHYS(go_long), %edx
        jmp *%edx
        .balign 8
trampoline_gdt:
        .quad 0
        .quad 0x00af9b000000ffff
        .quad 0x00cf93000000ffff
        .quad 0x00cf9b000000ffff
trampoline_gdt_pointer:
        .word . - trampoline_gdt - 1
        .long TRAMPOLINE_BASE + (trampoline_gdt - trampoline_start)
trampoline_end:

no_long_mode_text:
        .asciz "Gantry needs a 64-bit x86 CPU and a Multiboot 1 loader.\r\n"

        .data
        .balign 8
boot_gdt:
        .quad 0
        .quad 0x00af9b000000ffff        /* 64-bit code */
        .quad 0x00cf93000000ffff        /* data */
boot_gdt_end:
        .word 0, 0, 0
boot_gdt_pointer:
        .word boot_gdt_end - boot_gdt - 1
        .long PHYS(boot_gdt)
        .balign 8
        .word 0, 0, 0
boot_gdt_pointer_high:
        .word boot_gdt_end - boot_gdt - 1
        .quad boot_gdt

        .balign 4096
        .globl boot_l4
boot_l4:
        .quad PHYS(boot_l3) + 3
        .fill 255, 8, 0
        .quad PHYS(boot_l3) + 3
        .fill 254, 8, 0
        .quad PHYS(boot_l3_image) + 3
boot_l3:
        .quad PHYS(boot_l2) + 3
        .quad PHYS(boot_l2) + 0x1003
        .quad PHYS(boot_l2) + 0x2003
        .quad PHYS(boot_l2) + 0x3003
        .fill 508, 8, 0
boot_l3_image:
        .fill 510, 8, 0
        .quad PHYS(boot_l2) + 3
        .quad 0
boot_l2:
        .set page, 0x83
        .rept 2048
        .quad page
        .set page, page + 0x200000
        .endr

        .bss
        .balign 16
boot_stack:
        .skip CPU_STACK_SIZE
boot_stack_top:
        .globl ap_stack, ap_cr3
        .balign 8
ap_stack:
        .quad 0
ap_cr3:
        .quad 0
        .section .note.GNU-stack, "", @progbits
