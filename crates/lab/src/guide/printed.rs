//! Compares what a program has printed with what the guide says that it prints. Ids and times are different each
//! time, so they count as equal. White space counts as equal, too, because the guide's lines are shorter. `…` in the
//! guide stands for anything.

use std::iter;

/// Whether both texts say the same.
pub fn is_same(guide: &str, printed: &str) -> bool {
    is_same_masked(&masked(guide), &masked(printed))
}

/// Whether both texts say the same, apart from their numbers.
pub fn is_same_but_for_numbers(guide: &str, printed: &str) -> bool {
    let without_numbers = |text: &str| {
        let text: String =
            masked(text).chars().filter(|it| !it.is_ascii_digit() && !".,-".contains(*it)).collect();
        // "1 order" and "2 orders" are the same text then.
        text.split_whitespace().map(|word| word.trim_end_matches('s')).collect::<Vec<_>>().join(" ")
    };
    is_same_masked(&without_numbers(guide), &without_numbers(printed))
}

fn is_same_masked(guide: &str, printed: &str) -> bool {
    let mut parts = guide.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first.trim_end_matches(' ')) else { return false };
    let parts: Vec<&str> = parts.map(str::trim).collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// The text with one blank between two words, and with a name in place of each id and time.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut numbered = false;
    for word in words(text) {
        if word.chars().all(char::is_whitespace) {
            masked.push(' ');
        } else if numbered && is_number(word) {
            masked.push_str("<number>");
        } else {
            masked.push_str(kind(word).unwrap_or(word));
            // The place of a row has two numbers: tuple (3,14).
            numbered = is_numbered(word) || (numbered && ["(", ","].contains(&word));
        }
    }
    let mut words: Vec<&str> = masked.split_whitespace().collect();
    // The line under a table's heading is as wide as the widest value.
    words.retain(|word| word.len() < 3 || !word.chars().all(|it| it == '-' || it == '+'));
    for next in 1..words.len() {
        if words[next].trim_end_matches(',') == "ms" && words[next - 1].parse::<f64>().is_ok() {
            words[next - 1] = "<time>";
        }
    }
    words.join(" ")
}

/// Splits a text into white space, words, and the characters between words, each by itself.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || "-:.+_".contains(character);
    let mut rest = text;
    iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = if first.is_whitespace() {
            rest.find(|it: char| !it.is_whitespace())
        } else if is_of_word(first) {
            rest.find(|it| !is_of_word(it))
        } else {
            Some(first.len_utf8())
        };
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        rest = after;
        Some(word)
    })
}

/// The kind of id or time that a word is.
fn kind(word: &str) -> Option<&'static str> {
    let word = word.trim_end_matches(['.', ':']);
    let shape: String = word.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    if word.starts_with("replica-") && is_number(&word["replica-".len()..]) {
        return Some("<replica>");
    }
    if is_id(word) {
        return Some("<id>");
    }
    // A time may go on with a part of a second, and with what follows that.
    let is_time = |shape: &str| shape.starts_with("00:00:00");
    if is_time(&shape) || shape == "0000-00-00" || shape.strip_prefix("0000-00-00T").is_some_and(is_time) {
        return Some("<time>");
    }
    None
}

/// A UUID, or the first eight digits of one.
fn is_id(word: &str) -> bool {
    let groups: Vec<usize> = word.split('-').map(str::len).collect();
    word.chars().all(|it| it == '-' || matches!(it, '0'..='9' | 'a'..='f'))
        && matches!(groups[..], [8] | [8, 4, 4, 4, 12])
}

/// Words that PostgreSQL prints before a number that it has chosen itself.
fn is_numbered(word: &str) -> bool {
    ["Process", "process", "transaction", "tuple"].contains(&word)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.trim_end_matches(['.', ';', ':']).bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_times_and_white_space_are_no_difference() {
        for (guide, printed) in [
            ("a\n  b", "a b\n"),
            (
                r#"{"id":"9544b27d-8486-4d21-85b1-914a73898d50"}"#,
                r#"{"id":"385f36fa-99a3-4b2d-a784-71c4a31a6f25"}"#,
            ),
            (r#"at":"2026-11-22T20:20:33.969041Z","#, r#"at":"2027-01-02T00:00:00.1Z","#),
            (
                " 6697f086 | replica-2 | 2026-11-22 20:20:33.917888+00 | 00:00:00.05",
                " 385f36fa | replica-1 | 2026-11-23 01:20:33.9+00 | 00:00:00.061",
            ),
            ("----+---\n(2 rows)", "------+-----\n(2 rows)"),
            (
                "Process 17881 waits for transaction 1132; blocked by process 17880.",
                "Process 1 waits for transaction 2; blocked by process 3.",
            ),
            ("while locking tuple (3,14) in", "while locking tuple (0,1) in"),
            ("COMMIT -- 1.1 ms (", "COMMIT -- 0.3 ms ("),
            ("a …", "a b c"),
            ("… b … d", "a b c d"),
            ("{\"a\":1,…}", "{\"a\":1,\"b\":2}"),
        ] {
            assert!(is_same(guide, printed), "{guide}\n{printed}\n{}\n{}", masked(guide), masked(printed));
        }
    }

    #[test]
    fn numbers_may_be_no_difference_either() {
        let guide = "ok  retry  1 click made 2 requests\n…\n\nFIXED: 1,364 purchases, 0 oversold (8.9 s)\n…";
        let printed = "ok  retry  50 clicks made 100 requests\nok  race window\nFIXED: 9 purchases, 12 oversold (11.0 s)\nmake: Error 1\n";

        assert!(is_same_but_for_numbers(guide, printed));
        assert!(!is_same_but_for_numbers(guide, &printed.replacen("ok", "FAILED", 1)));
        assert!(!is_same_but_for_numbers(guide, &printed.replace("FIXED", "OVERSOLD")));
    }

    #[test]
    fn all_else_is() {
        for (guide, printed) in [
            ("INSERT 0 1", "INSERT 0 2"),
            ("quantity\n---\n 1", "quantity\n---\n 0"),
            ("a", "a b"),
            ("a b", "a"),
            ("a … c", "a b c d"),
            ("… b", "a"),
            ("\"quantity\":-1", "\"quantity\":0"),
            ("ERROR:  deadlock detected", "ERROR:  canceling statement due to lock timeout"),
            ("Process 1 waits for ShareLock", "Process 1 waits for AccessShareLock"),
            ("(0 rows)", "(1 row)"),
            ("COMMIT -- 1.1 ms", "COMMIT"),
        ] {
            assert!(!is_same(guide, printed), "{guide}\n{printed}");
        }
    }
}
