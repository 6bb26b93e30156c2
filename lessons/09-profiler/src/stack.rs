//! Stacks as the kernel counted them, and as names.

use std::collections::BTreeMap;
use std::iter::Sum;

use anyhow::{Context as _, Result};
use blazesym::symbolize::source::{Kernel, Process, Source};
use blazesym::symbolize::{Input, Symbolized, Symbolizer};
use blazesym::{MaybeDefault, Pid};
use common::text::{printable, until_nul};
use nix::libc::{EEXIST, ENOMEM};

use crate::event::{MAX_FRAMES, SampleKey, SampleTotals};

/// After the name of each function of the kernel; flame graphs give those another colour.
pub const KERNEL_MARK: &str = "_[k]";

/// In place of the outermost frames, of which the kernel kept none.
pub const CUT_MARK: &str = "[cut]";

/// In place of the frames of a stack whose place in the map was taken.
pub const UNKEPT_MARK: &str = "[stack not kept]";

/// All samples with the same stacks in the same process.
pub struct SampledStack {
    pub key: SampleKey,
    pub count: u64,
    /// Addresses, innermost first: where the CPU was, then where each caller goes on. Empty if the
    /// kernel did not keep it, or if there is none: a thread of the kernel has no user stack.
    pub user: Vec<u64>,
    /// Empty if the CPU was not in the kernel.
    pub kernel: Vec<u64>,
}

impl SampledStack {
    /// Another stack has the same hash, or the map is full.
    pub fn is_unkept(&self) -> bool {
        [self.key.user_stack, self.key.kernel_stack]
            .iter()
            .any(|key| [-EEXIST, -ENOMEM].contains(key))
    }

    /// The kernel stopped at the limit: the outermost frames are missing.
    pub fn is_cut(&self) -> bool {
        self.user.len() == MAX_FRAMES || self.kernel.len() == MAX_FRAMES
    }
}

impl Sum for SampleTotals {
    fn sum<I: Iterator<Item = Self>>(cpus: I) -> Self {
        let mut sum = Self::default();
        for cpu in cpus {
            sum.samples += cpu.samples;
            sum.idle += cpu.idle;
            sum.uncounted += cpu.uncounted;
        }
        sum
    }
}

/// How many samples have these names, outermost first; the first is the name of the process.
pub type NamedStacks = BTreeMap<Vec<String>, u64>;

/// Names all stacks. The processes must still be there: their memory maps say which address is in
/// which file.
/// `symbolizer` remembers the kernel's symbols, which take a while to read.
pub fn name_stacks(symbolizer: &Symbolizer, stacks: &[SampledStack]) -> Result<NamedStacks> {
    let mut named = NamedStacks::new();
    for stack in stacks {
        let mut process = Process::new(Pid::from(stack.key.pid));
        process.debug_syms = false;
        let user = name_frames(symbolizer, &process.into(), &stack.user)
            .unwrap_or_else(|_| vec!["[exited]".to_owned()]);
        // `/proc/kallsyms`: the kernel knows its own symbols, and those of eBPF programs.
        let kernel = Kernel {
            vmlinux: MaybeDefault::None,
            ..Kernel::default()
        };
        let kernel = name_frames(symbolizer, &kernel.into(), &stack.kernel)
            .context("cannot name the functions of the kernel")?;
        let comm = printable(until_nul(&stack.key.comm)).replace(';', ":");
        let mut frames = vec![comm];
        if stack.is_unkept() {
            frames.push(UNKEPT_MARK.to_owned());
        }
        if stack.is_cut() {
            frames.push(CUT_MARK.to_owned());
        }
        frames.extend(user);
        for name in kernel {
            frames.push(name + KERNEL_MARK);
        }
        // Different addresses in one function have the same name.
        *named.entry(frames).or_default() += stack.count;
    }
    Ok(named)
}

// ANCHOR: frames
fn name_frames(
    symbolizer: &Symbolizer,
    source: &Source<'_>,
    addresses: &[u64],
) -> Result<Vec<String>> {
    let mut inside_calls = addresses.to_vec();
    for address in inside_calls.iter_mut().skip(1) {
        // A caller goes on after its call, which may already be the next function.
        *address -= 1;
    }
    let symbols = symbolizer.symbolize(source, Input::AbsAddr(&inside_calls))?;
    let mut names = Vec::new();
    for symbol in symbols.iter().rev() {
        names.push(match symbol {
            Symbolized::Sym(symbol) => demangle_name(&symbol.name),
            Symbolized::Unknown(_) => "[unknown]".to_owned(),
        });
    }
    Ok(names)
}
// ANCHOR_END: frames

/// Rust's compiler writes paths and types into its symbols, and a hash, which is left out here.
fn demangle_name(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol)).replace(';', ":")
}
