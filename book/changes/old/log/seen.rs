#![no_std]
#![no_main]

use aya_ebpf::macros::{kprobe, map};
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::ProbeContext;
use aya_ebpf::{helpers::bpf_get_current_pid_tgid, EbpfContext};
use aya_log_ebpf::info;

#[map]
static SEEN: HashMap<u32, u64> = HashMap::with_max_entries(64, 0);

#[kprobe]
pub fn seen(ctx: ProbeContext) -> u32 {
    match try_seen(&ctx) {
        Ok(code) => code,
        Err(code) => code as u32,
    }
}

fn try_seen(ctx: &ProbeContext) -> Result<u32, i64> {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let count = unsafe { SEEN.get(&pid) }.copied().unwrap_or(0);
    SEEN.insert(&pid, &(count + 1), 0)?;
    info!(ctx, "process {} by {}", pid, ctx.uid());
    Ok(0)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    unsafe { core::hint::unreachable_unchecked() }
}

#[link_section = "license"]
#[no_mangle]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
