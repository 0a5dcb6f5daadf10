//! The copy in which the walkthrough is tried: what is in it, and that nothing of it is left behind.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use flash_sale_lab::guide::copy::{Copy, OF_ANOTHER_REPOSITORY};
use flash_sale_lab::guide::walk::{Typed, walk};
use flash_sale_testbed::testing::{wait_until, write_program};
use tempfile::TempDir;

const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

/// A project that git knows, with builds in it.
fn project() -> TempDir {
    let project = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + LONG_AGO);
        File::options().write(true).open(path).unwrap().set_times(times).unwrap();
    };
    write(".gitignore", "/target\n/.env\n");
    write(".env", "PORT=1");
    write("crates/known.rs", "as committed");
    write("crates/removed.rs", "");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        OF_ANOTHER_REPOSITORY.iter().for_each(|name| {
            git.env_remove(name);
        });
        assert!(git.args(arguments).current_dir(project.path()).status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    write("crates/known.rs", "as edited");
    write("crates/new.rs", "");
    fs::remove_file(project.path().join("crates/removed.rs")).unwrap();
    for name in
        [".fingerprint/a/lib", "build/a/build-script", "deps/liba.rlib", "deps/a_test", "incremental/a"]
    {
        write(&format!("target/debug/{name}"), "");
    }
    project
}

async fn copy_of(project: &TempDir) -> Copy {
    Copy::make(project.path(), &project.path().join("target")).await.unwrap()
}

fn files(folder: &Path, below: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path, below)),
            false => files.push(path.strip_prefix(below).unwrap().to_owned()),
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn it_has_the_working_tree_and_the_builds_of_libraries() {
    let project = project();

    let copy = copy_of(&project).await;

    let expected = [
        ".gitignore",
        "crates/known.rs",
        "crates/new.rs",
        "target/debug/.fingerprint/a/lib",
        "target/debug/build/a/build-script",
        "target/debug/deps/liba.rlib",
    ];
    assert_eq!(files(copy.folder(), copy.folder()), expected.map(PathBuf::from));
    let modified = |name: &str| fs::metadata(copy.folder().join(name)).unwrap().modified().unwrap();
    assert_eq!(fs::read_to_string(copy.folder().join("crates/known.rs")).unwrap(), "as edited");
    assert_eq!(modified(expected[5]), SystemTime::UNIX_EPOCH + LONG_AGO, "good for cargo");
    assert!(modified(expected[1]) > SystemTime::UNIX_EPOCH + LONG_AGO, "to be built");
    copy.remove().await.unwrap();
}

/// The environment is that of a hook which git runs.
#[test]
fn it_is_of_this_repository_whichever_one_git_has_named() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "it_has_the_working_tree_and_the_builds_of_libraries"]);
    again.envs(OF_ANOTHER_REPOSITORY.map(|name| (name, "/nowhere")));

    let output = again.output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn commands_run_in_it_on_a_port_of_its_own() {
    let project = project();
    let copy = copy_of(&project).await;

    let outcome = copy.run("pwd; echo $PORT; echo wrong >&2; exit 3").await.unwrap();

    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!(lines[0], copy.folder().canonicalize().unwrap().to_str().unwrap());
    assert!(lines[1].parse::<u16>().unwrap() > 1);
    assert_eq!((lines[2], outcome.status.code()), ("wrong", Some(3)));
    assert_eq!(copy.run("true").await.unwrap().output, "");
    copy.remove().await.unwrap();
}

/// Walks a guide that shows what is printed and what is in the log. Then walks the same guide with
/// one word changed.
#[tokio::test]
async fn a_walk_compares_what_is_printed() {
    let project = project();
    let copy = copy_of(&project).await;
    let lab = copy.folder().join(".flash-sale/lab");
    fs::create_dir(copy.folder().join(".flash-sale")).unwrap();
    write_program(&lab, "#!/bin/sh\n[ $1 = logs ] && printf 'one 1 ms\\ntwo\\nthree\\n' || cat\n");
    let guide = "# Guide\n\n## 1. Walk\n\n```sh\necho a && \\\n  echo b\necho http://localhost:3000 | cut -c1-17\n```\n\n\
        ```console\na\nb\nhttp://localhost:\n```\n\n```sql\nSELECT 1;\n```\n\nprints\n\n```console\nSELECT …;\n```\n\n\
        ```log\none 2 ms\nthree\n```\n\n```sh\ntouch typed\n```\n";
    let walk = async |guide: &str, typed| {
        let walked = walk(&copy, guide, "Walk", typed, Duration::ZERO).await;
        walked.map_err(|error| format!("{error:#}"))
    };

    walk(guide, Typed::Compared).await.unwrap();
    assert!(!copy.folder().join("typed").exists());
    walk(guide, Typed::All).await.unwrap();
    assert!(copy.folder().join("typed").exists());

    for (said, instead, noticed) in [
        ("console\na", "console\nc", "should print, as the guide says,\nc\nb"),
        ("SELECT …;", "SELECT … FROM", "should print"),
        ("echo a", "exit 1", "exit status: 1"),
        ("touch typed", "exit 3", "exit status: 3"),
        ("one 2 ms\nthree", "three\none 2 ms", "has not\none"),
    ] {
        let error = walk(&guide.replacen(said, instead, 1), Typed::All).await.expect_err(said);
        assert!(error.contains(noticed), "{error}");
    }
    fs::remove_file(lab).unwrap();
    copy.remove().await.unwrap();
}

#[tokio::test]
async fn its_shop_is_stopped_and_its_folder_removed_however_it_ends() {
    for is_dropped in [false, true] {
        let project = project();
        let copy = copy_of(&project).await;
        let (folder, stopped) = (copy.folder().to_owned(), project.path().join("stopped"));
        let lab = folder.join(".flash-sale/lab");
        fs::create_dir(folder.join(".flash-sale")).unwrap();
        write_program(&lab, &format!("#!/bin/sh\necho $* > {}\n", stopped.display()));

        if is_dropped {
            drop(copy);
            wait_until("its folder is removed", async || !folder.exists()).await;
        } else {
            copy.remove().await.unwrap();
            assert!(!folder.exists());
        }

        assert_eq!(fs::read_to_string(stopped).unwrap(), "clean\n");
        assert_eq!(fs::read_dir(project.path().join("target")).unwrap().count(), 1, "as before");
    }
}
