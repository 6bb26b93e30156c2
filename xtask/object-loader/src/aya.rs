//! Loads with aya.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use aya::programs::{Extension, Program, ProgramError, ProgramFd};
use aya::{Btf, BtfError, Ebpf, EbpfError, EbpfLoader, VerifierLogLevel};
use plan::load::{LoadResult, Missing, Phase, ProgramName};
use verifier_output::describe_error;

use crate::attach::AttachRequest;
use crate::attempt::Refusal;
use crate::aya_object::AyaObject;
use crate::failure::explain_failure;
use crate::info::{read_info, read_type};
use crate::load_report::{LoadReport, ProgramVerdict};
use crate::map_definition::MapDefinition;
use crate::measured_cost::MeasuredCost;
use crate::missing::missing_by_name;
use crate::object_file::ObjectFile;
use crate::options::LoadOptions;
use crate::program_kind::ProgramKind;
use crate::program_section::ProgramSection;
use crate::session::Session;

/// aya, with the kernel's BTF.
pub struct AyaLoader {
    loader: EbpfLoader<'static>,
    btf: Option<Btf>,
}

impl AyaLoader {
    pub fn with_kernel_types() -> Self {
        Self {
            loader: EbpfLoader::new(),
            btf: Btf::from_sys_fs().ok(),
        }
    }

    /// Loads the programs one by one, with the same maps, and attaches those that the kernel takes.
    pub fn load_programs(
        &mut self,
        object: &ObjectFile,
        session: &mut Session,
        report: &LoadReport<'_>,
    ) -> Result<()> {
        let sizes = MapSizes::of_object(object, &session.options);
        let loading = Loading {
            object,
            btf: self.btf.as_ref(),
            notes: sizes.notes,
            session,
            report,
        };
        if sizes.entries.is_empty() {
            return loading.run(&mut self.loader);
        }
        // A size stays with a loader, and the next object may have a map of the same name.
        let mut loader = EbpfLoader::new();
        for (map, entries) in &sizes.entries {
            loader.map_max_entries(map, *entries);
        }
        loading.run(&mut loader)
    }
}

/// Maps that get another size than the object says.
#[derive(Default)]
struct MapSizes {
    entries: Vec<(String, u32)>,
    notes: Vec<String>,
}

impl MapSizes {
    fn of_object(object: &ObjectFile, options: &LoadOptions) -> Self {
        let mut sizes = Self::default();
        // What aya cannot parse it will say so itself.
        let Ok(parsed) = aya_obj::Object::parse(&object.bytes) else {
            return sizes;
        };
        let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus as u32);
        for (name, map) in &parsed.maps {
            let shape = MapDefinition {
                map_type: map.map_type(),
                key_size: map.key_size(),
                value_size: map.value_size(),
                max_entries: map.max_entries(),
            };
            let (fitting, notes) = shape.fit(name, options.entries_of(name), cpus);
            if fitting.max_entries != shape.max_entries {
                sizes.entries.push((name.clone(), fitting.max_entries));
                sizes.notes.extend(notes);
            }
        }
        sizes.notes.sort();
        sizes
    }
}

/// The programs of one object, while they are loaded.
struct Loading<'a> {
    object: &'a ObjectFile,
    btf: Option<&'a Btf>,
    notes: Vec<String>,
    session: &'a mut Session,
    report: &'a LoadReport<'a>,
}

/// Why aya did not load a program.
enum Refused {
    ByKernel(Refusal),
    ByAya(ProgramError),
    /// The program that it replaces a function of cannot be loaded.
    NoTarget(String),
}

impl Loading<'_> {
    fn run(mut self, loader: &mut EbpfLoader<'_>) -> Result<()> {
        let mut ebpf = match self.open(loader, VerifierLogLevel::STATS) {
            Ok(ebpf) => ebpf,
            Err(error) => {
                let why = explain_failure(describe_error(&error));
                return self.report.tell_whole(ProgramVerdict::failed(why));
            }
        };
        let mut names: Vec<String> = ebpf.programs().map(|(name, _)| name.to_owned()).collect();
        names.sort();
        self.list(&names)?;
        // aya takes the level of logs when it opens an object.
        let mut with_full_logs = None;
        for name in names {
            if self.session.options.is_skipped(&name) {
                continue;
            }
            self.report.begin(&name, Phase::Load)?;
            let section = self.section_of(&name);
            if let (Some(what), None) = (
                section.wanted_target(),
                self.session.options.target_of(&name),
            ) {
                let verdict = ProgramVerdict::without_target(&name, what);
                self.report.tell(&name, &section.written, verdict)?;
                continue;
            }
            let mut verdict = match self.load(&mut ebpf, &name, &section)? {
                Ok(()) => self.finish(&ebpf, &name, &section)?,
                Err(Refused::ByKernel(brief)) if brief.is_worth_a_full_log() => {
                    let ebpf = match &mut with_full_logs {
                        Some(ebpf) => ebpf,
                        none => none.insert(
                            self.open(loader, VerifierLogLevel::default())
                                .context("open the object again")?,
                        ),
                    };
                    let full = self.load(ebpf, &name, &section)?;
                    self.refuse(best_of(brief, full), &name, &section).into()
                }
                Err(refused) => self.refuse(refused, &name, &section).into(),
            };
            verdict.notes.clone_from(&self.notes);
            if self.session.options.cost {
                verdict.add_cost(self.measure(&name, &section)?);
            }
            self.report.tell(&name, &section.written, verdict)?;
        }
        Ok(())
    }

    /// `None` where only aya itself can load it.
    fn measure(&mut self, name: &str, section: &ProgramSection) -> Result<Option<MeasuredCost>> {
        let prepared = AyaObject::prepare(&self.object.bytes, self.btf, self.session);
        let Ok(prepared) = prepared else {
            return Ok(None);
        };
        let kind = self.kind_of(name, section);
        prepared.measure(name, &kind, self.session).map(Some)
    }

    fn open(
        &self,
        loader: &mut EbpfLoader<'_>,
        level: VerifierLogLevel,
    ) -> Result<Ebpf, EbpfError> {
        loader.verifier_log_level(level).load(&self.object.bytes)
    }

    fn list(&self, names: &[String]) -> Result<()> {
        let programs = names.iter().map(|name| ProgramName {
            program: name.clone(),
            section: self.object.section_of(name).to_owned(),
        });
        self.report.list(programs.collect())
    }

    fn section_of(&self, name: &str) -> ProgramSection {
        ProgramSection::from_name(self.object.section_of(name))
    }

    fn load(
        &mut self,
        ebpf: &mut Ebpf,
        name: &str,
        section: &ProgramSection,
    ) -> Result<Result<(), Refused>> {
        let program = ebpf.program_mut(name).context("a program is gone")?;
        let asked = self.session.options.target_of(name);
        let named = || section.written.rsplit('/').next().unwrap_or_default();
        let target = asked.unwrap_or_else(named).to_owned();
        let btf = self.btf;
        let (loaded, late) = match program {
            Program::Extension(extension) => match Replaced::load(&target, section, btf) {
                Ok(replaced) => self.session.time(|| replaced.replace_by(extension))?,
                Err(error) => return Ok(Err(Refused::NoTarget(format!("{error:#}")))),
            },
            _ => self.session.time(|| load(program, &target, btf))?,
        };
        Ok(loaded.map_err(|error| match error {
            ProgramError::LoadError {
                io_error,
                verifier_log,
            } => Refused::ByKernel(Refusal {
                error: io_error,
                log: verifier_log.to_string(),
                late,
            }),
            error => Refused::ByAya(error),
        }))
    }

    /// The kernel took it.
    fn finish(
        &mut self,
        ebpf: &Ebpf,
        name: &str,
        section: &ProgramSection,
    ) -> Result<ProgramVerdict> {
        let program = ebpf.program(name).context("a program is gone")?;
        let descriptor = program.fd().context("a program is gone")?.as_fd();
        let mut verdict = ProgramVerdict::from(LoadResult::Accepted(read_info(descriptor, "")));
        let target = self.session.options.target_of(name).map(str::to_owned);
        let request = AttachRequest {
            program: descriptor,
            name,
            section: section.name(),
            target: target.as_deref(),
            // aya hands out the descriptors of its maps by their types only.
            map: None,
            prog_type: read_type(descriptor),
            expected_attach_type: section.types().map_or(0, |(_, attach_type)| attach_type),
        };
        verdict.attach = self.session.attach(self.report, &request)?;
        Ok(verdict)
    }

    fn refuse(&self, refused: Refused, name: &str, section: &ProgramSection) -> LoadResult {
        match refused {
            Refused::ByKernel(refusal) => {
                refusal.into_result(self.session.seconds(), &self.kind_of(name, section))
            }
            Refused::ByAya(error) => LoadResult::Failed {
                missing: missing_target(&error, section),
                why: explain_failure(describe_error(&error)),
            },
            Refused::NoTarget(why) => {
                LoadResult::failed(format!("its target cannot be loaded: {why}"))
            }
        }
    }

    /// What aya asked the kernel for.
    fn kind_of(&self, name: &str, section: &ProgramSection) -> ProgramKind {
        let (prog_type, expected_attach_type) = section.types().unwrap_or_default();
        let asked = self.session.options.target_of(name);
        let attach_btf_id = asked
            .or(section.target())
            .filter(|_| section.is_checked_against_target())
            .zip(self.session.types())
            .and_then(|(target, types)| types.find_target(expected_attach_type, target));
        ProgramKind {
            prog_type,
            expected_attach_type,
            prog_flags: section.program_flags(),
            attach_btf_id: attach_btf_id.unwrap_or_default(),
        }
    }
}

/// What aya did not find in the kernel's BTF.
fn missing_target(error: &ProgramError, section: &ProgramSection) -> Option<Missing> {
    let ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name }) = error else {
        return None;
    };
    let (_, attach_type) = section.types()?;
    missing_by_name(attach_type, section.target().unwrap_or(type_name))
}

/// The program that a program of the type `freplace` changes.
struct Replaced {
    program: ProgramFd,
    function: String,
}

impl Replaced {
    /// `target`: OBJECT:PROGRAM
    fn load(target: &str, section: &ProgramSection, btf: Option<&Btf>) -> Result<Self> {
        let (path, name) = target.rsplit_once(':').context("it takes OBJECT:PROGRAM")?;
        let mut ebpf = EbpfLoader::new().load_file(path)?;
        let program = ebpf
            .program_mut(name)
            .with_context(|| format!("it has no program {name}"))?;
        load(program, "", btf)?;
        Ok(Self {
            program: program.fd()?.try_clone()?,
            function: section.target().unwrap_or(name).to_owned(),
        })
    }

    fn replace_by(self, extension: &mut Extension) -> Result<(), ProgramError> {
        extension.load(self.program, &self.function)
    }
}

/// The full log, unless it tells less.
fn best_of(brief: Refusal, full: Result<(), Refused>) -> Refused {
    match full {
        Err(Refused::ByKernel(full)) if full.is_rejection() && !full.is_cut() => {
            Refused::ByKernel(full)
        }
        _ => Refused::ByKernel(brief),
    }
}

/// Some types must know what a program attaches to before it is loaded.
fn load(program: &mut Program, target: &str, btf: Option<&Btf>) -> Result<(), ProgramError> {
    let btf = || btf.ok_or(ProgramError::Btf(aya::BtfError::InvalidHeader));
    match program {
        Program::BtfTracePoint(program) => program.load(target, btf()?),
        Program::FEntry(program) => program.load(target, btf()?),
        Program::FExit(program) => program.load(target, btf()?),
        Program::Iter(program) => program.load(target, btf()?),
        Program::Lsm(program) => program.load(target, btf()?),
        Program::LsmCgroup(program) => program.load(target, btf()?),
        Program::CgroupDevice(program) => program.load(),
        Program::CgroupSkb(program) => program.load(),
        Program::CgroupSock(program) => program.load(),
        Program::CgroupSockAddr(program) => program.load(),
        Program::CgroupSockopt(program) => program.load(),
        Program::CgroupSysctl(program) => program.load(),
        Program::FlowDissector(program) => program.load(),
        Program::KProbe(program) => program.load(),
        Program::LircMode2(program) => program.load(),
        Program::PerfEvent(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        Program::ReusePortSocketFilter(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        Program::SkLookup(program) => program.load(),
        Program::SkMsg(program) => program.load(),
        Program::SkReuseport(program) => program.load(),
        Program::SkSkb(program) => program.load(),
        Program::SockOps(program) => program.load(),
        Program::SocketFilter(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        Program::UProbe(program) => program.load(),
        Program::Xdp(program) => program.load(),
        // It replaces a function of another program, which nobody has loaded.
        Program::Extension(_) => Err(ProgramError::UnexpectedProgramType),
    }
}
