//! Commands whose reader leaves before the end (`lab status | head -1`), and commands whose disk is full. They do what
//! they are asked for, put back what they have borrowed, and don't panic.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, Read};

use flash_sale_testbed::testing::TestDatabase;

use super::check::product_count;
use super::endings::replicas_have;
use super::*;

/// The exit code of a program that panicked.
const PANICKED: i32 = 101;

/// An output that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// An output on a disk that is full.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

impl Project {
    async fn run_on(&self, arguments: &[&str], output: Stdio, errors: Stdio) -> Outcome {
        let mut command = self.command(arguments);
        command.stdout(output).stderr(errors);
        let child = command.spawn().unwrap();
        // The command holds our ends of the pipes.
        drop(command);
        Outcome::of(child.wait_with_output().await.unwrap())
    }

    /// Runs the command so that nobody reads what it prints, in each way. The exit code must be the one
    /// that it has otherwise.
    async fn goes_on_unread(&self, arguments: &[&str], code: i32) {
        let outcome = self.run_on(arguments, unread(), Stdio::piped()).await;
        assert_eq!(outcome.code, code, "{arguments:?}: {}", outcome.errors);
        assert!(!outcome.errors.contains("panicked"), "{arguments:?}: {}", outcome.errors);
        let outcome = self.run_on(arguments, Stdio::piped(), unread()).await;
        assert_eq!(outcome.code, code, "{arguments:?}: {}", outcome.output);
        let outcome = self.run_on(arguments, unread(), unread()).await;
        assert_eq!(outcome.code, code, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_command_whose_reader_has_left_does_its_work_and_has_its_exit_code() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["check", "--help"], 0),
        (&["nothing"], 2),
        (&["check", "--json", "--nothing"], 2),
        (&["hint"], 0),
        (&["drill", "--list"], 0),
        (&["status"], 1),
        (&["check"], 2),
        (&["check", "--json"], 2),
        (&["restart"], 1),
        (&["down"], 0),
        (&["logs"], 1),
        (&["test-guide"], 1),
    ] {
        project.goes_on_unread(arguments, code).await;
    }

    let up = project.run_on(&["up"], unread(), Stdio::piped()).await;
    assert!(up.success, "{}", up.errors);
    assert!(project.answers().await, "the shop is open, though nobody has read so");
    for arguments in [
        &["up"][..],
        &["restart"],
        &["status"],
        &["status", "--json"],
        &["logs", "--no-follow"],
        &["race", "--list"],
    ] {
        project.goes_on_unread(arguments, 0).await;
    }
    // The command runs on only to say more, so it ends.
    let watch = project.run_on(&["watch"], unread(), Stdio::piped()).await;
    assert!(watch.success && !watch.errors.contains("panicked"), "{}", watch.errors);
    let psql = project.run_on(&["psql", "-c", "SELECT 1"], unread(), Stdio::piped()).await;
    assert!(!psql.errors.contains("panicked"), "{}", psql.errors);

    project.goes_on_unread(&["down"], 0).await;
    assert!(project.port_is_free().await);
    project.goes_on_unread(&["clean"], 0).await;
}

#[tokio::test]
async fn what_was_borrowed_is_given_back_though_nobody_reads_any_more() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;

    // The verdict is that of the exercise as the tree has it.
    let verdict = project.run(&["check", "--rounds", "1"]).await.code;
    assert!((0..=1).contains(&verdict), "{verdict}");

    let race = "race --strategy pessimistic --stock 5 --buyers 10 --rounds 1";
    let drill = "drill --fault kill-replica --seconds 1 --strategy atomic_update --window 33";
    for (command, code) in [
        ("check --rounds 1".to_owned(), verdict),
        ("check --rounds 1 --json".to_owned(), verdict),
        (format!("{race} --window 33"), 0),
        (format!("{race} --csv"), 0),
        (drill.to_owned(), 0),
    ] {
        let arguments = &command.split(' ').collect::<Vec<_>>();
        let outcome = project.run_on(arguments, unread(), unread()).await;
        assert_ne!(outcome.code, PANICKED, "{arguments:?}");
        // This test doesn't ask whether the shop survives a drill on a busy machine.
        assert!(outcome.code == code || arguments[0] == "drill", "{arguments:?}: {}", outcome.code);
        assert_eq!(product_count(&database).await, 1, "{arguments:?}");
        assert!(!replicas_have(&project, "RACE_WINDOW_MS=33").await, "{arguments:?}");
    }
    project.run(&["down"]).await;
}

/// The reader does as `head` does: it reads a line, and leaves while the command goes on.
#[tokio::test]
async fn a_reader_who_leaves_in_the_middle_ends_only_what_prints_for_ever() {
    let project = Project::new();
    let first_line = |mut reader: PipeReader| {
        let mut line = Vec::new();
        let mut byte = [0];
        while reader.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    };
    let up = {
        let (reader, writer) = io::pipe().unwrap();
        let up = project.run_on(&["up"], writer.into(), Stdio::piped());
        let (up, line) = tokio::join!(up, tokio::task::spawn_blocking(move || first_line(reader)));
        assert_eq!(line.unwrap(), "PostgreSQL: starting…");
        up
    };
    assert!(up.success, "{}", up.errors);
    assert!(project.answers().await);

    let logs = {
        let (reader, writer) = io::pipe().unwrap();
        let mut command = project.command(&["logs"]);
        command.stdout(writer);
        let logs = command.spawn().unwrap();
        drop(command);
        tokio::task::spawn_blocking(move || first_line(reader)).await.unwrap();
        // The command notices that at the next line.
        let lines = wait_until("it has ended", async || {
            flash_sale_testbed::http::answers_ok(&project.url("/api/products")).await;
            is_gone(logs.id().unwrap())
        });
        lines.await;
        Outcome::of(logs.wait_with_output().await.unwrap())
    };
    assert_eq!(logs.code, 0, "{}", logs.errors);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_full_disk_is_said_and_ends_nothing() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let full_output = async |arguments: &[&str]| {
        let outcome = project.run_on(arguments, full(), Stdio::piped()).await;
        assert!(outcome.errors.contains("No space left on device"), "{arguments:?}: {}", outcome.errors);
        assert!(!outcome.errors.contains("panicked"), "{arguments:?}: {}", outcome.errors);
        outcome.code
    };

    assert_eq!(full_output(&["hint"]).await, 1);
    assert_eq!(full_output(&["up"]).await, 1);
    assert!(project.answers().await, "it was started before that was known");
    assert_eq!(full_output(&["status"]).await, 1);
    assert_eq!(full_output(&["logs", "--no-follow"]).await, 1);
    assert_eq!(full_output(&["check", "--rounds", "1", "--json"]).await, 2, "nobody has got the verdict");
    assert_eq!(product_count(&database).await, 1);
    let outcome = project.run_on(&["status"], full(), full()).await;
    assert_eq!(outcome.code, 1);
    assert_eq!(full_output(&["down"]).await, 1);
    assert!(project.port_is_free().await);
}

/// What make prints itself.
#[tokio::test]
async fn make_help_says_nothing_of_a_reader_who_has_left() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for _ in 0..5 {
        let mut help = Command::new("make");
        help.arg("help").current_dir(&root).env_remove("MAKEFLAGS").stdout(unread()).stderr(Stdio::piped());
        let outcome = Outcome::of(help.output().await.unwrap());
        assert!(outcome.success && outcome.errors.is_empty(), "{}", outcome.errors);
    }
}
