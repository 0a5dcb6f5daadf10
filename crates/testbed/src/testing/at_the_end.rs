//! What must be done when a test is over, however it ends.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::shop_settings::OF_ONE_SHOP;

/// Runs a program once: when `now` is called, when this value is dropped, or when the test's process is
/// killed. A shell waits for that at the end of a pipe. Only this process has the other end.
pub struct AtTheEnd {
    shell: Child,
}

impl AtTheEnd {
    /// Will run `program` with these arguments, in `folder`. The program gets no shop's settings.
    ///
    /// # Panics
    /// When there is no shell.
    pub fn run(program: impl AsRef<OsStr>, arguments: &[&str], folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        for name in OF_ONE_SHOP {
            shell.env_remove(name);
        }
        // The shell has a process group of its own: Ctrl-C in the terminal ends the test, but not the shell.
        let shell = shell
            .args(["-c", r#"read -r _; exec "$@""#, "sh"])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self { shell: shell.expect("a shell") }
    }

    /// Runs the program now, if it hasn't run yet, and waits for its end. Returns whether it succeeded.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn now(&mut self) -> bool {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("it is our child").success()
    }
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.now();
    }
}
