/* A library with static tracepoints (USDT): places in the code that a note names, and for the
 * second a count of those who listen. */

#define MARK(name, count) \
	__asm__ volatile("1: nop\n" \
			 ".pushsection .note.stapsdt, \"\", \"note\"\n" \
			 ".4byte 3f - 2f, 5f - 4f, 3\n" \
			 "2: .asciz \"stapsdt\"\n" \
			 "3: .balign 4\n" \
			 "4: .8byte 1b, _.stapsdt.base, " count "\n" \
			 ".asciz \"marks\", \"" name "\", \"\"\n" \
			 "5: .balign 4\n" \
			 ".popsection\n")

__asm__(".pushsection .stapsdt.base, \"a\"\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .byte 0\n"
	".popsection\n");

__attribute__((section(".probes"), visibility("hidden"))) unsigned short listeners = 0;

void work(void)
{
	MARK("plain", "0");
	MARK("counted", "listeners");
}
