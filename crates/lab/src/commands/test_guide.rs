//! `lab test-guide`: does the walkthrough lead from the bug to the fix? It is read, and then done to the letter
//! in a copy of the project.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::guide::copy::{Copy, Outcome};
use crate::guide::{Edit, GUIDE, commands, drift, section};
use crate::signals::end_signal;

/// What else to run in the copy. The commands of the shell find the copy's port in PORT.
#[derive(Args)]
pub struct TestGuideArguments {
    /// A command for the shop as shipped, after its check
    #[arg(long, value_name = "COMMAND")]
    when_shipped: Option<String>,
    /// A command for the fixed shop, after its check
    #[arg(long, value_name = "COMMAND")]
    when_fixed: Option<String>,
}

/// Reads the walkthrough, and follows it in a copy of the project. The project itself stays as it is. It must
/// be as shipped: whoever has made the edit already is told so.
///
/// # Errors
/// When the text and the tree have drifted apart, or following the one doesn't fix the other: how.
pub async fn test_guide(arguments: TestGuideArguments) -> anyhow::Result<()> {
    let begun = Instant::now();
    let guide = fs::read_to_string(GUIDE).with_context(|| format!("can't read {GUIDE}"))?;
    let problems = drift::all(Path::new("."), &guide)?;
    ensure!(problems.is_empty(), "{GUIDE} and the tree don't fit together:\n\n{}", problems.join("\n\n"));
    println!("{GUIDE} names nothing that isn't there");

    let own = std::env::current_exe().context("the lab can't find itself")?;
    let target = own.ancestors().nth(2).context("the lab is not in target/debug/")?;
    let making = Copy::make(Path::new("."), target);
    let copy = step("copy the tree and its dependencies' builds", making).await?;
    let followed = tokio::select! {
        followed = follow(&guide, &copy, &arguments) => followed,
        told = end_signal() => {
            println!();
            told?;
            bail!("stopped before the end")
        }
    };
    copy.remove().await?;
    followed?;
    println!("{GUIDE} leads from the bug to the fix ({:.0} s)", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Does what the walkthrough says: its commands and its edit are taken from its own text.
async fn follow(guide: &str, copy: &Copy, arguments: &TestGuideArguments) -> anyhow::Result<()> {
    run_all(copy, guide, "See the problem").await?;
    let checked = step("make check", copy.run("make check")).await?;
    let oversold = oversold_rounds(&checked.output);
    ensure!(
        !checked.status.success() && oversold.is_some_and(|(oversold, rounds)| oversold == rounds),
        "as shipped, it must oversell each time, and make check must fail:\n{}",
        checked.output
    );
    println!("  {}", closing(&checked));
    show(copy, arguments.when_shipped.as_deref()).await?;

    let edit = Edit::read(guide)?;
    edit.make(copy.folder()).context("the edit")?;
    println!("edited {}", edit.file.display());
    run_all(copy, guide, "Verify the fix").await?;
    let names_check = section(guide, "Verify the fix").is_some_and(|text| text.contains("`make check`"));
    ensure!(names_check, "{GUIDE}'s section \"Verify the fix\" does not name `make check`");
    let checked = step("make check", copy.run("make check")).await?;
    ensure!(
        checked.status.success() && closing(&checked).starts_with("FIXED"),
        "after {GUIDE}'s edit, make check must pass:\n{}",
        checked.output
    );
    println!("  {}", closing(&checked));
    show(copy, arguments.when_fixed.as_deref()).await
}

/// Runs the commands of a section's first block.
async fn run_all(copy: &Copy, guide: &str, section: &str) -> anyhow::Result<()> {
    for command in commands(guide, section)? {
        let Outcome { status, output } = step(command, copy.run(command)).await?;
        ensure!(status.success(), "{command}: {status}\n{output}");
    }
    Ok(())
}

async fn show(copy: &Copy, command: Option<&str>) -> anyhow::Result<()> {
    let Some(command) = command else { return Ok(()) };
    println!("{command}");
    let status = copy.show(command).await?;
    ensure!(status.success(), "{command}: {status}");
    Ok(())
}

/// Says what is done, and how long it took.
async fn step<T>(name: &str, doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    print!("{name}… ");
    // Nobody misses a line that can't be shown.
    let _ = io::stdout().flush();
    let begun = Instant::now();
    let done = doing.await;
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    done
}

/// The last line of a check: its verdict.
fn closing(checked: &Outcome) -> &str {
    let is_said_by_make = |line: &&str| line.starts_with("make");
    checked.output.lines().rfind(|line| !is_said_by_make(line)).unwrap_or_default()
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
