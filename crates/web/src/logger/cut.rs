//! A text that a client may have sent, in the log: only its beginning, if it is long.

use std::fmt::{self, Display, Write};

/// Writes no more than so many bytes of a text. Where it was cut stands a mark with the length of all of it:
/// `/aaaaaaaa…[61440B]`. The mark has no blank, so a line has the same words as ever.
pub struct Cut<T>(pub T, pub usize);

impl<T: Display> Display for Cut<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut beginning = Beginning { formatter, left: self.1, bytes: 0, is_cut: false };
        write!(beginning, "{}", self.0)?;
        let Beginning { bytes, is_cut, .. } = beginning;
        if is_cut { write!(formatter, "…[{bytes}B]") } else { Ok(()) }
    }
}

/// Hands on what fits, and counts all.
struct Beginning<'a, 'f> {
    formatter: &'a mut fmt::Formatter<'f>,
    left: usize,
    bytes: usize,
    is_cut: bool,
}

impl Write for Beginning<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        if self.is_cut {
            return Ok(());
        }
        let fitting = text.floor_char_boundary(self.left);
        self.left -= fitting;
        self.is_cut = fitting < text.len();
        self.formatter.write_str(&text[..fitting])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_letters_and_its_whole_length_is_said() {
        for (text, longest, said) in [
            ("", 0, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc…[4B]"),
            ("aéb", 2, "a…[4B]"),
            ("aéb", 3, "aé…[4B]"),
            ("é", 0, "…[2B]"),
        ] {
            assert_eq!(Cut(text, longest).to_string(), said);
        }
        let in_parts = Cut(format_args!("{}{}{}", "ab", "cd", "e"), 3);
        assert_eq!(in_parts.to_string(), "abc…[5B]");
    }
}
