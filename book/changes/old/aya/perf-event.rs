use aya::programs::perf_event::perf_sw_ids::PERF_COUNT_SW_CPU_CLOCK;
use aya::programs::perf_event::{PerfEventScope, PerfTypeId, SamplePolicy};
use aya::programs::PerfEvent;
use aya::Ebpf;

fn main() -> Result<(), anyhow::Error> {
    let mut ebpf = Ebpf::load_file("example.o")?;
    let program: &mut PerfEvent = ebpf.program_mut("sample").unwrap().try_into()?;
    program.load()?;
    program.attach(
        PerfTypeId::Software,
        PERF_COUNT_SW_CPU_CLOCK as u64,
        PerfEventScope::AllProcessesOneCpu { cpu: 0 },
        SamplePolicy::Frequency(99),
        true,
    )?;
    Ok(())
}
