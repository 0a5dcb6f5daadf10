//! Text in lines that fit.

use textwrap::WordSplitter;

/// Breaks a text at spaces into lines of at most `width` characters. A longer word has a line of its own. A text
/// without words has no lines.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    // The text may quote an error of several lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let options = textwrap::Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(&text, options).into_iter().map(String::from);
    lines.filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_meaning_is_broken_at_spaces() {
        assert_eq!(wrapped("look at what is there", 10), ["look at", "what is", "there"]);
    }

    #[test]
    fn a_long_word_stays_whole_and_nothing_has_no_lines() {
        assert_eq!(wrapped("see\ncheck-then-act\n", 10), ["see", "check-then-act"]);
        assert_eq!(wrapped(" \n", 10), [""; 0]);
    }
}
