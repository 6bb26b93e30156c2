//! All that the programs keep between two events: global variables and maps.

use aya_ebpf::{
    Global,
    btf_maps::{HashMap, LruHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};

use crate::event::{Change, Counters, KEY_SIZE, Process, Recent, Watched};

// ANCHOR: globals
/// Read-only for the program: user space sets it before it loads the program.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.watched")]
pub static WATCHED: Global<Watched> = Global::new(Watched {
    inode: 0,
    device: 0,
});

/// User space sets this one while the program runs: `load` reads it again each time.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.paused")]
pub static PAUSED: Global<u64> = Global::new(0);

/// The program writes these, on several CPUs at once.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.counters")]
pub static mut COUNTERS: Counters = Counters {
    changes: 0,
    lost: 0,
    uncounted: 0,
    too_deep: 0,
};
// ANCHOR_END: globals

// ANCHOR: maps
#[btf_map(name = "changes")]
pub static CHANGES: RingBuf<(), { 256 * 1024 }> = RingBuf::new();

#[btf_map(name = "processes")]
pub static PROCESSES: HashMap<u32, Process, 1024> = HashMap::new();

#[btf_map(name = "recent")]
pub static RECENT: LruHashMap<[u8; KEY_SIZE], Recent, 512> = LruHashMap::new();

#[btf_map(name = "scratch")]
pub static SCRATCH: PerCpuArray<Change, 1> = PerCpuArray::new();
// ANCHOR_END: maps
