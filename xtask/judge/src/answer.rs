//! The learner's answer, loaded and attached: its maps by name.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use aya::Pod;
use aya::maps::{
    Array, HashMap, Map, MapData, PerCpuArray, PerCpuHashMap, PerCpuValues, RingBuf, StackTraceMap,
};
use aya::util::nr_cpus;

use crate::library::{LoadedObject, PacketVerdict};

/// A record that another CPU has reserved and not yet submitted holds back all that come after it.
/// Submitting takes a few instructions, but an emulated CPU may have been stopped just before them.
const WRITING: Duration = Duration::from_millis(20);

pub struct LoadedAnswer {
    maps: BTreeMap<String, Map>,
    /// What is attached is detached when this is dropped.
    loaded: Box<dyn LoadedObject>,
}

impl LoadedAnswer {
    pub fn new(mut loaded: Box<dyn LoadedObject>) -> Result<Self> {
        Ok(Self {
            maps: loaded.take_maps()?,
            loaded,
        })
    }

    pub fn array_map<V: Pod>(&self, name: &str) -> Result<Array<&MapData, V>> {
        Array::try_from(self.map(name)?).with_context(|| format!("read the map {name}"))
    }

    pub fn per_cpu_array<V: Pod>(&self, name: &str) -> Result<PerCpuArray<&MapData, V>> {
        PerCpuArray::try_from(self.map(name)?).with_context(|| format!("read the map {name}"))
    }

    pub fn hash_map<K: Pod, V: Pod>(&self, name: &str) -> Result<HashMap<&MapData, K, V>> {
        HashMap::try_from(self.map(name)?).with_context(|| format!("read the map {name}"))
    }

    pub fn per_cpu_hash<K: Pod, V: Pod>(
        &self,
        name: &str,
    ) -> Result<PerCpuHashMap<&MapData, K, V>> {
        // aya asks a file, once: now, and not while a judge counts what it opens.
        nr_cpus()
            .map_err(|(_, error)| error)
            .context("count the CPUs")?;
        PerCpuHashMap::try_from(self.map(name)?).with_context(|| format!("read the map {name}"))
    }

    /// For the judge to write to: what user space would set.
    pub fn hash_mut<K: Pod, V: Pod>(&mut self, name: &str) -> Result<HashMap<&mut MapData, K, V>> {
        HashMap::try_from(self.map_mut(name)?).with_context(|| format!("read the map {name}"))
    }

    pub fn array_mut<V: Pod>(&mut self, name: &str) -> Result<Array<&mut MapData, V>> {
        Array::try_from(self.map_mut(name)?).with_context(|| format!("read the map {name}"))
    }

    pub fn stack_traces(&self, name: &str) -> Result<StackTraceMap<&MapData>> {
        StackTraceMap::try_from(self.map(name)?).with_context(|| format!("read the map {name}"))
    }

    /// For the judge to remove stacks that it has read: what user space would do.
    pub fn stack_traces_mut(&mut self, name: &str) -> Result<StackTraceMap<&mut MapData>> {
        StackTraceMap::try_from(self.map_mut(name)?).with_context(|| format!("read the map {name}"))
    }

    /// The records that wait in a ring buffer, of the size that the exercise tells.
    pub fn read_records<const SIZE: usize>(&mut self, name: &str) -> Result<Vec<[u8; SIZE]>> {
        let of_right_size = |record: Vec<u8>| {
            <[u8; SIZE]>::try_from(record).map_err(|record| {
                anyhow!(
                    "a record in {name} has {} bytes, and should have {SIZE}",
                    record.len()
                )
            })
        };
        self.read_records_of_any_size(name)?
            .into_iter()
            .map(of_right_size)
            .collect()
    }

    /// The records that wait in a ring buffer, where each is as long as what it tells.
    pub fn read_records_of_any_size(&mut self, name: &str) -> Result<Vec<Vec<u8>>> {
        let map = self.map_mut(name)?;
        let mut ring = RingBuf::try_from(map).with_context(|| format!("read the map {name}"))?;
        let mut records = read_waiting(&mut ring);
        thread::sleep(WRITING);
        records.extend(read_waiting(&mut ring));
        Ok(records)
    }

    /// Runs an XDP, tc or socket program on a frame.
    pub fn run_on_frame(&mut self, name: &str, frame: &[u8]) -> Result<PacketVerdict> {
        self.loaded.run_on_frame(name, frame)
    }

    fn map(&self, name: &str) -> Result<&Map> {
        self.maps
            .get(name)
            .with_context(|| format!("find the map {name}"))
    }

    fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.maps
            .get_mut(name)
            .with_context(|| format!("find the map {name}"))
    }
}

fn read_waiting<T: Borrow<MapData>>(ring: &mut RingBuf<T>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some(record) = ring.next() {
        records.push(record.to_vec());
    }
    records
}

/// What all CPUs together have in their values of one entry.
pub fn sum_per_cpu<const N: usize>(values: &PerCpuValues<[u64; N]>) -> [u64; N] {
    std::array::from_fn(|index| values.iter().map(|value| value[index]).sum())
}

/// The 16 bytes that the kernel keeps of a program's name.
pub fn comm_bytes(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    let length = name.len().min(15);
    comm[..length].copy_from_slice(&name.as_bytes()[..length]);
    comm
}
