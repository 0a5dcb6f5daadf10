//! Plays the walkthrough's transcripts of psql in real terminals. `make test-guide` plays them too, in CI at a person's
//! pace.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flash_sale_lab::guide::play::Desk;
use flash_sale_lab::guide::transcript::transcripts;
use flash_sale_lab::guide::{GUIDE, section};
use flash_sale_testbed::testing::TestDatabase;

use super::Project;

/// A shop whose book is on sale, and the terminals that are connected to it.
struct Stage {
    project: Project,
    desk: Desk,
    _database: TestDatabase,
}

impl Stage {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let project = Project::on(&database);
        project.up().await;
        let desk = desk(&project).await;
        Self { project, desk, _database: database }
    }

    /// Opens new terminals.
    async fn open_terminals(&mut self) {
        self.desk = desk(&self.project).await;
    }

    /// Plays all transcripts of a text. Fails with what is wrong in one of them.
    async fn play(&mut self, text: &str) -> Result<(), String> {
        for transcript in transcripts(text, 1).unwrap() {
            let reset = reqwest::Client::new().post(self.project.url("/api/reset")).send().await.unwrap();
            assert!(reset.status().is_success());
            self.desk.play(&transcript).await.map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    }

    async fn close(self) {
        drop(self.desk);
        assert!(self.project.run(&["down"]).await.success);
    }
}

async fn desk(project: &Project) -> Desk {
    Desk::open(|| project.command(&["psql"]), Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn psql_prints_what_the_walkthrough_says() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(GUIDE)).unwrap();
    let section = section(&guide, "In production").unwrap();
    assert!(transcripts(section, 1).unwrap().len() >= 4);
    let mut stage = Stage::open().await;

    stage.play(section).await.unwrap();

    stage.close().await;
}

/// A transcript is changed in one place, as a later guide or a later PostgreSQL may differ. The change must be noticed.
#[tokio::test]
async fn what_psql_does_not_print_is_noticed_and_who_does_not_wait() {
    let locks = "```psql
start: Reset

terminal 1                                    terminal 2
=> BEGIN;
BEGIN
=> SELECT quantity FROM products FOR UPDATE;
 quantity
----------
        1
(1 row)
                                              => SELECT FROM products FOR UPDATE NOWAIT;
                                              ERROR:  could not obtain lock on row in relation \"products\"
                                              => SELECT quantity FROM products FOR SHARE;
                                              ... waits ...
=> ROLLBACK;
ROLLBACK
                                               quantity
                                              ----------
                                                      1
                                              (1 row)
```
";
    let mut stage = Stage::open().await;
    stage.play(locks).await.unwrap();

    for (said, instead, noticed) in [
        ("could not obtain lock", "could not obtain the lock", "the guide prints"),
        ("        1\n(1 row)\n  ", "        0\n(1 row)\n  ", "the guide prints"),
        ("FOR UPDATE NOWAIT", "WHERE false", "the guide prints"),
        ("FOR SHARE;", "WHERE false;", "should wait, but psql prints"),
        ("FOR UPDATE NOWAIT;", "FOR UPDATE;", "waits, which the guide doesn't say"),
    ] {
        let changed = locks.replacen(said, instead, 1);
        assert_ne!(changed, locks, "{said}");

        let error = stage.play(&changed).await.expect_err(&changed);

        assert!(error.contains("the transcript in line 1: ") && error.contains(noticed), "{error}");
        stage.open_terminals().await;
    }
    stage.close().await;
}

#[tokio::test]
async fn what_a_transcript_leaves_behind_is_noticed() {
    let mut stage = Stage::open().await;

    for (typed, noticed) in [
        ("BEGIN;\nBEGIN", "terminal 1 is idle in transaction"),
        ("SET lock_timeout = '1s';\nSET", "terminal 1 has set lock_timeout"),
        ("UPDATE products SET quantity = 2;\nUPDATE 1", "it leaves something behind"),
        ("DELETE FROM products;\nDELETE 1", "it leaves something behind"),
    ] {
        let transcript = format!("```psql\nstart: Reset\n\nterminal 1\n=> {typed}\n```\n");

        let error = stage.play(&transcript).await.expect_err(typed);

        assert!(error.contains(noticed), "{error}");
        stage.open_terminals().await;
    }
    stage.close().await;
}
