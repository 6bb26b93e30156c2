//! The book at a local address, rebuilt at every save.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use checkout::workspace;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use percent_encoding::percent_decode_str;
use problem::{Exit, Problem};
use tiny_http::{Header, Request, Response, Server};
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
    let server = Server::http((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
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
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            for request in server.incoming_requests() {
                // A browser that went away is no failure of ours.
                let _ = answer(request, &book);
            }
        })?;
    rebuild(&saves)
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

fn answer(request: Request, book: &Path) -> std::io::Result<()> {
    if request.url() == ASK {
        return request.respond(Response::from_string(
            EDITION.load(Ordering::Relaxed).to_string(),
        ));
    }
    let Some(path) = file(request.url(), book) else {
        let page = fs::read(book.join("404.html")).unwrap_or_default();
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

/// The book's file at an address, if there is one.
fn file(url: &str, book: &Path) -> Option<PathBuf> {
    let path = percent_decode_str(url.split(['?', '#']).next()?)
        .decode_utf8()
        .ok()?;
    let relative = PathBuf::from(path.trim_start_matches('/'));
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return None;
    }
    let path = book.join(relative);
    let path = if path.is_dir() {
        path.join("index.html")
    } else {
        path
    };
    path.is_file().then_some(path)
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
    use super::*;

    #[test]
    fn no_address_leads_out_of_the_book() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a b.html"), "").unwrap();
        fs::create_dir(directory.path().join("lessons")).unwrap();
        fs::write(directory.path().join("lessons/index.html"), "").unwrap();
        assert!(file("/a%20b.html?x#y", directory.path()).is_some());
        assert!(
            file("/lessons/", directory.path())
                .unwrap()
                .ends_with("lessons/index.html")
        );
        for outside in [
            "/../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/lessons/../../x",
            "/missing.html",
        ] {
            assert_eq!(file(outside, directory.path()), None, "{outside}");
        }
    }
}
