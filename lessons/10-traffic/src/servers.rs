//! The backends' servers, and the question to them: which one are you?

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use anyhow::{Context as _, Result, ensure};

/// Answers each message, over TCP and over UDP, with the name of the backend.
pub fn serve(name: &'static str, at: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(at).with_context(|| format!("cannot listen on {at}"))?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 16];
                while matches!(stream.read(&mut buffer), Ok(1..)) {
                    if stream.write_all(name.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let socket = UdpSocket::bind(at).with_context(|| format!("cannot open {at}"))?;
    thread::spawn(move || {
        while let Ok((_, client)) = socket.recv_from(&mut [0; 16]) {
            // A client that is gone does not matter.
            let _ = socket.send_to(name.as_bytes(), client);
        }
    });
    Ok(())
}

/// The name of the backend at the other end of a connection.
pub fn ask_tcp(stream: &mut TcpStream) -> Result<String> {
    let mut buffer = [0; 16];
    stream.write_all(b"who").context("cannot send a message")?;
    let length = stream.read(&mut buffer).context("cannot read the answer")?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The name of the backend that a datagram reaches.
pub fn ask_udp(socket: &UdpSocket, to: SocketAddr) -> Result<String> {
    let mut buffer = [0; 16];
    let sent = socket.send_to(b"who", to);
    sent.context("cannot send a datagram")?;
    let received = socket.recv_from(&mut buffer);
    let (length, from) = received.context("cannot receive the answer")?;
    ensure!(from == to, "the answer to {to} came from {from}");
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
