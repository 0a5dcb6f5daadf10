//! The variants, as the files in `variants/` list them.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::outcome::TrueOutcome;

const FILES: [&str; 4] = [
    include_str!("../variants/locks.txt"),
    include_str!("../variants/transactions.txt"),
    include_str!("../variants/writes.txt"),
    include_str!("../variants/guards.txt"),
];

/// One way to have edited the exercise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The heading that it stands under.
    pub family: String,
    /// Its true outcome, as somebody who has read the code says.
    pub outcome: TrueOutcome,
    /// The name that its mistake must get. `None`: it has none, or none that has a name.
    pub mistake: Option<String>,
    /// Its words, in order.
    pub words: Vec<String>,
    /// What it is.
    pub said: String,
}

/// All variants.
///
/// # Errors
/// When a file can't be read: the error names the variant.
pub fn variants() -> anyhow::Result<Vec<Variant>> {
    let mut variants = Vec::new();
    for file in FILES {
        variants.extend(read(file)?);
    }
    let mut names = BTreeSet::new();
    for variant in &variants {
        ensure!(names.insert(&variant.name), "two variants are called {}", variant.name);
    }
    Ok(variants)
}

/// Those of the variants that have these names; without a name, all of them.
///
/// # Errors
/// When a name is unknown.
pub fn only(names: &[String], variants: Vec<Variant>) -> anyhow::Result<Vec<Variant>> {
    for name in names {
        ensure!(
            variants.iter().any(|variant| variant.name == *name),
            "there is no variant {name}. Their names: make league ARGS=--list"
        );
    }
    let is_wanted = |variant: &Variant| names.is_empty() || names.contains(&variant.name);
    Ok(variants.into_iter().filter(is_wanted).collect())
}

/// A few variants of all kinds, right ones and wrong ones. They take less than a minute.
const SAMPLE: [&str; 6] =
    ["guide-fix", "shipped", "lock-after-payment", "for-share", "atomic-update-unread", "mutex-in-process"];

/// The names of a few variants of all kinds.
pub fn sample() -> Vec<String> {
    SAMPLE.map(str::to_owned).to_vec()
}

fn read(file: &str) -> anyhow::Result<Vec<Variant>> {
    let mut variants: Vec<Variant> = Vec::new();
    let mut family = String::new();
    let mut lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("= ") {
            heading.clone_into(&mut family);
            continue;
        }
        let (name, label) = line.split_once(": ").with_context(|| format!("\"{line}\" has no outcome"))?;
        let (outcome, mistake) = match label.split_once(", ") {
            Some((outcome, mistake)) => (outcome, Some(mistake.to_owned())),
            None => (label, None),
        };
        let words = lines.next().with_context(|| format!("{name} has no words"))?;
        let said = lines.next().with_context(|| format!("{name} has no sentence"))?;
        variants.push(Variant {
            name: name.to_owned(),
            family: family.clone(),
            outcome: TrueOutcome::read(outcome).with_context(|| format!("the variant {name}"))?,
            mistake,
            words: words.split_whitespace().map(str::to_owned).collect(),
            said: said.trim().to_owned(),
        });
    }
    Ok(variants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercise::Exercise;
    use crate::exercise::tests::shipped;
    use crate::words::{RETRIES, WORDS, Words};

    #[test]
    fn each_word_is_used_and_each_word_that_is_used_is_there() {
        let words = Words::of(&Exercise::cut(&shipped()).unwrap(), WORDS, RETRIES).unwrap();
        let variants = variants().unwrap();
        let used: BTreeSet<&str> = variants
            .iter()
            .flat_map(|variant| &variant.words)
            .map(String::as_str)
            .chain(["answer"])
            .collect();
        let known: BTreeSet<&str> = words.names().collect();

        assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody uses them");
        assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "they are unknown");
    }

    #[test]
    fn no_two_variants_are_the_same_and_each_has_a_sentence() {
        let variants = variants().unwrap();

        let mut seen = BTreeSet::new();
        for variant in &variants {
            assert!(seen.insert(&variant.words), "{}: another one has the same words", variant.name);
            assert!(variant.said.ends_with('.'), "{}", variant.name);
        }
        assert!(variants.len() >= 100, "{}", variants.len());
    }
}
