//! How far the learner has come.

/// `[#########---------------------] 5/21 done`
pub fn draw_progress(done: usize, all: usize) -> String {
    const WIDTH: usize = 30;
    let filled = (done * WIDTH).checked_div(all).unwrap_or(0);
    // The first of many shows, too.
    let filled = filled.max(done.min(1));
    format!(
        "[{}{}] {done}/{all} done",
        "#".repeat(filled),
        "-".repeat(WIDTH - filled)
    )
}

#[cfg(test)]
mod tests {
    use super::draw_progress;

    #[test]
    fn it_is_full_only_when_all_is_done() {
        let filled = |done, all| draw_progress(done, all).matches('#').count();
        assert_eq!([filled(0, 26), filled(25, 26), filled(26, 26)], [0, 28, 30]);
        assert_eq!(filled(1, 33), 1);
        assert_eq!(draw_progress(0, 0).matches('-').count(), 30);
    }
}
