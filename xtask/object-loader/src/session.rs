//! What is kept while the programs of all objects are loaded: how to load them, and what is made
//! once.

use std::cell::OnceCell;

use anyhow::Result;
use plan::load::{AttachResult, Phase};

use crate::attach::{AttachRequest, Attacher};
use crate::kernel_types::KernelTypes;
use crate::load_report::LoadReport;
use crate::options::LoadOptions;
use crate::time_limit::TimeLimit;

pub struct Session {
    pub options: LoadOptions,
    limit: Option<TimeLimit>,
    attacher: Option<Attacher>,
    types: OnceCell<Option<KernelTypes>>,
}

impl Session {
    pub fn start(options: LoadOptions) -> Result<Self> {
        let limit = options.seconds.map(TimeLimit::create).transpose()?;
        Ok(Self {
            options,
            limit,
            attacher: None,
            types: OnceCell::new(),
        })
    }

    /// The limit of a load.
    pub fn seconds(&self) -> Option<u64> {
        self.limit.as_ref().map(TimeLimit::seconds)
    }

    /// Runs a load; says whether its time was up before it ended.
    pub fn time<T>(&mut self, load: impl FnOnce() -> T) -> Result<(T, bool)> {
        self.time_generously(1, load)
    }

    /// The same with so many times the limit.
    pub fn time_generously<T>(
        &mut self,
        times: u64,
        load: impl FnOnce() -> T,
    ) -> Result<(T, bool)> {
        let Some(limit) = &mut self.limit else {
            return Ok((load(), false));
        };
        limit.start(times)?;
        let loaded = load();
        Ok((loaded, limit.stop()?))
    }

    /// The kernel's types; parsing them takes a while.
    pub fn types(&self) -> Option<&KernelTypes> {
        self.types.get_or_init(KernelTypes::read_kernel).as_ref()
    }

    /// Attaches a program that is loaded, if that is wanted.
    pub fn attach(
        &mut self,
        report: &LoadReport<'_>,
        request: &AttachRequest<'_>,
    ) -> Result<Option<AttachResult>> {
        if self.options.load_only {
            return Ok(None);
        }
        report.begin(request.name, Phase::Attach)?;
        let attacher = self.attacher.get_or_insert_with(Attacher::new);
        Ok(Some(attacher.attach_program(request)))
    }
}
