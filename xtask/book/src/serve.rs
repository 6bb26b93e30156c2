//! The book at a local address, rebuilt at every save.
//!
//! Only programs of this machine can ask, and only for files of the book. A page of another site
//! cannot: its browser would name that site's host, even if the name leads here.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use checkout::workspace;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use percent_encoding::percent_decode_str;
use problem::{Exit, Problem};
use tiny_http::{Header, Method, Request, Response, Server};
use xtask::output::screen::{self, Mark};

use crate::render;

/// How often the book was built: an open page asks for it, and loads itself again when it has
/// changed.
static EDITION: AtomicU32 = AtomicU32::new(0);

const ASK: &str = "/edition";

const RELOAD: &str = "<script>(() => { let seen; setInterval(async () => { try { \
    const now = await (await fetch('/edition')).text(); \
    if (seen !== undefined && now !== seen) location.reload(); \
    seen = now; } catch { /* the server has ended */ } }, 1000); })();</script></body>";

/// What pages are made of.
const WATCHED: [&str; 2] = ["book", "lessons"];

pub fn serve_book(port: u16, open_it: bool) -> Result<Exit> {
    let server = open_server(port).map_err(|error| {
        Problem::machine(format!("cannot listen on port {port}: {error}"))
            .help("cargo xtask book serve --port 0    (any that is free)")
    })?;
    let (_watcher, saves) = saves()?;
    let book = render::build_book()?;
    let address = format!("http://{}/", server.server_addr());
    screen::show_marked(
        Mark::Good,
        &format!("the book is at {address}; Ctrl-C ends this"),
    );
    if open_it {
        open_browser(&address)?;
    }
    answer_requests(server, &book)?;
    rebuild(&saves)
}

type ServerError = Box<dyn std::error::Error + Send + Sync>;

fn open_server(port: u16) -> std::result::Result<Server, ServerError> {
    Server::http((Ipv4Addr::LOCALHOST, port))
}

/// Answers in the background, each request in its own thread: a client that does not read its
/// answer holds up nobody else.
fn answer_requests(server: Server, book: &Path) -> Result<()> {
    let site = Arc::new(Site {
        book: book.canonicalize().context("cannot find the book")?,
    });
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            for request in server.incoming_requests() {
                let site = Arc::clone(&site);
                // A browser that went away is no failure of ours. Without a thread, the request is
                // dropped, and tiny_http answers that something failed.
                let _ = thread::Builder::new().spawn(move || site.answer(request));
            }
        })?;
    Ok(())
}

/// Whether the `Host` of a request names this machine. A page of a stranger, whose name leads here,
/// is asked for by that name. A tunnel may have another port at its other end.
fn is_own_host(host: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

fn saves() -> Result<(RecommendedWatcher, Receiver<()>)> {
    let (sender, receiver) = mpsc::channel();
    let mut watcher =
        notify::recommended_watcher(move |happened: notify::Result<notify::Event>| {
            if happened.is_ok_and(|event| !event.kind.is_access()) {
                // The other end is gone only when the program ends.
                let _ = sender.send(());
            }
        })
        .context("cannot watch files")?;
    for directory in WATCHED {
        let directory = workspace::workspace_root().join(directory);
        watcher
            .watch(&directory, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {}", directory.display()))?;
    }
    Ok((watcher, receiver))
}

fn rebuild(saves: &Receiver<()>) -> Result<Exit> {
    loop {
        saves
            .recv()
            .map_err(|_| anyhow!("the files are not watched any more"))?;
        // Editors save in several steps.
        while saves.recv_timeout(Duration::from_millis(100)).is_ok() {}
        match render::build_book() {
            Ok(_) => screen::show_marked(Mark::Good, "rebuilt"),
            Err(error) => xtask::output::error::show_error(&error),
        }
        EDITION.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is served.
struct Site {
    book: PathBuf,
}

impl Site {
    fn answer(&self, request: Request) -> std::io::Result<()> {
        if !is_for_us(&request) {
            return request.respond(refusal("this server is localhost, or 127.0.0.1", 421));
        }
        if !matches!(request.method(), Method::Get | Method::Head) {
            return request.respond(refusal("pages can only be read", 405));
        }
        if request.url() == ASK {
            let edition = EDITION.load(Ordering::Relaxed);
            return request.respond(Response::from_string(edition.to_string()));
        }
        let Some(path) = find_file(request.url(), &self.book) else {
            let page = fs::read(self.book.join("404.html")).unwrap_or_default();
            return request.respond(typed(page, "html").with_status_code(404));
        };
        let ending = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut contents = fs::read(&path)?;
        if ending == "html" {
            contents = String::from_utf8_lossy(&contents)
                .replace("</body>", RELOAD)
                .into_bytes();
        }
        request.respond(typed(contents, &ending))
    }
}

fn is_for_us(request: &Request) -> bool {
    let mut hosts = request.headers().iter().filter(|it| it.field.equiv("Host"));
    let (host, more) = (hosts.next(), hosts.next());
    more.is_none() && host.is_some_and(|host| is_own_host(host.value.as_str()))
}

fn refusal(why: &str, status: u16) -> Response<std::io::Cursor<Vec<u8>>> {
    Response::from_string(format!("{why}\n")).with_status_code(status)
}

/// The book's file at an address, if there is one.
fn find_file(url: &str, book: &Path) -> Option<PathBuf> {
    let path = percent_decode_str(url.split(['?', '#']).next()?)
        .decode_utf8()
        .ok()?;
    let path = book.join(path.trim_start_matches('/'));
    let path = if path.is_dir() {
        path.join("index.html")
    } else {
        path
    };
    // Neither dots nor a link may lead out.
    let real = path.canonicalize().ok()?;
    (real.is_file() && real.starts_with(book)).then_some(path)
}

fn typed(contents: Vec<u8>, ending: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    let kind = match ending {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    };
    let header = Header::from_bytes("Content-Type", kind);
    let response = Response::from_data(contents);
    match header {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

/// Shows an address, or a file, in the browser.
pub fn open_browser(what: &str) -> Result<()> {
    Command::new("xdg-open")
        .arg(what)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            Problem::machine(format!("cannot open a browser: {error}")).help(format!("open {what}"))
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    fn small_book() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let book = directory.path().join("book");
        fs::create_dir_all(book.join("lessons")).unwrap();
        fs::write(directory.path().join("Cargo.toml"), "of the course").unwrap();
        fs::write(book.join("a b.html"), "").unwrap();
        fs::write(book.join("lessons/index.html"), "the lessons").unwrap();
        // More than the buffers of a connection.
        fs::write(book.join("large"), vec![0; 8 << 20]).unwrap();
        std::os::unix::fs::symlink("../Cargo.toml", book.join("link")).unwrap();
        std::os::unix::fs::symlink("..", book.join("up")).unwrap();
        directory
    }

    #[test]
    fn no_address_leads_out_of_the_book() {
        let directory = small_book();
        let book = directory.path().join("book").canonicalize().unwrap();
        assert!(find_file("/a%20b.html?x#y", &book).is_some());
        let lessons = find_file("/lessons/", &book).unwrap();
        assert!(lessons.ends_with("lessons/index.html"));
        for outside in [
            "/../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/..%2fCargo.toml",
            "/lessons/../../Cargo.toml",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/link",
            "/up/Cargo.toml",
            "/lessons%00/index.html",
            "/%ff",
            "/missing.html",
        ] {
            assert_eq!(find_file(outside, &book), None, "{outside}");
        }
    }

    /// The answer to what a client sends, whatever that is.
    fn ask(server: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(server).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn request(method: &str, url: &str, host: &str) -> String {
        format!("{method} {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    }

    #[test]
    fn only_readers_on_this_machine_are_answered_and_none_holds_up_another() {
        let directory = small_book();
        let server = open_server(0).unwrap();
        let address = server.server_addr().to_ip().unwrap();
        assert!(address.ip().is_loopback());
        answer_requests(server, &directory.path().join("book")).unwrap();
        let own = address.to_string();
        let status = |method: &str, url: &str, host: &str| {
            let answer = ask(address, &request(method, url, host));
            answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        };
        // They want the largest file, and do not read it, or never say all that they want.
        let unfinished = [
            request("GET", "/large", &own),
            "GET /lessons/ HTTP/1.1\r\nHost:".to_owned(),
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20)),
        ];
        let _slow: Vec<TcpStream> = unfinished
            .iter()
            .map(|text| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
                stream
            })
            .collect();
        assert_eq!(status("GET", "/lessons/", &own), 200);
        for host in ["localhost:8000", "LOCALHOST", "[::1]:3000"] {
            assert_eq!(status("HEAD", "/lessons/", host), 200, "{host}");
        }
        assert_eq!(status("GET", ASK, &own), 200);
        for host in [
            "example.com",
            "example.com:80",
            "127.0.0.2",
            "localhost.",
            "localhost.example.com:80",
            "127.0.0.1:x",
        ] {
            assert_eq!(status("GET", "/lessons/", host), 421, "{host}");
            assert_eq!(status("GET", ASK, host), 421, "{host}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(status(method, "/lessons/", &own), 405, "{method}");
        }
        for outside in [
            "/../Cargo.toml",
            "/link",
            "/up/Cargo.toml",
            "/%2e%2e/Cargo.toml",
        ] {
            assert_eq!(status("GET", outside, &own), 404, "{outside}");
        }
        let without_host = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert!(ask(address, without_host).contains(" 421 "));
    }
}
