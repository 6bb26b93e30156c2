//! Loads with libbpf.
//!
//! ```text
//!   opened      an object that libbpf has read, with maps that fit and types for all programs
//!   struct_ops  which programs are members of which maps
//!   loaded      a program that is in the kernel
//!   messages    libbpf's own words
//!   prepared    its maps are made, and each program is loaded with them
//!   alone       one program with an object and maps of its own, and with libbpf's own words
//! ```
//!
//! libbpf itself loads all programs of an object or none, and stops at the first that fails. Here
//! the object is opened and its maps are made once, and each program is loaded by the library's
//! function for a single one. What libbpf does beside that for a few kinds of programs, and its
//! words about what it does not find, come from a load of such a program alone.

mod alone;
mod loaded;
mod messages;
mod opened;
mod prepared;
mod struct_ops;

use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use plan::load::{AttachResult, LoadResult, Phase, ProgramName};
use verifier_output::LogDetail;

use crate::attach::{self, AttachRequest};
use crate::info::read_info;
use crate::load_report::{LoadReport, ProgramVerdict};
use crate::object_file::ObjectFile;
use crate::session::Session;
use loaded::Loaded;
use opened::{Opened, ProgramFacts};
use prepared::{Attempt, Preparation};

/// Loads the programs one by one and attaches those that the kernel takes.
pub fn load_programs(
    object: &mut ObjectFile,
    session: &mut Session,
    report: &LoadReport<'_>,
) -> Result<()> {
    let exported = object.export_static_programs()?;
    let opened = match Opened::open(object, &session.options) {
        Ok(opened) => opened,
        Err(why) => return report.tell_whole(ProgramVerdict::failed(why)),
    };
    let programs = opened.programs().to_vec();
    let names = programs.iter().map(|program| ProgramName {
        program: program.name.clone(),
        section: program.section.written.clone(),
    });
    report.list(names.collect())?;
    let mut loading = Loading {
        preparation: Preparation::run(object, opened, session)?,
        registered: None,
        object,
        session,
        report,
    };
    for program in &programs {
        if loading.session.options.is_skipped(&program.name) {
            continue;
        }
        report.begin(&program.name, Phase::Load)?;
        let mut verdict = loading.judge(program)?;
        if exported.contains(&program.name) {
            verdict.notes.push(format!(
                "program {}: it is static; loaded all the same, as cilium/ebpf does",
                program.name
            ));
        }
        report.tell(&program.name, &program.section.written, verdict)?;
    }
    Ok(())
}

/// The programs of one object, while they are loaded.
struct Loading<'a> {
    object: &'a ObjectFile,
    preparation: Preparation,
    session: &'a mut Session,
    report: &'a LoadReport<'a>,
    /// What registering the object's `struct_ops` maps gave, once it was tried.
    registered: Option<Result<Vec<(String, AttachResult)>>>,
}

impl Loading<'_> {
    fn judge(&mut self, program: &ProgramFacts) -> Result<ProgramVerdict> {
        if self.session.options.target_of(&program.name).is_none()
            && let Some(what) = program.section.wanted_target()
        {
            return Ok(ProgramVerdict::without_target(&program.name, what));
        }
        let mut verdict = match self.load(program)? {
            Ok(loaded) => {
                let accepted = read_info(loaded.descriptor.as_fd(), &loaded.log);
                let mut verdict = ProgramVerdict::from(LoadResult::Accepted(accepted));
                verdict.attach = self.attach(program, &loaded)?;
                verdict
            }
            Err(result) => self.refuse(result),
        };
        if self.session.options.cost
            && let Some(prepared) = self.preparation.prepared()
        {
            let measured = prepared.measure(program, self.session)?;
            verdict.add_cost(measured);
        }
        verdict.notes.extend(self.preparation.notes_on(program));
        verdict.notes.extend(program.section.note());
        verdict.notes.extend(note_module(program));
        Ok(verdict)
    }

    /// There is no program to attach. The kernel may have taken it all the same.
    fn refuse(&self, result: LoadResult) -> ProgramVerdict {
        let is_accepted = matches!(result, LoadResult::Accepted(_));
        let mut verdict = ProgramVerdict::from(result);
        verdict.attach =
            (is_accepted && !self.session.options.load_only).then(|| AttachResult::NotTried {
                why: "libbpf loads it only together with the programs of its arrays".to_owned(),
            });
        verdict
    }

    fn load(&mut self, program: &ProgramFacts) -> Result<Result<Loaded, LoadResult>> {
        if let Some(failed) = self.preparation.failure_of(program) {
            return Ok(Err(failed));
        }
        if program.section.types().is_none() {
            return Ok(Err(LoadResult::failed(format!(
                "missing BPF prog type, check ELF section name '{}': neither libbpf nor \
                 cilium/ebpf reads a type from it",
                program.section.written
            ))));
        }
        let Some(prepared) = self.preparation.prepared() else {
            return Ok(Err(LoadResult::failed("the object could not be prepared")));
        };
        match prepared.load(program, self.session, LogDetail::Brief)? {
            Attempt::Loaded(loaded) => Ok(Ok(loaded)),
            Attempt::Refused(brief, kind) => {
                if !brief.is_worth_a_full_log() {
                    return Ok(Err(brief.into_result(self.session.seconds(), &kind)));
                }
                // libbpf puts its own words in place of these instructions.
                if brief.has_poison() {
                    return self.load_alone(program);
                }
                let full = prepared.load(program, self.session, LogDetail::Full)?;
                let best = match full {
                    Attempt::Refused(full, _) if full.is_rejection() && !full.is_cut() => full,
                    _ => brief,
                };
                Ok(Err(best.into_result(self.session.seconds(), &kind)))
            }
            Attempt::NotHere => self.load_alone(program),
        }
    }

    fn load_alone(&mut self, program: &ProgramFacts) -> Result<Result<Loaded, LoadResult>> {
        let replaced = match self.load_replaced(program) {
            Ok(replaced) => replaced,
            Err(failed) => return Ok(Err(failed)),
        };
        let replaced = replaced.as_ref().map(|(loaded, function)| alone::Replaced {
            program: loaded.descriptor.as_fd(),
            function,
        });
        let load = |session: &mut Session, detail| {
            alone::load(self.object, program, session, replaced.as_ref(), detail)
        };
        let brief = match load(self.session, LogDetail::Brief)? {
            Ok(loaded) => return Ok(Ok(loaded)),
            Err(brief) => brief,
        };
        if !brief.refusal.is_worth_a_full_log() {
            return Ok(Err(brief.into_result(self.session.seconds())));
        }
        let best = match load(self.session, LogDetail::Full)? {
            Err(full) if full.refusal.is_rejection() && !full.refusal.is_cut() => full,
            _ => brief,
        };
        Ok(Err(best.into_result(self.session.seconds())))
    }

    /// Loads the program that this one replaces a function of: `--target NAME=OBJECT:PROGRAM`.
    fn load_replaced(
        &mut self,
        program: &ProgramFacts,
    ) -> Result<Option<(Loaded, String)>, LoadResult> {
        let target = self.session.options.target_of(&program.name);
        let Some(target) = target.filter(|_| program.section.is_freplace()) else {
            return Ok(None);
        };
        let target = target.to_owned();
        let failed = |why: String| {
            LoadResult::failed(format!("its target {target} cannot be loaded: {why}"))
        };
        let (path, replaced) = target
            .rsplit_once(':')
            .ok_or_else(|| failed("it takes OBJECT:PROGRAM".to_owned()))?;
        let loaded = load_named(Path::new(path), replaced, self.session)
            .unwrap_or_else(|error| Err(format!("{error:#}")))
            .map_err(failed)?;
        let function = program.section.target().unwrap_or(replaced).to_owned();
        Ok(Some((loaded, function)))
    }

    fn attach(&mut self, program: &ProgramFacts, loaded: &Loaded) -> Result<Option<AttachResult>> {
        if program.struct_ops.is_some() {
            return self.register(&program.name);
        }
        let target = self.session.options.target_of(&program.name);
        let target = target.map(str::to_owned);
        let map = target.as_deref().and_then(|map| self.preparation.map(map));
        let request = AttachRequest {
            program: loaded.descriptor.as_fd(),
            name: &program.name,
            section: program.section.name(),
            target: target.as_deref(),
            map,
            prog_type: loaded.kind.prog_type,
            expected_attach_type: loaded.kind.expected_attach_type,
        };
        self.session.attach(self.report, &request)
    }

    /// All maps of the object are registered at the first of their programs.
    fn register(&mut self, program: &str) -> Result<Option<AttachResult>> {
        if self.session.options.load_only {
            return Ok(None);
        }
        if self.registered.is_none() {
            self.report.begin(program, Phase::Attach)?;
        }
        let registered = self
            .registered
            .get_or_insert_with(|| attach::attach_struct_ops(&self.object.bytes));
        Ok(match registered {
            Ok(programs) => {
                let mut own = programs.iter().filter(|(name, _)| name == program);
                own.next().map(|(_, result)| result.clone())
            }
            Err(error) => Some(AttachResult::Refused {
                missing: None,
                error: format!("{error:#}"),
            }),
        })
    }
}

/// `kprobe/nf_conntrack:nf_conntrack_in`: the kernel takes it, libbpf 1.7 cuts it at the colon.
fn note_module(program: &ProgramFacts) -> Option<String> {
    let (kind, target) = program.section.name().split_once('/')?;
    let is_probe = kind == "kprobe" || kind == "kretprobe";
    (is_probe && target.contains(':')).then(|| {
        format!(
            "libbpf itself reads no module in a section; its bpf_program__attach_kprobe() takes \
             {target}"
        )
    })
}

/// Loads one program of an object file; says why not.
fn load_named(path: &Path, name: &str, session: &mut Session) -> Result<Result<Loaded, String>> {
    let object = ObjectFile::read_file(path)?;
    let opened = match Opened::open(&object, &session.options) {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    let mut programs = opened.programs().iter();
    let program = programs
        .find(|program| program.name == name)
        .with_context(|| format!("it has no program {name}"))?;
    Ok(
        alone::load(&object, program, session, None, LogDetail::Brief)?
            .map_err(|refused| refused.why()),
    )
}
