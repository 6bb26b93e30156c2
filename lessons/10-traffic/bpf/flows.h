// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Which backend a client has.

// ANCHOR: flows
// A client, and what it speaks. There is one service, so its address is not part of it.
struct flow {
	__be32 address[4];
	__be16 port;
	__u16 protocol;
};

// The index of the backend that a flow has. When the map is full, the flow that was used least
// recently makes room.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u32);
} flows SEC(".maps");
// ANCHOR_END: flows

static __always_inline struct flow flow_of(const struct peer *client, const struct packet *packet)
{
	struct flow flow = { .port = client->port, .protocol = packet->protocol };

	for (int i = 0; i < 4; i++)
		flow.address[i] = client->address[i];
	return flow;
}

// ANCHOR: affinity
// A flow stays with its backend. What starts a connection goes to a backend that is up.
static __always_inline int keep_or_choose(const struct packet *packet)
{
	struct flow flow = flow_of(&packet->source, packet);
	__u32 *kept = bpf_map_lookup_elem(&flows, &flow);
	int index;

	if (kept && (is_up(*kept) || !packet->starts_connection))
		return *kept;
	index = choose_backend();
	if (index < 0 || bpf_map_update_elem(&flows, &flow, &index, BPF_ANY))
		return -1;
	return index;
}
// ANCHOR_END: affinity

// The backend of the flow that the packet answers, or -1.
static __always_inline int find_flow(const struct packet *packet)
{
	struct flow flow = flow_of(&packet->destination, packet);
	__u32 *index = bpf_map_lookup_elem(&flows, &flow);

	return index ? *index : -1;
}
