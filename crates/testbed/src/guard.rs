//! Child processes that can't outlive us, not even when we are killed with SIGKILL. Start with
//! [`GuardedCommand::start`].

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

pub use rustix::process::Signal;

/// This script stands between us and the child. It holds the reading end of a pipe. Only we have the writing
/// end. However we end, the kernel closes our end, and the script sees the end of the file. (The kernel's own
/// parent-death signal is no help: it is tied to the thread that started the child.)
///
/// The process group is the script's alone. When the child has ended, the script sends TERM to the group. That
/// ends the watcher and everything that the child left behind.
///
/// The script says the child's number last: the reader may be gone by then, and writing must not end the
/// script before it watches. The script repeats the signal every second, because a child that is only just
/// starting may miss the first one.
///
/// Arguments: signal, seconds until KILL, folder to remove or "", when to remove it ("always" or "failed"),
/// program, its arguments.
const SCRIPT: &str = r#"
signal=$1 grace=$2 folder=$3 when=$4
shift 4
exec 3<&0
"$@" </dev/null >&2 3<&- &
child=$!
{
    read -r _ <&3
    while [ "$grace" -gt 0 ]; do
        kill -s "$signal" "$child"
        sleep 1
        grace=$((grace - 1))
    done
    kill -s KILL "$child"
} >/dev/null 2>&1 &
trap '' PIPE
echo "$child"
wait "$child"
status=$?
trap : TERM
kill -s TERM 0
wait
[ -z "$folder" ] || [ "$when $status" = "failed 0" ] || rm -rf -- "$folder"
exit "$status"
"#;

/// The user that a child runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A program to start. Its environment holds only what is given to it. Its input is empty, and its output and
/// errors go to a file.
pub struct GuardedCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    user: Option<User>,
    stop_signal: Signal,
    grace: Duration,
    removal: Option<(PathBuf, &'static str)>,
}

impl GuardedCommand {
    /// `program`, named by its path. It is stopped with TERM, and ten seconds later with KILL.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            user: None,
            stop_signal: Signal::TERM,
            grace: Duration::from_secs(10),
            removal: None,
        }
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Adds variables to the child's environment.
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        for (name, value) in variables {
            self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        }
        self
    }

    /// Sets the folder that the child starts in. Without this, it is ours.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the user that the child runs as. Without this, it is our own user. Only root can choose.
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Sets the signal that asks the child to end, and how long it may take before it is killed (whole seconds).
    pub fn stop_with(mut self, signal: Signal, grace: Duration) -> Self {
        self.stop_signal = signal;
        self.grace = grace;
        self
    }

    /// Removes `folder` once the child has ended, also when we ended first.
    pub fn remove_afterwards(mut self, folder: impl Into<PathBuf>) -> Self {
        self.removal = Some((folder.into(), "always"));
        self
    }

    /// Removes `folder` when the child ends with a failure, also because it was stopped.
    pub fn remove_on_failure(mut self, folder: impl Into<PathBuf>) -> Self {
        self.removal = Some((folder.into(), "failed"));
        self
    }

    /// Starts the child. Its output and errors go to `log`. When the program isn't there, the child ends at
    /// once with status 127 and a line in the log.
    ///
    /// # Errors
    /// When no process can be started.
    pub async fn start(&self, log: File) -> io::Result<Guarded> {
        let mut shell = self.shell().stderr(log).spawn()?;
        let lifeline = shell.stdin.take();
        let output = shell.stdout.take().ok_or_else(|| io::Error::other("no pipe from sh"))?;

        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("sh did not start the program"))?;
        Ok(Guarded { shell, lifeline, pid })
    }

    fn shell(&self) -> Command {
        let (folder, when) = match &self.removal {
            Some((folder, when)) => (folder.as_path(), *when),
            None => (Path::new(""), "always"),
        };
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", SCRIPT, "guard", self.stop_signal_name()])
            .arg(self.grace.as_secs().to_string())
            .arg(folder)
            .arg(when)
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(directory) = &self.directory {
            shell.current_dir(directory);
        }
        if let Some(user) = self.user {
            shell.uid(user.uid).gid(user.gid);
        }
        shell
    }

    fn stop_signal_name(&self) -> &'static str {
        match self.stop_signal {
            Signal::INT => "INT",
            Signal::QUIT => "QUIT",
            _ => "TERM",
        }
    }
}

/// A running child. Dropping it stops the child as [`Guarded::stop`] does, without waiting.
pub struct Guarded {
    shell: Child,
    lifeline: Option<ChildStdin>,
    pid: Pid,
}

impl Guarded {
    /// The child's process id (not that of the shell that guards it).
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal to the child. Nothing happens when the child has ended.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.try_wait()?.is_some() {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the child has ended, and says how: its exit code, or 128 + the signal that ended it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.shell.wait().await
    }

    /// How the child has ended, or `None` while it runs.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }

    /// Asks the child to end, kills it when it takes too long, and waits for its end.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn stop(mut self) -> io::Result<ExitStatus> {
        self.lifeline = None;
        self.wait().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_ends_although_its_starter_was_gone_before_it_could_hear_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script = r#"echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep 1000"#;
        let arguments = [OsStr::new("-c"), script.as_ref(), "child".as_ref(), pid_file.as_os_str()];
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);

        let command = GuardedCommand::new("/bin/sh").args(arguments);
        let mut shell = command.shell().stdout(writer).stderr(Stdio::null()).spawn().unwrap();
        let lifeline = shell.stdin.take();
        let pid = loop {
            if let Ok(text) = std::fs::read_to_string(&pid_file) {
                break Pid::from_raw(text.trim().parse().unwrap()).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        drop(lifeline);

        assert_eq!(shell.wait().await.unwrap().code(), Some(128 + 15));
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
