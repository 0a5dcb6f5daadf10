//! Machines as people have them: an odd umask, a copied checkout, a shop that root started before, few open files.

use std::os::unix::fs::{FileTypeExt, MetadataExt, chown};
use std::path::PathBuf;

use flash_sale_testbed::testing::TestDatabase;

use super::*;

/// Runs the lab from a shell that does `first` before.
async fn after(project: &Project, first: &str, arguments: &[&str]) -> Outcome {
    within(project, &["/bin/sh", "-c", &format!(r#"{first} && exec "$0" "$@""#), LAB], arguments).await
}

/// Runs the lab through another program.
async fn within(project: &Project, outer: &[&str], arguments: &[&str]) -> Outcome {
    let lab = project.command(arguments);
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).args(arguments).current_dir(project.path()).stdin(Stdio::null());
    for (name, value) in lab.as_std().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Outcome::of(command.output().await.unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn whatever_the_umask_is_postgres_gets_where_it_must_and_nobody_else_does() {
    let project = Project::new();
    let state = project.path().join(".flash-sale");
    // An earlier version left the folder like this after `umask 077`.
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();

    let up = after(&project, "umask 077", &["up"]).await;

    assert!(up.success, "{}", up.errors);
    assert!(state.join("postgres/data/PG_VERSION").exists(), "the data are in the project");
    assert_nobody_else_sees(&project);
    project.run(&["down"]).await;

    let database = TestDatabase::create().await;
    let open = Project::on(&database);
    let up = after(&open, "umask 000", &["up"]).await;
    assert!(up.success && after(&open, "umask 000", &["hint"]).await.success, "{}", up.errors);
    assert_nobody_else_sees(&open);
    open.run(&["down"]).await;
}

#[track_caller]
fn assert_nobody_else_sees(project: &Project) {
    let state = project.path().join(".flash-sale");
    assert_eq!(mode(&state), if is_root() { 0o711 } else { 0o700 });
    let entries = all_in(&state, &state.join("postgres/data"));
    assert!(entries.len() > 5, "{entries:?}");
    for entry in entries {
        let expected = if entry.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry), expected, "{}", entry.display());
    }
    assert!(fs::metadata(project.path().join(CONTROL_SOCKET)).unwrap().file_type().is_socket());
}

/// Everything below `folder`, without what is in `left_out`.
fn all_in(folder: &Path, left_out: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path != left_out {
            found.extend(all_in(&path, left_out));
        }
        found.push(path);
    }
    found
}

/// The test has a /var/lib of its own. An earlier version has spoiled it for all checkouts.
#[tokio::test]
async fn a_common_folder_that_was_closed_by_an_earlier_version_is_opened_again() {
    let project = Project::new();
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let spoil = "mount -t tmpfs -o mode=755 none /var/lib && mkdir -m 700 /var/lib/flash-sale && umask 077";
    let script = format!(r#"{spoil} && exec "$0" "$@""#);

    let up = within(&project, &["unshare", "--mount", "/bin/sh", "-c", &script, LAB], &["up"]).await;

    if up.errors.contains("unshare") || up.errors.contains("mount") {
        return eprintln!("skipped: only root can have another /var/lib: {}", up.errors);
    }
    assert!(up.success, "{}", up.errors);
    let log = project.status().await["database"]["private"]["log"].as_str().unwrap().to_owned();
    assert!(log.starts_with("/var/lib/flash-sale/"), "{log}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_copy_of_a_running_shop_is_a_shop_of_its_own() {
    let original = Project::new();
    original.up().await;
    let sql = ["psql", "--", "-qc", "UPDATE products SET quantity = 42", "-c", "CHECKPOINT"];
    assert!(original.run(&sql).await.success);
    let before = original.status().await;

    let copy = copy_of(&original);
    let up = copy.up().await;

    assert!(up.output.contains(&copy.port.to_string()), "{}", up.output);
    let quantity = copy.run(&["psql", "-Atc", "SELECT quantity FROM products"]).await;
    assert_eq!(quantity.output, "42\n", "{}", quantity.errors);
    assert_eq!(all_pids(&original.status().await), all_pids(&before), "the original goes on");
    assert!(original.answers().await);
    copy.run(&["clean"]).await;
    assert!(original.answers().await);
    original.run(&["down"]).await;
}

/// A copy as `cp -a` makes it, on a port of its own.
fn copy_of(original: &Project) -> Project {
    let copy = Project::new();
    let contents = original.path().join(".");
    let copied = std::process::Command::new("cp").arg("-a").arg(contents).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    copy
}

/// Root has run the shop here before, as with `sudo make run`.
#[tokio::test]
async fn whoever_comes_after_another_user_is_told_whose_it_is_and_how_to_get_it() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", LAB];
    let shop = Path::new(LAB).with_file_name("flash-sale-web");
    let read = within(&project, &as_nobody[..4], &["test", "-r", shop.to_str().unwrap()]).await;
    if !is_root() || !read.success {
        return eprintln!("skipped: needs root, and programs that others can reach: {}", read.errors);
    }
    project.up().await;
    chown(project.path(), Some(65534), Some(65534)).unwrap();
    let advice = ".flash-sale belongs to root, and you are nobody: make was run here as another user. To make all \
                  of it yours:\n  sudo make stop; sudo chown -R nobody .flash-sale ";

    for command in ["up", "status", "down", "hint"] {
        let running = within(&project, &as_nobody, &[command]).await;
        assert!(running.errors.contains(advice), "lab {command}: {}", running.errors);
    }
    project.run(&["down"]).await;
    for command in ["up", "down", "clean"] {
        let stopped = within(&project, &as_nobody, &[command]).await;
        assert!(stopped.errors.contains(advice), "lab {command}: {}", stopped.errors);
    }

    // Do what the advice says.
    let mut give = std::process::Command::new("chown");
    give.args(["-R", "nobody", ".flash-sale"]).current_dir(project.path());
    assert!(give.status().unwrap().success());
    let up = within(&project, &as_nobody, &["up"]).await;
    assert!(up.success, "{}", up.errors);
    within(&project, &as_nobody, &["down"]).await;
}

#[tokio::test]
async fn a_machine_that_allows_too_few_open_files_is_told_so() {
    let project = Project::new();

    let up = after(&project, "ulimit -n 64", &["up"]).await;

    assert_eq!(
        up.errors,
        "error: the shop needs 256 open files. No more than 64 are allowed here (ulimit -n). Allow more: ulimit -n \
         4096, or, where that is refused, in a new terminal\n"
    );
}

#[tokio::test]
async fn where_more_are_allowed_they_are_used_and_a_race_for_more_is_refused_with_what_to_type() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let up = after(&project, "ulimit -Sn 64 && ulimit -Hn 300", &["up"]).await;
    assert!(up.success, "{}", up.errors);

    let check = after(&project, "ulimit -Sn 64", &["check", "--rounds=1"]).await;
    assert_ne!(check.code, 2, "{}", check.errors);
    let too_many = project.run(&["race", "--buyers=500", "--rounds=1", "--strategy=nowait"]).await;
    assert!(too_many.errors.contains("Race fewer at once: --concurrency 88. Or"), "{}", too_many.errors);
    let arguments = ["race", "--buyers=130", "--concurrency=88", "--rounds=1", "--strategy=nowait"];
    let race = project.run(&arguments).await;
    assert!(race.success, "{}", race.errors);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_database_that_refuses_says_why_once() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let mut url = reqwest::Url::parse(&database.url).unwrap();
    url.set_password(Some("wrong-secret")).unwrap();

    for command in ["check", "race"] {
        let mut lab = project.command(&[command, "--url", &project.url("")]);
        let lab = lab.env_remove("MIGRATION_DATABASE_URL").env("DATABASE_URL", url.as_str());
        let errors = Outcome::of(lab.output().await.unwrap()).errors;

        let reason = r#"password authentication failed for user "postgres""#;
        assert_eq!(errors, format!("error: can't reach the shop's database: {reason}\n"), "lab {command}");
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_full_disk_and_one_that_can_only_be_read_are_said_with_what_to_do() {
    let project = Project::new();
    let on = async |mount: &str| {
        let script = format!(r#"mkdir -p small && mount -t tmpfs {mount} && exec "$0" "$@""#);
        within(&project, &["unshare", "--mount", "/bin/sh", "-c", &script, LAB], &["up"]).await
    };
    // The stand-in for cargo reads and writes outside this disk.
    let here = "mkdir small/crates small/static && touch small/Cargo.toml && ln -s ../shop ../builds small && cd small";

    // The disk has room for the first files of initdb, but not for the last ones.
    let full = on(&format!("-o mode=755,size=6m none small && {here}")).await;
    if full.errors.contains("unshare") || full.errors.contains("mount") {
        return eprintln!("skipped: only root can mount: {}", full.errors);
    }
    let read_only = on(&format!("-o mode=755 none small && {here} && mount -o remount,ro ../small")).await;

    assert!(full.errors.starts_with("error: initdb failed:\n"), "{}", full.errors);
    assert!(full.errors.ends_with("\nThe disk is full. See how full: df -h . Make room, then: make run\n"));
    assert_eq!(full.errors.matches("No space left on device").count(), 1, "{}", full.errors);
    assert_eq!(
        read_only.errors,
        "error: can't make .flash-sale: Read-only file system (os error 30)\n\
         This folder can only be read. Work in a copy of it: cp -R . ~/flash-sale && cd ~/flash-sale\n"
    );
}

/// The explanation that the Makefile adds to cargo's own words.
#[tokio::test]
async fn a_build_that_may_not_be_written_or_run_is_explained() {
    let project = Project::new();
    fs::create_dir_all(project.path().join("target/debug")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("why-not-built.sh");
    fs::copy(script, project.path().join("why.sh")).unwrap();
    let explain = async |outer: &[&str], first: &str| {
        let script = format!("{first}sh why.sh target/debug/");
        let mut command = Command::new(outer[0]);
        command.args(&outer[1..]).args(["/bin/sh", "-c", &script]).current_dir(project.path());
        let outcome = Outcome::of(command.output().await.unwrap());
        assert_eq!(outcome.output, "");
        outcome.errors
    };

    assert_eq!(explain(&["env"], "").await, "", "a build that failed for another reason");
    if !is_root() {
        return eprintln!("skipped: only root can mount");
    }
    let mount = |options: &str| format!("mount -t tmpfs -o {options} none target && ");
    let noexec = explain(&["unshare", "--mount"], &mount("noexec")).await;
    let read_only = explain(&["unshare", "--mount"], &mount("ro")).await;
    let foreign = explain(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], "").await;

    let expected = "note: no program may be run from target: its disk is mounted with noexec.\n\
                    Build elsewhere: export CARGO_TARGET_DIR=~/flash-sale-target; make run\n";
    assert_eq!(noexec, expected);
    let expected = "note: nothing can be written to target: Read-only file system.\n\
                    Work in a copy of the project on another disk: cp -R . ~/flash-sale && cd ~/flash-sale\n";
    assert_eq!(read_only, expected);
    let expected = "note: target/debug/ belongs to root, and you are nobody: make was run here as another user.\n\
                    To make all of it yours: sudo make stop; sudo chown -R nobody target .flash-sale\n";
    assert_eq!(foreign, expected);
    assert_eq!(fs::read_dir(project.path().join("target/debug")).unwrap().count(), 0);
}
