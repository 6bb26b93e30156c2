//! Starts a guest: resumes it from its snapshot, or boots it and makes the snapshot for the next
//! time.
//!
//! Whatever does not work with a snapshot ends in a boot. A boot that dies is tried again; it is
//! this machine's fault, never the lesson's.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use plan::{Plan, Source};
use problem::{Exit, Problem};
use processes::Interrupted;

use crate::accel::{self, Accel, KvmState};
use crate::guest::{Death, Failure, Guest, Ready};
use crate::guest_memory::GuestMemory;
use crate::image::{self, Modules};
use crate::machine::{Machine, Programs, VmClock};
use crate::qemu::{BROKE_SANDBOX, ENDED_BY_SIGNAL, KILLED, Origin, QemuProcess};
use crate::shared_memory::SharedMemory;
use crate::snapshot::{DamagedSnapshot, Sealed, Snapshot};
use crate::timeline::{note_moment, note_retry};

/// Under emulation one boot in some hundreds dies early, before any program of ours runs.
const ATTEMPTS: usize = 3;

/// `off`: always boot.
const SNAPSHOTS: &str = "XTASK_SNAPSHOTS";

/// A guest that is ready, with its programs, and how it got there.
pub struct Started {
    pub guest: Guest,
    pub release: String,
    pub accel: Accel,
    pub how: How,
    /// Until the guest was ready; the programs came after that.
    pub ready: Duration,
    /// What did not work on the way here, for those who ask.
    pub notes: Vec<String>,
}

impl Started {
    fn begun_at(begin: Instant, how: How, accel: Accel, guest: Guest, release: String) -> Self {
        Self {
            guest,
            release,
            accel,
            how,
            ready: begin.elapsed(),
            notes: Vec::new(),
        }
    }

    /// Lets the guest wait for others, after programs that were added to its own have run. It has
    /// to be cleaned before they come: see [`HeadStart::clean_up`].
    pub fn wait_for_others(self) -> HeadStart {
        HeadStart {
            started: Some(self),
            has_programs: true,
            notes: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    Booted,
    Resumed,
}

/// Starts a guest with these programs.
pub fn start_guest(machine: &Machine, programs: &Programs) -> Result<Started, Failure> {
    start_ahead(machine)?.give_programs(machine, programs)
}

/// What can be done before the programs are there: they are built meanwhile.
pub struct HeadStart {
    /// `None`: the programs have to come with the boot.
    started: Option<Started>,
    /// It has programs that others will join.
    has_programs: bool,
    notes: Vec<String>,
}

/// Resumes the guest, or boots it and makes the snapshot.
///
/// The kernel ends QEMU together with the thread that calls this.
pub fn start_ahead(machine: &Machine) -> Result<HeadStart, Failure> {
    let mut head = HeadStart {
        started: None,
        has_programs: false,
        notes: Vec::new(),
    };
    if !machine.sandbox {
        head.notes
            .push("QEMU runs without its seccomp sandbox".to_owned());
    }
    // KVM boots in the time that a resume takes, and a saved guest is tied to its CPU.
    let emulated = accel::find_kvm_state(&machine.state, machine.architecture)
        .map_err(Failure::Caller)?
        .choose_accel()
        == Accel::Tcg;
    let counts = machine.clock == VmClock::Instructions;
    if !emulated || counts || std::env::var_os(SNAPSHOTS).is_some_and(|value| value == "off") {
        return Ok(head);
    }
    match start_by_snapshot(machine, &mut head.notes) {
        Err(Failure::Died(death)) => {
            add_retry(&mut head.notes, format!("no snapshot: {death}"));
        }
        Err(Failure::Caller(error)) => {
            add_retry(&mut head.notes, format!("no snapshot: {error:#}"));
        }
        Ok(started) => head.started = started,
        // A kernel that does not boot will not do so because a snapshot is missing.
        Err(failure @ (Failure::Interrupted(_) | Failure::NotBooted(_))) => return Err(failure),
    }
    Ok(head)
}

/// Says that something did not work and is tried again, or in another way. What comes before the
/// first colon names the cause, and stays the same.
fn add_retry(notes: &mut Vec<String>, why: String) {
    note_retry(&why);
    notes.push(why);
}

impl HeadStart {
    /// Gives the guest the programs that are there already, if it can take some now and others
    /// later.
    pub fn load_programs(&mut self, programs: &Programs) -> Result<(), Failure> {
        if let Some(started) = self
            .started
            .as_mut()
            .filter(|_| SharedMemory::has_room_for(programs))
        {
            started.guest.load_programs(programs)?;
            self.has_programs = true;
        }
        Ok(())
    }

    pub fn has_programs(&self) -> bool {
        self.has_programs
    }

    /// Removes what was added to the programs of a guest that has waited. Returns whether the guest
    /// is as it was before all plans. One that is not should not be used again.
    pub fn clean_up(&mut self) -> bool {
        let Some(Started { guest, .. }) = &mut self.started else {
            return false;
        };
        // A plan without steps only looks at what there is in the kernel, and what it has logged.
        guest.outlived_wait()
            && guest.remove_added_programs().is_ok()
            && guest
                .run_plan(&Plan::default(), |_| Ok(()))
                .is_ok_and(|report| report.is_clean())
    }

    /// Gives a guest that has programs the other programs.
    pub fn exchange_programs(self, programs: &Programs) -> Result<Started, Failure> {
        let mut started = self.keep_programs()?;
        started.guest.add_programs(programs)?;
        Ok(started)
    }

    /// A guest that has all that it needs, or gets the rest bit by bit.
    pub fn keep_programs(self) -> Result<Started, Failure> {
        let started = self.started.filter(|_| self.has_programs);
        let started = started
            .context("no guest waits for programs")
            .map_err(Failure::Caller)?;
        Ok(Started {
            notes: self.notes,
            ..started
        })
    }

    /// Gives the guest its programs.
    pub fn give_programs(self, machine: &Machine, programs: &Programs) -> Result<Started, Failure> {
        let mut notes = self.notes;
        if let Some(mut started) = self
            .started
            .filter(|_| SharedMemory::has_room_for(programs))
        {
            started.guest.load_programs(programs)?;
            note_moment("unpacked");
            return Ok(Started { notes, ..started });
        }
        let state = match machine.clock {
            VmClock::Host => accel::find_kvm_state(&machine.state, machine.architecture)
                .map_err(Failure::Caller)?,
            VmClock::Instructions => KvmState::Forced(Accel::Tcg),
        };
        let mut started = boot_with_retries(machine, state, Purpose::Run(programs), &mut notes)?;
        started.guest.wake_guest()?;
        started.guest.unpack_source(Source::Boot)?;
        note_moment("unpacked");
        Ok(Started { notes, ..started })
    }
}

/// Resumes, or boots and saves. `None`: snapshots do not work here.
fn start_by_snapshot(
    machine: &Machine,
    notes: &mut Vec<String>,
) -> Result<Option<Started>, Failure> {
    let snapshot = (machine.init)(machine.architecture)
        .and_then(|init| Snapshot::of_machine(machine, &init))
        .map_err(Failure::Caller)?;
    if snapshot.is_known_bad() {
        let file = snapshot.file_path();
        let why = format!(
            "no snapshot: resuming from {} has failed again and again",
            file.display()
        );
        add_retry(notes, why);
        return Ok(None);
    }
    if let Some(started) = resume_with(machine, &snapshot, notes)? {
        return Ok(Some(started));
    }
    let lock = snapshot.wait_for_lock().map_err(Failure::Caller)?;
    // Another run may have made it while this one waited.
    if let Some(started) = resume_with(machine, &snapshot, notes)? {
        return Ok(Some(started));
    }
    let memory = GuestMemory::create(machine).map_err(Failure::Caller)?;
    let purpose = Purpose::Save(&memory);
    let mut started = boot_with_retries(machine, KvmState::Forced(Accel::Tcg), purpose, notes)?;
    let begin = Instant::now();
    match snapshot.save_snapshot(|file| save(&mut started.guest, machine, &memory, file)) {
        Ok(bytes) => notes.push(format!(
            "the next run will resume: a snapshot of {} MB was made in {:.1} s",
            bytes / 1_000_000,
            begin.elapsed().as_secs_f64()
        )),
        Err(error) => add_retry(notes, format!("the snapshot could not be made: {error:#}")),
    }
    drop(lock);
    started.guest.wake_guest()?;
    Ok(Some(started))
}

/// The memory comes first in the file: a resume maps it from there.
fn save(
    guest: &mut Guest,
    machine: &Machine,
    memory: &GuestMemory,
    mut file: &File,
) -> anyhow::Result<()> {
    file.seek(SeekFrom::Start(machine.memory_bytes()))
        .context("cannot seek in the snapshot")?;
    guest.save_state(file, || memory.copy_pages(file))
}

fn initramfs(
    machine: &Machine,
    programs: Option<&[u8]>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<u8>> {
    let modules = Modules::find_modules(machine.modules.as_deref(), &image::MODULES);
    notes.extend(modules.notes.iter().cloned());
    image::pack_initramfs(&(machine.init)(machine.architecture)?, &modules, programs)
}

/// `None` when there is no snapshot that works.
fn resume_with(
    machine: &Machine,
    snapshot: &Snapshot,
    notes: &mut Vec<String>,
) -> Result<Option<Started>, Failure> {
    let sealed = match snapshot.open_sealed() {
        Ok(Some(sealed)) => sealed,
        Ok(None) => return Ok(None),
        Err(error) => {
            let note = format!("{error:#}");
            // What cannot be cleared away is met twice.
            if !notes.contains(&note) {
                add_retry(notes, note);
            }
            return Ok(None);
        }
    };
    let begin = Instant::now();
    match resume_checked(machine, &sealed) {
        Ok((guest, release)) => {
            let started = Started::begun_at(begin, How::Resumed, Accel::Tcg, guest, release);
            snapshot.forget_failures();
            Ok(Some(started))
        }
        Err(interrupted @ Failure::Interrupted(_)) => Err(interrupted),
        Err(failure) => {
            let is_bad = is_of_snapshot(&failure);
            let why = match failure {
                Failure::Died(death) => death.to_string(),
                other => format!("{:#}", other.into_error()),
            };
            let note = if is_bad {
                snapshot.count_failure(&why);
                format!("the snapshot was dropped: {why}")
            } else {
                format!("the snapshot was not used: {why}")
            };
            // One that was not used is tried twice.
            if !notes.contains(&note) {
                add_retry(notes, note);
            }
            Ok(None)
        }
    }
}

/// Whether a resume failed because of the snapshot, and not because somebody ended QEMU, or this
/// machine has too little memory, or too few descriptors or processes, for any VM.
fn is_of_snapshot(failure: &Failure) -> bool {
    match failure {
        Failure::Caller(error) => error.is::<DamagedSnapshot>(),
        Failure::Died(death) => !found_too_little(death) && !was_killed(death),
        Failure::NotBooted(_) | Failure::Interrupted(_) => true,
    }
}

fn found_no_memory(death: &Death) -> bool {
    let why = death.qemu_failed.as_ref();
    why.is_some_and(|why| why.contains("allocate memory"))
}

/// The same for what else QEMU cannot do without.
fn found_too_little(death: &Death) -> bool {
    const SIGNS: [&str; 2] = ["Too many open files", "Resource temporarily unavailable"];
    let why = death.qemu_failed.as_ref();
    found_no_memory(death) || why.is_some_and(|why| SIGNS.iter().any(|sign| why.contains(sign)))
}

fn was_killed(death: &Death) -> bool {
    let why = death.qemu_failed.as_ref();
    why.is_some_and(|why| why.contains(KILLED) || why.contains(ENDED_BY_SIGNAL))
}

/// Resumes while the snapshot is read a second time, on another core: what a damaged guest says
/// must not count.
fn resume_checked(machine: &Machine, sealed: &Sealed) -> Result<(Guest, String), Failure> {
    std::thread::scope(|scope| {
        let check = scope.spawn(|| sealed.check_hash());
        let resumed = resume(machine, sealed);
        let checked = check
            .join()
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the check panicked")));
        match (resumed, checked) {
            (Err(interrupted @ Failure::Interrupted(_)), _) => Err(interrupted),
            // Damage is also the likeliest reason of a resume that failed.
            (_, Err(damage)) => Err(Failure::Caller(damage)),
            (resumed, Ok(())) => resumed,
        }
    })
}

fn resume(machine: &Machine, sealed: &Sealed) -> Result<(Guest, String), Failure> {
    let file = sealed
        .file_from(machine.memory_bytes())
        .map_err(Failure::Caller)?;
    let memory = SharedMemory::create().map_err(Failure::Caller)?;
    let (qemu, lines) =
        QemuProcess::spawn_qemu(machine, Accel::Tcg, Origin::Snapshot(file), Some(&memory))
            .map_err(Failure::Caller)?;
    let mut guest = Guest::new(qemu, lines, Some(memory)).map_err(Failure::Caller)?;
    guest.resume_state(file)?;
    let release = guest.wake_guest()?;
    Ok((guest, release))
}

/// What a guest is booted for.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// To run these programs, which come with the boot.
    Run(&'a [u8]),
    /// To be saved; this is its memory. Programs come later, through shared memory.
    Save(&'a GuestMemory),
}

/// Boots until a guest is ready.
fn boot_with_retries(
    machine: &Machine,
    mut state: KvmState,
    purpose: Purpose<'_>,
    notes: &mut Vec<String>,
) -> Result<Started, Failure> {
    let programs = match purpose {
        Purpose::Run(programs) => Some(programs),
        Purpose::Save(_) => None,
    };
    let initramfs = initramfs(machine, programs, notes).map_err(Failure::Caller)?;
    let machine = &with_room_for(machine, programs);
    let mut kvm_failed = None;
    let mut failed = 0;
    loop {
        let accel = state.choose_accel();
        let begin = Instant::now();
        match boot(machine, accel, &initramfs, purpose) {
            Ok((guest, ready)) => {
                notes.extend(
                    ready
                        .not_loaded
                        .iter()
                        .map(|why| format!("a module could not be loaded: {why}")),
                );
                // Only now it is KVM's fault, and not the kernel's.
                kvm_failed
                    .iter()
                    .for_each(|why: &String| accel::remember_failure(&machine.state, why));
                let release = ready.release;
                return Ok(Started::begun_at(begin, How::Booted, accel, guest, release));
            }
            Err(Failure::Died(death)) if state == KvmState::Promising => {
                let why = format!("a boot with KVM did not get through: {death}");
                kvm_failed = death.qemu_failed.is_none().then(|| why.clone());
                add_retry(notes, why.clone());
                state = KvmState::Unusable(why);
            }
            // When QEMU itself refused, another attempt would end the same way.
            Err(Failure::Died(death)) if failed + 1 < ATTEMPTS && death.qemu_failed.is_none() => {
                failed += 1;
                add_retry(notes, format!("a boot failed and was tried again: {death}"));
            }
            Err(Failure::Died(death)) if death.qemu_failed.is_none() => {
                return Err(Failure::NotBooted(death));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Programs that come with the boot are in the guest's memory three times for a moment: as a file
/// of the initial file system, as init has read it, and unpacked. The programs of all lessons were
/// too many for 256 MiB.
fn with_room_for(machine: &Machine, programs: Option<&[u8]>) -> Machine {
    const COPIES: usize = 3;
    let bytes = COPIES * programs.map_or(0, <[u8]>::len);
    let mebibytes = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
    Machine {
        memory_mib: machine.memory_mib.saturating_add(mebibytes),
        ..machine.clone()
    }
}

/// How long a VM takes whose init ends it at once: what no boot can beat.
pub fn time_shortest_vm(
    machine: &Machine,
    accel: Accel,
    initramfs: &[u8],
) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let (qemu, _lines) = QemuProcess::spawn_qemu(machine, accel, Origin::Boot(initramfs), None)?;
    qemu.wait_for_exit(boot_limit(accel))?;
    Ok(begin.elapsed())
}

fn boot(
    machine: &Machine,
    accel: Accel,
    initramfs: &[u8],
    purpose: Purpose<'_>,
) -> Result<(Guest, Ready), Failure> {
    let (origin, shared) = match purpose {
        Purpose::Run(_) => (Origin::Boot(initramfs), None),
        Purpose::Save(memory) => {
            memory.clear_pages().map_err(Failure::Caller)?;
            let shared = SharedMemory::create().map_err(Failure::Caller)?;
            let origin = Origin::BootToSave(initramfs, memory.backing_file());
            (origin, Some(shared))
        }
    };
    let (qemu, lines) = QemuProcess::spawn_qemu(machine, accel, origin, shared.as_ref())
        .map_err(Failure::Caller)?;
    let mut guest = Guest::new(qemu, lines, shared).map_err(Failure::Caller)?;
    let begin = Instant::now();
    let ready = guest.wait_until_ready(boot_limit(accel))?;
    match wrong_clock(ready.uptime, begin.elapsed()) {
        Some(why) => Err(guest.fail_as_dead(&why)),
        None => Ok((guest, ready)),
    }
}

/// Why a boot is tried again that other processes of this machine kept waiting.
pub const WRONG_CLOCK: &str = "the guest's clock is wrong";

/// A guest that was kept waiting while it measured the speed of its clock has it run several times
/// too fast: limits expire early, and a snapshot would carry the fault to every later run.
fn wrong_clock(uptime: Duration, since_start: Duration) -> Option<String> {
    (uptime > since_start.mul_f64(1.2) + Duration::from_millis(500)).then(|| {
        format!(
            "{WRONG_CLOCK}: by it the boot took {:.1} s, and not {:.1} s",
            uptime.as_secs_f64(),
            since_start.as_secs_f64()
        )
    })
}

/// Many times what a boot takes, so that a busy machine does not look broken.
fn boot_limit(accel: Accel) -> Duration {
    match accel {
        Accel::Kvm => Duration::from_secs(10),
        Accel::Tcg => Duration::from_secs(30),
    }
}

fn not_booted(death: &Death) -> Problem {
    let what = match &death.qemu_failed {
        None => format!("the VM did not boot, in {ATTEMPTS} attempts: {}", death.why),
        Some(why) => format!("QEMU could not run a VM: {why}"),
    };
    let mut problem = Problem::machine(what);
    if found_no_memory(death) || was_killed(death) {
        problem = problem.help(
            "close other programs: a VM needs 256 MiB of memory, or what --memory says, and QEMU \
             some more for itself",
        );
    }
    if death.qemu_failed.as_deref() == Some(BROKE_SANDBOX) {
        problem = problem.help("to run it without the sandbox: set XTASK_SANDBOX=off");
    }
    problem
        .help(show_last_words(death))
        .help("cargo xtask doctor")
}

/// The end of the kernel's console, for a person.
pub fn show_last_words(death: &Death) -> String {
    match death.last_words.as_slice() {
        [] => "the kernel printed nothing".to_owned(),
        lines => format!("the kernel's last words:\n    {}", lines.join("\n    ")),
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.qemu_failed {
            None => f.write_str(&self.why),
            Some(why) => write!(f, "QEMU failed: {why}"),
        }
    }
}

impl Failure {
    /// Makes an error of it, for a caller that has nothing to add.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Failure::Interrupted(signal) => Interrupted(signal).into(),
            Failure::Caller(error) => error,
            Failure::NotBooted(death) => not_booted(&death).into(),
            Failure::Died(death) if death.qemu_failed.is_some() => not_booted(&death).into(),
            Failure::Died(death) => Problem::new(Exit::NotYet, death.to_string())
                .help(show_last_words(&death))
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_ahead_is_wrong() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(wrong_clock(seconds(2.5), seconds(3.0)), None);
        assert_eq!(
            wrong_clock(seconds(3.2), seconds(3.0)),
            None,
            "two readings"
        );
        let why = wrong_clock(seconds(20.0), seconds(3.0)).unwrap();
        assert_eq!(
            why,
            "the guest's clock is wrong: by it the boot took 20.0 s, and not 3.0 s"
        );
    }

    #[test]
    fn only_its_own_fault_spoils_a_snapshot() {
        let caller = |error: anyhow::Error| is_of_snapshot(&Failure::Caller(error));
        assert!(caller(DamagedSnapshot.into()));
        assert!(!caller(anyhow::anyhow!("too many open files")));
        let died = |why: &str| {
            is_of_snapshot(&Failure::Died(Death {
                qemu_failed: Some(why.to_owned()),
                ..Death::default()
            }))
        };
        assert!(died("it was ended by signal 11"));
        for other_fault in [
            "it was killed from outside, with signal 9",
            "qemu-system-x86_64: terminating on signal 15 from pid 1 (init)",
            "cannot set up guest memory 'pc.ram': Cannot allocate memory",
            "Could not open '/proc/self/fd/7': Too many open files",
            "qemu_thread_create: Resource temporarily unavailable",
        ] {
            assert!(!died(other_fault), "{other_fault}");
        }
    }
}
