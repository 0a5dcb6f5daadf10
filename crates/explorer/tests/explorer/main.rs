//! Tests of the explorer on the real shop.

mod by_hand;

use std::path::{Path, PathBuf};
use std::time::Duration;

use flash_sale_explorer::{Act, Exploration, ExploreOptions, Inside, Stage, StageSettings, explore};

async fn stage(actors: usize) -> (Stage, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("flash-sale-explorer-").tempdir().unwrap();
    let settings = StageSettings {
        folder: folder.path().to_owned(),
        programs: root().join(".flash-sale/programs"),
        binary: root().join("target/debug/flash-sale-web"),
        static_folder: root().join("static"),
        actors,
    };
    (Stage::open(&settings).await.unwrap(), folder)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[tokio::test(flavor = "multi_thread")]
async fn try_it() {
    let began = std::time::Instant::now();
    let (mut stage, _folder) = stage(2).await;
    eprintln!("stage: {:?}", began.elapsed());
    for strategy in [None, Some("pessimistic"), Some("atomic_update"), Some("single_statement")] {
        let act = Act::Buy { strategy: strategy.map(str::to_owned), key: None };
        let options = ExploreOptions {
            acts: vec![act; 2],
            stock: 1,
            inside: Inside::Never,
            is_reduced: false,
            time_limit: Duration::from_secs(60),
        };
        let exploration: Exploration = explore(&mut stage, &options, &|_, _| {}).await.unwrap();
        let worst = exploration.counterexample.as_ref().map(|schedule| schedule.letters());
        let per = exploration.schedules as f64 / exploration.seconds;
        eprintln!(
            "{strategy:?}: {} {} oversold {} waited {} answers {:?} notes {:?} not repeated {} {:.2} s {per:.0}/s {worst:?}",
            exploration.schedules,
            exploration.complete,
            exploration.oversold,
            exploration.waited,
            exploration.answers,
            exploration.notes,
            exploration.not_repeated,
            exploration.seconds
        );
    }
}
