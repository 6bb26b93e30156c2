//! All objects on one kernel.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::slice;

use anyhow::Result;
use kernel::Kernel;
use plan::Outcome;
use plan::load::{AttachResult, LOG_SLOWNESS, Load, LoadResult, Phase, ProgramName};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::image::{Archive, Modules};
use testvm::timeline::note_retry;
use testvm::{Death, Failure, Guest, Machine, Started};

use super::attach_target::AttachTarget;
use super::input_object::InputObject;
use super::kernel_name::KernelName;
use super::kernel_result::KernelResult;
use super::options::VerifyOptions;
use super::status_line::StatusLine;
use crate::pipeline::demo;
use crate::pipeline::loader::{self, Batch, LoaderOptions, LoaderOutput};

/// Bytes of objects that are in a guest at once: its memory is for their maps. With each further
/// group another loader reads the types and symbols of the kernel.
const GROUP: u64 = 16 << 20;

/// Programs of one object that may end the guest or the loader, before the rest is given up.
const MAX_RESTARTS: usize = 8;

/// Seconds besides those of its programs that a step may take: aya reads the kernel's BTF, libbpf
/// makes maps.
const GRACE: u64 = 60;

pub struct KernelRun<'a> {
    options: &'a VerifyOptions,
    kernel: &'a Kernel,
    machine: Machine,
    status: &'a StatusLine,
    /// `None`: none was started yet, or the last one died.
    started: Option<Started>,
    /// Those that were loaded into that guest, where they stay.
    loaded_modules: Vec<String>,
    result: KernelResult,
}

/// How the loader's attempt at some objects ended.
struct Attempt {
    output: LoaderOutput,
    death: Option<Death>,
}

impl<'a> KernelRun<'a> {
    pub fn new(
        options: &'a VerifyOptions,
        kernel: &'a Kernel,
        status: &'a StatusLine,
    ) -> Result<Self> {
        let mut machine = demo::describe_machine(kernel)?;
        machine.memory_mib = options.memory_mib;
        Ok(Self {
            options,
            kernel,
            machine,
            status,
            started: None,
            loaded_modules: Vec::new(),
            result: KernelResult {
                kernel: KernelName::of_kernel(kernel),
                release: kernel.release.clone(),
                loads: Vec::new(),
                without_programs: Vec::new(),
                machine_failed: None,
                has_modules: kernel.modules.is_some(),
                notes: Vec::new(),
            },
        })
    }

    /// What goes wrong with one object is a verdict: those of the others must stand. What goes
    /// wrong with this machine is none.
    pub fn verify_all(mut self, objects: &[InputObject]) -> Result<KernelResult> {
        for group in groups(objects) {
            match self.verify_group(group) {
                Ok(()) => {}
                Err(Failure::NotBooted(death)) => {
                    self.result.machine_failed = Some(format!("the VM did not boot: {death}"));
                    break;
                }
                Err(Failure::Died(death)) => {
                    self.result.machine_failed = Some(death.to_string());
                    break;
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Ok(self.result)
    }

    fn verify_group(&mut self, group: &[InputObject]) -> Result<(), Failure> {
        let mut rest = group;
        let (mut done_programs, mut restarts) = (Vec::new(), 0);
        while !rest.is_empty() {
            // Names of programs to be left out belong to one object.
            let now = if done_programs.is_empty() {
                rest
            } else {
                &rest[..1]
            };
            let mut attempt = self.attempt(now, &done_programs)?;
            let finished = now
                .iter()
                .take_while(|object| attempt.output.finished.contains(&object.name))
                .count();
            if finished > 0 {
                (done_programs, restarts) = (Vec::new(), 0);
            }
            rest = &rest[finished..];
            let unfinished = now.get(finished);
            if let Some(object) = unfinished {
                let here = |load: &&Load| load.object == object.name;
                let loaded = attempt.output.loads.iter().filter(here);
                done_programs.extend(loaded.map(|load| load.program.clone()));
            }
            self.keep_loads(now, &mut attempt.output);
            for object in &now[..finished] {
                let programs = attempt.output.programs.get(&object.name);
                self.result
                    .blame_silence(&object.path, programs.map(Vec::as_slice));
            }
            let Some(object) = unfinished else {
                continue;
            };
            restarts += 1;
            note_retry(&format!("an object was not finished: {}", object.path));
            let culprit = self.blame(object, &attempt)?;
            match culprit {
                Some(program) if restarts < MAX_RESTARTS => done_programs.push(program),
                culprit => {
                    done_programs.extend(culprit);
                    self.give_up(object, &attempt.output, &done_programs);
                    rest = &rest[1..];
                    (done_programs, restarts) = (Vec::new(), 0);
                }
            }
        }
        Ok(())
    }

    /// Loads the objects in a guest, which may die of it.
    fn attempt(&mut self, objects: &[InputObject], skipped: &[String]) -> Result<Attempt, Failure> {
        let names = self.module_names(objects);
        if self.loaded_modules != names {
            // What one object needs must not be there for another.
            self.started = None;
        }
        let modules = self.find_modules(&names);
        let has_modules = !modules.is_empty();
        self.loaded_modules = names;
        self.provide(objects, &modules)?;
        let Some(started) = &mut self.started else {
            return Err(Failure::Caller(anyhow::anyhow!("no guest was started")));
        };
        let batch = self.options.batch(objects, skipped, has_modules);
        let (mut outputs, status) = (Vec::new(), self.status);
        let before = self.result.loads.len();
        let kernel = &self.result.kernel;
        let ran = loader::run_batches(&mut started.guest, &[batch], &mut outputs, |outputs| {
            let loads: usize = outputs.iter().map(|output| output.loads.len()).sum();
            status.show_count(kernel, before + loads);
        });
        let death = match ran {
            // The first Ctrl-C goes to the program in the guest, which is ours here.
            Ok(()) if started.guest.was_asked_to_stop() => {
                return Err(Failure::Caller(Interrupted(SIGINT).into()));
            }
            Ok(()) => None,
            Err(Failure::Died(death)) => {
                self.started = None;
                Some(death)
            }
            Err(failure) => return Err(failure),
        };
        let output = outputs.pop().unwrap_or_default();
        Ok(Attempt { output, death })
    }

    /// Brings the objects into the guest, in place of those that it has, or into a new guest.
    fn provide(&mut self, objects: &[InputObject], modules: &Modules) -> Result<(), Failure> {
        let pack = || self.options.pack_loader(objects, modules, self.kernel);
        let packed = pack().and_then(Archive::finish_archive);
        let loader = packed.map_err(Failure::Caller)?;
        if let Some(started) = &mut self.started
            && started.guest.has_room_for(&loader)
        {
            started.guest.load_programs(&loader)?;
            return add_objects(&mut started.guest, objects);
        }
        // One guest after the other: each takes memory.
        self.started = None;
        let mut ahead = testvm::start_ahead(&self.machine)?;
        ahead.load_programs(&loader)?;
        self.started = Some(if ahead.has_programs() {
            let mut started = ahead.keep_programs()?;
            add_objects(&mut started.guest, objects)?;
            started
        } else {
            let packed = pack().and_then(|archive| finish_with(archive, objects));
            ahead.give_programs(&self.machine, &packed.map_err(Failure::Caller)?)?
        });
        Ok(())
    }

    fn module_names(&self, objects: &[InputObject]) -> Vec<String> {
        let named = objects.iter().flat_map(|object| &object.modules);
        let mut names: Vec<String> = named.chain(&self.options.modules).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn find_modules(&mut self, names: &[String]) -> Modules {
        if names.is_empty() {
            return Modules::default();
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let modules = Modules::find_modules(self.kernel.modules.as_deref(), &names);
        for note in &modules.notes {
            let note = format!("{}: {note}", self.result.kernel);
            if !self.result.notes.contains(&note) {
                self.result.notes.push(note);
            }
        }
        modules
    }

    /// Which program ended the attempt before its end, and keeps the verdict on it. `None`: it was
    /// none of them.
    fn blame(
        &mut self,
        object: &InputObject,
        attempt: &Attempt,
    ) -> Result<Option<String>, Failure> {
        let why = match (&attempt.death, &attempt.output.step) {
            (Some(death), _) if death.qemu_failed.is_some() => {
                let mut death = death.clone();
                death.why = format!("while {} was verified: {}", object.path, death.why);
                return Err(Failure::Died(death));
            }
            (Some(death), _) => format!("the guest did not survive it: {death}"),
            (None, Some(step)) => match &step.outcome {
                Outcome::TimedOut => "it took too long, and was ended".to_owned(),
                Outcome::Killed(signal) => format!("signal {signal} ended the loader"),
                outcome => format!("the loader failed: {outcome:?} {}", attempt.output.said()),
            },
            (None, None) => format!("the loader did not begin: {}", attempt.output.said()),
        };
        let begun = attempt.output.begun.as_ref();
        let Some((_, program, phase)) = begun.filter(|(name, ..)| *name == object.name) else {
            let load = Load::of_failed_object(&object.path, None, why);
            self.result.loads.push(load);
            return Ok(None);
        };
        self.result
            .loads
            .push(self.culprit(object, &attempt.output, program, *phase, why));
        Ok(Some(program.clone()))
    }

    fn culprit(
        &self,
        object: &InputObject,
        output: &LoaderOutput,
        program: &str,
        phase: Phase,
        why: String,
    ) -> Load {
        let (result, attach) = match phase {
            Phase::Load => (LoadResult::failed(why), None),
            Phase::Attach => {
                let missing = None;
                let refused = AttachResult::Refused {
                    missing,
                    error: why,
                };
                (LoadResult::Accepted(Default::default()), Some(refused))
            }
        };
        Load {
            program: program.to_owned(),
            section: section_of(output, &object.name, program),
            result,
            attach,
            ..Load::of_failed_object(&object.path, None, String::new())
        }
    }

    /// Names the programs that were not reached.
    fn give_up(&mut self, object: &InputObject, output: &LoaderOutput, done: &[String]) {
        let programs = output.programs.get(&object.name);
        let done: HashSet<&String> = done.iter().collect();
        for ProgramName { program, section } in programs.into_iter().flatten() {
            if !done.contains(program) {
                let why = "not reached: the loader ended before it".to_owned();
                let load = Load::of_failed_object(&object.path, None, String::new());
                self.result.loads.push(Load {
                    program: program.clone(),
                    section: section.clone(),
                    result: LoadResult::failed(why),
                    ..load
                });
            }
        }
    }

    /// The loads move over: their logs take much memory.
    fn keep_loads(&mut self, objects: &[InputObject], output: &mut LoaderOutput) {
        let loads = std::mem::take(&mut output.loads);
        for (object, load) in refuse_surplus(objects, loads) {
            let attach = match (&load.result, load.attach) {
                (LoadResult::Accepted(_), None) if !self.options.load_only => {
                    let why = "the loader did not say what became of it".to_owned();
                    Some(AttachResult::NotTried { why })
                }
                (_, attach) => attach,
            };
            self.result.loads.push(Load {
                object: object.path.clone(),
                attach,
                ..load
            });
        }
        for object in objects {
            if output.programs.get(&object.name).is_some_and(Vec::is_empty) {
                self.result.without_programs.push(object.path.clone());
            }
        }
    }
}

impl VerifyOptions {
    fn batch(&self, objects: &[InputObject], skipped: &[String], has_modules: bool) -> Batch {
        let programs: usize = objects
            .iter()
            .map(|object| object.functions.len() + 1)
            .sum();
        Batch {
            library: None,
            without_perfmon: false,
            seconds: GRACE + self.seconds * programs as u64 * self.slowness(),
            options: LoaderOptions {
                load_only: self.load_only,
                cost: self.cost.is_some(),
                program_seconds: Some(self.seconds),
                targets: self.targets.iter().map(AttachTarget::in_guest).collect(),
                map_entries: self.map_entries.clone(),
                skipped: skipped.to_vec(),
                has_modules,
            },
            objects: objects.iter().map(|object| object.name.clone()).collect(),
        }
    }

    fn slowness(&self) -> u64 {
        match self.cost {
            Some(_) => 1 + LOG_SLOWNESS,
            None => 1,
        }
    }

    /// What objects are loaded with.
    fn pack_loader(
        &self,
        objects: &[InputObject],
        modules: &Modules,
        kernel: &Kernel,
    ) -> Result<Archive> {
        let mut archive = loader::pack_loader(kernel.architecture)?;
        for target in &self.targets {
            target.add_file(&mut archive)?;
        }
        let config = kernel.config.as_ref();
        if let Some(config) = config.filter(|_| objects.iter().any(|it| it.reads_config)) {
            loader::add_kernel_config(&mut archive, &kernel.release, config)?;
        }
        modules.put_into(&mut archive)?;
        Ok(archive)
    }
}

/// One after the other: together they would be in this process's memory, for each guest.
fn add_objects(guest: &mut Guest, objects: &[InputObject]) -> Result<(), Failure> {
    for object in objects {
        let packed = finish_with(Archive::default(), slice::from_ref(object));
        guest.add_programs(&packed.map_err(Failure::Caller)?)?;
    }
    Ok(())
}

fn finish_with(mut archive: Archive, objects: &[InputObject]) -> Result<Vec<u8>> {
    for object in objects {
        loader::add_object(&mut archive, &object.name, &object.read_bytes()?)?;
    }
    archive.finish_archive()
}

fn section_of(output: &LoaderOutput, object: &str, program: &str) -> String {
    let programs = output.programs.get(object).into_iter().flatten();
    let mut same = programs.filter(|name| name.program == program);
    same.next()
        .map_or_else(String::new, |name| name.section.clone())
}

/// The verdicts on these objects, at most as many on each as it can have: a guest that tells more
/// is not believed.
fn refuse_surplus(objects: &[InputObject], loads: Vec<Load>) -> Vec<(&InputObject, Load)> {
    let (mut kept, mut told) = (Vec::new(), HashMap::new());
    for load in loads {
        let Some(object) = objects.iter().find(|object| object.name == load.object) else {
            continue;
        };
        let count = told.entry(&object.name).or_insert(0);
        *count += 1;
        match (*count).cmp(&(object.most_verdicts() + 1)) {
            Ordering::Less => kept.push((object, load)),
            Ordering::Equal => {
                let why = "the guest told of more programs than the object can have";
                let load = Load::of_failed_object(&object.name, None, why.to_owned());
                kept.push((object, load));
            }
            Ordering::Greater => {}
        }
    }
    kept
}

/// As many neighbours as may be in a guest at once. They need the same modules.
fn groups(objects: &[InputObject]) -> Vec<&[InputObject]> {
    let (mut groups, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (number, object) in objects.iter().enumerate() {
        let is_alike = objects[begin].modules == object.modules;
        if number > begin && (bytes + object.size > GROUP || !is_alike) {
            groups.push(&objects[begin..number]);
            (begin, bytes) = (number, 0);
        }
        bytes += object.size;
    }
    if begin < objects.len() {
        groups.push(&objects[begin..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(size: u64) -> InputObject {
        InputObject {
            path: String::new(),
            name: String::new(),
            size,
            functions: Vec::new(),
            maps: Vec::new(),
            modules: Vec::new(),
            sections: Vec::new(),
            reads_config: false,
        }
    }

    #[test]
    fn a_guest_that_tells_too_much_is_not_believed() {
        let mut object = object(1);
        object.name = "0.o".to_owned();
        object.functions = vec!["one".to_owned()];
        let load = |name: &str| Load::of_failed_object(name, None, "it says so".to_owned());
        let reasons = |names: &[&str]| {
            let loads = names.iter().copied().map(load).collect();
            let kept = refuse_surplus(slice::from_ref(&object), loads).into_iter();
            kept.map(|(_, load)| match load.result {
                LoadResult::Failed { why, .. } => why,
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(reasons(&["0.o", "1.o", "0.o"]), ["it says so"; 2]);
        let flooded = reasons(&["0.o"; 1000]);
        assert_eq!(flooded.len(), 3);
        assert!(flooded[2].contains("more programs than"), "{flooded:?}");
    }

    #[test]
    fn a_guest_is_not_filled_with_objects() {
        let sizes = |sizes: &[u64]| {
            let objects: Vec<InputObject> = sizes.iter().copied().map(object).collect();
            let groups = groups(&objects);
            groups.iter().map(|group| group.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1, 2, 3]), [3]);
        // One that is larger than a group is one of its own.
        assert_eq!(sizes(&[1, 2 * GROUP, 1, GROUP - 1, 1]), [1, 1, 2, 1]);
    }
}
