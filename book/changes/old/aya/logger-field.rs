use aya_log::EbpfLogger;

struct Session {
    logger: Option<EbpfLogger>,
}

fn main() {
    let session = Session { logger: None };
    println!("{}", session.logger.is_some());
}
