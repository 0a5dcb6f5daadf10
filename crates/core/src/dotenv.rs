//! Reads the text of a `.env` file: a variable on each line. docker compose reads the same file, so a value that has
//! another meaning there, or none, has to be quoted. No error says what a value is.

use std::collections::BTreeMap;

/// A line that can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{problem}", .name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub struct LineError {
    /// The line's number. The first line is 1.
    pub line: usize,
    /// The variable, where the line names one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub problem: &'static str,
}

const NO_ASSIGNMENT: &str = "expected NAME=value";
const NOT_TEXT: &str = "expected UTF-8 text";
const NEEDS_QUOTES: &str = "a value with a blank or one of # $ \\ ' \" must be quoted, as in NAME='a value'";
const NOT_CLOSED: &str = "the closing quote is missing";
const AFTER_QUOTE: &str = "something follows the closing quote. A ' within needs \" around the value";
const BARE_DOLLAR: &str = "within \", a $ is written \\$. Within ', it stands for itself";
const UNKNOWN_ESCAPE: &str = "within \", a \\ is written \\\\. Within ', it stands for itself";

/// The variables. Of two lines with the same name, the later one counts.
///
/// # Errors
/// At the first line that can't be read.
pub fn parse(text: &[u8]) -> Result<BTreeMap<String, String>, LineError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut variables = BTreeMap::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let decoded = String::from_utf8_lossy(line);
        let line_error = |name: Option<&str>, problem| LineError {
            line: index + 1,
            name: name.map(str::to_owned),
            problem,
        };
        let line_text = decoded.trim();
        if line_text.is_empty() || line_text.starts_with('#') {
            continue;
        }
        let (name, rest) = assignment(line_text).ok_or_else(|| line_error(None, NO_ASSIGNMENT))?;
        if std::str::from_utf8(line).is_err() {
            return Err(line_error(Some(name), NOT_TEXT));
        }
        let value = value(rest).map_err(|problem| line_error(Some(name), problem))?;
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

/// The name, and what follows the `=`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, rest) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then_some((name, rest))
}

fn value(rest: &str) -> Result<String, &'static str> {
    let text = rest.trim();
    if let Some(quoted) = text.strip_prefix('\'') {
        let (value, after) = quoted.split_once('\'').ok_or(NOT_CLOSED)?;
        return nothing_follows(after).map(|()| value.to_owned());
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return escaped(quoted);
    }
    // `NAME= # what it is for`, and not `NAME=#1`.
    if text.starts_with('#') && rest.starts_with([' ', '\t']) {
        return Ok(String::new());
    }
    let value = [" #", "\t#"].iter().fold(text, |text, comment| text.split(comment).next().unwrap_or(text));
    let value = value.trim_end();
    let needs_quotes = |letter: char| letter.is_whitespace() || "#$\\'\"".contains(letter);
    if value.contains(needs_quotes) {
        return Err(NEEDS_QUOTES);
    }
    Ok(value.to_owned())
}

/// What stands within double quotes, up to the closing one.
fn escaped(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return nothing_follows(letters.as_str()).map(|()| value),
            '$' => return Err(BARE_DOLLAR),
            '\\' => match letters.next() {
                Some(escaped @ ('\\' | '"' | '$')) => value.push(escaped),
                _ => return Err(UNKNOWN_ESCAPE),
            },
            letter => value.push(letter),
        }
    }
    Err(NOT_CLOSED)
}

fn nothing_follows(after: &str) -> Result<(), &'static str> {
    let rest = after.trim_start();
    let is_comment = rest.len() < after.len() && rest.starts_with('#');
    if rest.is_empty() || is_comment { Ok(()) } else { Err(AFTER_QUOTE) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value_of(line: &str) -> Option<String> {
        parse(line.as_bytes()).ok()?.remove("NAME")
    }

    fn problem_of(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_line_is_a_variable() {
        for (line, value) in [
            ("NAME=value", "value"),
            ("  export\tNAME = value  # why\r", "value"),
            ("NAME=", ""),
            ("NAME= # why", ""),
            (
                "NAME=postgres://shop:p%40@db:1/shop?sslmode=disable",
                "postgres://shop:p%40@db:1/shop?sslmode=disable",
            ),
            ("NAME=info,sqlx=debug", "info,sqlx=debug"),
            (r#"NAME='p #$w\"o' # why"#, r#"p #$w\"o"#),
            (r#"NAME="p #'\$w\\\"o""#, r#"p #'$w\"o"#),
            ("NAME=one\nNAME=two", "two"),
            ("\u{feff}NAME=value", "value"),
        ] {
            assert_eq!(value_of(line).as_deref(), Some(value), "{line}");
        }
        assert!(parse(b"# nothing\n\n   \n").unwrap().is_empty());
    }

    #[test]
    fn the_quoted_values_that_people_are_shown_are_what_is_said_of_them() {
        for (line, password) in
            [(r#"PGPASSWORD='p$ss w"rd'"#, r#"p$ss w"rd"#), (r#"PGPASSWORD="it's \$5""#, "it's $5")]
        {
            for text in [include_str!("../../../README.md"), include_str!("../../../.env.example")] {
                assert!(text.contains(line), "{line}");
            }
            assert_eq!(parse(line.as_bytes()).unwrap()["PGPASSWORD"], password);
        }
    }

    #[test]
    fn a_line_that_can_not_be_read_is_named_without_its_value() {
        for value in
            ["hunter2 x", "#hunter2", "a#hunter2", "hunter$2", r"hunter\2", "hunter'2", "a\"hunter2\""]
        {
            let problem = problem_of(&format!("PORT=1\n\nNAME={value}"));
            assert_eq!(problem, format!("line 3: NAME: {NEEDS_QUOTES}"), "{value}");
        }
        for (line, problem) in [
            ("hunter2", format!("line 1: {NO_ASSIGNMENT}")),
            ("NAME hunter2", format!("line 1: {NO_ASSIGNMENT}")),
            ("hunter 2=x", format!("line 1: {NO_ASSIGNMENT}")),
            ("NAME='hunter2", format!("line 1: NAME: {NOT_CLOSED}")),
            ("NAME=\"hunter2\nPORT=1\"", format!("line 1: NAME: {NOT_CLOSED}")),
            ("NAME='hunter'2'", format!("line 1: NAME: {AFTER_QUOTE}")),
            ("NAME=\"hunter\"#2", format!("line 1: NAME: {AFTER_QUOTE}")),
            ("NAME=\"hunter$2\"", format!("line 1: NAME: {BARE_DOLLAR}")),
            (r#"NAME="hunter\2""#, format!("line 1: NAME: {UNKNOWN_ESCAPE}")),
        ] {
            assert_eq!(problem_of(line), problem, "{line}");
        }
        assert_eq!(parse(b"NAME=hunter\xff").unwrap_err().to_string(), format!("line 1: NAME: {NOT_TEXT}"));
    }

    proptest! {
        #[test]
        fn whatever_a_value_holds_it_can_be_quoted(value in "[^\n\r]*") {
            if !value.contains('\'') {
                prop_assert_eq!(value_of(&format!("NAME='{value}'")), Some(value.clone()));
            }
            let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$");
            prop_assert_eq!(value_of(&format!("NAME=\"{escaped}\"")), Some(value.clone()));
        }

        #[test]
        fn without_quotes_it_is_taken_as_it_stands_or_refused(value in "[^\n\r'\"]*") {
            if let Ok(variables) = parse(format!("NAME={value}").as_bytes()) {
                let comment = value.trim().strip_prefix(variables["NAME"].as_str()).unwrap().trim_start();
                prop_assert!(comment.is_empty() || comment.starts_with('#'), "{value:?}");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text);
        }
    }
}
