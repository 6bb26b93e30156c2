//! Where the kernel keeps a register of a program that it has interrupted.

/// The registers of x86-64 in the order of `struct pt_regs`, without what marks their size: `rdi`
/// and `edi` are `di`, `r8` and `r8d` are `8`. Each is 8 bytes long.
const REGISTERS: &str =
    "15 14 13 12 bp bx 11 10 9 8 ax cx dx si di (system-call) (ip) (cs) (flags) sp";

/// The offset of a register, in bytes: of `%rdi`, or `x0` on arm64.
pub fn find_register(name: &str) -> Option<u32> {
    let Some(name) = name.strip_prefix('%') else {
        return find_arm64_register(name);
    };
    let name = name.strip_suffix(['d', 'w', 'b', 'l']).unwrap_or(name);
    let name = name.strip_prefix(['r', 'e']).unwrap_or(name);
    // `al` has become `a`.
    let wide = format!("{name}x");
    let mut registers = REGISTERS.split(' ');
    let index = registers.position(|register| register == name || register == wide)?;
    u32::try_from(index * 8).ok()
}

/// `x0` to `x30`, then `sp`: the order of arm64's `struct user_pt_regs`.
fn find_arm64_register(name: &str) -> Option<u32> {
    let number: u32 = match name {
        "sp" => 31,
        _ => name.strip_prefix('x')?.parse().ok()?,
    };
    (number <= 31).then_some(number * 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_found_in_all_their_sizes() {
        for (name, offset) in [
            ("%r15b", 0),
            ("%bl", 40),
            ("%r8d", 72),
            ("%al", 80),
            ("%dil", 112),
            ("%rsp", 152),
            ("x0", 0),
            ("x30", 240),
            ("sp", 248),
        ] {
            assert_eq!(find_register(name), Some(offset), "{name}");
        }
        for name in ["%xmm0", "%x0", "rax", "x32", "w0"] {
            assert_eq!(find_register(name), None, "{name}");
        }
    }
}
