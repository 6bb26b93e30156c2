//! User side with aya: loads the program that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::programs::KProbe;
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, poll};

use crate::message;
use crate::session::{Sender, Session, WAIT};

pub fn run(function: &str, session: &mut Session) -> Result<()> {
    let mut ebpf = load()?;
    let mut messages = EbpfLogger::init_with_logger(&mut ebpf, Lines(session.sender()))?;
    attach(&mut ebpf, function)?;
    session.attached()?;
    while session.goes_on()? {
        wait(&messages)?;
        messages.flush();
    }
    // Dropping the links detaches both programs; nothing stays behind in the kernel.
    drop(ebpf);
    session.detached()
}

// ANCHOR: load
fn load() -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-kprobe-ebpf"));
    // `Ebpf::load` does the same, but aya 0.14 then reads and parses the kernel's BTF twice.
    EbpfLoader::new().load(object).context("load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(ebpf: &mut Ebpf, function: &str) -> Result<()> {
    for name in ["hello_enter", "hello_exit"] {
        let program: &mut KProbe = ebpf
            .program_mut(name)
            .with_context(|| format!("find program {name}"))?
            .try_into()?;
        program.load().with_context(|| format!("load {name}"))?;
        // The section of the program says which of the two it is: kprobe or kretprobe.
        program
            .attach(function, 0)
            .with_context(|| format!("attach {name} to {function}"))?;
    }
    Ok(())
}
// ANCHOR_END: attach

// ANCHOR: messages
/// Where aya-log's messages arrive: it has made text of them, all but the file's name.
struct Lines(Sender);

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Sending fails only when the session is over, and then nobody misses the line.
        let _ = self.0.send(message::with_name(&record.args().to_string()));
    }

    fn flush(&self) {}
}
// ANCHOR_END: messages

fn wait(messages: &EbpfLogger<Lines>) -> Result<()> {
    let limit = WAIT.try_into().context("convert the time limit")?;
    match poll(&mut [PollFd::new(messages, PollFlags::IN)], Some(&limit)) {
        // A signal ends the wait: the session looks at it.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("wait for messages"),
    }
}
