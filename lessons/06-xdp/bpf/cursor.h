// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Goes through a frame, header by header. The verifier refuses a program that reads a byte of a
// packet before it has compared the byte's end with the end of the packet.

// ANCHOR: bounds
// The part of a frame that has not been read yet.
struct cursor {
	void *at; // the next header
	void *end; // the end of the frame
	// Bytes that are left: of the frame, and once limit_packet() was called, of the IP packet.
	// The packet may end before the frame does, because short frames are padded.
	__u32 left;
};

static __always_inline struct cursor new_cursor(void *data, void *end)
{
	struct cursor cursor = { .at = data, .end = end, .left = end - data };

	// Hides from the compiler that left is end - data. It could drop one of the two comparisons
	// in take_bytes() and keep the one that the verifier does not understand.
	barrier_var(cursor.left);
	return cursor;
}

// The next size bytes, or NULL if they are not all there.
static __always_inline void *take_bytes(struct cursor *cursor, __u32 size)
{
	void *header = cursor->at;

	if (size > cursor->left || header + size > cursor->end)
		return NULL;
	cursor->at += size;
	cursor->left -= size;
	return header;
}
// ANCHOR_END: bounds

// Ends the packet after length more bytes. False if the frame has fewer.
static __always_inline bool limit_packet(struct cursor *cursor, __u32 length)
{
	if (length > cursor->left)
		return false;
	cursor->left = length;
	return true;
}
