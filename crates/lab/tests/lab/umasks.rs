//! Starts the shop under each umask that people have, as root and as an ordinary user. Nobody else can change anything
//! of the shop, or read a secret.

use std::os::unix::fs::{MetadataExt, chown};

use super::attacker::{NOBODY, why_not};
use super::*;

const UMASKS: [&str; 5] = ["000", "002", "022", "027", "077"];

/// With mode 700, PostgreSQL can't get into the folder. So its data go to a /var/lib of the test's own.
#[tokio::test]
#[ignore = "half a minute: PostgreSQL is made and started for each umask"]
async fn as_root_nobody_else_can_change_or_read_anything_whatever_the_umask_is() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    for umask in UMASKS {
        for mode in [0o755, 0o700] {
            let project = Project::new();
            fs::set_permissions(project.path(), fs::Permissions::from_mode(mode)).unwrap();
            let script = format!("mount -t tmpfs -o mode=755 none /var/lib && umask {umask}");

            let up = start(&project, &["unshare", "--mount"], &script).await;

            if up.errors.contains("unshare") || up.errors.contains("mount") {
                return eprintln!("skipped: only root can mount: {}", up.errors);
            }
            assert!(up.success, "umask {umask}: {}", up.errors);
            assert_closed(&project, umask).await;
            project.run(&["down"]).await;
        }
    }
}

#[tokio::test]
#[ignore = "half a minute: PostgreSQL is made and started for each umask"]
async fn so_it_is_for_an_ordinary_user_also_in_a_folder_that_a_group_shares() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    for umask in UMASKS {
        for mode in [0o755, 0o2775] {
            let project = Project::new();
            for path in ["", "programs", "crates", "static", "shop"] {
                chown(project.path().join(path), Some(NOBODY), Some(NOBODY)).unwrap();
            }
            fs::set_permissions(project.path(), fs::Permissions::from_mode(mode)).unwrap();
            let user = NOBODY.to_string();
            let ordinary = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];

            let up = start(&project, &ordinary, &format!("umask {umask}")).await;

            assert!(up.success, "umask {umask}: {}", up.errors);
            assert_closed(&project, umask).await;
            project.run(&["down"]).await;
        }
    }
}

/// Starts the shop as make does: the Makefile's own line makes the folder.
async fn start(project: &Project, outer: &[&str], first: &str) -> Outcome {
    let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Makefile");
    let makefile = fs::read_to_string(makefile).unwrap();
    let make_folder = makefile.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = make_folder.find("mkdir -p").unwrap();
    let make_folder = make_folder[start..].split(" && ").next().unwrap();
    let script = format!(r#"{first} && {make_folder} && exec "$0" up"#);
    let lab = project.command(&[]);
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).args(["/bin/sh", "-c", &script, LAB]);
    command.current_dir(project.path()).stdin(Stdio::null());
    for (name, value) in lab.as_std().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Outcome::of(command.output().await.unwrap())
}

async fn assert_closed(project: &Project, umask: &str) {
    let status = project.status().await;
    // This is the shop's own /var/lib, which only its processes see.
    let common = format!("/proc/{}/root/var/lib/flash-sale", status["pid"]);
    let mut seen = 0;
    for folder in [project.path().join(".flash-sale"), common.into()] {
        if folder.exists() {
            assert_below(&folder, umask, &mut seen);
        }
    }
    assert!(seen > 900, "the data folder alone has so many: {seen}");
    assert!(project.answers().await, "umask {umask}");
}

/// When we are root, PostgreSQL's user passes through the folders that lead to its own, and nobody sees
/// what is in them.
fn assert_below(path: &Path, umask: &str, seen: &mut usize) {
    let metadata = fs::symlink_metadata(path).unwrap();
    *seen += 1;
    let others = metadata.mode() & 0o077;
    let leads_on = metadata.is_dir() && metadata.uid() == 0 && others == 0o011;
    assert!(
        others == 0 || leads_on || metadata.is_symlink(),
        "umask {umask}: {:o} {}",
        metadata.mode(),
        path.display()
    );
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            // PostgreSQL removes its temporary files while this test looks.
            if path.symlink_metadata().is_ok() {
                assert_below(&path, umask, seen);
            }
        }
    }
}
