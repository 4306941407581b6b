/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/saved.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/state/sealed.h"
#include "base/alloc.h"

static json_t *pack_port(const struct tw_agent_port *port)
{
	char mac[13] = "";

	if (port->learned)
		for (size_t i = 0; i < 6; i++)
			snprintf(mac + 2 * i, 3, "%02x", port->learned_mac[i]);
	return json_pack("{s:I, s:i, s:s, s:s}", "ifindex", (json_int_t)port->ifindex, "id",
		(int)port->id, "name", port->name, "learned", mac);
}

/* An interface name may have any bytes; one that is not UTF-8 is not saved. */
static int append(json_t *list, json_t *row)
{
	return row ? json_array_append_new(list, row) : 0;
}

int tw_saved_write_ports(struct tw_store *store, const struct tw_ports *ports, struct tw_err *err)
{
	json_t *list = json_array(), *networks = json_array(), *root;
	int failed = 0;

	tw_vec_foreach (&ports->list, port)
		failed |= append(list, pack_port(*port));
	tw_vec_foreach (&ports->networks, row)
		if (!row->gone)
			failed |= append(networks,
				json_pack("{s:I, s:i, s:s}", "ifindex", (json_int_t)row->ifindex,
					"number", (int)row->number, "name", row->name));
	root = json_pack("{s:o, s:o, s:i, s:i}", "ports", list, "networks", networks, "next_id",
		(int)ports->next_id, "next_network", (int)ports->next_network);
	if (failed) {
		json_decref(root);
		return tw_store_no_memory(store, err);
	}
	return tw_sealed_write(store, TW_STORE_PORTS, root, err);
}

static void copy_name(char name[IFNAMSIZ], json_t *from)
{
	const char *text = json_string_value(from);

	snprintf(name, IFNAMSIZ, "%s", text ? text : "");
}

static uint32_t number_of(json_t *row, const char *key, uint32_t max)
{
	json_int_t value = json_integer_value(json_object_get(row, key));

	return value > 0 && value <= max ? (uint32_t)value : 0;
}

static struct tw_saved_port unpack_port(json_t *row)
{
	struct tw_saved_port port = {
		.ifindex = number_of(row, "ifindex", INT32_MAX),
		.id = (uint16_t)number_of(row, "id", TW_PORTS_MAX - 1),
	};
	const char *mac = json_string_value(json_object_get(row, "learned"));
	uint8_t *m = port.learned_mac;

	copy_name(port.name, json_object_get(row, "name"));
	port.learned = mac && sscanf(mac, "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &m[0], &m[1], &m[2],
				      &m[3], &m[4], &m[5]) == 6;
	return port;
}

int tw_saved_read_ports(
	struct tw_store *store, struct tw_ports *ports, struct tw_saved_port **ret, size_t *ret_n)
{
	json_t *root = tw_sealed_read(store, TW_STORE_PORTS), *list, *row;
	tw_autofree struct tw_saved_port *saved = NULL;
	char name[IFNAMSIZ];
	uint32_t next;
	size_t i;

	if (!root)
		return -ENOENT;
	list = json_object_get(root, "ports");
	saved = tw_alloc_array(json_array_size(list), sizeof(*saved));
	if (!saved) {
		json_decref(root);
		return -ENOMEM;
	}
	json_array_foreach (list, i, row)
		saved[i] = unpack_port(row);
	*ret_n = json_array_size(list);
	json_array_foreach (json_object_get(root, "networks"), i, row) {
		copy_name(name, json_object_get(row, "name"));
		tw_ports_restore_network(ports, number_of(row, "ifindex", INT32_MAX),
			(uint16_t)number_of(row, "number", UINT16_MAX), name);
	}
	next = number_of(root, "next_network", UINT16_MAX);
	if (next)
		ports->next_network = (uint16_t)next;
	next = number_of(root, "next_id", TW_PORTS_MAX - 1);
	if (next)
		ports->next_id = (uint16_t)next;
	json_decref(root);
	*ret = TW_TAKE_PTR(saved);
	return 0;
}

int tw_saved_write_images(struct tw_store *store, struct tw_images *images, struct tw_err *err)
{
	json_t *list = json_array();
	int failed = 0, ret;

	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		const struct tw_image_slot *slot = &images->slots[i];

		if (slot->used)
			failed |= json_array_append_new(list,
				json_pack("[i, I, I, I, I]", (int)i, (json_int_t)slot->bytes,
					(json_int_t)slot->n_entries, (json_int_t)slot->key.word[0],
					(json_int_t)slot->key.word[1]));
	}
	if (failed) {
		json_decref(list);
		return tw_store_no_memory(store, err);
	}
	ret = tw_sealed_write(store, TW_STORE_IMAGES, json_pack("{s:o}", "images", list), err);
	for (uint32_t i = 1; i < TW_IMAGES_MAX && !ret; i++)
		images->slots[i].saved = images->slots[i].used;
	return ret;
}

void tw_saved_read_images(struct tw_store *store, struct tw_images *images)
{
	json_t *root = tw_sealed_read(store, TW_STORE_IMAGES), *row;
	size_t i;

	json_array_foreach (json_object_get(root, "images"), i, row) {
		json_int_t number = json_integer_value(json_array_get(row, 0));
		struct tw_image_slot *slot;

		if (number < 1 || number >= TW_IMAGES_MAX)
			continue;
		slot = &images->slots[number];
		slot->saved = true;
		slot->bytes = (uint64_t)json_integer_value(json_array_get(row, 1));
		slot->n_entries = (uint32_t)json_integer_value(json_array_get(row, 2));
		slot->key.word[0] = (uint64_t)json_integer_value(json_array_get(row, 3));
		slot->key.word[1] = (uint64_t)json_integer_value(json_array_get(row, 4));
	}
	json_decref(root);
}
