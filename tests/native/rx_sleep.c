/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Do rx interrupts lose a wakeup?  A port of net_xenfront and one of
 * net_xenvif, connected to each other; one thread sends packets at random
 * times, the other sleeps in rte_epoll_wait() whenever its port is empty.
 * Then the same the other way round.
 *
 * usage: rx_sleep EAL-ARGUMENTS -- ROUNDS [SEED]
 *        rx_sleep EAL-ARGUMENTS -- forward
 *
 * The sleeper asks for the interrupt and goes to sleep without another look:
 * the driver alone has to see what came in between.  A sleeper that is not
 * woken stays asleep for good, for nobody looks at its ring again.  Exit
 * status 0 when both ways came through ROUNDS sleeps with every packet in
 * order.
 *
 * "forward" joins any two ports until SIGTERM, asleep while both are empty:
 * what it finds after LOST_MS of sleep had not woken it, and is a failure.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_epoll.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#define SIZE 64u
#define LOST_MS 20000           /* a wakeup that takes so long is lost */
#define BURST 32u

static struct rte_mempool *pool;
static atomic_bool stop;
static atomic_uint sent;        /* packets of this direction */
static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, rte_strerror(rte_errno));
    exit(1);
}

static void start_port(uint16_t port)
{
    const struct rte_eth_conf conf = { .intr_conf = { .rxq = 1 } };

    if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(port, 0, 256, 0, NULL, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, 256, 0, NULL) != 0 ||
        rte_eth_dev_start(port) != 0) {
        die("a port does not start");
    }
}

static bool wait_link(uint16_t port)
{
    struct rte_eth_link link;

    for (int i = 0; i < 3000; i++) {
        if (rte_eth_link_get_nowait(port, &link) == 0 &&
            link.link_status == RTE_ETH_LINK_UP) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

static struct rte_mbuf *make_packet(unsigned int number)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    uint8_t data[SIZE] = { 2 };

    if (mbuf != NULL) {
        memcpy(data + 14, &number, sizeof(number));
        memcpy(rte_pktmbuf_mtod(mbuf, void *), data, SIZE);
        mbuf->data_len = SIZE;
        mbuf->pkt_len = SIZE;
    }
    return mbuf;
}

/* From nothing to some microseconds; seldom a long time. */
static void pause_random(void)
{
    uint64_t spins = next() % 1500;

    if (next() % 64 == 0) {
        usleep((useconds_t)(next() % 200));
        return;
    }
    while (spins-- != 0) {
        rte_pause();
    }
    if (next() % 4 == 0) {
        sched_yield();
    }
}

static void *send_packets(void *argument)
{
    uint16_t port = *(uint16_t *)argument;

    while (!stop) {
        struct rte_mbuf *mbufs[3];
        unsigned int count = 1 + (unsigned int)(next() % 3);
        unsigned int number = sent, made;
        uint16_t done;

        for (made = 0; made < count; made++) {
            mbufs[made] = make_packet(number + made);
            if (mbufs[made] == NULL) {
                break;
            }
        }
        done = rte_eth_tx_burst(port, 0, mbufs, (uint16_t)made);
        rte_pktmbuf_free_bulk(mbufs + done, made - done);
        sent = number + done;
        pause_random();
    }
    return NULL;
}

/* False: a packet is not the next one. */
static bool receive(uint16_t port, unsigned int *expected)
{
    struct rte_mbuf *mbufs[BURST];
    bool good = true;
    uint16_t got;

    while ((got = rte_eth_rx_burst(port, 0, mbufs, BURST)) != 0) {
        for (uint16_t i = 0; i < got; i++) {
            unsigned int number;

            memcpy(&number, rte_pktmbuf_mtod_offset(mbufs[i], void *, 14),
                   sizeof(number));
            good = good && number == (*expected)++;
        }
        rte_pktmbuf_free_bulk(mbufs, got);
    }
    return good;
}

/* Whatever has come to a port goes out at the other. */
static unsigned int move(uint16_t port)
{
    struct rte_mbuf *mbufs[BURST];
    unsigned int moved = 0;
    uint16_t got, done;

    while ((got = rte_eth_rx_burst(port, 0, mbufs, BURST)) != 0) {
        done = rte_eth_tx_burst(port ^ 1, 0, mbufs, got);
        rte_pktmbuf_free_bulk(mbufs + done, got - done);
        moved += got;
    }
    return moved;
}

static void end(int signal)
{
    (void)signal;
    stop = true;
}

static void set_interrupts(bool enable)
{
    for (uint16_t port = 0; port < 2; port++) {
        if ((enable ? rte_eth_dev_rx_intr_enable(port, 0)
                    : rte_eth_dev_rx_intr_disable(port, 0)) != 0) {
            die("no rx interrupt");
        }
    }
}

static bool forward(void)
{
    unsigned long packets = 0, sleeps = 0, lost = 0;
    const struct sigaction action = { .sa_handler = end };

    sigaction(SIGTERM, &action, NULL);
    for (uint16_t port = 0; port < 2; port++) {
        if (rte_eth_dev_rx_intr_ctl_q(port, 0, RTE_EPOLL_PER_THREAD,
                                      RTE_INTR_EVENT_ADD, NULL) != 0) {
            die("no descriptor for rx interrupts");
        }
    }
    puts("forwarding");
    fflush(stdout);
    while (!stop) {
        struct rte_epoll_event events[2];
        unsigned int moved = move(0) + move(1);
        int woken;

        packets += moved;
        if (moved != 0) {
            continue;
        }
        set_interrupts(true);
        woken = rte_epoll_wait_interruptible(RTE_EPOLL_PER_THREAD, events, 2,
                                             LOST_MS);
        set_interrupts(false);
        sleeps++;
        if (woken == 0) {
            moved = move(0) + move(1);
            packets += moved;
            lost += moved != 0;
        }
    }
    printf("%lu packets, %lu sleeps, %lu wakeups lost\n", packets, sleeps,
           lost);
    return lost == 0;
}

static bool sleep_rounds(uint16_t port, unsigned int rounds,
                         const char *name)
{
    unsigned int expected = 0, idle = 0;
    uint64_t begin = rte_get_timer_cycles();

    for (unsigned int round = 0; round < rounds; round++) {
        struct rte_epoll_event event;
        unsigned int before = expected;

        if (!receive(port, &expected)) {
            fprintf(stderr, "%s: a packet before number %u is wrong\n",
                    name, expected);
            return false;
        }
        idle += expected == before;
        if (rte_eth_dev_rx_intr_enable(port, 0) != 0) {
            die("no rx interrupt");
        }
        if (rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, LOST_MS) < 1) {
            fprintf(stderr, "%s: lost wakeup in round %u: received %u of "
                    "%u\n", name, round, expected, sent);
            return false;
        }
        rte_eth_dev_rx_intr_disable(port, 0);
    }
    printf("%s: %u sleeps, %u packets, %u woken for nothing, %.1f s\n", name,
           rounds, expected, idle,
           (double)(rte_get_timer_cycles() - begin) /
           (double)rte_get_timer_hz());
    return true;
}

static bool run(uint16_t sleeper, uint16_t sender, unsigned int rounds,
                const char *name)
{
    pthread_t thread;
    bool good;

    if (rte_eth_dev_rx_intr_ctl_q(sleeper, 0, RTE_EPOLL_PER_THREAD,
                                  RTE_INTR_EVENT_ADD, NULL) != 0) {
        die("no descriptor for rx interrupts");
    }
    stop = false;
    sent = 0;
    if (pthread_create(&thread, NULL, send_packets, &sender) != 0) {
        die("no thread");
    }
    good = sleep_rounds(sleeper, rounds, name);
    stop = true;
    pthread_join(thread, NULL);
    rte_eth_dev_rx_intr_ctl_q(sleeper, 0, RTE_EPOLL_PER_THREAD,
                              RTE_INTR_EVENT_DEL, NULL);
    return good;
}

static bool run_both(const char *rounds_text, const char *seed)
{
    unsigned int rounds = rounds_text != NULL ?
                          (unsigned int)strtoul(rounds_text, NULL, 0) : 1000;
    bool good;

    state = (seed != NULL ? strtoull(seed, NULL, 0)
                          : rte_get_timer_cycles()) | 1;
    printf("seed %llu\n", (unsigned long long)state);
    if (!wait_link(0) || !wait_link(1)) {
        fprintf(stderr, "the ports do not connect\n");
        return false;
    }
    good = run(0, 1, rounds, "port 0 sleeps");
    return run(1, 0, rounds, "port 1 sleeps") && good;
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    const char *mode, *seed;
    bool good;

    if (used < 0) {
        die("EAL");
    }
    mode = used + 1 < argc ? argv[used + 1] : NULL;
    seed = used + 2 < argc ? argv[used + 2] : NULL;
    pool = rte_pktmbuf_pool_create("packets", 4095, 64, 0, 2048, 0);
    if (pool == NULL || rte_eth_dev_count_avail() != 2) {
        die("no pool, or not two ports");
    }
    start_port(0);
    start_port(1);
    good = mode != NULL && strcmp(mode, "forward") == 0 ? forward()
                                                        : run_both(mode, seed);
    rte_eth_dev_stop(0);
    rte_eth_dev_stop(1);
    rte_eth_dev_close(0);
    rte_eth_dev_close(1);
    rte_eal_cleanup();
    return good ? 0 : 1;
}
