//! PID 1 of the VM: mounts the file systems, waits for a plan, runs its steps, reports, and waits for the next.
//!
//! It is a program of its own and not a shell script because success must be something it *says*: a guest whose
//! kernel panics ends QEMU with exit status 0.

mod channel;
mod kernel_log;
mod mounts;
mod step;

use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, Result, bail};
use plan::{News, Order, Plan};

use crate::channel::{Channel, Message};
use crate::kernel_log::KernelLog;

fn main() {
    if std::process::id() != 1 {
        eprintln!("error: this program is the init of a VM; it does nothing elsewhere");
        std::process::exit(2);
    }
    if let Err(error) = serve() {
        // Standard error is the kernel's console; the host shows its last lines.
        eprintln!("guest init: {error:#}");
    }
    power_off();
}

fn serve() -> Result<()> {
    mounts::mount_all()?;
    let mut kernel_log = KernelLog::from_now()?;
    let (sender, inbox) = mpsc::channel();
    let channel = Channel::open(sender)?;
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    channel.send(&News::Ready { version: plan::VERSION, release })?;
    while let Some(plan) = next_plan(&inbox)? {
        run(&plan, &channel, &inbox)?;
        let complaints = kernel_log.new_complaints()?;
        if !complaints.is_empty() {
            channel.send(&News::KernelComplained(complaints))?;
        }
        channel.send(&News::Finished)?;
    }
    Ok(())
}

/// The next plan, or `None` when the host wants the guest to end.
fn next_plan(inbox: &Receiver<Message>) -> Result<Option<Plan>> {
    loop {
        match inbox.recv().context("the host went away")? {
            Message::Order(Order::Run(plan)) => return Ok(Some(plan)),
            Message::Order(Order::PowerOff) => return Ok(None),
            Message::Failed(error) => bail!("cannot read orders: {error}"),
            // A signal or a key that arrives after its step has ended is too late to matter.
            Message::Order(Order::Signal(_) | Order::Resize(_))
            | Message::Input(_)
            | Message::ProgramEnded => {}
        }
    }
}

fn run(plan: &Plan, channel: &Channel, inbox: &Receiver<Message>) -> Result<()> {
    for (index, step) in plan.steps.iter().enumerate() {
        channel.send(&News::Started(index))?;
        let (outcome, duration) = step::run(step, channel, inbox)?;
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        channel.send(&News::Ended { step: index, outcome, micros })?;
    }
    Ok(())
}

fn power_off() {
    rustix::fs::sync();
    // QEMU runs with -no-reboot: a restart ends it, and is quicker than ACPI power-off.
    if let Err(error) = rustix::system::reboot(rustix::system::RebootCommand::Restart) {
        eprintln!("guest init: cannot end the VM: {error}");
    }
}
