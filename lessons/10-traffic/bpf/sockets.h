// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The sockets that were connected to a backend.

// ANCHOR: sockets
// The cookie of each socket that was connected here, a number that no other socket has, and the
// index of its backend.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} sockets SEC(".maps");

// A backend for this socket. NULL if no backend is up.
static __always_inline struct endpoint *connect_socket(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	int index = choose_backend();

	if (index < 0 || bpf_map_update_elem(&sockets, &cookie, &index, BPF_ANY))
		return NULL;
	return find_backend(index);
}

// The backend that the socket was given. It may be connected to another address by now: a program
// can call connect again.
static __always_inline struct endpoint *find_given(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	__u32 *index = bpf_map_lookup_elem(&sockets, &cookie);

	return index ? find_backend(*index) : NULL;
}
// ANCHOR_END: sockets

static __always_inline bool has_address(struct bpf_sock_addr *ctx, const __be32 *address)
{
	return ctx->user_ip6[0] == address[0] && ctx->user_ip6[1] == address[1] &&
	       ctx->user_ip6[2] == address[2] && ctx->user_ip6[3] == address[3];
}

// ANCHOR: address
static __always_inline void set_address(struct bpf_sock_addr *ctx, const __be32 *address)
{
	ctx->user_ip6[0] = address[0];
	ctx->user_ip6[1] = address[1];
	ctx->user_ip6[2] = address[2];
	ctx->user_ip6[3] = address[3];
}
// ANCHOR_END: address
