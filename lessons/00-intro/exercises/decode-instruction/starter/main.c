// SPDX-License-Identifier: MIT OR Apache-2.0
// Decodes eBPF instructions. Reads one on each line, as eight bytes in hexadecimal.
#include <stdint.h>
#include <stdio.h>

static int read_bytes(const char *line, uint8_t b[8])
{
	return sscanf(line, "%hhx %hhx %hhx %hhx %hhx %hhx %hhx %hhx",
		      &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7]) == 8;
}

static void decode(const uint8_t b[8])
{
	uint8_t code = b[0];
	/* TODO: decode these from the other seven bytes. */
	uint8_t dst = 0;
	uint8_t src = 0;
	int16_t off = 0;
	int32_t imm = 0;

	printf("code=0x%02x dst=%d src=%d off=%d imm=%d\n", code, dst, src, off, imm);
}

int main(void)
{
	char line[256];
	uint8_t bytes[8];

	while (fgets(line, sizeof(line), stdin)) {
		if (read_bytes(line, bytes))
			decode(bytes);
		else
			puts("these are not eight bytes");
	}
	return 0;
}
