//! `lab watch`. Everything is real here, except cargo.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use flash_sale_testbed::testing::TestDatabase;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, tcgetattr};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::*;

/// These words stand in one line of each verdict on the clicks.
const VERDICT: &str = "1 order and stock 0 in ";

struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// Starts `lab watch`, and waits for the first verdict.
    async fn begin(project: &Project) -> Self {
        let mut process = command(project).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut watch = Self { process, lines };
        watch.hear(VERDICT).await;
        watch
    }

    /// Reads up to a line that has `text`, and returns everything up to there.
    async fn hear(&mut self, text: &str) -> String {
        let mut heard = String::new();
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                heard = format!("{heard}{line}\n");
                if line.contains(text) {
                    return true;
                }
            }
            false
        };
        let found = timeout(Duration::from_secs(20), reading).await.unwrap_or(false);
        assert!(found, "no {text:?} in:\n{heard}");
        heard
    }

    async fn end(mut self, signal: Signal) {
        kill_process(pid_of(self.process.id().unwrap()), signal).unwrap();
        assert!(self.process.wait().await.unwrap().success());
    }
}

fn command(project: &Project) -> Command {
    fs::write(source(project), "fine").unwrap();
    let mut command = project.command(&["watch"]);
    command.kill_on_drop(true);
    command
}

fn source(project: &Project) -> PathBuf {
    project.path().join("crates/shop.rs")
}

#[tokio::test]
async fn a_save_is_built_and_judged_on_new_replicas() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let mut watch = Watch::begin(&project).await;
    let before = replica_pids(&project.status().await);
    assert_eq!(project.builds()[0], "build --workspace --locked --message-format=json-render-diagnostics");

    // On a busy machine, the second request of a click can come 100 ms after the first one.
    let env = "ALLOWED_HOSTS=one.example\nRACE_WINDOW_MS=400\n";
    fs::write(project.path().join(".env"), env).unwrap();
    fs::write(source(&project), "also fine").unwrap();
    let heard = watch.hear(VERDICT).await;

    assert_eq!(project.names_that_answer().await, ["one.example"], "with the settings of now");
    assert!(heard.contains("saved crates/shop.rs\n"), "{heard}");
    assert!(heard.contains("replica-1 replaced\nreplica-2 replaced\n"), "{heard}");
    let at = |words: &str| heard.find(words).unwrap_or_else(|| panic!("no {words:?} in:\n{heard}"));
    assert!(at(" of two purchases: 1 order, stock 0 (") < at("replica-1 replaced"), "{heard}");
    // The tree is as shipped, or has the fix.
    let verdicts =
        ["OVERSOLD in 10 of 10 rounds\n", "ONE CLICK LOOKS RIGHT: 1 order and stock 0 in 10 of 10 rounds\n"];
    assert!(verdicts.iter().any(|verdict| heard.contains(verdict)), "{heard}");
    assert!(heard.contains("The first reset has deleted "), "{heard}");
    let after = replica_pids(&project.status().await);
    assert!(after.len() == 2 && before.iter().all(|pid| !after.contains(pid)));

    watch.end(Signal::INT).await;
    assert!(project.answers().await, "the shop stays open");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_mistake_is_shown_and_the_shop_stays_as_it_was() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let errors = fs::File::create(project.path().join("errors")).unwrap();
    let mut process = command(&project).stderr(errors).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut watch = Watch { process, lines };
    watch.hear(VERDICT).await;
    let before = replica_pids(&project.status().await);

    fs::write(source(&project), "mistake").unwrap();
    let heard = watch.hear("NOT BUILT").await;

    assert!(!heard.contains("replaced"), "{heard}");
    let shown = fs::read_to_string(project.path().join("errors")).unwrap();
    assert_eq!(shown, "error[E0425]: cannot find value\n");
    assert_eq!(replica_pids(&project.status().await), before);

    fs::write(source(&project), "fine again").unwrap();
    watch.hear(VERDICT).await;
    watch.end(Signal::TERM).await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn saves_during_a_build_lead_to_one_more() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let mut watch = Watch::begin(&project).await;
    let hold = project.path().join("hold");

    fs::write(&hold, "").unwrap();
    fs::write(source(&project), "one").unwrap();
    wait_until("it builds", async || project.builds().len() == 2).await;
    for text in ["two", "three", "four"] {
        fs::write(source(&project), text).unwrap();
    }
    fs::remove_file(&hold).unwrap();
    let heard = watch.hear(VERDICT).await;

    assert_eq!(heard.matches("saved crates/shop.rs").count(), 2, "{heard}");
    assert_eq!(heard.matches("replica-1 replaced").count(), 1, "only what was saved last: {heard}");
    assert_eq!(project.builds().len(), 3);

    // A file that is no source doesn't lead to a build either.
    fs::write(project.path().join("README.md"), "").unwrap();
    fs::write(project.path().join("crates/shop.rs~"), "").unwrap();
    fs::write(source(&project), "five").unwrap();
    watch.hear(VERDICT).await;
    assert_eq!(project.builds().len(), 4);
    watch.end(Signal::INT).await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn keys_work_without_enter_and_the_terminal_is_given_back() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    for end in [b"q", b"\x04"].map(Some).into_iter().chain([None]) {
        let (mut keyboard, terminal) = open_terminal();
        let before = tcgetattr(&terminal).unwrap();
        let mut process = command(&project).stdin(terminal.try_clone().unwrap()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut watch = Watch { process, lines };
        watch.hear("q quit").await;
        let meanwhile = tcgetattr(&terminal).unwrap();
        assert!(!meanwhile.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
        assert!(meanwhile.local_modes.contains(LocalModes::ISIG), "Ctrl-C is a signal");
        assert!(meanwhile.output_modes.contains(OutputModes::OPOST), "lines begin at the left");

        // An arrow key ends with a letter. That letter isn't meant as a key.
        keyboard.write_all(b"\x1b[C").unwrap();
        keyboard.write_all(b"h").unwrap();
        watch.hear("Hint ").await;
        keyboard.write_all(b"r").unwrap();
        let heard = watch.hear("One copy, no orders. ").await;
        assert!(heard.contains(" deleted.\n"), "{heard}");
        assert!(!heard.contains("FAILED"), "no whole check: {heard}");
        match end {
            Some(key) => {
                keyboard.write_all(key).unwrap();
                assert!(watch.process.wait().await.unwrap().success());
            }
            None => watch.end(Signal::TERM).await,
        }

        let after = tcgetattr(&terminal).unwrap();
        assert_eq!(after.local_modes, before.local_modes);
        assert_eq!(after.output_modes, before.output_modes);
    }
    assert_eq!(project.builds().len(), 3);
    project.run(&["down"]).await;
}

/// A keyboard, and the terminal that a program sees of it.
fn open_terminal() -> (fs::File, fs::File) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
    (keyboard.into(), terminal.into())
}
