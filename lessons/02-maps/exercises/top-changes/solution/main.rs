//! Tells which programs change the most names: how many they made, removed and renamed.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::LruPerCpuHashMap,
    helpers::bpf_get_current_comm,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
pub struct Changes {
    made: u64,
    removed: u64,
    renamed: u64,
}

const MADE: Changes = Changes {
    made: 1,
    removed: 0,
    renamed: 0,
};
const REMOVED: Changes = Changes {
    made: 0,
    removed: 1,
    renamed: 0,
};
const RENAMED: Changes = Changes {
    made: 0,
    removed: 0,
    renamed: 1,
};

/// By the name of the program. Each CPU adds to its own value, and user space sums them. When it
/// is full, the program that changed nothing for longest makes room.
#[btf_map]
static TOP: LruPerCpuHashMap<[u8; 16], Changes, 256> = LruPerCpuHashMap::new();

#[kprobe(function = "security_inode_create")]
pub fn on_create(_ctx: ProbeContext) -> u32 {
    count(MADE)
}

#[kprobe(function = "security_inode_mkdir")]
pub fn on_mkdir(_ctx: ProbeContext) -> u32 {
    count(MADE)
}

#[kprobe(function = "security_inode_unlink")]
pub fn on_unlink(_ctx: ProbeContext) -> u32 {
    count(REMOVED)
}

#[kprobe(function = "security_inode_rmdir")]
pub fn on_rmdir(_ctx: ProbeContext) -> u32 {
    count(REMOVED)
}

#[kprobe(function = "security_inode_rename")]
pub fn on_rename(_ctx: ProbeContext) -> u32 {
    count(RENAMED)
}

fn count(new: Changes) -> u32 {
    let Ok(comm) = bpf_get_current_comm() else {
        return 0;
    };
    match TOP.get_ptr_mut(comm) {
        // SAFETY: this CPU's own value, which nobody else uses while the program runs.
        Some(changes) => unsafe {
            (*changes).made += new.made;
            (*changes).removed += new.removed;
            (*changes).renamed += new.renamed;
        },
        None => {
            let _ = TOP.insert(comm, new, 0);
        }
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
