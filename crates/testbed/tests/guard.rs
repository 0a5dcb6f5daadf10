//! Children that end with us, asked and unasked.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use flash_sale_testbed::guard::{Guarded, GuardedCommand, Signal};
use flash_sale_testbed::own_files::open_to_append;
use flash_sale_testbed::testing::{AtTheEnd, wait_until};
use rustix::process::{Pid, test_kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

fn shell(script: &str) -> GuardedCommand {
    GuardedCommand::new("/bin/sh").args(["-c", script])
}

async fn start(command: &GuardedCommand, folder: &Path) -> Guarded {
    command.start(open_to_append(&folder.join("log")).unwrap()).await.unwrap()
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A zombie counts as gone: only its parent, which may not care, can bury it.
fn is_gone(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(pid).is_err() || state.contains(") Z ")
}

#[tokio::test]
async fn a_child_that_ends_by_itself_tells_its_status() {
    let folder = tempfile::tempdir().unwrap();

    let mut child = start(&shell("echo said; echo complained >&2; exit 7"), folder.path()).await;

    assert_eq!(child.wait().await.unwrap().code(), Some(7));
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(7));
    assert_eq!(log(folder.path()), "said\ncomplained\n");
    child.signal(Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_child_sees_only_the_environment_it_is_given() {
    let folder = tempfile::tempdir().unwrap();

    let command = GuardedCommand::new("/usr/bin/env").envs([("ONLY", "this one")]).directory("/");
    start(&command, folder.path()).await.wait().await.unwrap();

    let log = log(folder.path());
    let mut lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("PWD=")).collect();
    // Some shells add these.
    lines
        .retain(|line| !line.starts_with("SHLVL=") && !line.starts_with("_=") && !line.starts_with("OLDPWD"));
    assert_eq!(lines, ["ONLY=this one"]);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_in_the_log() {
    let folder = tempfile::tempdir().unwrap();

    let mut child = start(&GuardedCommand::new("/no/such/program"), folder.path()).await;

    assert_eq!(child.wait().await.unwrap().code(), Some(127));
    assert!(log(folder.path()).contains("/no/such/program"));
}

#[tokio::test]
async fn stopping_asks_first() {
    let folder = tempfile::tempdir().unwrap();
    let command = shell("trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    let child = start(&command, folder.path()).await;
    wait_until("the trap is set", async || log(folder.path()).contains("ready")).await;

    assert_eq!(child.stop().await.unwrap().code(), Some(3));
    assert!(log(folder.path()).ends_with("asked\n"));
}

#[tokio::test]
async fn a_child_that_does_not_listen_is_killed_after_its_grace() {
    let folder = tempfile::tempdir().unwrap();
    let command = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
        .stop_with(Signal::TERM, Duration::from_secs(1));
    let child = start(&command, folder.path()).await;
    wait_until("the trap is set", async || log(folder.path()).contains("ready")).await;

    let begin = Instant::now();
    let status = child.stop().await.unwrap();

    assert_eq!(status.code(), Some(128 + 9));
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_dropped_child_ends() {
    let folder = tempfile::tempdir().unwrap();
    let child = start(&GuardedCommand::new("/bin/sleep").args(["1000"]), folder.path()).await;
    let pid = child.pid();
    assert!(!is_gone(pid));

    drop(child);

    wait_until("it is gone", async || is_gone(pid)).await;
}

#[tokio::test]
async fn a_folder_is_removed_when_its_child_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (always, failed, fine) =
        (folder.path().join("always"), folder.path().join("failed"), folder.path().join("fine"));
    for doomed in [&always, &failed, &fine] {
        std::fs::create_dir(doomed).unwrap();
        File::create(doomed.join("file")).unwrap();
    }

    start(&shell("exit 0").remove_afterwards(&always), folder.path()).await.wait().await.unwrap();
    start(&shell("exit 1").remove_on_failure(&failed), folder.path()).await.wait().await.unwrap();
    start(&shell("exit 0").remove_on_failure(&fine), folder.path()).await.wait().await.unwrap();

    assert_eq!((always.exists(), failed.exists(), fine.exists()), (false, false, true));
}

/// Not a test: it is started by the one below, and killed.
#[tokio::test]
#[ignore = "a helper of the test below"]
async fn parent_that_waits_to_be_killed() {
    let folder = tempfile::tempdir().unwrap().keep();
    let command = GuardedCommand::new("/bin/sleep").args(["1000"]).remove_afterwards(&folder);
    let child = start(&command, &folder).await;
    println!("\n{} {}", child.pid(), folder.display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_child_and_its_folder_are_gone_when_its_parent_is_killed() {
    let (mut parent, mut lines) = start_helper("parent_that_waits_to_be_killed");
    let (pid, folder) = loop {
        let line = lines.next_line().await.unwrap().expect("the helper says its child");
        if let Some((pid, folder)) = line.split_once(" /")
            && let Ok(pid) = pid.parse::<u32>()
        {
            break (pid, format!("/{folder}"));
        }
    };
    assert!(!is_gone(pid) && Path::new(&folder).exists());

    parent.kill().await.unwrap();

    assert_eq!(parent.wait().await.unwrap().signal(), Some(9));
    wait_until("the child is gone", async || is_gone(pid)).await;
    wait_until("the folder is gone", async || !Path::new(&folder).exists()).await;
}

/// Not a test: it is started by the one below, and killed.
#[tokio::test]
#[ignore = "a helper of the test below"]
async fn test_that_waits_to_be_killed() {
    let folder = tempfile::tempdir().unwrap().keep();
    let _at_the_end = AtTheEnd::run("touch", &["done"], &folder);
    println!("\n{}", folder.display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_must_be_done_at_a_tests_end_is_done_once_also_when_it_is_killed() {
    let (mut test, mut lines) = start_helper("test_that_waits_to_be_killed");
    let folder = loop {
        let line = lines.next_line().await.unwrap().expect("the helper says its folder");
        if line.starts_with('/') {
            break PathBuf::from(line);
        }
    };
    assert!(!folder.join("done").exists());

    test.kill().await.unwrap();

    wait_until("it is done", async || folder.join("done").exists()).await;
    std::fs::remove_dir_all(folder).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let count = ["-c", "echo again >> done"];
    let mut at_the_end = AtTheEnd::run("sh", &count, folder.path());
    assert!(at_the_end.now() && at_the_end.now());
    drop(at_the_end);
    assert_eq!(std::fs::read_to_string(folder.path().join("done")).unwrap(), "again\n");
    assert!(!AtTheEnd::run("false", &[], folder.path()).now());
}

/// Another process of this program, which runs one of its helpers, and what that prints.
fn start_helper(name: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut helper = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--nocapture"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = helper.stdout.take().unwrap();
    (helper, BufReader::new(output).lines())
}
