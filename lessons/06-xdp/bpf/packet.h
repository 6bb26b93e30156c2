// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the parser finds in a frame.

// What a frame carries. common/counter.rs has the same in Rust.
enum kind { OTHER, TCP, UDP, ICMP, ICMPV6, FRAGMENT, MALFORMED };

// The headers that were found. At most one of ipv4 and ipv6 is there.
struct packet {
	struct ethhdr *eth;
	struct iphdr *ipv4;
	struct ipv6hdr *ipv6;
	struct udphdr *udp;
	struct icmphdr *icmp; // of ICMP or of ICMPv6: their headers have the same layout
};
