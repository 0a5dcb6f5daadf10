//! The certificate of an exploration: what was proven, of which program, and what was not.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;
use flash_sale_explorer::{Act, DatabaseFacts, Exploration, ExploreOptions, Inside, Note, TroubleKind};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::requests::{requests_in_words, trouble_in_words};
use crate::build::sources;
use crate::wording::counted;
use crate::wrap::wrapped;

/// The longest text behind a name, in characters.
const WIDTH: usize = 98;

/// What an exploration has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// No rule is broken in any schedule, and all schedules were played.
    Proven,
    /// A schedule breaks a rule.
    Refuted,
    /// No rule was broken, and there may be other schedules.
    Open,
}

/// What was explored.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// SHA-256 of the sources: of the lines "hash, path" in the order of the paths.
    pub sources_sha256: String,
    /// How many sources there are.
    pub source_files: usize,
    /// SHA-256 of the shop's program.
    pub shop_sha256: String,
}

/// What was proven, and what was not.
#[derive(Clone, Debug, Serialize)]
pub struct Certificate {
    /// What was shown.
    pub claim: Claim,
    /// The claim in a sentence.
    pub sentence: String,
    /// What was explored.
    #[serde(flatten)]
    pub subject: Subject,
    /// PostgreSQL's version.
    pub postgresql: String,
    /// The isolation level of transactions that ask for none.
    pub isolation: String,
    /// The requests: A, B and so on.
    pub requests: Vec<Act>,
    /// How many of them are purchases.
    pub buyers: usize,
    /// What befell A. `None`: nothing.
    pub trouble: Option<TroubleKind>,
    /// At which statement of A it came, from 1. `None`: once at each of them.
    pub trouble_at: Option<usize>,
    /// Copies at first.
    pub stock: u32,
    /// Which statements were stopped inside.
    pub inside: Inside,
    /// Whether there is no other schedule at this grain.
    pub all_schedules: bool,
    /// Whether schedules from which nothing new can come were left out.
    pub reduction: bool,
    /// In how many ways chance may choose the buckets of the purchases. All schedules were played for each of them. 1:
    /// chance has no part.
    pub choices_of_chance: usize,
    /// What nothing was shown of.
    pub not_proven: Vec<String>,
}

impl Subject {
    /// The project in `root`, and the shop's program.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn of(root: &Path, shop: &Path) -> anyhow::Result<Self> {
        let mut paths = sources::all(root).context("can't list the sources")?;
        // It says which versions of the libraries are built in.
        paths.push("Cargo.lock".into());
        let (mut hash, mut files) = (Sha256::new(), 0);
        for path in paths {
            let Some(sum) = sha256_of(&root.join(&path))? else { continue };
            hash.update(format!("{sum}  {}\n", path.display()));
            files += 1;
        }
        let shop_sha256 = sha256_of(shop)?.context("the shop's program is gone")?;
        Ok(Self { sources_sha256: hex(&hash.finalize()), source_files: files, shop_sha256 })
    }
}

impl Certificate {
    /// The certificate of an exploration.
    pub fn of(
        subject: Subject,
        database: DatabaseFacts,
        options: &ExploreOptions,
        trouble: Option<TroubleKind>,
        exploration: &Exploration,
    ) -> Self {
        let claim = claim(exploration);
        let buyers = options.acts.iter().filter(|act| act.is_purchase()).count();
        let trouble_at = options.trouble.map(|trouble| trouble.step + 1);
        let requests = requests_in_words(&options.acts, options.stock);
        let sentence = sentence(claim, &requests, trouble, trouble_at);
        let unseen_trouble = match trouble {
            None => "time limits that run out, and connections that break".to_owned(),
            Some(_) => "time limits that run out, and troubles of another kind".to_owned(),
        };
        let mut not_proven = vec![
            format!("more than {}, other stocks, other requests", counted(buyers, "purchase")),
            "statements and branches that did not occur here".to_owned(),
            unseen_trouble,
        ];
        if exploration.notes.keys().any(|note| is_out_of_control(*note)) {
            not_proven.push("orders that the explorer could not control (see the notes)".to_owned());
        }
        Self {
            claim,
            sentence,
            subject,
            postgresql: database.version,
            isolation: database.isolation,
            requests: options.acts.clone(),
            buyers,
            trouble,
            trouble_at,
            stock: options.stock,
            inside: options.inside,
            all_schedules: exploration.complete,
            reduction: options.is_reduced,
            choices_of_chance: options.all_dice().len(),
            not_proven,
        }
    }

    /// The certificate in lines.
    pub fn text(&self) -> String {
        let word = match self.claim {
            Claim::Proven | Claim::Open => "proven",
            Claim::Refuted => "shown",
        };
        let (subject, mut text) = (&self.subject, "Certificate\n".to_owned());
        let mut line = |name: &str, said: &str| {
            let said = wrapped(said, WIDTH).join(&format!("\n{:14}", ""));
            let _ = writeln!(text, "  {name:<12}{said}");
        };
        line(word, &self.sentence);
        line("files", &format!("{} (SHA-256 of {} files)", subject.sources_sha256, subject.source_files));
        line("shop", &format!("{} (SHA-256 of the program)", subject.shop_sha256));
        let database = format!("PostgreSQL {}, isolation level {}", self.postgresql, self.isolation);
        line("database", &format!("{database}, unless a transaction asks for another one"));
        line("steps", grain(self.inside));
        line("schedules", &self.schedules());
        line("not proven", &self.not_proven.join("; "));
        text
    }

    /// What A and B are called together.
    pub fn kind_of_requests(&self) -> &'static str {
        if self.requests.iter().all(Act::is_purchase) { "purchase" } else { "request" }
    }

    fn schedules(&self) -> String {
        let schedules = match (self.all_schedules, self.reduction) {
            (true, false) => "all of them were played",
            (true, true) => "all of them, but those from which nothing new can come",
            (false, _) => "not all of them were played",
        };
        match self.choices_of_chance {
            1 => schedules.to_owned(),
            choices => {
                format!("{schedules}, for each of the {choices} choices of buckets that chance may make")
            }
        }
    }
}

/// The claim in a sentence. `at`: the only statement of A at which the trouble came.
fn sentence(claim: Claim, requests: &str, trouble: Option<TroubleKind>, at: Option<usize>) -> String {
    let when = trouble.map(|kind| match at {
        Some(at) => format!(" when at statement {at} {}", trouble_in_words(kind)),
        None => format!(" when {}", trouble_in_words(kind)),
    });
    let when = when.unwrap_or_default();
    match (claim, trouble.filter(|_| at.is_none())) {
        (Claim::Proven, Some(kind)) => format!(
            "{requests} break no rule, in whichever order their statements come, and at whichever statement {}",
            trouble_in_words(kind)
        ),
        (Claim::Proven, None) => {
            format!("{requests} break no rule{when}, in whichever order their statements come")
        }
        (Claim::Refuted, _) => format!("{requests} break a rule{when}: the schedule above shows how"),
        (Claim::Open, _) => format!("nothing about {requests}{when}: there are orders that were not played"),
    }
}

fn grain(inside: Inside) -> &'static str {
    match inside {
        Inside::Never => "whole statements",
        Inside::WhereItReads => {
            "whole statements; one that both reads and writes is also stopped between the two"
        }
        Inside::Always => "whole statements; one that writes is also stopped before it writes",
    }
}

fn claim(exploration: &Exploration) -> Claim {
    let is_controlled = !exploration.notes.keys().any(|note| is_out_of_control(*note));
    if !exploration.is_right() {
        Claim::Refuted
    } else if exploration.complete && is_controlled {
        Claim::Proven
    } else {
        Claim::Open
    }
}

/// An attempt that is repeated in an unchanged world has the same result. The others mean that there are orders which
/// the explorer can't bring about.
fn is_out_of_control(note: Note) -> bool {
    note != Note::RepeatedAttempt
}

/// `None`: there is no such file.
fn sha256_of(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(hex(&Sha256::digest(bytes)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("can't read {}", path.display())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_exploration_without_a_flaw_is_a_proof() {
        let complete = Exploration { complete: true, schedules: 36, ..Exploration::default() };
        assert_eq!(claim(&complete), Claim::Proven);
        assert_eq!(claim(&Exploration { complete: false, ..complete.clone() }), Claim::Open);
        let noted = |note| Exploration { notes: [(note, 1)].into(), ..complete.clone() };
        assert_eq!(claim(&noted(Note::WaitedInTheShop)), Claim::Open);
        assert_eq!(claim(&noted(Note::RepeatedAttempt)), Claim::Proven);
    }

    #[test]
    fn the_hash_of_the_sources_changes_with_each_of_them() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("crates/shop")).unwrap();
        let write = |path: &str, text: &str| fs::write(root.path().join(path), text).unwrap();
        let hash = || Subject::of(root.path(), &root.path().join("Cargo.toml")).unwrap();
        write("Cargo.toml", "");
        write("Cargo.lock", "1");
        write("crates/shop/a.rs", "a");
        let first = hash();

        write("crates/shop/notes.txt", "no source");
        assert_eq!(hash().sources_sha256, first.sources_sha256);
        for (path, text) in [("crates/shop/a.rs", "b"), ("Cargo.lock", "2"), ("crates/shop/c.rs", "")] {
            let before = hash().sources_sha256;
            write(path, text);
            assert_ne!(hash().sources_sha256, before, "{path}");
        }
        assert_eq!((first.source_files, hash().source_files), (3, 4));
    }
}
