/* Which calls are worth it: decided in the kernel, so that the others cost next to nothing. */
#ifndef __FILTER_H__
#define __FILTER_H__

// Set by the user side before loading. The verifier takes them for constants and drops what they
// rule out.
const volatile __u32 pid = 0; // 0: every process
const volatile char comm[16] = ""; // empty: every command
const volatile __u64 slower_than = 0; // nanoseconds
const volatile bool failed = 0;

// At the entry and at the exit: calls of this thread.
static bool wants(void)
{
	char own[16];

	if (pid && pid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	if (!comm[0])
		return 1;
	if (bpf_get_current_comm(own, sizeof(own)))
		return 0;
	for (int i = 0; i < 16; i++)
		if (own[i] != comm[i])
			return 0;
	return 1;
}

// At the exit: calls that ended like this.
static bool wants_result(__u64 took, __s32 result)
{
	return took >= slower_than && (!failed || result < 0);
}

#endif
