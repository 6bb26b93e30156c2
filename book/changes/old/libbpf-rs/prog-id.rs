
use libbpf_rs::Program;

fn main() -> anyhow::Result<()> {
    let fd = Program::get_fd_by_id(1)?;
    println!("{}", Program::get_id_by_fd(std::os::fd::AsFd::as_fd(&fd))?);
    Ok(())
}
