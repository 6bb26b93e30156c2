//! A booted guest that takes plans.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plan::frame::{Decoder, Frame, FrameKind, encode_frame, encode_message};
use plan::{News, Order, Plan, Size, Source, Token};
use processes::interrupt::{self, Listening};
use signal_hook::consts::SIGINT;

use crate::console::Console;
use crate::guest_events::{Event, EventQueue, EventSender, Stream, open_queue};
use crate::monitor::Monitor;
use crate::patience::Patience;
use crate::plan_progress::{PlanProgress, PlanTurn, describe_news};
use crate::plan_report::{PlanReport, StepReport};
use crate::qemu::{HostLines, QemuProcess};
use crate::shared_memory::SharedMemory;
use crate::timeline::{note_moment, note_output, now};

/// A guest that runs answers sooner.
const GRACE: Duration = Duration::from_secs(10);

/// A resumed guest answers in milliseconds.
const AWAKE: Duration = Duration::from_secs(5);

/// How long a crashed kernel may go on printing before its last words are taken.
const LAST_BREATH: Duration = Duration::from_millis(700);

/// A running guest. Dropping it ends the VM.
pub struct Guest {
    /// `None` once the VM has been ended.
    qemu: Option<QemuProcess>,
    plans: UnixStream,
    /// `None` where the VM has none: the programs came with the boot.
    memory: Option<SharedMemory>,
    /// QEMU's own line, until it is needed.
    monitor: Option<UnixStream>,
    console: Option<JoinHandle<Console>>,
    events: EventQueue,
    sender: EventSender,
    /// Told whenever the running step can take more of its standard input.
    input: Option<SyncSender<()>>,
    /// The user pressed Ctrl-C once; the lesson was told.
    asked_to_stop: bool,
    _listening: Listening,
}

/// What happens while a plan runs, in order.
pub enum Happening<'a> {
    Started(usize),
    Output(Stream, &'a [u8]),
    Ended(usize, &'a StepReport),
}

/// What a guest that runs a plan is waited for.
enum Wait {
    /// Its next word, which comes soon.
    Word(Patience),
    /// The end of the step with this index: within the step's limit, or when the user ends it.
    Step(usize, Option<Patience>),
}

impl Wait {
    fn patience(&self) -> Option<&Patience> {
        match self {
            Self::Word(patience) => Some(patience),
            Self::Step(_, limit) => limit.as_ref(),
        }
    }

    /// The step that has used up its time.
    fn late_step(&self) -> Option<usize> {
        match self {
            Self::Step(index, Some(limit)) if limit.is_over() => Some(*index),
            _ => None,
        }
    }
}

/// What a guest says of itself when it has booted.
pub(super) struct Ready {
    pub release: String,
    /// Modules that could not be loaded, and why.
    pub not_loaded: Vec<String>,
    /// Since the boot, by the guest's clock.
    pub uptime: Duration,
}

/// Why a guest could not go on. The VM has been ended.
#[derive(Debug)]
pub enum Failure {
    /// The user, or the system, wants xtask to end.
    Interrupted(i32),
    /// No attempt to boot came as far as the guest's init.
    NotBooted(Death),
    /// The guest's kernel crashed, hung or vanished.
    Died(Death),
    /// The caller's side failed, for example because its output went into a closed pipe.
    Caller(anyhow::Error),
}

/// What is known about the unexpected end of a VM.
#[derive(Clone, Debug, Default)]
pub struct Death {
    pub why: String,
    /// QEMU itself failed, and why.
    pub qemu_failed: Option<String>,
    /// The last lines of the kernel's console.
    pub last_words: Vec<String>,
}

impl Guest {
    /// Ties a QEMU that has just been started to a guest that is not ready yet.
    pub(super) fn new(
        qemu: QemuProcess,
        lines: HostLines,
        memory: Option<SharedMemory>,
    ) -> Result<Self> {
        let (sender, events) = open_queue();
        let plans = lines
            .plans
            .try_clone()
            .context("cannot share the guest's line")?;
        // One that does not read its orders is not waited for.
        plans
            .set_write_timeout(Some(GRACE))
            .context("cannot set a time limit")?;
        let console = spawn("console", watch_console(lines.console, sender.clone()))?;
        spawn("guest", read_news(lines.plans, sender.clone()))?;
        let signals = sender.clone();
        let listening = interrupt::listen_to_signals(move |signal| {
            // A guest that is gone needs no signal.
            signals.send_event(Event::Signal(signal));
        });
        Ok(Self {
            qemu: Some(qemu),
            plans,
            memory,
            monitor: Some(lines.monitor),
            console: Some(console),
            events,
            sender,
            input: None,
            asked_to_stop: false,
            _listening: listening,
        })
    }

    /// Waits until the guest's init is ready for orders.
    pub(super) fn wait_until_ready(&mut self, limit: Duration) -> Result<Ready, Failure> {
        match self.next_news(limit)? {
            News::Ready {
                version: plan::VERSION,
                release,
                not_loaded,
                uptime,
            } => Ok(Ready {
                release,
                not_loaded,
                uptime,
            }),
            news => Err(self.fail_as_dead(&format!(
                "the guest's init is not of this xtask: it said {}",
                describe_news(&news)
            ))),
        }
    }

    /// Loads the guest from its snapshot, and waits until it runs.
    pub(super) fn resume_state(&mut self, file: &File) -> Result<(), Failure> {
        let monitor = self
            .monitor
            .take()
            .context("the monitor is in use")
            .and_then(Monitor::open);
        match monitor.and_then(|mut monitor| monitor.resume_state(file)) {
            Ok(()) => {
                note_moment("resumed");
                Ok(())
            }
            Err(error) => Err(self.fail_as_dead(&format!("{error:#}"))),
        }
    }

    /// Writes the guest, as it is now, to `file`, and has `save_memory` save its memory meanwhile.
    /// It goes on after that.
    pub(super) fn save_state(
        &mut self,
        file: &File,
        save_memory: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let monitor = self.monitor.take().context("the monitor is in use")?;
        Monitor::open(monitor)?.save_state(file, save_memory)
    }

    /// Tells a guest that has just been booted or resumed what it cannot know: the time, and random
    /// numbers.
    pub(super) fn wake_guest(&mut self) -> Result<String, Failure> {
        let seed = random_bytes::<64>().map_err(Failure::Caller)?;
        self.order(&Order::Wake {
            now: now(),
            seed: seed.to_vec(),
        })?;
        match self.next_news(AWAKE)? {
            News::Awake { release } => {
                note_moment("awake");
                Ok(release)
            }
            news => Err(self.fail_out_of_turn(&news)),
        }
    }

    /// Gives the guest programs in place of those that it has.
    pub fn load_programs(&mut self, programs: &[u8]) -> Result<(), Failure> {
        self.share(programs)?;
        self.unpack_source(Source::SharedMemory(programs.len()))
    }

    /// Gives the guest programs beside those that it has.
    pub fn add_programs(&mut self, programs: &[u8]) -> Result<(), Failure> {
        self.share(programs)?;
        self.order_unpacking(&Order::Add(programs.len()))
    }

    /// Removes what was added: the guest takes other programs beside those that it had before.
    pub(super) fn remove_added_programs(&mut self) -> Result<(), Failure> {
        self.order(&Order::Remove)?;
        match self.next_news(GRACE)? {
            News::Removed => Ok(()),
            news => Err(self.fail_out_of_turn(&news)),
        }
    }

    /// Whether the guest still runs after a time in which nobody waited for it. A signal that came
    /// then was for others.
    pub(super) fn outlived_wait(&mut self) -> bool {
        while let Some(event) = self.events.take_waiting() {
            if !matches!(event, Event::Signal(_)) {
                return false;
            }
        }
        true
    }

    pub(super) fn unpack_source(&mut self, source: Source) -> Result<(), Failure> {
        self.order_unpacking(&Order::Unpack(source))
    }

    /// Whether [`Self::load_programs`] can take these: some VMs get their programs with the boot.
    pub fn has_room_for(&self, programs: &[u8]) -> bool {
        self.memory.is_some() && SharedMemory::has_room_for(programs)
    }

    fn share(&self, programs: &[u8]) -> Result<(), Failure> {
        let memory = self.memory.as_ref().context("this VM has no shared memory");
        memory
            .and_then(|memory| memory.write_bytes(programs))
            .map_err(Failure::Caller)
    }

    fn order_unpacking(&mut self, order: &Order) -> Result<(), Failure> {
        self.order(order)?;
        match self.next_news(GRACE)? {
            News::Unpacked => Ok(()),
            news => Err(self.fail_out_of_turn(&news)),
        }
    }

    fn wait_for_at_most(&self, limit: Duration) -> Patience {
        // Without a QEMU, nothing is waited for.
        let process = self.qemu.as_ref().map_or(0, QemuProcess::id);
        Patience::begin_waiting(process, limit)
    }

    /// `None`: none came in time.
    fn next_event(&mut self, patience: Option<&Patience>) -> Option<Event> {
        let Some(patience) = patience else {
            return self.events.next_event(None);
        };
        let mut deadline = patience.earliest_end();
        loop {
            let event = self.events.next_event(Some(deadline));
            if event.is_some() {
                return event;
            }
            let later = patience.end();
            if later <= deadline {
                return None;
            }
            deadline = later;
        }
    }

    fn next_news(&mut self, limit: Duration) -> Result<News, Failure> {
        let patience = self.wait_for_at_most(limit);
        loop {
            match self.next_event(Some(&patience)) {
                Some(Event::News(news)) => return Ok(news),
                // No lesson runs yet that could want it.
                Some(Event::Signal(signal)) => return Err(self.interrupted(signal)),
                Some(event) => self.answer(event)?,
                None => {
                    return Err(self.fail_as_dead(&format!(
                        "the guest did not answer within {} s",
                        patience.waited().as_secs()
                    )));
                }
            }
        }
    }

    /// Runs the steps of a plan one after the other and tells `audience` what happens.
    pub fn run_plan(
        &mut self,
        plan: &Plan,
        mut audience: impl FnMut(Happening<'_>) -> Result<()>,
    ) -> Result<PlanReport, Failure> {
        let token = Token::from_le_bytes(random_bytes().map_err(Failure::Caller)?);
        let mut progress = PlanProgress::new(plan, token);
        self.order(&Order::Run {
            plan: plan.clone(),
            now: now(),
            token,
        })?;
        // The first step starts at once.
        let mut wait = Wait::Word(self.wait_for_at_most(GRACE));
        loop {
            // Before the next event: a step that prints without an end always has one.
            if let Some(index) = wait.late_step() {
                self.order(&Order::EndStep(index))?;
                wait = Wait::Word(self.wait_for_at_most(GRACE));
            }
            let told = match self.next_event(wait.patience()) {
                Some(Event::Leave) => return Ok(progress.into_report()),
                Some(Event::Output(stream, bytes)) => {
                    note_output(&bytes);
                    progress
                        .count_output(bytes.len())
                        .map_err(|fault| self.fail_as_dead(&fault))?;
                    audience(Happening::Output(stream, &bytes))
                }
                Some(Event::News(news)) => {
                    let turn = progress.take_news(news);
                    match turn.map_err(|fault| self.fail_as_dead(&fault))? {
                        PlanTurn::Started(index) => {
                            let seconds = plan.steps[index].seconds.map(Duration::from_secs);
                            let limit = seconds.map(|limit| self.wait_for_at_most(limit));
                            wait = Wait::Step(index, limit);
                            audience(Happening::Started(index))
                        }
                        PlanTurn::Ended(index) => {
                            note_moment("step ended");
                            wait = Wait::Word(self.wait_for_at_most(GRACE));
                            let ended = &progress.report().steps[index];
                            let told = audience(Happening::Ended(index, ended));
                            // The steps that follow are not wanted any more.
                            if self.asked_to_stop && index + 1 < plan.steps.len() {
                                return Err(self.interrupted(SIGINT));
                            }
                            told
                        }
                        PlanTurn::WantsInput => {
                            self.ask_for_input();
                            Ok(())
                        }
                        PlanTurn::Noted => Ok(()),
                        PlanTurn::Finished => {
                            note_moment("finished");
                            return Ok(progress.into_report());
                        }
                    }
                }
                Some(event) => self.answer(event).map(Ok)?,
                // It is late by now, or will be.
                None if matches!(wait, Wait::Step(..)) => Ok(()),
                None => return Err(self.fail_as_dead("the guest stopped answering")),
            };
            if let Err(error) = told {
                self.end();
                return Err(Failure::Caller(error));
            }
        }
    }

    /// Whoever feeds the step may have no more, or may not have come to the last request.
    fn ask_for_input(&self) {
        let _ = self.input.as_ref().map(|input| input.try_send(()));
    }

    /// Deals with what has nothing to do with a plan's own progress.
    fn answer(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Signal(signal) => self.pass_on_signal(signal),
            Event::Key(bytes) => self.write(&encode_frame(FrameKind::Input, &bytes)),
            Event::Resized(size) => self.order(&Order::Resize(size)),
            Event::Crashed(line) => Err(self.crashed(&line)),
            Event::LineClosed(why) => Err(self.fail_as_dead(&why)),
            Event::News(news) => Err(self.fail_out_of_turn(&news)),
            Event::Output(..) | Event::Leave => Ok(()),
        }
    }

    /// Ties the user's keyboard to steps that have a terminal.
    pub fn keyboard(&self) -> Keyboard {
        Keyboard {
            sender: self.sender.clone(),
        }
    }

    /// For each message, the step of the next plan wants a piece of its standard input: some bytes
    /// for the [`Keyboard`], or none at the end.
    pub fn receive_requests_for_input(&mut self) -> Receiver<()> {
        // A guest asks once, and waits for the answer.
        let (sender, requests) = mpsc::sync_channel(1);
        self.input = Some(sender);
        requests
    }

    /// The user wanted the running step to end, and it did.
    pub fn was_asked_to_stop(&self) -> bool {
        self.asked_to_stop
    }

    /// The first Ctrl-C is the lesson's, so that it can detach and print its summary. Everything
    /// else ends the VM.
    fn pass_on_signal(&mut self, signal: i32) -> Result<(), Failure> {
        if signal != SIGINT || self.asked_to_stop {
            return Err(self.interrupted(signal));
        }
        self.asked_to_stop = true;
        self.order(&Order::Signal(signal))
    }

    fn order(&mut self, order: &Order) -> Result<(), Failure> {
        let bytes = encode_message(FrameKind::Order, order)
            .map_err(|error| Failure::Caller(error.into()))?;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self.plans.write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail_as_dead(&format!("the guest does not listen: {error}"))),
        }
    }

    fn interrupted(&mut self, signal: i32) -> Failure {
        self.end();
        Failure::Interrupted(signal)
    }

    /// Lets a crashed kernel print the rest, unless the user has seen enough.
    fn crashed(&mut self, line: &str) -> Failure {
        let deadline = Instant::now() + LAST_BREATH;
        while let Some(event) = self.events.next_event(Some(deadline)) {
            match event {
                Event::Signal(signal) => return self.interrupted(signal),
                Event::LineClosed(_) => break,
                _ => {}
            }
        }
        self.fail_as_dead(&format!("the guest's kernel crashed: {line}"))
    }

    fn fail_out_of_turn(&mut self, news: &News) -> Failure {
        let told = describe_news(news);
        self.fail_as_dead(&format!("the guest said {told} out of turn"))
    }

    pub(super) fn fail_as_dead(&mut self, why: &str) -> Failure {
        let qemu_failed = self.qemu.as_mut().and_then(QemuProcess::own_failure);
        self.end();
        // With QEMU gone, the console thread comes to its end and has heard everything.
        let console = self
            .console
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        let why = console.crash_line().map_or(why.to_owned(), |line| {
            format!("the guest's kernel crashed: {line}")
        });
        Failure::Died(Death {
            why,
            qemu_failed,
            last_words: console.last_words(),
        })
    }

    /// Ends the VM.
    fn end(&mut self) {
        self.qemu = None;
    }
}

/// The way in for what the user types, and for changes of the terminal's size.
#[derive(Clone)]
pub struct Keyboard {
    sender: EventSender,
}

impl Keyboard {
    /// Returns false when the guest is gone.
    pub fn send_keys(&self, bytes: Vec<u8>) -> bool {
        self.sender.send_event(Event::Key(bytes))
    }

    /// Ends the VM at once.
    pub fn end_guest(&self) {
        // A guest that is gone has ended already.
        self.sender.send_event(Event::Leave);
    }

    /// Returns false when the guest is gone.
    pub fn send_size(&self, size: Size) -> bool {
        self.sender.send_event(Event::Resized(size))
    }
}

fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("cannot read random numbers")?;
    Ok(bytes)
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.with_context(|| format!("cannot start the {name} thread"))
}

fn watch_console(mut line: UnixStream, events: EventSender) -> impl FnOnce() -> Console {
    move || {
        let mut console = Console::default();
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = line.read(&mut buffer) {
            if let Some(crash) = console.push_output(&buffer[..length]) {
                // When the guest is no longer watched, reading goes on, so that QEMU is not held
                // up.
                events.send_event(Event::Crashed(crash));
            }
        }
        console
    }
}

fn read_news(mut line: UnixStream, events: EventSender) -> impl FnOnce() {
    move || {
        let why = match forward_frames(&mut line, &events) {
            Ok(()) => "the VM ended".to_owned(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => "the VM ended".to_owned(),
            Err(error) => format!("the guest's line broke: {error}"),
        };
        // Nobody listens when the guest has been ended on purpose.
        events.send_event(Event::LineClosed(why));
    }
}

fn forward_frames(line: &mut UnixStream, events: &EventSender) -> std::io::Result<()> {
    let mut decoder = Decoder::default();
    let mut buffer = [0; 8192];
    loop {
        let length = line.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        decoder.push_bytes(&buffer[..length]);
        while let Some(frame) = decoder.next_frame()? {
            let size = frame.payload.len();
            if !events.send_frame(event(frame)?, size) {
                return Ok(());
            }
        }
    }
}

fn event(frame: Frame) -> std::io::Result<Event> {
    Ok(match frame.kind {
        FrameKind::Stdout => Event::Output(Stream::Stdout, frame.payload),
        FrameKind::Stderr => Event::Output(Stream::Stderr, frame.payload),
        FrameKind::News => Event::News(frame.read_message()?),
        FrameKind::Order | FrameKind::Input => {
            let what = format!("a guest sends no frame of kind {:?}", frame.kind);
            return Err(std::io::Error::new(ErrorKind::InvalidData, what));
        }
    })
}
