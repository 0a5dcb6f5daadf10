//! Types in a copy of the project what a section of the guide says, and compares what is printed. The language of a
//! block says what the block is:
//!
//! - `sh`: commands for a shell; `sql`: statements for psql. If their output is shown, it follows in a block
//!   `console`. What `make timeline` prints follows in a block `timeline` ([`super::timeline`]);
//! - `psql`: a transcript ([`super::transcript`]);
//! - `log`: lines that are in the log by then, in this order, with any other lines between them;
//! - `check`: what `make check` prints. `commands/test_guide.rs` runs the check itself;
//! - any other language: the block is only read.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::time::sleep;

use super::copy::{CommandOutcome, Copy};
use super::play::Desk;
use super::transcript::transcripts;
use super::{Block, all_blocks, printed, section, timeline};
use crate::console;

/// How long a line may take until it is in the log.
const LOG_LIMIT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);
/// The languages of blocks that show what the commands before them print.
const PRINTED: [&str; 2] = ["console", "timeline"];
/// The address of the guide's shop.
const ADDRESS: &str = "http://localhost:3000";

/// Which commands of a section are typed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// All commands.
    All,
    /// Only the commands whose output the guide shows.
    Compared,
}

/// Walks through the section with this title. `pace` is the pause before each statement that is typed into psql.
///
/// # Errors
/// When there is no such section, when a command fails, or when something else is printed than the guide says.
pub async fn walk(copy: &Copy, guide: &str, title: &str, typed: Typed, pace: Duration) -> anyhow::Result<()> {
    let section = section(guide, title).with_context(|| format!("the guide has no section {title:?}"))?;
    let blocks: Vec<Block<'_>> = all_blocks(section).collect();
    ensure!(blocks.iter().any(|block| block.language == "sh"), "its section {title:?} has no command");
    for (number, block) in blocks.iter().enumerate() {
        let expected = blocks.get(number + 1).filter(|next| PRINTED.contains(&next.language));
        match block.language {
            "sh" if typed == Typed::All || expected.is_some() => shell(copy, block.text, expected).await?,
            "sql" if expected.is_some() => {
                let psql = format!(".flash-sale/lab psql --no-psqlrc <<'END'\n{}END\n", block.text);
                run(copy, &psql, block.text, expected).await?;
            }
            "log" => expect_log(copy, block.text).await?,
            _ => {}
        }
    }
    play_all(copy, guide, section, pace).await
}

async fn shell(copy: &Copy, commands: &str, expected: Option<&Block<'_>>) -> anyhow::Result<()> {
    let here = commands.replace(ADDRESS, "http://localhost:$PORT");
    run(copy, &format!("set -e\n{here}"), commands, expected).await
}

async fn run(copy: &Copy, command: &str, shown: &str, expected: Option<&Block<'_>>) -> anyhow::Result<()> {
    console::text(format_args!("  {}… ", shown.trim_end().replace('\n', "\n  ")));
    let begun = Instant::now();
    let CommandOutcome { status, output } = copy.run(command).await?;
    console::line(format_args!("{:.1} s", begun.elapsed().as_secs_f64()));
    ensure!(status.success(), "{shown}{status}\n{output}");
    let Some(Block { language, text }) = expected else { return Ok(()) };
    let should = || format!("{shown}should print, as the guide says,\n{text}but prints\n{output}");
    if *language == "timeline" {
        return timeline::compare(text, &output).with_context(should);
    }
    ensure!(printed::is_same(text, &output), should());
    Ok(())
}

/// Looks for these lines in the log. The replicas write by themselves, so their lines may be late.
async fn expect_log(copy: &Copy, expected: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let log = copy.run(".flash-sale/lab logs --no-follow").await?.output;
        let mut lines = log.lines();
        let Some(missing) = expected.lines().find(|line| !lines.any(|logged| printed::is_same(line, logged)))
        else {
            console::line(format_args!("  the log has the guide's {} lines", expected.lines().count()));
            return Ok(());
        };
        if begun.elapsed() > LOG_LIMIT {
            bail!("the log should have, in this order,\n{expected}but has not\n{missing}\n\n{log}");
        }
        sleep(POLL).await;
    }
}

async fn play_all(copy: &Copy, guide: &str, section: &str, pace: Duration) -> anyhow::Result<()> {
    let first_line = guide[..guide.find(section).unwrap_or_default()].lines().count();
    let transcripts = transcripts(section, first_line)?;
    if transcripts.is_empty() {
        return Ok(());
    }
    let mut desk = Desk::open(|| copy.command(Path::new(".flash-sale/lab"), &["psql"]), pace).await?;
    for transcript in &transcripts {
        let begun = Instant::now();
        let reset = copy.run("curl --silent --fail --request POST http://localhost:$PORT/reset").await?;
        ensure!(reset.status.success(), "the shop can't be reset: {}", reset.output);
        desk.play(transcript).await?;
        console::line(format_args!(
            "  the transcript in line {}… {:.1} s",
            transcript.line,
            begun.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}
