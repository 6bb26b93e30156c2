//! PID 1 of the VM: mounts the file systems, waits for a plan, runs its steps, reports, and waits
//! for the next.
//!
//! ```text
//!   mounts      the guest's own file systems
//!   modules     kernel modules that lessons need
//!   loopback    the network interface that every machine has
//!   channel     the conversation with the host
//!   entropy     random numbers of its own, after a boot or a resume
//!   clock       the host's time of day, before each plan
//!   shared      the memory that the host writes programs into
//!   programs    the root that steps run in: read-only, with fresh directories for each plan
//!   step        one program with its limits
//!   observer    which eBPF programs a step loads, and what they cost
//!   bpf         bpf(2), as far as init itself uses it
//!   inventory   what is in the kernel, before and after a plan
//!   settings    how the kernel is set: a part of the inventory
//!   network     interfaces and what hangs on them: another part
//! ```
//!
//! It is a program of its own and not a shell script because success must be something it *says*: a
//! guest whose kernel panics ends QEMU with exit status 0.

mod bpf;
mod channel;
mod clock;
mod entropy;
mod inventory;
mod kernel_log;
mod loopback;
mod modules;
mod mounts;
mod network;
mod observer;
mod programs;
mod settings;
mod shared;
mod step;

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, Result, bail};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::utsname::uname;
use nix::unistd::sync;
use plan::{News, Order, Plan, Token};

use crate::channel::{Channel, Message};
use crate::clock::ClockOffset;
use crate::inventory::Inventory;
use crate::kernel_log::KernelLog;
use crate::observer::Observer;
use crate::programs::Root;

/// A list that is longer helps nobody, and has to fit into a frame.
const MOST_NAMED: usize = 100;

fn main() {
    if std::process::id() != 1 {
        eprintln!("error: this program is the init of a VM; it does nothing elsewhere");
        std::process::exit(2);
    }
    let Err(error) = serve();
    // Standard error is the kernel's console; the host shows its last lines.
    eprintln!("guest init: {error:#}");
    end_vm();
}

/// Serves until something fails: the host ends a VM by itself.
fn serve() -> Result<Infallible> {
    mounts::mount_all()?;
    let not_loaded = modules::load_all()?;
    loopback::bring_up_loopback()?;
    let mut kernel_log = KernelLog::from_now()?;
    let mut root = Root::mount_empty()?;
    let before = Inventory::take_stock()?;
    root.mount_fresh_directories()?;
    let (sender, inbox) = mpsc::channel();
    let channel = Channel::open(sender)?;
    let release = uname()
        .context("cannot ask for the kernel's release")?
        .release()
        .to_string_lossy()
        .into_owned();
    channel.send_news(&News::Ready {
        version: plan::VERSION,
        release: release.clone(),
        not_loaded,
        uptime: clock::read_uptime()?,
    })?;
    loop {
        match next_order(&inbox)? {
            Order::Wake { now, seed } => {
                clock::set_clock(now)?;
                entropy::reseed_random(&seed)?;
                channel.send_news(&News::Awake {
                    release: release.clone(),
                })?;
            }
            Order::Unpack(source) => {
                root.unpack_programs(source)?;
                channel.send_news(&News::Unpacked)?;
            }
            Order::Add(length) => {
                root.add_programs(length)?;
                channel.send_news(&News::Unpacked)?;
            }
            Order::Remove => {
                root.remove_added()?;
                channel.send_news(&News::Removed)?;
            }
            Order::Run { plan, now, token } => {
                clock::set_clock(now)?;
                prepare_root(&mut root, &plan)?;
                let clock = ClockOffset::read_now()?;
                let leftovers = run_steps(&plan, token, &channel, &inbox)?;
                root.unmount_fresh_directories()?;
                report_traces(&channel, &before, leftovers, clock, &mut kernel_log)?;
                channel.send_news(&News::Finished(token))?;
            }
            // What is meant for a step that has ended by now is too late to matter.
            Order::EndStep(_) | Order::Signal(_) | Order::Resize(_) => {}
        }
    }
}

fn next_order(inbox: &Receiver<Message>) -> Result<Order> {
    loop {
        match inbox.recv().context("the host went away")? {
            Message::Order(order) => return Ok(order),
            Message::Failed(error) => bail!("cannot read orders: {error}"),
            // A key that arrives after its step has ended is too late to matter.
            Message::Input(_) | Message::ProgramEnded => {}
        }
    }
}

fn prepare_root(root: &mut Root, plan: &Plan) -> Result<()> {
    let surroundings = plan
        .steps
        .iter()
        .filter_map(|step| step.surroundings.as_ref());
    let directories: Vec<&str> = surroundings.map(|it| it.directory.as_str()).collect();
    if directories.is_empty() {
        return root.mount_fresh_directories();
    }
    root.allow_changes()?;
    directories
        .into_iter()
        .try_for_each(programs::create_directory)
}

/// Returns the processes that steps left, if they are asked for that.
fn run_steps(
    plan: &Plan,
    token: Token,
    channel: &Channel,
    inbox: &Receiver<Message>,
) -> Result<Vec<String>> {
    let mut leftovers = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        channel.send_news(&News::Started(index))?;
        let observer = step.observe.then(Observer::start_listening);
        let (outcome, duration, left) = step::run_step(index, step, channel, inbox)?;
        leftovers.extend(left);
        if let Some(observer) = observer {
            let observed = observer
                .and_then(Observer::finish_listening)
                .map_err(|error| format!("{error:#}"));
            channel.send_news(&News::Observed(observed))?;
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        channel.send_news(&News::Ended {
            step: index,
            outcome,
            micros,
            token,
        })?;
    }
    Ok(leftovers)
}

/// Tells what a plan has left in the kernel, and what the kernel has logged meanwhile.
fn report_traces(
    channel: &Channel,
    before: &Inventory,
    leftovers: Vec<String>,
    clock: ClockOffset,
    kernel_log: &mut KernelLog,
) -> Result<()> {
    let mut left_behind = leftovers;
    left_behind.extend(before.find_differences()?);
    left_behind.extend(ClockOffset::read_now()?.change_since(clock));
    if !left_behind.is_empty() {
        if left_behind.len() > MOST_NAMED {
            let more = left_behind.len() - MOST_NAMED;
            left_behind.truncate(MOST_NAMED);
            left_behind.push(format!("and {more} more"));
        }
        channel.send_news(&News::LeftBehind(left_behind))?;
    }
    let complaints = kernel_log.new_complaints()?;
    if !complaints.is_empty() {
        channel.send_news(&News::KernelComplained(complaints))?;
    }
    Ok(())
}

fn end_vm() {
    sync();
    // QEMU runs with -no-reboot: a restart ends it, and is quicker than ACPI power-off.
    let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
    eprintln!("guest init: cannot end the VM: {error}");
}
