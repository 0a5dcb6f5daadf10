//! Tests of the explorer, on the real shop and on a very small one.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod acts;
mod counts;
mod meeting;
mod model;
mod preparing;
mod reduction;
mod trouble;

mod by_hand;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use flash_sale_explorer::{Act, Exploration, ExploreOptions, Inside, Stage, StageSettings, explore_all_dice};

/// All strategies.
const ALL: [&str; 14] = [
    "unlocked",
    "pessimistic",
    "no_key_update",
    "nowait",
    "optimistic",
    "atomic_update",
    "single_statement",
    "check_constraint",
    "serializable",
    "advisory_lock",
    "skip_locked",
    "batched",
    "reservation",
    "stock_buckets",
];

/// One stage at a time: each has a PostgreSQL and replicas that are busy all the time. When several share two
/// processors, PostgreSQL's backends are late, and another one of two ends in a deadlock than the time before.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a stage needs as long as it lives.
struct Place {
    _folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A stage with the real shop.
async fn stage(actors: usize) -> (Stage, Place) {
    stage_of(actors, built("flash-sale-web")).await
}

async fn stage_of(actors: usize, binary: PathBuf) -> (Stage, Place) {
    let turn = TURN.lock().await;
    let folder = tempfile::Builder::new().prefix("flash-sale-explorer-").tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let settings = StageSettings {
        folder: folder.path().to_owned(),
        programs: root.join(".flash-sale/programs"),
        binary,
        static_folder: root.join("static"),
        actors,
    };
    (Stage::open(&settings).await.unwrap(), Place { _folder: folder, _turn: turn })
}

fn small_shop() -> PathBuf {
    built("examples/small_shop")
}

/// A program that cargo has built beside this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join(name)
}

fn options(acts: Vec<Act>, stock: u32) -> ExploreOptions {
    let (inside, time_limit) = (Inside::Never, Duration::from_secs(300));
    ExploreOptions { acts, stock, dice: Vec::new(), inside, is_reduced: false, trouble: None, time_limit }
}

/// Explores two purchases, whatever chance may choose for them.
async fn explore_two(
    stage: &mut Stage,
    strategy: Option<&str>,
    stock: u32,
    inside: Inside,
    is_reduced: bool,
) -> Exploration {
    let act = Act::Buy { strategy: strategy.map(str::to_owned), key: None };
    let options = ExploreOptions { inside, is_reduced, ..options(vec![act; 2], stock) };
    explore_all_dice(stage, &options, None, &|_, _| {}).await.unwrap()
}
