//! Numbers in sentences.

/// The count with its noun: "1 order", "2 orders", "0 copies". `noun` is the English word for one thing, with a
/// regular plural.
pub fn counted(count: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("1 {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
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
