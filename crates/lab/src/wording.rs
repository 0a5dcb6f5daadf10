//! Words that several commands share: numbers in sentences, and what is said of the wiretap.

/// The count with its noun: "1 order", "2 orders", "0 copies". `noun` is the English word for one thing, with a
/// regular plural.
pub fn counted(count: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("1 {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// Why answers can't be lost: only what stands between a replica and PostgreSQL can lose one.
pub const NO_WIRETAP: &str =
    "no wiretap stands between the replicas and PostgreSQL. With one: WIRETAP=on make stop run";

/// Says whether the wiretap stands between the replicas and PostgreSQL. `None`: that is not known.
pub fn on_wiretap(is_there: Option<bool>) -> &'static str {
    match is_there {
        Some(true) => {
            "wiretap: on. The lab reads along between the replicas and PostgreSQL, which costs some speed."
        }
        Some(false) => "wiretap: off. The replicas reach PostgreSQL directly.",
        None => "wiretap: unknown. make run has not started this shop.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_several() {
        let words = |count| ["order", "copy", "day"].map(|noun| counted(count, noun)).join(", ");

        assert_eq!(words(0), "0 orders, 0 copies, 0 days");
        assert_eq!(words(1), "1 order, 1 copy, 1 day");
        assert_eq!(words(2), "2 orders, 2 copies, 2 days");
    }
}
