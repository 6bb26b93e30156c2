//! User side with libbpf-rs: loads the program that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{ErrorKind, Link, MapCore, OpenObject, RingBuffer, RingBufferBuilder};

use crate::message;
use crate::session::{Sender, Session, WAIT};

// ANCHOR: skeleton
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/hello.skel.rs"));
}
use skeleton::{HelloSkel, HelloSkelBuilder};
// ANCHOR_END: skeleton

pub fn run(function: &str, session: &mut Session) -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let skeleton = load(&mut storage)?;
    let messages = lines(&skeleton.maps.messages, session.sender())?;
    let links = attach(&skeleton, function)?;
    session.attached()?;
    while session.goes_on()? {
        wait(&messages)?;
    }
    // Dropping the links detaches both programs; nothing stays behind in the kernel.
    drop(links);
    session.detached()
}

// ANCHOR: load
fn load(storage: &mut MaybeUninit<OpenObject>) -> Result<HelloSkel<'_>> {
    let open = HelloSkelBuilder::default()
        .open(storage)
        .context("open the program")?;
    open.load().context("load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(skeleton: &HelloSkel<'_>, function: &str) -> Result<[Link; 2]> {
    let programs = &skeleton.progs;
    let enter = programs.hello_enter.attach_kprobe(false, function);
    let exit = programs.hello_exit.attach_kprobe(true, function);
    Ok([
        enter.with_context(|| format!("attach hello_enter to {function}"))?,
        exit.with_context(|| format!("attach hello_exit to {function}"))?,
    ])
}
// ANCHOR_END: attach

// ANCHOR: messages
/// Where the ring buffer's messages arrive: as the bytes of the C struct.
fn lines(map: &dyn MapCore, sender: Sender) -> Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |bytes| {
        // Sending fails only when the session is over, and then nobody misses the line.
        let _ = sender.send(message::from_bytes(bytes));
        0
    })?;
    builder.build().context("open the ring buffer")
}
// ANCHOR_END: messages

fn wait(messages: &RingBuffer<'_>) -> Result<()> {
    match messages.poll(WAIT) {
        // A signal ends the wait: the session looks at it.
        Err(error) if error.kind() != ErrorKind::Interrupted => {
            Err(error).context("wait for messages")
        }
        _ => Ok(()),
    }
}
