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
    let dst = bytes[1] & 0x0f;
    let src = bytes[1] >> 4;
    let off = i16::from_le_bytes([bytes[2], bytes[3]]);
    let imm = i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    format!("code={code:#04x} dst={dst} src={src} off={off} imm={imm}")
}
