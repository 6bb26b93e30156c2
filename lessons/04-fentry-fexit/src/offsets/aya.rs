//! User side with aya: a Rust object, and then an object from clang, for which aya plays the part
//! of libbpf.

use anyhow::{Context as _, Result};
use aya::maps::Array;
use aya::programs::FEntry;
use aya::{Btf, EbpfLoader};

use super::seen::Seen;
use super::{Offsets, trigger};
use crate::function::FUNCTION;

/// C and Rust write names in different ways.
struct Object {
    bytes: &'static [u8],
    globals: [&'static str; 4],
    map: &'static str,
}

pub fn read(offsets: &Offsets) -> Result<Seen> {
    let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
    let rust = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fentry-fexit-parent"));
    let clang = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/parent.bpf.o"));
    let seen = run(
        Object {
            bytes: rust,
            globals: ["PID", "REAL_PARENT", "TGID", "STATE"],
            map: "SEEN",
        },
        &btf,
        offsets,
    )
    .context("use the object from rustc")?;
    let corrected = run(
        Object {
            bytes: clang,
            globals: ["pid", "real_parent", "tgid", "state"],
            map: "seen",
        },
        &btf,
        offsets,
    )
    .context("use the object from clang")?;
    Ok(Seen {
        relocated: corrected.relocated,
        state_relocated: corrected.state_relocated,
        ..seen
    })
}

// ANCHOR: ladder
fn run(object: Object, btf: &Btf, offsets: &Offsets) -> Result<Seen> {
    let [pid, real_parent, tgid, state] = object.globals;
    // With the kernel's BTF at hand, aya corrects every access for which clang wrote down the
    // field's name.
    let mut ebpf = EbpfLoader::new()
        .btf(Some(btf))
        .override_global(pid, &offsets.pid, true)
        .override_global(real_parent, &offsets.real_parent, true)
        .override_global(tgid, &offsets.tgid, true)
        .override_global(state, &offsets.state, true)
        .load(object.bytes)
        .context("load the object")?;
    let program: &mut FEntry = ebpf
        .program_mut("read_parent")
        .context("find read_parent")?
        .try_into()?;
    program.load(FUNCTION, btf).context("load read_parent")?;
    let link = program.attach().context("attach read_parent")?;
    trigger()?;
    program.detach(link).context("detach read_parent")?;
    let seen: Array<_, Seen> = ebpf.map(object.map).context("find the map")?.try_into()?;
    seen.get(&0, 0).context("read the map")
}
// ANCHOR_END: ladder
