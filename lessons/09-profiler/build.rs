fn main() -> anyhow::Result<()> {
    lesson_build::build_ebpf_programs().and_then(|()| lesson_build::build_profiled_program())
}
