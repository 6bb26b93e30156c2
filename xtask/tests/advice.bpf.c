// What `explain` and the gallery say of kernels, as programs: xtask/tests/verify.rs knows what each
// kernel makes of them.

#define SEC(name) __attribute__((section(name), used))
#define NOINLINE __attribute__((noinline))

typedef unsigned int u32;
typedef unsigned long long u64;

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u32 (*bpf_get_prandom_u32)(void) = (void *)7;
static long (*bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 length) = (void *)26;
static long (*bpf_timer_init)(void *timer, void *map, u64 flags) = (void *)169;

SEC("license") char LICENSE[] = "GPL";

struct {
	int (*type)[1];
	int (*max_entries)[8];
	u64 *key;
	u64 *value;
} hash SEC(".maps");

struct {
	int (*type)[2];
	int (*max_entries)[1];
	u32 *key;
	u64 *value;
} array SEC(".maps");

struct {
	int (*type)[3];
	int (*max_entries)[1];
	u32 *key;
	u32 *value;
} programs SEC(".maps");

struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));

struct alarm {
	struct bpf_timer timer;
};

struct {
	int (*type)[2];
	int (*max_entries)[1];
	u32 *key;
	struct alarm *value;
} alarms SEC(".maps");

// Stack that was never written, above and below the deepest byte that was.

SEC("xdp") int key_above_the_deepest_write(void *ctx)
{
	asm volatile("r1 = 1; *(u64 *)(r10 - 16) = r1; r1 = %[map] ll; r2 = r10; r2 += -8; call 1"
		     : : [map] "i"(&hash) : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return 2;
}

SEC("xdp") int key_below_the_deepest_write(void *ctx)
{
	asm volatile("r1 = 1; *(u64 *)(r10 - 8) = r1; r1 = %[map] ll; r2 = r10; r2 += -16; call 1"
		     : : [map] "i"(&hash) : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
	return 2;
}

// A timer in a map that is preallocated, as every array is.

static inline __attribute__((always_inline)) int start_timer(void)
{
	u32 key = 0;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &key);
	return alarm ? bpf_timer_init(&alarm->timer, &alarms, 1) & 0 : 0;
}

SEC("kprobe/do_nanosleep") int timer_in_kprobe(void *ctx) { return start_timer(); }
SEC("fentry/do_nanosleep") int timer_in_fentry(void *ctx) { return start_timer(); }

// 576 bytes of stack in a chain of calls.

static NOINLINE int inner(u32 index)
{
	volatile u64 buffer[32];
	for (int i = 0; i < 32; i++)
		buffer[i] = index;
	return buffer[index & 31];
}

static NOINLINE int outer(u32 index)
{
	volatile u64 buffer[40];
	for (int i = 0; i < 40; i++)
		buffer[i] = index;
	return inner(index) + buffer[index & 31];
}

SEC("kprobe/do_nanosleep") int stack_in_kprobe(void *ctx) { return outer(bpf_get_prandom_u32()); }
SEC("fentry/do_nanosleep")
int stack_in_fentry(void *ctx) { return outer(bpf_get_prandom_u32()) & 0; }
SEC("xdp") int stack_in_xdp(void *ctx) { return outer(bpf_get_prandom_u32()); }

// Pointers that may be NULL, and are arguments of the program.

SEC("tp_btf/sched_pi_setprio")
int null_argument_of_tracepoint(u64 *ctx) { return *(volatile u32 *)ctx[1] & 0; }

struct file {
	u32 f_flags;
} __attribute__((preserve_access_index));

SEC("lsm/mmap_file") int null_argument_of_hook(u64 *ctx)
{
	const volatile struct file *file = (void *)ctx[0];
	return file->f_flags & 0;
}

// Where a program may sleep.

SEC("fentry.s/__x64_sys_connect") int sleeps_in_system_call(void *ctx) { return 0; }
SEC("fentry.s/__sys_connect") int sleeps_in_function(void *ctx) { return 0; }

// `acquired = load_acquire((u64 *)(value + 0))`, which clang writes for -mcpu=v4.

SEC("xdp") int load_acquire(void *ctx)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&array, &key);
	if (!value)
		return 2;
	asm volatile("r1 = %0; .8byte 0x00000100000010db" : : "r"(value) : "r0", "r1", "memory");
	return 2;
}

// A tail call from a function; with its type, which -g gives it.

static NOINLINE int call_next(void *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	asm volatile("");
	return 2;
}

SEC("xdp") int tail_call_in_function(void *ctx)
{
	int result = call_next(ctx);
	asm volatile("");
	return result;
}

// A length that is compared with 0, and one whose lower limit is not 0.

struct __sk_buff {
	u32 len, pkt_type, mark;
};

SEC("tc") int length_is_not_zero(struct __sk_buff *skb)
{
	char buffer[64] = {};
	u32 length = skb->mark;
	if (length == 0 || length > 64)
		return 0;
	return bpf_skb_load_bytes(skb, 0, buffer, length);
}

SEC("tc") int length_is_at_least_two(struct __sk_buff *skb)
{
	char buffer[64] = {};
	u32 length = skb->mark;
	if (length < 2 || length > 64)
		return 0;
	return bpf_skb_load_bytes(skb, 0, buffer, length);
}

// The same, with a buffer that the helper is left to fill.

SEC("tc") int buffer_without_a_value(struct __sk_buff *skb)
{
	char buffer[64];
	u32 length = skb->mark;
	if (length < 2 || length > 64)
		return 0;
	return bpf_skb_load_bytes(skb, 0, buffer, length);
}

SEC("tc") int length_of_a_mask_plus_one(struct __sk_buff *skb)
{
	char buffer[64] = {};
	u32 length = (skb->mark & 63) + 1;
	return bpf_skb_load_bytes(skb, 0, buffer, length);
}

// An index into an array that is known when the program is loaded.

SEC("xdp") int constant_index(void *ctx)
{
	u32 key = 0;
	return *(u64 *)bpf_map_lookup_elem(&array, &key);
}

// A function that is visible outside, and returns nothing.

volatile u32 seen;
NOINLINE void note(u32 number) { seen = number; }
SEC("xdp") int global_without_result(void *ctx)
{
	note(bpf_get_prandom_u32());
	return 2;
}

// Nine functions, each of which calls the next.

#define FUNCTION(name, next)                                          \
	static NOINLINE int name(u32 number)                          \
	{                                                             \
		int result = next(number + bpf_get_prandom_u32());    \
		asm volatile("");                                     \
		return result + number;                               \
	}
static NOINLINE int ninth(u32 number) { return number + bpf_get_prandom_u32(); }
FUNCTION(eighth, ninth)
FUNCTION(seventh, eighth)
FUNCTION(sixth, seventh)
FUNCTION(fifth, sixth)
FUNCTION(fourth, fifth)
FUNCTION(third, fourth)
FUNCTION(second, third)
SEC("xdp") int eight_functions(void *ctx) { return third(1); }
SEC("xdp") int nine_functions(void *ctx) { return second(1); }

// What a hook may give back.

SEC("lsm/file_open") int hook_returns_one(void *ctx) { return 1; }
SEC("lsm/file_open") int hook_returns_error(void *ctx) { return -4095; }

// An address of the kernel, added atomically.

SEC("xdp") int atomic_with_pointer(void *ctx)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&array, &key);
	if (value)
		asm volatile("lock *(u64 *)(%0 + 0) += %1" : : "r"(value), "r"(ctx) : "memory");
	return 2;
}
