//! Decodes eBPF instructions. Reads one on each line, as eight bytes in hexadecimal.

use std::io;

fn main() {
    for line in io::stdin().lines().map_while(Result::ok) {
        match read(&line) {
            Some(bytes) => println!("{}", decode(bytes)),
            None => println!("these are not eight bytes"),
        }
    }
}

fn read(line: &str) -> Option<[u8; 8]> {
    let bytes = line
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).ok());
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

fn decode(bytes: [u8; 8]) -> String {
    let code = bytes[0];
    // TODO: decode these from the other seven bytes.
    let (dst, src) = (0, 0);
    let (off, imm) = (0, 0);
    format!("code={code:#04x} dst={dst} src={src} off={off} imm={imm}")
}
