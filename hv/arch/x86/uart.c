/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 16550 at COM1 (0x3f8, IRQ 4), polled for output,
 * by interrupt for input. Talks to ioapic.c, irq.c, core/console.
 * 1. Output waits for room at most WAIT_LIMIT reads: a dead UART costs
 *    time, never the machine.
 */
#include "acpi.h"
#include "apic.h"
#include "core/console.h"
#include "insn.h"
#include "ioapic.h"
#include "irq.h"
#include "lib/atomic.h"
#include "uart.h"

#define COM1 0x3f8
#define COM1_IRQ 4
#define REG_DATA 0
#define REG_INTERRUPTS 1
#define REG_FIFO 2
#define REG_LINE 3
#define REG_MODEM 4
#define REG_STATUS 5
#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define STATUS_DATA 0x01
#define STATUS_ROOM 0x20
#define FIFO_SIZE 16
#define WAIT_LIMIT 1000000
#define RECEIVE_LIMIT 256

static bool is_used;

void uart_init(uint32_t baud)
{
    uint16_t divisor = (uint16_t)(115200 / baud);

    outb(COM1 + REG_LINE, LINE_DIVISOR | LINE_8N1);
    outb(COM1 + REG_DATA, (uint8_t)divisor);
    outb(COM1 + REG_INTERRUPTS, (uint8_t)(divisor >> 8));
    outb(COM1 + REG_LINE, LINE_8N1);
    outb(COM1 + REG_FIFO, 0x07);
    outb(COM1 + REG_MODEM, 0x0b);
    outb(COM1 + REG_INTERRUPTS, 0x01);
    is_used = true;
}

bool uart_is_used(void)
{
    return is_used;
}

static void wait_for_room(void)
{
    for (int i = 0; i < WAIT_LIMIT; i++) {
        if (inb(COM1 + REG_STATUS) & STATUS_ROOM) {
            return;
        }
        cpu_relax();
    }
}

void arch_console_write(const char *text, size_t size)
{
    unsigned int room = 0;

    if (!is_used) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            wait_for_room();
            outb(COM1 + REG_DATA, '\r');
            room = FIFO_SIZE - 1;
        }
        if (room == 0) {
            wait_for_room();
            room = FIFO_SIZE;
        }
        outb(COM1 + REG_DATA, (uint8_t)text[i]);
        room--;
    }
}

/* The FIFO is emptied, so that its next byte makes a new edge. */
static void receive(void *arg)
{
    (void)arg;
    for (int i = 0; i < RECEIVE_LIMIT; i++) {
        if (!(inb(COM1 + REG_STATUS) & STATUS_DATA)) {
            break;
        }
        console_input((char)inb(COM1 + REG_DATA));
    }
}

static uint32_t com1_gsi(void)
{
    for (unsigned int i = 0; i < acpi_facts.override_count; i++) {
        if (acpi_facts.override[i].source == COM1_IRQ) {
            return acpi_facts.override[i].gsi;
        }
    }
    return COM1_IRQ;
}

void uart_start_input(void)
{
    static const struct irq_action action = { receive, NULL };
    uint32_t gsi = com1_gsi();
    int vector;

    if (!is_used) {
        return;
    }
    vector = irq_alloc_vector(&action);
    if (vector < 0 || ioapic_route(gsi, (uint8_t)vector, apic_id(), false,
                                   false) != 0) {
        console_log(LOG_WARNING, "no interrupt for COM1: no console input");
        return;
    }
    ioapic_mask(gsi, false);
    receive(NULL);
}
