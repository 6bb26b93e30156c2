fn main() -> anyhow::Result<()> {
    lesson_build::build_ebpf_programs()
}
