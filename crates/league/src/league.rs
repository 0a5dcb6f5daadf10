//! Lets all variants be judged, in several lanes at the same time.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use flash_sale_lab::console;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::catalogue::Variant;
use crate::kept::Kept;
use crate::lane::Lane;
use crate::opinion::Score;
use crate::row::{Judge, Row};

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Standings {
    /// The variants, in the order of the files that list them.
    pub rows: Vec<Row>,
    /// How many of them an earlier run has judged.
    pub kept_rows: usize,
    /// How many lanes there were.
    pub lanes: usize,
    /// How long it took to make the copies and to build them, in seconds.
    pub seconds_of_build: f64,
    /// How long it took to judge, in seconds.
    pub seconds: f64,
}

/// Builds `all` variants, and has the `wanted` ones judged in so many lanes. One line is shown for each of them.
///
/// # Errors
/// When they don't compile, or a shop doesn't start.
pub async fn play(
    all: &[Variant],
    wanted: Vec<Variant>,
    lanes: usize,
    kept: &Kept,
) -> anyhow::Result<Standings> {
    let order: Vec<String> = wanted.iter().map(|variant| variant.name.clone()).collect();
    let (mut rows, mut wanted) = kept.divide(wanted)?;
    // More words make more schedules. What takes long comes first: otherwise one lane would end long after the others.
    wanted.sort_by_key(|variant| Reverse(variant.words.len()));
    let (lanes, kept_rows) = (lanes.min(wanted.len()), rows.len());
    let began = Instant::now();
    let (variants, tree) = (all.to_vec(), kept.tree.clone());
    let build = move || {
        if lanes == 0 {
            return Ok(Vec::new());
        }
        let mut copies = vec![tree.build(&variants)?];
        for number in 2..=lanes {
            copies.push(tree.copy_again(number)?);
        }
        anyhow::Ok(copies)
    };
    let copies = tokio::task::spawn_blocking(build).await??;
    let seconds_of_build = began.elapsed().as_secs_f64();
    console::error_line(format_args!(
        "built in {seconds_of_build:.0} s; {} variants, {lanes} lanes",
        wanted.len()
    ));

    let began = Instant::now();
    let queue = Arc::new(Mutex::new(VecDeque::from(wanted)));
    let mut playing = JoinSet::new();
    for copy in copies {
        playing.spawn(play_in_a_lane(copy, queue.clone(), kept.clone()));
    }
    while let Some(played) = playing.join_next().await {
        rows.extend(played??);
    }
    kept.tree.remove_copies(lanes)?;
    rows.sort_by_key(|row: &Row| order.iter().position(|name| *name == row.variant.name));
    Ok(Standings { rows, kept_rows, lanes, seconds_of_build, seconds: began.elapsed().as_secs_f64() })
}

async fn play_in_a_lane(
    copy: PathBuf,
    queue: Arc<Mutex<VecDeque<Variant>>>,
    kept: Kept,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut lane: Option<Lane> = None;
    loop {
        let Some(variant) = queue.lock().pop_front() else { break };
        let changed = match lane.take() {
            None => Lane::open(copy.clone(), &variant.name).await,
            Some(lane) => lane.change_to(&variant.name).await.map(|()| lane),
        };
        let running = changed.with_context(|| format!("the variant {} does not start", variant.name))?;
        let row = Row::judge(&running, &variant).await;
        console::error_line(row.in_a_line());
        kept.keep(&row)?;
        rows.push(row);
        lane = Some(running);
    }
    if let Some(lane) = lane {
        lane.close().await?;
    }
    Ok(rows)
}

impl Standings {
    /// # Errors
    /// When brute force and a label disagree: the error names the variants.
    pub fn require_truth(&self) -> anyhow::Result<()> {
        let disagreements: Vec<String> = self.rows.iter().filter_map(Row::disagreement).collect();
        if disagreements.is_empty() {
            return Ok(());
        }
        bail!("{}", disagreements.join("\n"))
    }

    /// # Errors
    /// When `make check` errs about a variant, or gives its mistake another name: the error names the variants.
    pub fn require_good_verdicts(&self) -> anyhow::Result<()> {
        let is_good = |row: &&Row| {
            matches!(row.score(Judge::Verdict), Score::Caught | Score::Cleared)
                && row.is_named() != Some(false)
        };
        let bad: Vec<&str> =
            self.rows.iter().filter(|row| !is_good(row)).map(|row| row.variant.name.as_str()).collect();
        ensure!(bad.is_empty(), "make check errs about {}: see their lines above", bad.join(", "));
        Ok(())
    }
}
