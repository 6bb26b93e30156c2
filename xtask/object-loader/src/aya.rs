//! Loads with aya.

use anyhow::Result;
use aya::programs::{Program, ProgramError};
use aya::{Btf, EbpfError, EbpfLoader, VerifierLogLevel};
use plan::load::LoadResult;
use verifier_output::{describe_error, is_full_log_useful};

use crate::info::read_info;
use crate::object_file::ObjectFile;
use crate::tell::Tell;

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

    /// Loads the programs one by one, each with maps of its own.
    pub fn load_programs(&mut self, object: &ObjectFile, tell: Tell<'_>) -> Result<()> {
        let names = match self.open(object, VerifierLogLevel::STATS) {
            Ok(ebpf) => ebpf
                .programs()
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>(),
            Err(error) => {
                return tell(
                    "",
                    "",
                    LoadResult::Failed {
                        why: describe_error(&error),
                    },
                );
            }
        };
        for name in names {
            let section = object.section_of(&name).to_owned();
            tell(&name, &section, self.load_one(object, &name, &section))?;
        }
        Ok(())
    }

    fn load_one(&mut self, object: &ObjectFile, name: &str, section: &str) -> LoadResult {
        let brief = self.attempt(object, name, section, VerifierLogLevel::STATS);
        match &brief {
            LoadResult::Rejected { log, .. } if is_full_log_useful(log) => {
                self.attempt(object, name, section, VerifierLogLevel::default())
            }
            _ => brief,
        }
    }

    fn attempt(
        &mut self,
        object: &ObjectFile,
        name: &str,
        section: &str,
        level: VerifierLogLevel,
    ) -> LoadResult {
        let mut ebpf = match self.open(object, level) {
            Ok(ebpf) => ebpf,
            Err(error) => {
                return LoadResult::Failed {
                    why: describe_error(&error),
                };
            }
        };
        let Some(program) = ebpf.program_mut(name) else {
            return LoadResult::Failed {
                why: format!("find program {name}: it is gone"),
            };
        };
        match load(program, section, self.btf.as_ref()) {
            Ok(()) => match program.fd() {
                Ok(descriptor) => {
                    LoadResult::Accepted(read_info(std::os::fd::AsFd::as_fd(descriptor), ""))
                }
                Err(error) => LoadResult::Failed {
                    why: describe_error(&error),
                },
            },
            Err(ProgramError::LoadError {
                io_error,
                verifier_log,
            }) => {
                let text = verifier_log.to_string();
                if text.is_empty() {
                    LoadResult::Failed {
                        why: io_error.to_string(),
                    }
                } else {
                    LoadResult::Rejected {
                        error: io_error.to_string(),
                        log: plan::log::shorten_log(&text),
                    }
                }
            }
            Err(error) => LoadResult::Failed {
                why: describe_error(&error),
            },
        }
    }

    fn open(
        &mut self,
        object: &ObjectFile,
        level: VerifierLogLevel,
    ) -> Result<aya::Ebpf, EbpfError> {
        self.loader.verifier_log_level(level).load(&object.bytes)
    }
}

/// What a program is attached to, where its type must know that before it is loaded, is the last
/// part of its section's name.
fn load(program: &mut Program, section: &str, btf: Option<&Btf>) -> Result<(), ProgramError> {
    let target = section.rsplit('/').next().unwrap_or_default();
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
        // It replaces a function of another program, and there is none here.
        Program::Extension(_) => Err(ProgramError::UnexpectedProgramType),
    }
}
