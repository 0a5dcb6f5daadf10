//! The league as a document: what the judges are worth, and each variant with what they say of it.

use std::fmt::Write;
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Context;
use flash_sale_lab::wording::counted;

use crate::league::Standings;
use crate::opinion::Opinion;
use crate::outcome::Harm;
use crate::row::{Judge, Row};
use crate::summary::{Sums, named};

/// What stands above the tables. It ends with the command that makes the document anew.
const HEAD: &str = include_str!("../texts/head.md");

/// Writes the document.
///
/// # Errors
/// When the file can't be written.
pub fn write(path: &Path, standings: &Standings) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    std::fs::write(path, markdown(standings)).with_context(|| format!("can't write {}", path.display()))
}

fn markdown(standings: &Standings) -> String {
    let mut text = HEAD.to_owned();
    let processors = available_parallelism().map_or(1, usize::from);
    let minutes = standings.seconds / 60.0;
    let kept = match standings.kept_rows {
        0 => String::new(),
        kept => format!(" {} were judged by an earlier run.", counted(kept, "other variant")),
    };
    let _ = writeln!(
        text,
        "\nThis run judged {} in {minutes:.0} minutes, in {} at the same time, on {}, after {:.0} s of building.{kept}\n\
         The shops share the processors, so a judge takes longer here than it does alone. None of\n\
         them builds anything: the copies are built once.\n",
        counted(standings.rows.len() - standings.kept_rows, "variant"),
        counted(standings.lanes, "shop"),
        counted(processors, "processor"),
        standings.seconds_of_build,
    );
    text.push_str(&sums(standings));
    text.push_str(&errors(standings));
    text.push_str(&families(standings));
    text
}

fn sums(standings: &Standings) -> String {
    let count = |is_counted: fn(&Row) -> bool| standings.rows.iter().filter(|row| is_counted(row)).count();
    let wrong = count(|row| !row.variant.outcome.is_right());
    let mut text = format!(
        "## What the judges are worth\n\n{wrong} of the variants are wrong, and {} of them oversell. {} are right.\n\n\
         | judge | caught | missed | oversells caught | cleared | falsely accused | no opinion | median time |\n\
         |---|---|---|---|---|---|---|---|\n",
        count(|row| row.variant.outcome.oversells()),
        standings.rows.len() - wrong,
    );
    for judge in Judge::ALL {
        let it = Sums::of(judge, standings);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} of {} | {} | {} | {} | {:.2} s |",
            judge.heading(),
            it.caught,
            it.missed,
            it.oversells.1,
            it.oversells.0,
            it.cleared,
            it.falsely_accused,
            it.no_opinion,
            it.seconds
        );
    }
    let (mistakes, right) = named(standings);
    let _ = writeln!(
        text,
        "\n`make check` gave {right} of {mistakes} mistakes the name that they should have.\n"
    );
    text
}

/// Each judge's errors, in words.
fn errors(standings: &Standings) -> String {
    let mut text = "## Where a judge errs\n\n".to_owned();
    for row in &standings.rows {
        for (judge, opinion) in Judge::ALL.into_iter().zip(&row.opinions) {
            let said = match (opinion, row.variant.outcome.is_right()) {
                (Opinion::Wrong(seen), true) => format!("falsely accuses it ({seen})"),
                (Opinion::Silent(reason), _) => format!("has no opinion ({})", reason.replace('\n', " ")),
                // It can't see this harm at all, and the head says so.
                (Opinion::Right, false) if cannot_see(judge, row) => continue,
                (Opinion::Right, false) => "misses it".to_owned(),
                _ => continue,
            };
            let _ = writeln!(text, "- `{}`: {} {said}.", row.variant.name, judge.heading());
        }
        if row.is_named() == Some(false) {
            let given = row.mistake.as_ref().map_or("no name".to_owned(), |name| format!("`{name}`"));
            let expected = row.variant.mistake.as_deref().unwrap_or_default();
            let _ = writeln!(
                text,
                "- `{}`: the mistake is called {given}, and should be `{expected}`.",
                row.variant.name
            );
        }
        if let Some(disagreement) = row.disagreement() {
            let _ = writeln!(text, "- `{}`: {disagreement}.", row.variant.name);
        }
    }
    text
}

/// Whether this harm is beyond what the judge looks at: one purchase shows no failure of another one, and two purchases of
/// one product show nobody else who waits.
fn cannot_see(judge: Judge, row: &Row) -> bool {
    let harms = &row.variant.outcome.0;
    match judge {
        Judge::Verdict => false,
        Judge::Explorer => !harms.iter().any(|harm| harm.can_be_played()),
        Judge::Prediction => !row.variant.outcome.oversells(),
        Judge::Stress => harms.iter().all(|harm| *harm == Harm::OthersWait),
    }
}

fn families(standings: &Standings) -> String {
    let mut text = "\n## The variants\n".to_owned();
    let mut family = "";
    for row in &standings.rows {
        let variant = &row.variant;
        if variant.family != family {
            family = &variant.family;
            let judges = Judge::ALL.map(Judge::heading).join(" | ");
            let _ = write!(
                text,
                "\n### {family}\n\n| variant | what it is | truth | schedules | {judges} | mistake | prediction |\n\
                 |---|---|---|---|---|---|---|---|---|---|\n"
            );
        }
        let schedules = row.brute_force.iter().flatten().next().map_or("-".to_owned(), |shown| {
            format!(
                "{} + {}{}",
                shown.schedules[0],
                shown.schedules[1],
                if shown.complete { "" } else { ", not all" }
            )
        });
        let scores = Judge::ALL.map(|judge| row.score(judge).in_words()).join(" | ");
        let mistake = match (&variant.mistake, &row.mistake) {
            (expected, given) if expected == given => given.clone().unwrap_or_default(),
            (None, Some(given)) => given.clone(),
            (Some(expected), given) => {
                format!("**{}** instead of {expected}", given.as_deref().unwrap_or("none"))
            }
            (None, None) => String::new(),
        };
        let time = row.foretold.as_ref().map_or(String::new(), |it| format!("{:.2} s", it.seconds));
        let _ = writeln!(
            text,
            "| `{}`<br>`{}` | {} | {} | {schedules} | {scores} | {mistake} | {time} |",
            variant.name,
            variant.words.join(" "),
            variant.said,
            variant.outcome.in_words(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::variants;

    fn row(name: &str, opinions: [Opinion; 4]) -> Row {
        let variant = variants().unwrap().into_iter().find(|variant| variant.name == name).unwrap();
        let opinions = opinions.to_vec();
        let mistake = variant.mistake.clone();
        Row { variant, brute_force: Ok(None), opinions, seconds: vec![1.0; 4], mistake, foretold: None }
    }

    fn standings(rows: Vec<Row>) -> Standings {
        Standings { rows, kept_rows: 0, lanes: 2, seconds_of_build: 30.0, seconds: 600.0 }
    }

    #[test]
    fn each_error_of_a_judge_is_told_and_what_it_cannot_see_is_not() {
        let wrong = |seen: &str| Opinion::Wrong(seen.to_owned());
        let accused = row("guide-fix", [wrong("oversold"), Opinion::Right, Opinion::Right, Opinion::Right]);
        let missed =
            row("shipped", [Opinion::Right, wrong("x"), Opinion::Right, Opinion::Silent("away".to_owned())]);
        let broad = row("one-at-a-time", [wrong("x"), Opinion::Right, Opinion::Right, Opinion::Right]);

        let text = markdown(&standings(vec![accused, missed, broad]));

        let errors =
            text.split("## Where a judge errs").nth(1).unwrap().split("## The variants").next().unwrap();
        let errors: Vec<&str> = errors.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            errors,
            [
                "- `guide-fix`: `make check` falsely accuses it (oversold).",
                "- `shipped`: `make check` misses it.",
                "- `shipped`: `make predict` misses it.",
                "- `shipped`: load test has no opinion (away).",
            ]
        );
        assert!(text.contains("| `make check` | 1 | 1 | 0 of 1 | 0 | 1 | 0 | 1.00 s |"), "{text}");
        assert!(text.contains("10 minutes, in 2 shops"), "{text}");
    }

    #[test]
    fn a_mistake_with_a_wrong_name_is_told() {
        let mut row = row("shipped", [const { Opinion::Right }; 4]);
        row.mistake = Some("lost_update".to_owned());

        let text = markdown(&standings(vec![row]));

        assert!(text.contains("the mistake is called `lost_update`, and should be `no_lock`"), "{text}");
        assert!(
            text.contains("**lost_update** instead of no_lock") && text.contains("0 of 1 mistakes"),
            "{text}"
        );
    }
}
