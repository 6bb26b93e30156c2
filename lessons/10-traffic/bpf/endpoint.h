// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Where a service or a backend is. common/endpoint.rs has the same in Rust.
#pragma once

// How many backends there are.
#define BACKENDS 2

// All of it in network order, except is_up.
struct endpoint {
	__be32 ipv4[4]; // in the form of IPv6: ::ffff:10.0.0.1
	__be32 ipv6[4];
	__be16 port;
	__u16 is_up; // 0: it gets no new connections
};
