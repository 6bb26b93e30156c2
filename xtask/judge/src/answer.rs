//! The learner's object file.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuHashMap, PerCpuValues, RingBuf};
use aya::programs::{Program, ProgramError, TestRun, TestRunOptions};
use aya::util::nr_cpus;
use aya::{Btf, Ebpf, EbpfLoader, Pod};
use plan::judge::Said;

use crate::exercise::Global;
use crate::hook::Hook;

/// Not yet given to the verifier.
pub struct Opened {
    ebpf: Ebpf,
    /// Reading it takes a third of a second in an emulated guest: only where it is needed.
    btf: Option<Btf>,
    programs: &'static [(&'static str, Hook)],
}

impl Opened {
    pub fn open(
        path: &Path,
        programs: &'static [(&'static str, Hook)],
        globals: Vec<Global>,
    ) -> Result<Self> {
        let object = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let typed = programs.iter().any(|(_, hook)| hook.has_types());
        let btf = typed.then(Btf::from_sys_fs).transpose().context("read the kernel's BTF")?;
        let mut loader = EbpfLoader::new();
        for Global { name, bytes } in &globals {
            loader.override_global(name, bytes.as_slice(), true);
        }
        let ebpf = loader.load(&object).context("open the object file")?;
        for (name, hook) in programs {
            if ebpf.program(name).is_none() {
                let there: Vec<&str> = ebpf.programs().map(|(name, _)| name).collect();
                bail!("there is no {} program called {name}; there is: {}", hook.kind(), or_none(&there));
            }
        }
        Ok(Self { ebpf, btf, programs })
    }

    /// The error is what the judge has to say.
    pub fn load(&mut self) -> Result<(), Said> {
        for (name, hook) in self.programs {
            let Some(program) = self.ebpf.program_mut(name) else { continue };
            hook.load(program, self.btf.as_ref()).map_err(|error| refused(name, *hook, &error))?;
        }
        Ok(())
    }

    pub fn attach(mut self) -> Result<Answer> {
        for (name, hook) in self.programs {
            let program = self.ebpf.program_mut(name).with_context(|| format!("find {name}"))?;
            hook.attach(program).with_context(|| format!("attach {name}"))?;
        }
        Ok(Answer { ebpf: self.ebpf })
    }
}

fn refused(name: &str, hook: Hook, error: &ProgramError) -> Said {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => Said::Rejected {
            program: name.to_owned(),
            error: io_error.to_string(),
            log: verifier_log.to_string(),
        },
        ProgramError::UnexpectedProgramType => {
            Said::Failed { why: format!("{name} should be a {} program, and is another", hook.kind()) }
        }
        other => Said::Failed { why: format!("{name}: {:#}", anyhow!(other.to_string())) },
    }
}

/// Loaded and attached.
pub struct Answer {
    ebpf: Ebpf,
}

/// What a packet program did with a frame.
pub struct Ran {
    pub verdict: u32,
    pub frame: Vec<u8>,
}

impl Answer {
    pub fn array<V: Pod>(&self, name: &str) -> Result<Array<&MapData, V>> {
        Array::try_from(self.map(name)?).with_context(|| wrong(name, "an array", size::<V>()))
    }

    pub fn per_cpu_array<V: Pod>(&self, name: &str) -> Result<PerCpuArray<&MapData, V>> {
        PerCpuArray::try_from(self.map(name)?).with_context(|| wrong(name, "a per-CPU array", size::<V>()))
    }

    pub fn hash<K: Pod, V: Pod>(&self, name: &str) -> Result<HashMap<&MapData, K, V>> {
        let sizes = format!("keys of {} bytes and {}", std::mem::size_of::<K>(), size::<V>());
        HashMap::try_from(self.map(name)?).with_context(|| wrong(name, "a hash", sizes))
    }

    pub fn per_cpu_hash<K: Pod, V: Pod>(&self, name: &str) -> Result<PerCpuHashMap<&MapData, K, V>> {
        let sizes = format!("keys of {} bytes and {}", std::mem::size_of::<K>(), size::<V>());
        // aya asks a file, once: now, and not while a judge counts what it opens.
        nr_cpus().map_err(|(_, error)| error).context("count the CPUs")?;
        PerCpuHashMap::try_from(self.map(name)?).with_context(|| wrong(name, "a per-CPU hash", sizes))
    }

    /// For the judge to write to: what user space would set.
    pub fn hash_mut<K: Pod, V: Pod>(&mut self, name: &str) -> Result<HashMap<&mut MapData, K, V>> {
        let sizes = format!("keys of {} bytes and {}", std::mem::size_of::<K>(), size::<V>());
        HashMap::try_from(self.map_mut(name)?).with_context(|| wrong(name, "a hash", sizes))
    }

    pub fn array_mut<V: Pod>(&mut self, name: &str) -> Result<Array<&mut MapData, V>> {
        Array::try_from(self.map_mut(name)?).with_context(|| wrong(name, "an array", size::<V>()))
    }

    /// The records that wait in a ring buffer, of the size that the exercise tells.
    pub fn records<const SIZE: usize>(&mut self, name: &str) -> Result<Vec<[u8; SIZE]>> {
        let of_right_size = |record: Vec<u8>| {
            <[u8; SIZE]>::try_from(record).map_err(|record| {
                anyhow!("a record in {name} has {} bytes, and should have {SIZE}", record.len())
            })
        };
        self.records_of_any_size(name)?.into_iter().map(of_right_size).collect()
    }

    /// The records that wait in a ring buffer, where each is as long as what it tells.
    pub fn records_of_any_size(&mut self, name: &str) -> Result<Vec<Vec<u8>>> {
        let map = self.map_mut(name)?;
        let mut ring = RingBuf::try_from(map).with_context(|| wrong(name, "a ring buffer", String::new()))?;
        let mut records = Vec::new();
        while let Some(record) = ring.next() {
            records.push(record.to_vec());
        }
        Ok(records)
    }

    /// Runs an XDP, tc or socket program on a frame.
    pub fn run(&mut self, name: &str, frame: &[u8]) -> Result<Ran> {
        let mut out = vec![0; frame.len() + 256];
        let options =
            TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), ..TestRunOptions::new() };
        let program = self.ebpf.program_mut(name).with_context(|| format!("find {name}"))?;
        let result = match program {
            Program::Xdp(program) => program.test_run(options),
            Program::SchedClassifier(program) => program.test_run(options),
            Program::SocketFilter(program) => program.test_run(options),
            _ => bail!("{name} is no program for packets"),
        };
        let result = result.with_context(|| format!("run {name} on a frame of {} bytes", frame.len()))?;
        let length = result.data_size_out as usize;
        Ok(Ran { verdict: result.return_value, frame: out[..length.min(out.len())].to_vec() })
    }

    fn map(&self, name: &str) -> Result<&Map> {
        self.ebpf.map(name).with_context(|| self.no_map(name))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        let missing = self.no_map(name);
        self.ebpf.map_mut(name).context(missing)
    }

    fn no_map(&self, name: &str) -> String {
        let there: Vec<&str> = self.ebpf.maps().map(|(name, _)| name).collect();
        format!("there is no map called {name}; there is: {}", or_none(&there))
    }
}

/// What all CPUs together have in their values of one entry.
pub fn summed<const N: usize>(values: &PerCpuValues<[u64; N]>) -> [u64; N] {
    std::array::from_fn(|index| values.iter().map(|value| value[index]).sum())
}

/// The 16 bytes that the kernel keeps of a program's name.
pub fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    let length = name.len().min(15);
    comm[..length].copy_from_slice(&name.as_bytes()[..length]);
    comm
}

fn size<V>() -> String {
    format!("values of {} bytes", std::mem::size_of::<V>())
}

fn wrong(name: &str, kind: &str, sizes: String) -> String {
    let sizes = if sizes.is_empty() { sizes } else { format!(" with {sizes}") };
    format!("the map {name} should be {kind}{sizes}")
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
