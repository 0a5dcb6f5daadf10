//! `lab test-guide`: does the walkthrough lead from the bug to the fix? This reads the walkthrough, and then follows it
//! to the letter in a copy of the project.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::console;
use crate::guide::copy::{CommandOutcome, Copy};
use crate::guide::printed::is_same_but_for_numbers;
use crate::guide::walk::{Typed, walk};
use crate::guide::wrong_fix::WrongFix;
use crate::guide::{Edit, GUIDE, blocks, drift, section};
use crate::signals::end_signal;

const VERIFY: &str = "Verify the fix";
const IN_PRODUCTION: &str = "In production";
/// The setting that makes Buy Now send a key.
const KEYS: &str = "RETRY_WITH_IDEMPOTENCY_KEY=";
const WITHOUT_KEYS: &str = "make build";

/// What else to run in the copy. The commands of the shell find the copy's port in PORT.
#[derive(Args)]
pub struct TestGuideArguments {
    /// Seconds before each line that is typed into psql: a person takes about 3
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pace: u64,
    /// A command for the shop as shipped, after its check
    #[arg(long, value_name = "COMMAND")]
    when_shipped: Option<String>,
    /// A command for the fixed shop, after its check
    #[arg(long, value_name = "COMMAND")]
    when_fixed: Option<String>,
}

/// Reads the walkthrough, and follows it in a copy of the project. The project itself stays as it is. It must be as
/// shipped: if the edit was made already, an error says so.
///
/// # Errors
/// When the text and the tree have drifted apart, or following the text doesn't fix the shop. The error says how.
pub async fn test_guide(arguments: TestGuideArguments) -> anyhow::Result<()> {
    let begun = Instant::now();
    let guide = fs::read_to_string(GUIDE).with_context(|| format!("can't read {GUIDE}"))?;
    let problems = drift::all(Path::new("."), &guide)?;
    ensure!(problems.is_empty(), "{GUIDE} and the tree don't fit together:\n\n{}", problems.join("\n\n"));
    console::line(format_args!("{GUIDE} names nothing that isn't there"));

    let copy = step("copy the tree and its dependencies' builds", Copy::of_this_project()).await?;
    let followed = tokio::select! {
        followed = follow(&guide, &copy, &arguments) => followed,
        told = end_signal() => {
            console::line("");
            told?;
            bail!("stopped before the end")
        }
    };
    copy.remove().await?;
    followed?;
    console::line(format_args!(
        "{GUIDE} leads from the bug to the fix ({:.0} s)",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Does what the walkthrough says: its commands and its edit are taken from its own text.
async fn follow(guide: &str, copy: &Copy, arguments: &TestGuideArguments) -> anyhow::Result<()> {
    let pace = Duration::from_secs(arguments.pace);
    walk(copy, guide, "See the problem", Typed::All, pace).await?;
    walk(copy, guide, "Diagnose it", Typed::All, pace).await?;
    let checked = step("make check", copy.run("make check")).await?;
    let oversold = oversold_rounds(&checked.output);
    ensure!(
        !checked.status.success() && oversold.is_some_and(|(oversold, rounds)| oversold == rounds),
        "as shipped, it must oversell each time, and make check must fail:\n{}",
        checked.output
    );
    console::line(format_args!("  {}", closing(&checked)));
    expect_check(nth_check(guide, VERIFY, 0)?, &checked)?;
    check_with_keys(copy, guide).await?;
    show(copy, arguments.when_shipped.as_deref()).await?;
    for wrong in WrongFix::all(guide)? {
        try_wrong_fix(copy, &wrong).await.with_context(|| format!("{GUIDE}'s {:?}", wrong.title))?;
    }

    let edit = Edit::read(guide)?;
    edit.make(copy.folder()).context("the edit")?;
    console::line(format_args!("edited {}", edit.file.display()));
    walk(copy, guide, VERIFY, Typed::All, pace).await?;
    let names_check = section(guide, VERIFY).is_some_and(|text| text.contains("`make check`"));
    ensure!(names_check, "{GUIDE}'s section \"Verify the fix\" does not name `make check`");
    let checked = step("make check", copy.run("make check")).await?;
    ensure!(
        checked.status.success() && closing(&checked).starts_with("FIXED"),
        "after {GUIDE}'s edit, make check must pass:\n{}",
        checked.output
    );
    console::line(format_args!("  {}", closing(&checked)));
    expect_check(nth_check(guide, VERIFY, 1)?, &checked)?;
    walk(copy, guide, IN_PRODUCTION, Typed::Compared, pace).await?;
    show(copy, arguments.when_fixed.as_deref()).await
}

/// The part of section "In production" that is done without the fix: clicks that have a key, and a check of them.
async fn check_with_keys(copy: &Copy, guide: &str) -> anyhow::Result<()> {
    let section = section(guide, IN_PRODUCTION).unwrap_or_default();
    let mut lines = blocks(section, "sh").flat_map(str::lines);
    let with = lines.find(|line| line.starts_with(KEYS));
    let (Some(with), Some(without)) = (with, lines.find(|line| *line == WITHOUT_KEYS)) else {
        bail!("{GUIDE}'s section {IN_PRODUCTION:?} has no clicks with {KEYS}, and then {WITHOUT_KEYS}")
    };
    for (setting, checks) in [(with, true), (without, false)] {
        let built = step(setting, copy.run(setting)).await?;
        ensure!(built.status.success(), "{setting}:\n{}", built.output);
        if checks {
            let checked = step("make check", copy.run("make check")).await?;
            expect_check(nth_check(guide, IN_PRODUCTION, 0)?, &checked)?;
        }
    }
    Ok(())
}

/// Makes a wrong fix, has it checked, and takes it back. The check must say what the walkthrough says.
async fn try_wrong_fix(copy: &Copy, wrong: &WrongFix) -> anyhow::Result<()> {
    let WrongFix { title, edit, printed } = wrong;
    edit.make(copy.folder())?;
    console::line(format_args!("{title}: edited {}", edit.file.display()));
    let built = step("make build", copy.run("make build")).await?;
    ensure!(built.status.success(), "make build:\n{}", built.output);
    let checked = step("make check", copy.run("make check")).await?;
    ensure!(!checked.status.success(), "make check must fail:\n{}", checked.output);
    console::line(format_args!("  {}", closing(&checked)));
    expect_check(printed, &checked)?;
    edit.take_back(copy.folder())
}

/// The block number `number` of the language `check` in a section: what a check prints.
fn nth_check<'a>(guide: &'a str, title: &str, number: usize) -> anyhow::Result<&'a str> {
    let expected = section(guide, title).and_then(|section| blocks(section, "check").nth(number));
    expected.with_context(|| format!("{GUIDE}'s section {title:?} prints too few checks"))
}

/// Compares the output of a check with the output that the walkthrough prints.
fn expect_check(expected: &str, checked: &CommandOutcome) -> anyhow::Result<()> {
    // The check first says how far it is. On a terminal, that is gone by now.
    let verdict: String = checked
        .output
        .split_inclusive('\n')
        .skip_while(|line| !line.starts_with("ok ") && !line.starts_with("FAILED "))
        .collect();
    let is_same = is_same_but_for_numbers(expected, &verdict);
    ensure!(is_same, "make check should print, as {GUIDE} says,\n{expected}but prints\n{}", checked.output);
    console::line("  as the guide prints it");
    Ok(())
}

async fn show(copy: &Copy, command: Option<&str>) -> anyhow::Result<()> {
    let Some(command) = command else { return Ok(()) };
    console::line(command);
    let status = copy.show(command).await?;
    ensure!(status.success(), "{command}: {status}");
    Ok(())
}

/// Says what is done, and how long it took.
async fn step<T>(name: &str, doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    console::text(format_args!("{name}… "));
    let begun = Instant::now();
    let done = doing.await;
    console::line(format_args!("{:.1} s", begun.elapsed().as_secs_f64()));
    done
}

/// The line of the check's output that has its verdict. Other lines follow it.
fn closing(checked: &CommandOutcome) -> &str {
    let is_verdict =
        |line: &&str| ["FIXED", "NOT FIXED", "OVERSOLD"].iter().any(|word| line.starts_with(word));
    checked.output.lines().rfind(is_verdict).unwrap_or_default()
}

/// "OVERSOLD in 49 of 50 rounds" → 49 and 50.
fn oversold_rounds(output: &str) -> Option<(u32, u32)> {
    let (_, rest) = output.split_once("OVERSOLD in ")?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_read() {
        assert_eq!(oversold_rounds("ok\n\nOVERSOLD in 49 of 50 rounds (17.2 s)\n"), Some((49, 50)));
        assert_eq!(oversold_rounds("FIXED: 1,250 purchases, 0 oversold\n"), None);
        assert_eq!(oversold_rounds("OVERSOLD by 29 to the crowds, though not in 50 rounds\n"), None);
    }
}
