// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs eBPF bytecode. Reads the value of r1, then one instruction on each line, and prints the
// value of r0 at the end.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_INSTRUCTIONS 4096
/* Set in `code` when the operand is a register, clear when it is the constant. */
#define FROM_REGISTER 0x08

struct instruction {
	uint8_t code, dst, src;
	int16_t off;
	int32_t imm;
};

static struct instruction program[MAX_INSTRUCTIONS];

static int fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return 1;
}

static int run(long length, uint64_t r1)
{
	uint64_t registers[16] = { 0, r1 };
	long next = 0;

	/* The verifier would prove this before a program runs. Here there is no verifier. */
	while (next >= 0 && next < length) {
		struct instruction now = program[next++];
		uint64_t constant = (uint64_t)(int64_t)now.imm;
		uint64_t operand = now.code & FROM_REGISTER ? registers[now.src] : constant;
		uint64_t *value = &registers[now.dst];
		int jumps = 0;

		switch (now.code & ~FROM_REGISTER) {
		case 0x07: *value += operand; break;
		case 0xb7: *value = operand; break;
		case 0x04: *value = (uint32_t)(*value + operand); break;
		case 0xb4: *value = (uint32_t)operand; break;
		case 0x05: jumps = 1; break;
		case 0x15: jumps = *value == operand; break;
		case 0x55: jumps = *value != operand; break;
		case 0x25: jumps = *value > operand; break;
		case 0x65: jumps = (int64_t)*value > (int64_t)operand; break;
		case 0x95: printf("%" PRIu64 "\n", registers[0]); return 0;
		default: fprintf(stderr, "unknown operation 0x%02x\n", now.code); return 1;
		}
		if (jumps)
			next += now.off;
	}
	return fail("the program was left");
}

static int decode(const char *line, struct instruction *to)
{
	uint8_t b[8];

	if (sscanf(line, "%hhx %hhx %hhx %hhx %hhx %hhx %hhx %hhx",
		   &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6], &b[7]) != 8)
		return 0;
	to->code = b[0];
	to->dst = b[1] & 0x0f;
	to->src = b[1] >> 4;
	to->off = (int16_t)(b[2] | b[3] << 8);
	to->imm = (int32_t)(b[4] | b[5] << 8 | b[6] << 16 | (uint32_t)b[7] << 24);
	return 1;
}

int main(void)
{
	char line[256];
	uint64_t r1;
	long length = 0;

	if (!fgets(line, sizeof(line), stdin) || sscanf(line, "%" SCNu64, &r1) != 1)
		return fail("the first line is no number");
	while (fgets(line, sizeof(line), stdin)) {
		if (length == MAX_INSTRUCTIONS || !decode(line, &program[length++]))
			return fail("a line has not eight bytes, or there are too many");
	}
	return run(length, r1);
}
