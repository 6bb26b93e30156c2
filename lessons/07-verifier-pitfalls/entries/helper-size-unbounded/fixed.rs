#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{Array, RingBuf},
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
struct Note {
    length: u32,
    text: [u8; 256],
}

#[btf_map]
static NOTES: Array<Note, 1> = Array::new();

#[btf_map]
static SENT: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn helper_size_unbounded(_ctx: ProbeContext) -> u32 {
    let Some(note) = NOTES.get(0) else { return 0 };
    if let Some(text) = note.text.get(..note.length as usize) {
        let _ = SENT.output_untyped::<[u8]>(text, 0);
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
