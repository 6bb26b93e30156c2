//! What watching costs: the same call with nothing attached, and with each pair of programs.

use std::fs::File;
use std::mem::MaybeUninit;

use anyhow::Result;
use common::Implementation;
use common::cost::{CallCost, show_costs};

use crate::settings::Settings;
use crate::{aya, libbpf};

const ROUNDS: usize = 3;
const FENTRY: [&str; 2] = ["open_enter", "open_exit"];
/// As the kernel cuts the names.
const KPROBE: [&str; 2] = ["open_enter_prob", "open_exit_probe"];

/// `--cost`. Each in turn: whatever else the machine does, it does to all of them. Linux 5.10
/// attaches a fentry program once and never again, so each round loads new ones.
pub fn measure_cost(implementation: Implementation, mut settings: Settings) -> Result<()> {
    // No call takes that long: everything is measured except for sending events.
    settings.slower_than = u64::MAX;
    let mut costs = <[CallCost; 3]>::default();
    if implementation == Implementation::Aya {
        let mut opened = aya::open(&settings)?;
        for _ in 0..ROUNDS {
            measure_with_aya(&mut opened, &mut costs)?;
        }
    } else {
        for _ in 0..ROUNDS {
            measure_with_libbpf(&settings, &mut costs)?;
        }
    }
    let [bare, fentry, kprobe] = &costs;
    let costs = [
        ("nothing", bare),
        ("fentry and fexit", fentry),
        ("kprobe and kretprobe", kprobe),
    ];
    show_costs("finds no file; the programs send no event", &costs)
}

fn measure_with_aya(
    opened: &mut aya::Opened<'_>,
    [bare, fentry, kprobe]: &mut [CallCost; 3],
) -> Result<()> {
    let mut ebpf = aya::load(opened)?;
    bare.measure_call(open_file);
    let links = aya::attach_fentry(&mut ebpf)?;
    fentry.measure_with(&FENTRY, open_file)?;
    drop(links);
    let _links = aya::attach_kprobe(&mut ebpf)?;
    kprobe.measure_with(&KPROBE, open_file)
}

/// An object of libbpf can be loaded once, so each round opens it again.
fn measure_with_libbpf(
    settings: &Settings,
    [bare, fentry, kprobe]: &mut [CallCost; 3],
) -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let skeleton = libbpf::load(libbpf::open(&mut storage, settings)?)?;
    bare.measure_call(open_file);
    let links = libbpf::attach_fentry(&skeleton)?;
    fentry.measure_with(&FENTRY, open_file)?;
    drop(links);
    let _links = libbpf::attach_kprobe(&skeleton)?;
    kprobe.measure_with(&KPROBE, open_file)
}

/// Does little, so that what the programs add can be seen.
fn open_file() {
    let _ = File::open("/proc/missing");
}
