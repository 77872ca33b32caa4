/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DPDK's rx interrupts: the descriptors of wake.h as a vdev's interrupt
 * vectors, one for each rx queue.
 *
 * Talks to DPDK and wake.h.  Invariant: DPDK never reads the descriptors
 * (counter size 0); the driver drains what is behind them when it arms.
 */
#include <errno.h>

#include <ethdev_driver.h>
#include <rte_interrupts.h>

#include "netback/pmd_intr.h"

void pmd_intr_close(struct rte_eth_dev *dev)
{
    if (dev->intr_handle != NULL) {
        rte_intr_vec_list_free(dev->intr_handle);
        rte_intr_instance_free(dev->intr_handle);
        dev->intr_handle = NULL;
    }
}

static int fill(struct rte_intr_handle *handle, struct wake *wake,
                uint16_t count)
{
    int error = rte_intr_vec_list_alloc(handle, "xen_intr_vec", count);

    for (uint16_t i = 0; i < count && error == 0; i++) {
        error = rte_intr_vec_list_index_set(handle, i,
                                            RTE_INTR_VEC_RXTX_OFFSET + i);
        if (error == 0) {
            error = rte_intr_efds_index_set(handle, i, wake_fd(wake, i));
        }
    }
    return error != 0 || rte_intr_efd_counter_size_set(handle, 0) != 0 ||
           rte_intr_nb_efd_set(handle, count) != 0 ||
           rte_intr_max_intr_set(handle, count + 1) != 0 ||
           rte_intr_type_set(handle, RTE_INTR_HANDLE_VDEV) != 0 ? -EIO : 0;
}

int pmd_intr_start(struct rte_eth_dev *dev, struct wake *wake)
{
    uint16_t count = dev->data->dev_conf.intr_conf.rxq != 0 ?
                     dev->data->nb_rx_queues : 0;
    int error = wake_configure(wake, count);

    if (dev->intr_handle != NULL && count != 0 &&
        rte_intr_nb_efd_get(dev->intr_handle) == count) {
        return error;           /* as before: the application holds them */
    }
    pmd_intr_close(dev);
    if (error != 0 || count == 0) {
        return error;
    }
    dev->intr_handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
    if (dev->intr_handle == NULL) {
        return -ENOMEM;
    }
    error = fill(dev->intr_handle, wake, count);
    if (error != 0) {
        pmd_intr_close(dev);
    }
    return error;
}
