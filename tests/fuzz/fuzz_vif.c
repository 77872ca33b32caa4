/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes vif.c: strings of XenStore, raw or from the letters of its formats.
 * What is taken must be in bounds and print and parse again as the same, and
 * the port and verdict made of it must be one clean line.
 */
#include "ovs-bridge/reconcile.h"
#include "ovs-bridge/vif.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 200

static void take_text(struct fuzz_input *in, char text[TEXT_MAX + 1])
{
    static const char letters[] = "br0.:123456789abcdef-/_,";
    bool raw = fuzz_byte(in) & 1;
    size_t size = in->size < TEXT_MAX ? in->size : TEXT_MAX;

    fuzz_bytes(in, text, size);
    text[size] = '\0';
    for (size_t i = 0; !raw && i < size; i++) {
        text[i] = letters[(uint8_t)text[i] % (sizeof(letters) - 1)];
    }
}

static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

static void place_again(const struct vif_place *place)
{
    char text[VIF_BRIDGE_MAX + 8 + 6 * VIF_TRUNKS_MAX];
    struct vif_place again;
    int n = snprintf(text, sizeof(text), "%s", place->bridge);

    fuzz_require(place->tag >= -1 && place->tag <= 4095, "tag");
    fuzz_require(place->n_trunks <= VIF_TRUNKS_MAX, "trunks");
    if (place->tag >= 0) {
        n += snprintf(text + n, sizeof(text) - (size_t)n, ".%d", place->tag);
    }
    for (size_t i = 0; i < place->n_trunks; i++) {
        fuzz_require(i == 0 || place->trunks[i - 1] < place->trunks[i],
                     "trunks ascend");
        n += snprintf(text + n, sizeof(text) - (size_t)n, ":%u",
                      place->trunks[i]);
    }
    fuzz_require(vif_parse_place(text, &again), "printed place parses");
    fuzz_require(memcmp(place, &again, sizeof(again)) == 0, "same place");
}

static void make_port(const struct vif_place *place, const char *name)
{
    struct port_template template = { "dpdk", "net_xenvif", "", "" };
    struct vif vif = { .domid = VIF_DOMID_MAX, .devid = VIF_DEVID_MAX };
    struct port port;

    vif.place = *place;
    vif_copy_name(name, vif.vm_name);
    vif_copy_name(name, vif.access);
    port_from_vif(&vif, &template, &port);
    for (int i = 0; i < PORT_N_IDS; i++) {
        fuzz_require(is_clean(port.ids[i]), "external_ids are clean");
    }
    fuzz_require(is_clean(port.place.bridge), "bridge is clean");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    char text[TEXT_MAX + 1], mac[VIF_MAC_LEN + 1], uuid[VIF_UUID_LEN + 1];
    struct vif_place place;
    struct vif_rate rate;
    uint32_t domid, devid;

    take_text(&in, text);
    if (vif_parse_place(text, &place)) {
        place_again(&place);
        make_port(&place, text);
    }
    if (vif_parse_path(text, "", &domid, &devid)) {
        fuzz_require(domid <= VIF_DOMID_MAX && devid <= VIF_DEVID_MAX,
                     "ids in range");
    }
    if (vif_parse_rate(text, &rate)) {
        fuzz_require((rate.kbps == 0) == (rate.burst_kb == 0), "rate");
    }
    if (vif_parse_mac(text, mac)) {
        fuzz_require(strlen(mac) == VIF_MAC_LEN, "mac's length");
    }
    if (vif_parse_uuid(text, uuid)) {
        fuzz_require(strlen(uuid) == VIF_UUID_LEN, "uuid's length");
    }
    return 0;
}
